//! The stream error for each reason to refuse what a peer sends (RFC 6120 §4.9.3, §11).

use rookery_stanza::{ParseError, StreamCondition, StreamError};
use rookery_xml::{Element, XmlError};

use crate::effect::Ending;
use crate::limit::Limit;

/// The namespace of application-specific conditions that belong to no protocol (XEP-0182).
const ERRORS: &str = "urn:xmpp:errors";

/// Why the server ends a stream: what the client is told, and the limit that it has exceeded, if that is why.
#[derive(Debug)]
pub(crate) struct Refusal {
    pub(crate) error: StreamError,
    limit: Option<Limit>,
}

// === impl Refusal ===

impl Refusal {
    /// A limit was exceeded (§4.9.3.14).
    pub(crate) fn exceeded(limit: Limit, text: &'static str) -> Self {
        Self {
            error: StreamError::new(StreamCondition::PolicyViolation).with_text(text),
            limit: Some(limit),
        }
    }

    /// How the stream ends.
    pub(crate) fn ending(self) -> Ending {
        match self.limit {
            Some(limit) => Ending::Exceeded(limit, self.error),
            None => Ending::Error(self.error),
        }
    }
}

impl From<StreamError> for Refusal {
    fn from(error: StreamError) -> Self {
        Self { error, limit: None }
    }
}

impl From<StreamCondition> for Refusal {
    fn from(condition: StreamCondition) -> Self {
        StreamError::new(condition).into()
    }
}

impl From<XmlError> for Refusal {
    fn from(refused: XmlError) -> Self {
        Self {
            limit: Limit::of(&refused),
            error: stream_error(refused),
        }
    }
}

/// A stanza could not be read.
impl From<ParseError> for Refusal {
    fn from(refused: ParseError) -> Self {
        match refused {
            ParseError::Xml(refused) => refused.into(),
            ParseError::InvalidNamespace => StreamCondition::InvalidNamespace.into(),
            ParseError::UnsupportedStanzaType => StreamCondition::UnsupportedStanzaType.into(),
            ParseError::InvalidFrom => StreamCondition::InvalidFrom.into(),
            ParseError::Stanza(fault) => StreamError::new(StreamCondition::BadFormat)
                .with_text(fault.error.to_string())
                .into(),
        }
    }
}

/// What a peer is told about XML that was refused.
pub fn stream_error(refused: XmlError) -> StreamError {
    use StreamCondition as Condition;
    let condition = match refused {
        // §11.3: not well-formed, or not namespace-well-formed.
        XmlError::NotWellFormed(_) | XmlError::UnboundPrefix | XmlError::BadNamespace(_) => {
            Condition::NotWellFormed
        }
        // §11.1.
        XmlError::Restricted(_) => Condition::RestrictedXml,
        // §11.6, and §4.9.3.22: "or has otherwise improperly encoded the stream".
        XmlError::NotUtf8 | XmlError::UnsupportedEncoding => Condition::UnsupportedEncoding,
        // Well-formed, but nothing that a stream can contain: §4.9.3.1.
        XmlError::TextBetweenStanzas | XmlError::EmptyStream => Condition::BadFormat,
        // §13.12 and §4.9.3.14.
        XmlError::TooLarge
        | XmlError::TooDeep
        | XmlError::TooManyAttributes
        | XmlError::TooManyNamespaces
        | XmlError::NameTooLong => Condition::PolicyViolation,
    };
    let error = StreamError::new(condition).with_text(refused.to_string());
    match refused {
        XmlError::TooLarge => error.with_application(Element::new("stanza-too-big", ERRORS)),
        _ => error,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refused_xml_gets_the_condition_that_s4_9_3_names() {
        use StreamCondition as Condition;
        for (refused, condition) in [
            (XmlError::NotWellFormed("x"), Condition::NotWellFormed),
            (XmlError::UnboundPrefix, Condition::NotWellFormed),
            (XmlError::BadNamespace("x"), Condition::NotWellFormed),
            (XmlError::Restricted("x"), Condition::RestrictedXml),
            (XmlError::NotUtf8, Condition::UnsupportedEncoding),
            (
                XmlError::UnsupportedEncoding,
                Condition::UnsupportedEncoding,
            ),
            (XmlError::TextBetweenStanzas, Condition::BadFormat),
            (XmlError::EmptyStream, Condition::BadFormat),
            (XmlError::TooLarge, Condition::PolicyViolation),
            (XmlError::TooDeep, Condition::PolicyViolation),
            (XmlError::TooManyAttributes, Condition::PolicyViolation),
            (XmlError::TooManyNamespaces, Condition::PolicyViolation),
            (XmlError::NameTooLong, Condition::PolicyViolation),
        ] {
            assert_eq!(stream_error(refused).condition, condition, "{refused}");
        }
    }

    #[test]
    fn a_limit_that_was_exceeded_is_named_beside_the_error() {
        for (refused, limit) in [
            (XmlError::TooLarge, Some(Limit::StanzaBytes)),
            (XmlError::TooDeep, Some(Limit::Depth)),
            (XmlError::TooManyAttributes, Some(Limit::Attributes)),
            (XmlError::TooManyNamespaces, Some(Limit::Namespaces)),
            (XmlError::NameTooLong, Some(Limit::NameBytes)),
            (XmlError::NotUtf8, None),
        ] {
            let ending = Refusal::from(refused).ending();
            let named = match ending {
                Ending::Exceeded(limit, _) => Some(limit),
                _ => None,
            };
            assert_eq!(named, limit, "{refused}");
        }
    }

    #[test]
    fn a_stanza_too_big_is_named_as_in_s4_9_3_14() {
        let error = stream_error(XmlError::TooLarge);
        assert!(
            error
                .application
                .is_some_and(|app| app.is("stanza-too-big", ERRORS))
        );
    }
}
