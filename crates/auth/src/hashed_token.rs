//! HT: the hashed token (draft-schmaus-kitten-sasl-ht-09), one message of the client and one of the server.

use rookery_storage::ScramHash;
use rookery_stream::SaslCondition;
use subtle::ConstantTimeEq as _;
use zeroize::Zeroizing;

use crate::scram::hash;

/// The most bytes that the name of a user may have; §"Initiator First Message" demands 255.
const MAX_NAME: usize = 1023;
/// Both sides use this hash: that of all mechanisms that are offered.
const HASH: ScramHash = ScramHash::Sha256;

/// The client's message: `authcid NUL initiator-hashed-token`.
pub(crate) struct Message {
    /// The identity whose token it is.
    pub(crate) authcid: String,
    /// What shows that the client has the token.
    pub(crate) proof: Proof,
}

/// The client's proof, and the channel that it was made for.
pub(crate) struct Proof {
    hashed: Vec<u8>,
    binding: Vec<u8>,
}

/// A token: as good as a password.
#[derive(Clone)]
pub(crate) struct Secret(pub(crate) Zeroizing<String>);

// === impl Message ===

impl Message {
    /// Reads the message; `binding` is the data of the mechanism's channel binding, nothing without one.
    pub(crate) fn parse(message: &[u8], binding: &[u8]) -> Result<Self, SaslCondition> {
        const MALFORMED: SaslCondition = SaslCondition::MalformedRequest;
        let end = message.iter().position(|&byte| byte == 0);
        let (authcid, rest) = end
            .and_then(|end| message.split_at_checked(end))
            .ok_or(MALFORMED)?;
        let hashed = rest.get(1..).unwrap_or_default();
        let authcid = std::str::from_utf8(authcid).map_err(|_| MALFORMED)?;
        if authcid.is_empty() || authcid.len() > MAX_NAME || hashed.is_empty() {
            return Err(MALFORMED);
        }
        Ok(Self {
            authcid: authcid.to_owned(),
            proof: Proof {
                hashed: hashed.to_vec(),
                binding: binding.to_vec(),
            },
        })
    }
}

// === impl Proof ===

impl Proof {
    /// Whether the client has this token. It takes the same time whatever the answer is.
    pub(crate) fn is_of(&self, token: &Secret) -> bool {
        let expected = token.hashed("Initiator", &self.binding);
        expected.ct_eq(&self.hashed).into()
    }

    /// The server's message, which shows that it has the token as well.
    pub(crate) fn answer(&self, token: &Secret) -> Vec<u8> {
        token.hashed("Responder", &self.binding)
    }
}

// === impl Secret ===

impl Secret {
    /// `HMAC(token, role || cb-data)`.
    fn hashed(&self, role: &str, binding: &[u8]) -> Vec<u8> {
        hash::hmac(
            HASH,
            self.0.as_bytes(),
            &[role.as_bytes(), binding].concat(),
        )
    }
}

impl std::fmt::Debug for Proof {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Proof")
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret")
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use proptest::prelude::*;

    use super::*;

    /// What a client says that has this token.
    pub(crate) fn initiate(authcid: &str, token: &str, binding: &[u8]) -> Vec<u8> {
        let token = Secret(Zeroizing::new(token.to_owned()));
        let hashed = token.hashed("Initiator", binding);
        [authcid.as_bytes(), b"\0", &hashed].concat()
    }

    fn secret(text: &str) -> Secret {
        Secret(Zeroizing::new(text.to_owned()))
    }

    #[test]
    fn who_has_the_token_is_told_by_who_has_it_too() {
        let said = initiate("juliet", "token", b"channel");
        let message = Message::parse(&said, b"channel").unwrap();
        assert_eq!(message.authcid, "juliet");
        assert!(message.proof.is_of(&secret("token")));
        assert!(!message.proof.is_of(&secret("Token")));
        let answer = message.proof.answer(&secret("token"));
        assert_eq!(answer, hash::hmac(HASH, b"token", b"Responderchannel"));
    }

    #[test]
    fn a_proof_is_good_for_its_channel_only() {
        let said = initiate("juliet", "token", b"channel");
        let elsewhere = Message::parse(&said, b"another").unwrap();
        assert!(!elsewhere.proof.is_of(&secret("token")));
        let unbound = Message::parse(&said, b"").unwrap();
        assert!(!unbound.proof.is_of(&secret("token")));
    }

    #[test]
    fn a_message_outside_of_the_grammar_is_malformed() {
        let malformed: [&[u8]; 5] = [b"", b"\0", b"juliet", b"juliet\0", b"\0hash"];
        for message in malformed {
            let refused = Message::parse(message, b"").map(|_| ()).unwrap_err();
            assert_eq!(refused, SaslCondition::MalformedRequest);
        }
        assert!(Message::parse(b"\xFF\0hash", b"").is_err());
        let long = ["x".repeat(255).as_bytes(), b"\0hash"].concat();
        assert!(
            Message::parse(&long, b"").is_ok(),
            "255 octets are accepted"
        );
    }

    proptest! {
        #[test]
        fn no_message_breaks_the_parser(message in prop::collection::vec(0u8..=255, 0..60)) {
            drop(Message::parse(&message, b""));
        }
    }
}
