//! The SASL mechanisms, strongest first.

use std::fmt;

use rookery_storage::ScramHash;

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
}

// === impl Mechanism ===

impl Mechanism {
    /// All of them, strongest first.
    pub const ALL: [Self; 9] = [
        Self::External,
        Self::ScramSha512Plus,
        Self::ScramSha256Plus,
        Self::ScramSha1Plus,
        Self::ScramSha512,
        Self::ScramSha256,
        Self::ScramSha1,
        Self::Plain,
        Self::Anonymous,
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
            Self::External | Self::Plain | Self::Anonymous => None,
        }
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
