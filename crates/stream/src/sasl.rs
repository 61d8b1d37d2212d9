//! The SASL profile of XMPP on the wire (RFC 6120 §6.4, §6.5).

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use rookery_stanza::ns;
use rookery_xml::{Element, XML_NAMESPACE};

/// One row for each condition: its documentation, variant and name on the wire.
macro_rules! conditions {
    ($($(#[$doc:meta])+ $variant:ident = $name:literal;)+) => {
        /// Why an authentication failed (RFC 6120 §6.5).
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum SaslCondition {
            $($(#[$doc])+ $variant,)+
        }

        impl SaslCondition {
            /// All conditions, in the order of RFC 6120.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The name on the wire.
            pub fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)+
                }
            }
        }
    };
}

conditions! {
    /// §6.5.1: the client gave up.
    Aborted = "aborted";
    /// §6.5.2: the account is disabled for the time being.
    AccountDisabled = "account-disabled";
    /// §6.5.3: the credentials have expired.
    CredentialsExpired = "credentials-expired";
    /// §6.5.4: the mechanism cannot be used without TLS.
    EncryptionRequired = "encryption-required";
    /// §6.5.5: the base64 is incorrect.
    IncorrectEncoding = "incorrect-encoding";
    /// §6.5.6: the client may not act for this identity.
    InvalidAuthzid = "invalid-authzid";
    /// §6.5.7: the mechanism is missing or not offered.
    InvalidMechanism = "invalid-mechanism";
    /// §6.5.8: what was sent violates the syntax of the mechanism or of the profile.
    MalformedRequest = "malformed-request";
    /// §6.5.9: the mechanism is weaker than policy permits for this client.
    MechanismTooWeak = "mechanism-too-weak";
    /// §6.5.10: wrong credentials, or any failure that is not to be told apart from them.
    NotAuthorized = "not-authorized";
    /// §6.5.11: an error within the server; the client may try again later.
    TemporaryAuthFailure = "temporary-auth-failure";
}

/// What a client sends in the course of an authentication. It may hold a password, and is not shown.
#[derive(Clone, PartialEq, Eq)]
pub(crate) enum Request {
    /// `<auth/>`, with its mechanism, which may be empty, and its initial response.
    Auth {
        /// Empty where the client named none.
        mechanism: String,
        /// Not decoded yet: an error in it counts only for a mechanism that is offered.
        initial: Initial,
    },
    /// `<response/>`.
    Response(Vec<u8>),
    /// `<abort/>`.
    Abort,
}

/// An initial response (RFC 6120 §6.4.2), or what is wrong with it.
pub(crate) type Initial = Result<Option<Vec<u8>>, SaslCondition>;

// === impl Request ===

impl Request {
    /// Reads an element of the SASL namespace; `None` if clients send no such element.
    pub(crate) fn read(element: &Element) -> Option<Result<Self, SaslCondition>> {
        match element.name() {
            "auth" => Some(Ok(Self::Auth {
                mechanism: element
                    .attribute("mechanism")
                    .unwrap_or_default()
                    .to_owned(),
                initial: initial_response(element),
            })),
            "response" => Some(
                data(element)
                    .map(Option::unwrap_or_default)
                    .map(Self::Response),
            ),
            "abort" => Some(Ok(Self::Abort)),
            _ => None,
        }
    }
}

/// §6.4.2: without character data there is no initial response, and `=` is one of no bytes.
fn initial_response(auth: &Element) -> Initial {
    data(auth)
}

/// The data of an element: base64 of nothing but the alphabet, with padding where it belongs and its bits
/// zero (§6.3.5, §13.9.1). `None` where there is no text; `=` stands for data of zero length.
fn data(element: &Element) -> Result<Option<Vec<u8>>, SaslCondition> {
    if element.children().next().is_some() {
        return Err(SaslCondition::MalformedRequest);
    }
    match &*element.text() {
        "" => Ok(None),
        "=" => Ok(Some(Vec::new())),
        text => STANDARD
            .decode(text)
            .map(Some)
            .map_err(|_| SaslCondition::IncorrectEncoding),
    }
}

/// `<challenge/>` (§6.4.3).
pub(crate) fn challenge(data: &[u8]) -> Bytes {
    element("challenge", &STANDARD.encode(data))
}

/// `<success/>`, with additional data or none (§6.4.6).
pub(crate) fn success(data: Option<&[u8]>) -> Bytes {
    match data {
        None => element("success", ""),
        Some([]) => element("success", "="),
        Some(data) => element("success", &STANDARD.encode(data)),
    }
}

/// `<failure/>` (§6.4.5).
pub(crate) fn failure(condition: SaslCondition, text: Option<&str>) -> Bytes {
    let mut failure =
        Element::new("failure", ns::SASL).with_child(Element::new(condition.as_str(), ns::SASL));
    if let Some(text) = text {
        let text = Element::new("text", ns::SASL)
            .with_attribute_ns("lang", XML_NAMESPACE, "en")
            .with_text(text);
        failure.push(text);
    }
    failure.to_bytes(ns::CLIENT)
}

fn element(name: &'static str, text: &str) -> Bytes {
    Element::new(name, ns::SASL)
        .with_text(text)
        .to_bytes(ns::CLIENT)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(inside: &str) -> Result<Option<Vec<u8>>, SaslCondition> {
        let xml = format!(
            "<auth xmlns='{}' mechanism='PLAIN'>{inside}</auth>",
            ns::SASL
        );
        match Request::read(&Element::parse_str(&xml).unwrap())
            .unwrap()
            .unwrap()
        {
            Request::Auth { mechanism, initial } => {
                assert_eq!(mechanism, "PLAIN");
                initial
            }
            _ => panic!("not <auth/>"),
        }
    }

    #[test]
    fn an_equals_sign_is_data_of_zero_length_s6_4_2() {
        assert_eq!(read(""), Ok(None));
        assert_eq!(read("="), Ok(Some(vec![])));
        assert_eq!(
            read("AGp1bGlldAByMG0zMG15cjBtMzA="),
            Ok(Some(b"\0juliet\0r0m30myr0m30".to_vec()))
        );
    }

    #[test]
    fn base64_is_taken_strictly_s6_3_5_s13_9_1() {
        for bad in [
            "=AAA", "BBBB=CCC", "AA", "AA=", "AB==", "AAA=\n", " AAAA", "A-_A", "AAAA====", "==",
        ] {
            assert_eq!(read(bad), Err(SaslCondition::IncorrectEncoding), "{bad:?}");
        }
    }

    #[test]
    fn elements_inside_are_malformed_s6_5_8() {
        assert_eq!(read("<x/>"), Err(SaslCondition::MalformedRequest));
    }

    #[test]
    fn success_tells_no_data_from_empty_data_s6_4_6() {
        let text = |bytes: Bytes| String::from_utf8(bytes.to_vec()).unwrap();
        assert_eq!(
            text(success(None)),
            format!("<success xmlns='{}'/>", ns::SASL)
        );
        assert_eq!(
            text(success(Some(&[]))),
            format!("<success xmlns='{}'>=</success>", ns::SASL)
        );
        assert_eq!(
            text(success(Some(b"v=1"))),
            format!("<success xmlns='{}'>dj0x</success>", ns::SASL)
        );
        assert_eq!(
            text(challenge(b"")),
            format!("<challenge xmlns='{}'/>", ns::SASL)
        );
    }

    #[test]
    fn failure_names_its_condition_s6_5() {
        let bytes = failure(SaslCondition::AccountDisabled, Some("call us"));
        assert_eq!(
            String::from_utf8(bytes.to_vec()).unwrap(),
            format!(
                "<failure xmlns='{}'><account-disabled/><text xml:lang='en'>call us</text></failure>",
                ns::SASL
            )
        );
    }
}
