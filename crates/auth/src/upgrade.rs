//! XEP-0480: SASL Upgrade Tasks, without I/O and randomness.
//!
//! The keys of a password were made with as many iterations as were asked for at that time. When the operator asks
//! for more, only who knows the password can make new ones. The client does, and sends what SCRAM makes of it.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rookery_stanza::ns;
use rookery_storage::{Credentials, ScramHash, ScramKeys};
use rookery_stream::SaslCondition;
use rookery_xml::Element;
use zeroize::Zeroizing;

use crate::password::{self, SALT};
use crate::scram::hash;

/// The hashes that there is a task for. SHA-1 has none: nobody shall be asked for the weakest anew.
pub(crate) const HASHES: [ScramHash; 2] = [ScramHash::Sha512, ScramHash::Sha256];

/// A task that a client has begun.
#[derive(Debug)]
pub(crate) struct Upgrade {
    hash: ScramHash,
    salt: [u8; SALT],
    iterations: u32,
}

// === impl Upgrade ===

impl Upgrade {
    /// New keys for `hash`, with a salt that was never used.
    pub(crate) fn new(hash: ScramHash, salt: [u8; SALT], iterations: u32) -> Self {
        Self {
            hash,
            salt,
            iterations,
        }
    }

    /// Which keys it is about.
    pub(crate) fn hash(&self) -> ScramHash {
        self.hash
    }

    /// What the client has to know (§"SCRAM upgrade tasks").
    pub(crate) fn ask(&self) -> Element {
        Element::new("salt", ns::SCRAM_UPGRADE)
            .with_attribute("iterations", self.iterations.to_string())
            .with_text(STANDARD.encode(self.salt))
    }

    /// The keys, from the client's `SaltedPassword`.
    pub(crate) fn finish(&self, answer: Option<&Element>) -> Result<ScramKeys, SaslCondition> {
        let answer = answer
            .filter(|answer| answer.is("hash", ns::SCRAM_UPGRADE))
            .ok_or(SaslCondition::MalformedRequest)?;
        let salted = STANDARD
            .decode(answer.text().trim())
            .map_err(|_| SaslCondition::IncorrectEncoding)?;
        let salted = Zeroizing::new(salted);
        if salted.len() != hash::length(self.hash) {
            return Err(SaslCondition::MalformedRequest);
        }
        Ok(password::keys_of(
            self.hash,
            &salted,
            &self.salt,
            self.iterations,
        ))
    }
}

/// The name of the task for a hash (§"Server advertising possible upgrade tasks").
pub(crate) fn name(hash: ScramHash) -> &'static str {
    match hash {
        ScramHash::Sha1 => "UPGR-SCRAM-SHA-1",
        ScramHash::Sha256 => "UPGR-SCRAM-SHA-256",
        ScramHash::Sha512 => "UPGR-SCRAM-SHA-512",
    }
}

/// The hashes whose keys have fewer iterations than new ones would have.
pub(crate) fn outdated(credentials: &Credentials, iterations: u32) -> Vec<ScramHash> {
    let old = |hash: &ScramHash| credentials.keys(*hash).iterations < iterations;
    HASHES.into_iter().filter(old).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::password::verify;

    fn answer(text: &str) -> Element {
        Element::new("hash", ns::SCRAM_UPGRADE).with_text(text)
    }

    #[test]
    fn what_the_client_makes_of_its_password_becomes_keys_s_scram_upgrade_tasks() {
        for hash in HASHES {
            let task = Upgrade::new(hash, [7; SALT], 4096);
            let asked = task.ask();
            assert_eq!(asked.attribute("iterations"), Some("4096"));
            assert_eq!(STANDARD.decode(&*asked.text()).unwrap(), [7; SALT]);
            let salted = hash::hi(hash, b"pencil", &[7; SALT], 4096);
            let keys = task.finish(Some(&answer(&STANDARD.encode(&*salted))));
            assert!(verify("pencil", hash, &keys.unwrap()));
        }
    }

    #[test]
    fn anything_else_is_refused() {
        let task = Upgrade::new(ScramHash::Sha256, [7; SALT], 4096);
        let refused = |answer: Option<&Element>| task.finish(answer).unwrap_err();
        assert_eq!(refused(None), SaslCondition::MalformedRequest);
        let other = Element::new("hash", ns::SASL2);
        assert_eq!(refused(Some(&other)), SaslCondition::MalformedRequest);
        assert_eq!(
            refused(Some(&answer("?"))),
            SaslCondition::IncorrectEncoding
        );
        for text in ["", "AAAA"] {
            assert_eq!(
                refused(Some(&answer(text))),
                SaslCondition::MalformedRequest
            );
        }
    }

    #[test]
    fn keys_with_fewer_iterations_are_outdated() {
        let credentials = crate::tests::credentials();
        let old = outdated(&credentials, crate::tests::ITERATIONS + 1);
        assert_eq!(old, HASHES);
        assert_eq!(outdated(&credentials, crate::tests::ITERATIONS), []);
    }
}
