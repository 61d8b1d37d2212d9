//! The client's side of SCRAM (RFC 5802, RFC 7677), without channel binding.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use sha1::Sha1;
use sha2::{Digest as _, Sha256};

use crate::error::BenchError;

/// More iterations would keep the generator busy with itself.
const MOST_ITERATIONS: u32 = 1_000_000;

/// The hash of the mechanism.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Hash {
    Sha1,
    Sha256,
}

/// What the password comes to with a salt; kept between the logins of an account, as §5.1 allows.
#[derive(Clone, Debug)]
pub(crate) struct Keys {
    salt: Vec<u8>,
    iterations: u32,
    client_key: Vec<u8>,
    server_key: Vec<u8>,
}

/// An exchange whose first message was sent.
#[derive(Debug)]
pub(crate) struct Exchange {
    hash: Hash,
    bare: String,
    nonce: String,
}

/// What the client sends last, and what the server has to answer.
#[derive(Debug)]
pub(crate) struct Final {
    pub(crate) message: String,
    signature: Vec<u8>,
}

// === impl Exchange ===

impl Exchange {
    /// Begins an exchange: `client-first-message` is [`first`](Self::first).
    pub(crate) fn new(hash: Hash, user: &str, nonce: &str) -> Self {
        let user = user.replace('=', "=3D").replace(',', "=2C");
        Self {
            hash,
            bare: format!("n={user},r={nonce}"),
            nonce: nonce.to_owned(),
        }
    }

    pub(crate) fn first(&self) -> String {
        format!("n,,{}", self.bare)
    }

    /// Reads `server-first-message`. `keys` are those of an earlier login, or will be those of the next.
    pub(crate) fn prove(
        &self,
        server_first: &str,
        password: &str,
        keys: &mut Option<Keys>,
    ) -> Result<Final, BenchError> {
        let wrong = BenchError::Scram("the server's first message is malformed");
        let mut parts = server_first.split(',');
        let mut value = |name| parts.next()?.strip_prefix(name);
        let (Some(nonce), Some(salt), Some(iterations)) = (value("r="), value("s="), value("i="))
        else {
            return Err(wrong);
        };
        let (Ok(salt), Ok(iterations)) = (STANDARD.decode(salt), iterations.parse()) else {
            return Err(wrong);
        };
        if !nonce.starts_with(&self.nonce) || nonce.len() == self.nonce.len() {
            return Err(BenchError::Scram(
                "the server's nonce is not an extension of ours",
            ));
        }
        if iterations > MOST_ITERATIONS {
            return Err(BenchError::Scram("the server wants too many iterations"));
        }
        let fits = |keys: &Keys| keys.salt == salt && keys.iterations == iterations;
        let known = keys.take().filter(fits);
        let known = known.unwrap_or_else(|| Keys::derive(self.hash, password, salt, iterations));
        // §7: `biws` is the GS2 header `n,,` in base 64.
        let without_proof = format!("c=biws,r={nonce}");
        let auth_message = [&self.bare, server_first, &without_proof].join(",");
        let stored_key = self.hash.of(&known.client_key);
        let mut proof = self.hash.mac(&stored_key, auth_message.as_bytes());
        for (byte, key) in proof.iter_mut().zip(&known.client_key) {
            *byte ^= key;
        }
        let signature = self.hash.mac(&known.server_key, auth_message.as_bytes());
        *keys = Some(known);
        Ok(Final {
            message: format!("{without_proof},p={}", STANDARD.encode(proof)),
            signature,
        })
    }
}

// === impl Final ===

impl Final {
    /// Whether `server-final-message` shows that the server knows the password's keys.
    pub(crate) fn is_answered_by(&self, server_final: &str) -> bool {
        let verifier = server_final.strip_prefix("v=");
        let verifier = verifier.and_then(|verifier| STANDARD.decode(verifier).ok());
        verifier.as_deref() == Some(self.signature.as_slice())
    }
}

// === impl Keys ===

impl Keys {
    fn derive(hash: Hash, password: &str, salt: Vec<u8>, iterations: u32) -> Self {
        let salted = hash.hi(password.as_bytes(), &salt, iterations);
        Self {
            client_key: hash.mac(&salted, b"Client Key"),
            server_key: hash.mac(&salted, b"Server Key"),
            salt,
            iterations,
        }
    }
}

// === impl Hash ===

impl Hash {
    fn of(self, text: &[u8]) -> Vec<u8> {
        match self {
            Self::Sha1 => Sha1::digest(text).to_vec(),
            Self::Sha256 => Sha256::digest(text).to_vec(),
        }
    }

    fn hi(self, text: &[u8], salt: &[u8], iterations: u32) -> Vec<u8> {
        match self {
            Self::Sha1 => pbkdf2::pbkdf2_hmac_array::<Sha1, 20>(text, salt, iterations).to_vec(),
            Self::Sha256 => {
                pbkdf2::pbkdf2_hmac_array::<Sha256, 32>(text, salt, iterations).to_vec()
            }
        }
    }

    fn mac(self, key: &[u8], text: &[u8]) -> Vec<u8> {
        match self {
            Self::Sha1 => mac::<Hmac<Sha1>>(key, text),
            Self::Sha256 => mac::<Hmac<Sha256>>(key, text),
        }
    }
}

#[expect(
    clippy::expect_used,
    reason = "HMAC takes keys of any length (RFC 2104 §3)"
)]
fn mac<M: Mac + KeyInit>(key: &[u8], text: &[u8]) -> Vec<u8> {
    let mut mac = <M as KeyInit>::new_from_slice(key).expect("a key of any length");
    mac.update(text);
    mac.finalize().into_bytes().to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIRST: &str = "r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,s=QSXCR+Q6sek8bf92,i=4096";

    #[test]
    fn the_exchange_is_that_of_rfc_5802_s5() {
        let exchange = Exchange::new(Hash::Sha1, "user", "fyko+d2lbbFgONRv9qkxdawL");
        assert_eq!(exchange.first(), "n,,n=user,r=fyko+d2lbbFgONRv9qkxdawL");
        let mut keys = None;
        for _ in 0..2 {
            let last = exchange.prove(FIRST, "pencil", &mut keys).unwrap();
            assert_eq!(
                last.message,
                "c=biws,r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,p=v0X8v3Bz2T0CJGbJQyF0X+HI4Ts="
            );
            assert!(last.is_answered_by("v=rmF9pqV8S7suAoZWja4dJRkFsKQ="));
            assert!(!last.is_answered_by("v=rmF9pqV8S7suAoZWja4dJRkFsKR="));
        }
    }

    #[test]
    fn the_exchange_is_that_of_rfc_7677_s3() {
        let exchange = Exchange::new(Hash::Sha256, "user", "rOprNGfwEbeRWgbNEkqO");
        let first = "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096";
        let last = exchange.prove(first, "pencil", &mut None).unwrap();
        assert!(
            last.message
                .ends_with("p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=")
        );
        assert!(last.is_answered_by("v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="));
    }

    #[test]
    fn a_nonce_that_is_not_ours_is_refused() {
        let exchange = Exchange::new(Hash::Sha1, "user", "another");
        assert!(exchange.prove(FIRST, "pencil", &mut None).is_err());
        assert!(
            exchange
                .prove("e=other-error", "pencil", &mut None)
                .is_err()
        );
    }
}
