//! Keys for accounts that do not exist, so that they answer like those that do (RFC 6120 §6.5.10).

use std::fmt;

use rookery_storage::{ScramHash, ScramKeys};
use zeroize::Zeroizing;

use crate::identity::Claim;
use crate::password::SALT;
use crate::scram::hash;

/// Makes up keys from a secret of the server: the same for the same name, at any time and on any node
/// that has the secret.
pub(crate) struct Decoys {
    secret: Zeroizing<[u8; 32]>,
    iterations: u32,
}

// === impl Decoys ===

impl Decoys {
    /// Decoys with the iterations that new accounts get.
    pub(crate) fn new(secret: [u8; 32], iterations: u32) -> Self {
        Self {
            secret: Zeroizing::new(secret),
            iterations,
        }
    }

    /// Keys with a salt that only who has the secret can tell from a random one. No client knows a key
    /// whose hash is this `StoredKey`; it is refused even so.
    pub(crate) fn keys(&self, hash: ScramHash, host: &str, claim: &Claim) -> ScramKeys {
        let label = match hash {
            ScramHash::Sha1 => "SHA-1",
            ScramHash::Sha256 => "SHA-256",
            ScramHash::Sha512 => "SHA-512",
        };
        // Neither a label nor a host has a NUL, so each name has a text of its own.
        let text = [label, host, claim.name()].join("\0");
        let mut salt = hash::hmac(ScramHash::Sha256, self.secret.as_slice(), text.as_bytes());
        salt.truncate(SALT);
        let nothing = vec![0; hash::length(hash)];
        ScramKeys {
            salt,
            iterations: self.iterations,
            stored_key: nothing.clone(),
            server_key: nothing,
        }
    }
}

impl fmt::Debug for Decoys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Decoys")
            .field("iterations", &self.iterations)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_decoy_looks_like_an_account_and_always_the_same() {
        let decoys = Decoys::new([1; 32], 10_000);
        let salt = |name: &str, hash| {
            decoys
                .keys(hash, "localhost", &Claim::user(name, "localhost"))
                .salt
        };
        let nobody = salt("nobody", ScramHash::Sha256);
        assert_eq!(nobody.len(), SALT);
        assert_eq!(
            nobody,
            salt("NOBODY", ScramHash::Sha256),
            "spellings of one name"
        );
        assert_ne!(nobody, salt("nobody2", ScramHash::Sha256));
        assert_ne!(
            nobody,
            salt("nobody", ScramHash::Sha1),
            "each hash has a salt of its own"
        );
        let other = Decoys::new([2; 32], 10_000);
        let other = other.keys(
            ScramHash::Sha256,
            "localhost",
            &Claim::user("nobody", "localhost"),
        );
        assert_ne!(nobody, other.salt, "only the secret tells");
    }
}
