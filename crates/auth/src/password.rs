//! Passwords: the SCRAM keys that are kept of one, and whether one is right (RFC 5802 §3, XEP-0438).

use rookery_storage::{Credentials, ScramHash, ScramKeys};
use subtle::ConstantTimeEq as _;
use zeroize::Zeroizing;

use crate::saslprep::{SaslprepError, Strings, saslprep};
use crate::scram::hash;

/// The most bytes that a password may have. RFC 4616 §2 demands 255; XEP-0438 advises a limit.
const MAX_PASSWORD: usize = 1024;

/// Bytes of a salt (XEP-0438 §"Storage").
pub(crate) const SALT: usize = 16;

/// One salt for each hash (XEP-0438 §"Storage"), random.
#[derive(Clone, Copy)]
pub struct Salts {
    /// For SHA-1.
    pub sha1: [u8; SALT],
    /// For SHA-256.
    pub sha256: [u8; SALT],
    /// For SHA-512.
    pub sha512: [u8; SALT],
}

/// Why a password cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PasswordError {
    /// There is nothing left of it after preparation.
    #[error("the password is empty")]
    Empty,
    /// It has more than 1024 bytes.
    #[error("the password is longer than {MAX_PASSWORD} bytes")]
    TooLong,
    /// SASLprep refuses it (RFC 4013).
    #[error("the password cannot be used: {0}")]
    NotAllowed(#[from] SaslprepError),
}

// === impl Salts ===

impl Salts {
    /// Fresh salts from the system's source of randomness.
    pub fn random() -> Result<Self, getrandom::Error> {
        let mut salts = Self {
            sha1: [0; SALT],
            sha256: [0; SALT],
            sha512: [0; SALT],
        };
        getrandom::fill(&mut salts.sha1)?;
        getrandom::fill(&mut salts.sha256)?;
        getrandom::fill(&mut salts.sha512)?;
        Ok(salts)
    }
}

/// The keys of a password for all hashes. It takes some milliseconds: not for an arbiter.
pub fn derive(
    password: &str,
    iterations: u32,
    salts: &Salts,
) -> Result<Credentials, PasswordError> {
    let password = prepare(password, Strings::Stored)?;
    let keys = |hash, salt: &[u8; SALT]| scram_keys(hash, &password, salt, iterations);
    Ok(Credentials {
        sha1: keys(ScramHash::Sha1, &salts.sha1),
        sha256: keys(ScramHash::Sha256, &salts.sha256),
        sha512: keys(ScramHash::Sha512, &salts.sha512),
    })
}

/// Whether the keys are those of this prepared password. It takes about a millisecond: not for an
/// arbiter.
pub fn verify(password: &str, hash: ScramHash, keys: &ScramKeys) -> bool {
    let found = scram_keys(hash, password, &keys.salt, keys.iterations);
    found.stored_key.ct_eq(&keys.stored_key).into()
}

/// Prepares a password by SASLprep and checks its length (RFC 4616 §2).
pub(crate) fn prepare(
    password: &str,
    strings: Strings,
) -> Result<Zeroizing<String>, PasswordError> {
    if password.len() > MAX_PASSWORD {
        return Err(PasswordError::TooLong);
    }
    let prepared = Zeroizing::new(saslprep(password, strings)?.into_owned());
    if prepared.is_empty() {
        Err(PasswordError::Empty)
    } else {
        Ok(prepared)
    }
}

/// `StoredKey` and `ServerKey` (RFC 5802 §3) of a prepared password.
fn scram_keys(hash: ScramHash, password: &str, salt: &[u8], iterations: u32) -> ScramKeys {
    let salted = hash::hi(hash, password.as_bytes(), salt, iterations);
    keys_of(hash, &salted, salt, iterations)
}

/// `StoredKey` and `ServerKey` of a `SaltedPassword`.
pub(crate) fn keys_of(hash: ScramHash, salted: &[u8], salt: &[u8], iterations: u32) -> ScramKeys {
    let client_key = Zeroizing::new(hash::hmac(hash, salted, b"Client Key"));
    ScramKeys {
        salt: salt.to_vec(),
        iterations,
        stored_key: hash::h(hash, &client_key),
        server_key: hash::hmac(hash, salted, b"Server Key"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SALTS: Salts = Salts {
        sha1: [1; SALT],
        sha256: [2; SALT],
        sha512: [3; SALT],
    };

    #[test]
    fn a_password_is_verified_by_each_of_its_hashes() {
        let credentials = derive("pencil", 4096, &SALTS).unwrap();
        for hash in [ScramHash::Sha1, ScramHash::Sha256, ScramHash::Sha512] {
            assert!(verify("pencil", hash, credentials.keys(hash)));
            assert!(!verify("Pencil", hash, credentials.keys(hash)));
        }
    }

    #[test]
    fn each_hash_has_a_salt_of_its_own_of_16_bytes_as_xep_0438_demands() {
        let salts = Salts::random().unwrap();
        assert_ne!(salts.sha1, salts.sha256);
        assert_ne!(salts.sha256, salts.sha512);
        let credentials = derive("pencil", 4096, &salts).unwrap();
        assert_eq!(credentials.sha1.salt.len(), 16);
    }

    #[test]
    fn prepared_forms_of_one_password_are_one_password() {
        let credentials = derive("I\u{AD}X", 4096, &SALTS).unwrap();
        let other = prepare("\u{2168}", Strings::Query).unwrap();
        assert!(verify(&other, ScramHash::Sha256, &credentials.sha256));
    }

    #[test]
    fn empty_long_and_prohibited_passwords_are_refused() {
        let error = |password: &str| derive(password, 4096, &SALTS).unwrap_err();
        assert_eq!(error(""), PasswordError::Empty);
        assert_eq!(error("\u{AD}"), PasswordError::Empty);
        assert_eq!(error(&"x".repeat(1025)), PasswordError::TooLong);
        assert_eq!(
            error("a\0b"),
            PasswordError::NotAllowed(SaslprepError::Prohibited)
        );
    }
}
