//! The SASL mechanisms, strongest first.

use std::fmt;

use rookery_storage::ScramHash;

use crate::offer::ChannelBinding;

/// A SASL mechanism that the server knows. The order is that of preference (RFC 6120 §6.3.3, §6.3.4;
/// XEP-0438 §"Mechanism Pinning").
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Mechanism {
    /// The client's certificate says who it is (RFC 4422 Appendix A, XEP-0178).
    External,
    /// SCRAM-SHA-512 with channel binding.
    ScramSha512Plus,
    /// SCRAM-SHA-256 with channel binding (RFC 7677).
    ScramSha256Plus,
    /// SCRAM-SHA-1 with channel binding (RFC 5802).
    ScramSha1Plus,
    /// SCRAM-SHA-512.
    ScramSha512,
    /// SCRAM-SHA-256 (RFC 7677).
    ScramSha256,
    /// SCRAM-SHA-1 (RFC 5802).
    ScramSha1,
    /// The password itself, inside TLS only (RFC 4616).
    Plain,
    /// Nobody in particular (RFC 4505).
    Anonymous,
    /// A token, with the channel binding `tls-exporter`. Mechanisms that take a token are offered apart from the
    /// others (XEP-0484 §"Server advertises support for FAST").
    HtSha256Expr,
    /// A token, with the channel binding `tls-server-end-point`.
    HtSha256Endp,
    /// A token, without channel binding.
    HtSha256None,
}

/// The channel binding of a mechanism that takes a token, if it has one.
pub(crate) type TokenBinding = Option<ChannelBinding>;

// === impl Mechanism ===

impl Mechanism {
    /// All of them, strongest first.
    pub const ALL: [Self; 12] = [
        Self::External,
        Self::ScramSha512Plus,
        Self::ScramSha256Plus,
        Self::ScramSha1Plus,
        Self::ScramSha512,
        Self::ScramSha256,
        Self::ScramSha1,
        Self::Plain,
        Self::Anonymous,
        Self::HtSha256Expr,
        Self::HtSha256Endp,
        Self::HtSha256None,
    ];

    /// Its registered name (RFC 4422 §3.1).
    pub fn name(self) -> &'static str {
        match self {
            Self::External => "EXTERNAL",
            Self::ScramSha512Plus => "SCRAM-SHA-512-PLUS",
            Self::ScramSha256Plus => "SCRAM-SHA-256-PLUS",
            Self::ScramSha1Plus => "SCRAM-SHA-1-PLUS",
            Self::ScramSha512 => "SCRAM-SHA-512",
            Self::ScramSha256 => "SCRAM-SHA-256",
            Self::ScramSha1 => "SCRAM-SHA-1",
            Self::Plain => "PLAIN",
            Self::Anonymous => "ANONYMOUS",
            Self::HtSha256Expr => "HT-SHA-256-EXPR",
            Self::HtSha256Endp => "HT-SHA-256-ENDP",
            Self::HtSha256None => "HT-SHA-256-NONE",
        }
    }

    /// The mechanism of this name, which is upper case (RFC 4422 §3.1).
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|mechanism| mechanism.name() == name)
    }

    /// The hash of a SCRAM mechanism.
    pub fn scram_hash(self) -> Option<ScramHash> {
        match self {
            Self::ScramSha512Plus | Self::ScramSha512 => Some(ScramHash::Sha512),
            Self::ScramSha256Plus | Self::ScramSha256 => Some(ScramHash::Sha256),
            Self::ScramSha1Plus | Self::ScramSha1 => Some(ScramHash::Sha1),
            _ => None,
        }
    }

    /// Whether it takes a token, and which channel binding it uses.
    pub(crate) fn token_binding(self) -> Option<TokenBinding> {
        match self {
            Self::HtSha256Expr => Some(Some(ChannelBinding::TlsExporter)),
            Self::HtSha256Endp => Some(Some(ChannelBinding::TlsServerEndPoint)),
            Self::HtSha256None => Some(None),
            _ => None,
        }
    }

    /// Whether who succeeds by it knows the password.
    pub(crate) fn shows_password(self) -> bool {
        self == Self::Plain || self.scram_hash().is_some()
    }

    /// Whether it binds to the channel (RFC 5802 §4: the suffix `-PLUS`).
    pub fn is_plus(self) -> bool {
        matches!(
            self,
            Self::ScramSha512Plus | Self::ScramSha256Plus | Self::ScramSha1Plus
        )
    }
}

impl fmt::Display for Mechanism {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_rfc_4422_s3_1_and_read_back() {
        for mechanism in Mechanism::ALL {
            let name = mechanism.name();
            assert!(name.len() <= 20, "{name}");
            assert_eq!(Mechanism::named(name), Some(mechanism));
            assert_eq!(
                Mechanism::named(&name.to_lowercase()),
                None,
                "names are upper case"
            );
        }
        assert!(
            Mechanism::ALL.is_sorted(),
            "declared in the order of preference"
        );
    }
}
