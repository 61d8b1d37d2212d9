//! PLAIN: the password itself (RFC 4616).

use rookery_stream::SaslCondition;
use zeroize::Zeroizing;

/// The one message of the mechanism (RFC 4616 §2).
#[derive(Debug)]
pub(crate) struct Message {
    /// The identity to act as, where one is given.
    pub(crate) authzid: Option<String>,
    /// The identity whose password it is.
    pub(crate) authcid: String,
    /// The password.
    pub(crate) password: Password,
}

/// A password as the client sent it; wiped when dropped, and never shown.
pub(crate) struct Password(pub(crate) Zeroizing<String>);

// === impl Message ===

impl Message {
    /// Reads `[authzid] NUL authcid NUL passwd`.
    pub(crate) fn parse(message: &[u8]) -> Result<Self, SaslCondition> {
        const MALFORMED: SaslCondition = SaslCondition::MalformedRequest;
        let message = std::str::from_utf8(message).map_err(|_| MALFORMED)?;
        let (authzid, rest) = message.split_once('\0').ok_or(MALFORMED)?;
        let (authcid, password) = rest.split_once('\0').ok_or(MALFORMED)?;
        if authcid.is_empty() || password.is_empty() || password.contains('\0') {
            return Err(MALFORMED);
        }
        Ok(Self {
            authzid: (!authzid.is_empty()).then(|| authzid.to_owned()),
            authcid: authcid.to_owned(),
            password: Password(Zeroizing::new(password.to_owned())),
        })
    }
}

impl std::fmt::Debug for Password {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Password")
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_examples_of_rfc_4616_s4() {
        let message = Message::parse(b"\0tim\0tanstaaftanstaaf").unwrap();
        assert_eq!(message.authzid, None);
        assert_eq!(message.authcid, "tim");
        assert_eq!(message.password.0.as_str(), "tanstaaftanstaaf");
        let message = Message::parse(b"Ursel\0Kurt\0xipj3plmq").unwrap();
        assert_eq!(message.authzid.as_deref(), Some("Ursel"));
        assert_eq!(message.authcid, "Kurt");
    }

    #[test]
    fn a_message_outside_of_the_grammar_of_rfc_4616_s2_is_malformed() {
        let malformed: [&[u8]; 8] = [
            b"",
            b"\0",
            b"\0\0",
            b"\0tim\0",
            b"\0\0password",
            b"tim\0password",
            b"\0tim\0pass\0word",
            b"\0t\xFFm\0password",
        ];
        for message in malformed {
            assert_eq!(
                Message::parse(message).unwrap_err(),
                SaslCondition::MalformedRequest
            );
        }
    }

    #[test]
    fn parts_of_255_octets_are_accepted_as_rfc_4616_s2_demands() {
        let part = "x".repeat(255);
        let message = [part.as_str(), &part, &part].join("\0");
        assert_eq!(
            Message::parse(message.as_bytes()).unwrap().password.0.len(),
            255
        );
    }

    proptest! {
        #[test]
        fn no_message_breaks_the_parser(message in prop::collection::vec(0u8..=130, 0..40)) {
            drop(Message::parse(&message));
        }
    }
}
