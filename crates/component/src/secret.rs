//! What a component proves to know, and the proof (XEP-0114 §3).

use std::fmt;

use sha1::{Digest as _, Sha1};
use subtle::ConstantTimeEq as _;
use zeroize::Zeroizing;

/// The secret that a component shares with the server. It is not shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Zeroizing<String>);

// === impl Secret ===

impl Secret {
    /// This secret.
    pub fn new(text: &str) -> Self {
        Self(Zeroizing::new(text.to_owned()))
    }

    /// Whether this is the handshake of who knows the secret, on the stream of this id: the SHA-1 of both,
    /// in lowercase hexadecimal. How long the comparison takes tells nothing of how much was right.
    pub(crate) fn is_proved_by(&self, handshake: &str, stream: &str) -> bool {
        let right = self.handshake(stream);
        right.as_bytes().ct_eq(handshake.as_bytes()).into()
    }

    /// The handshake for the stream of this id.
    pub(crate) fn handshake(&self, stream: &str) -> String {
        const DIGITS: &[char; 16] = &[
            '0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'a', 'b', 'c', 'd', 'e', 'f',
        ];
        let digest = Sha1::new()
            .chain_update(stream)
            .chain_update(self.0.as_bytes())
            .finalize();
        let digits = digest.iter().flat_map(|byte| [byte >> 4, byte & 15]);
        digits
            .filter_map(|digit| DIGITS.get(usize::from(digit)))
            .collect()
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn handshake_is_the_sha1_of_id_and_secret_in_lowercase_by_s3() {
        // The example of the standard.
        let right = "aaee83c26aeeafcbabeabfcbcd50df997e0a2a1e";
        assert!(Secret::new("test").is_proved_by(right, "3BF96D32"));
    }

    #[test]
    fn another_stream_another_case_and_less_are_no_proof_by_s3() {
        let secret = Secret::new("test");
        let right = secret.handshake("3BF96D32");
        for wrong in [
            secret.handshake("3BF96D33"),
            Secret::new("tesT").handshake("3BF96D32"),
            right.to_uppercase(),
            right.chars().take(39).collect(),
            String::new(),
        ] {
            assert!(!secret.is_proved_by(&wrong, "3BF96D32"), "{wrong}");
        }
    }

    #[test]
    fn a_secret_is_not_shown() {
        assert_eq!(format!("{:?}", Secret::new("hush")), "Secret");
    }
}
