//! What streams offer to authenticate by (RFC 6120 §6.3.3, XEP-0388), written out once for all that offer the same.

use std::borrow::Cow;

use bytes::Bytes;

use crate::features;
use crate::service::{Inline, Mechanisms};

/// An offer of SASL mechanisms.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Offer {
    /// What a client may choose.
    names: Vec<Cow<'static, str>>,
    /// The features that say so.
    features: Bytes,
}

// === impl Offer ===

impl Offer {
    /// For streams that are protected, or for those that are not: these offer no password in the clear (RFC 4616
    /// §4), and nothing of XEP-0388 (§"Security Considerations" there).
    pub fn new(mechanisms: Mechanisms, inline: &Inline, is_protected: bool) -> Self {
        let mut mechanisms = mechanisms;
        if !is_protected {
            mechanisms.names.retain(|name| name != "PLAIN");
        }
        let mut list = features::mechanisms(&mechanisms);
        if is_protected {
            list.extend(features::authentication(&mechanisms, inline));
            let tokens = mechanisms.tokens.iter().copied();
            mechanisms.names.extend(tokens.map(Cow::Borrowed));
        }
        Self {
            names: mechanisms.names,
            features: features::write_features(&list),
        }
    }

    /// Whether a client may authenticate by this mechanism.
    pub(crate) fn has(&self, mechanism: &str) -> bool {
        self.names.iter().any(|name| name == mechanism)
    }

    /// The features that announce it.
    pub(crate) fn features(&self) -> &[u8] {
        &self.features
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn offer(is_protected: bool) -> Offer {
        let mechanisms = Mechanisms {
            names: vec!["SCRAM-SHA-1".into(), "PLAIN".into()],
            tokens: vec!["HT-SHA-256-EXPR"],
            ..Mechanisms::default()
        };
        Offer::new(mechanisms, &Inline::default(), is_protected)
    }

    #[test]
    fn a_password_in_the_clear_needs_protection_by_rfc_4616_s4() {
        let (clear, secure) = (offer(false), offer(true));
        assert!(clear.has("SCRAM-SHA-1") && !clear.has("PLAIN"));
        assert!(secure.has("SCRAM-SHA-1") && secure.has("PLAIN"));
    }

    #[test]
    fn tokens_are_taken_where_the_offer_says_so_and_nowhere_else() {
        let (clear, secure) = (offer(false), offer(true));
        assert!(!clear.has("HT-SHA-256-EXPR") && secure.has("HT-SHA-256-EXPR"));
        let says = |offer: &Offer| String::from_utf8_lossy(offer.features()).contains("HT-SHA-256");
        assert!(!says(&clear) && says(&secure));
    }
}
