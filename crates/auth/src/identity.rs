//! Who a client claims to be, and as whom it may act (RFC 6120 §6.3.7, §6.3.8).

use rookery_stanza::BareJid;
use rookery_stream::SaslCondition;

use crate::saslprep::{Strings, saslprep};

/// An authentication identity at one host, prepared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claim {
    name: Box<str>,
    account: Option<BareJid>,
}

// === impl Claim ===

impl Claim {
    /// The claim to be the user `name` of `host`: a simple user name equal to the localpart (RFC 6120
    /// §6.3.7), prepared by SASLprep as a query (RFC 5802 §5.1) and then as a localpart.
    ///
    /// A name that is no localpart is a claim all the same, to an account that does not exist.
    pub fn user(name: &str, host: &str) -> Self {
        let account = saslprep(name, Strings::Query)
            .ok()
            .and_then(|name| BareJid::from_parts(Some(&name), host).ok());
        Self {
            name: name.into(),
            account,
        }
    }

    /// The claim to be an account that something else than a name has shown.
    pub(crate) fn account_of(account: BareJid) -> Self {
        Self {
            name: account.local().unwrap_or_default().into(),
            account: Some(account),
        }
    }

    /// The account, unless the name cannot be one.
    pub fn account(&self) -> Option<&BareJid> {
        self.account.as_ref()
    }

    /// The name for the purpose of making up a salt: the prepared localpart, so that all spellings of a
    /// name have the same, or the name as received.
    pub(crate) fn name(&self) -> &str {
        self.account
            .as_ref()
            .and_then(BareJid::local)
            .unwrap_or(&self.name)
    }

    /// Checks that the client asks to act as itself, or leaves that out; an empty authorization identity
    /// is left out (RFC 6120 §6.6).
    pub(crate) fn authorize(&self, authzid: Option<&str>) -> Result<(), SaslCondition> {
        match authzid {
            None | Some("") => Ok(()),
            Some(authzid) if self.account == Some(authorization_identity(authzid)?) => Ok(()),
            Some(_) => Err(SaslCondition::InvalidAuthzid),
        }
    }
}

/// Reads an authorization identity, which is a bare JID with a localpart (RFC 6120 §6.3.8).
pub(crate) fn authorization_identity(text: &str) -> Result<BareJid, SaslCondition> {
    BareJid::parse(text)
        .ok()
        .filter(|jid| jid.local().is_some())
        .ok_or(SaslCondition::InvalidAuthzid)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_prepared_before_it_is_compared() {
        let claim = Claim::user("JULIET", "example.com");
        assert_eq!(claim.account().unwrap().as_str(), "juliet@example.com");
        assert_eq!(claim.authorize(Some("Juliet@Example.com")), Ok(()));
    }

    #[test]
    fn a_name_that_is_no_localpart_is_nobody() {
        for name in ["", "a b", "a@b", "a/b", "\u{7}", &"x".repeat(2000)] {
            assert_eq!(Claim::user(name, "example.com").account(), None, "{name:?}");
        }
    }

    #[test]
    fn an_authorization_identity_is_a_bare_jid_and_ones_own_as_rfc_6120_s6_3_8_demands() {
        let claim = Claim::user("juliet", "example.com");
        assert_eq!(claim.authorize(None), Ok(()));
        assert_eq!(claim.authorize(Some("")), Ok(()));
        for refused in [
            "romeo@example.com",
            "juliet@example.net",
            "juliet@example.com/balcony",
            "juliet",
            "example.com",
            "@",
        ] {
            let refusal = Err(SaslCondition::InvalidAuthzid);
            assert_eq!(claim.authorize(Some(refused)), refusal, "{refused}");
        }
        let nobody = Claim::user("a b", "example.com");
        assert!(nobody.authorize(Some("juliet@example.com")).is_err());
    }
}
