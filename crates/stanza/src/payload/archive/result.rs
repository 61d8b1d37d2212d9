//! Results of a query of an archive, and their end (XEP-0313 §4.2, §4.3).

use crate::payload::forwarded::{Forwarded, ForwardedError};
use crate::payload::result_set::{SetError, SetResult};
use crate::{MessageType, Stanza, ns};
use rookery_xml::{Element, escape_attribute};

/// One message of an archive, as the client that asked for it gets it (§4.2).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QueryResult {
    /// What the client gave as `queryid`.
    pub query_id: Option<Box<str>>,
    /// The id of the message in the archive.
    pub id: Box<str>,
    /// The message, and when it was received.
    pub message: Forwarded,
}

/// The end of a query: the payload of its result (§4.3).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Finish {
    /// Nothing that matches is left beyond the page (§4.3.2).
    pub complete: bool,
    /// What was sent may still change its order or content (§4.3.2).
    pub unstable: bool,
    /// Which page it was.
    pub page: SetResult,
}

/// An element that is no result.
#[derive(Debug, thiserror::Error)]
pub enum ResultError {
    /// It is another element.
    #[error("another element")]
    OtherElement,
    /// It has no `id`.
    #[error("id is missing")]
    NoId,
    /// It forwards nothing.
    #[error("there is nothing forwarded in it")]
    NothingForwarded,
    /// What it forwards cannot be read.
    #[error(transparent)]
    Forwarded(#[from] ForwardedError),
}

/// An element that is no end of a query.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FinishError {
    /// It is another element.
    #[error("another element")]
    OtherElement,
    /// It does not say which page it was.
    #[error("the set is missing")]
    NoSet,
    /// `complete` or `stable` is neither true nor false.
    #[error("{0} is no boolean")]
    NotABoolean(&'static str),
    /// What it says of its page cannot be read.
    #[error(transparent)]
    Set(#[from] SetError),
}

impl QueryResult {
    /// The name of the element.
    pub const NAME: &'static str = "result";

    /// The message that carries it to the client; without addresses, which are for the caller.
    pub fn to_message(&self) -> Stanza {
        let mut carrier = Stanza::message(MessageType::Normal);
        carrier.add_written(ns::ARCHIVE, Self::NAME, |out| self.write(out));
        carrier
    }

    fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(b"<result xmlns='urn:xmpp:mam:2'");
        if let Some(query_id) = &self.query_id {
            out.extend_from_slice(b" queryid='");
            escape_attribute(query_id, out);
            out.extend_from_slice(b"'");
        }
        out.extend_from_slice(b" id='");
        escape_attribute(&self.id, out);
        out.extend_from_slice(b"'>");
        self.message.write(out);
        out.extend_from_slice(b"</result>");
    }

    /// Reads a `<result/>` element.
    ///
    /// # Errors
    /// See [`ResultError`].
    pub fn parse(element: &Element) -> Result<Self, ResultError> {
        if !element.is(Self::NAME, ns::ARCHIVE) {
            return Err(ResultError::OtherElement);
        }
        let forwarded = element
            .child(Forwarded::NAME, ns::FORWARD)
            .ok_or(ResultError::NothingForwarded)?;
        Ok(Self {
            query_id: element.attribute("queryid").map(Into::into),
            id: element.attribute("id").ok_or(ResultError::NoId)?.into(),
            message: Forwarded::parse(forwarded)?,
        })
    }
}

impl Finish {
    /// The name of the element.
    pub const NAME: &'static str = "fin";

    /// The `<fin/>` element.
    pub fn to_element(&self) -> Element {
        let mut fin = Element::new(Self::NAME, ns::ARCHIVE);
        if self.complete {
            fin.set_attribute("complete", "true");
        }
        if self.unstable {
            fin.set_attribute("stable", "false");
        }
        fin.with_child(self.page.to_element())
    }

    /// Reads a `<fin/>` element.
    ///
    /// # Errors
    /// See [`FinishError`].
    pub fn parse(element: &Element) -> Result<Self, FinishError> {
        if !element.is(Self::NAME, ns::ARCHIVE) {
            return Err(FinishError::OtherElement);
        }
        let set = element
            .child("set", ns::RESULT_SET)
            .ok_or(FinishError::NoSet)?;
        Ok(Self {
            complete: boolean(element, "complete", false)?,
            unstable: !boolean(element, "stable", true)?,
            page: SetResult::parse(set)?,
        })
    }
}

fn boolean(element: &Element, name: &'static str, default: bool) -> Result<bool, FinishError> {
    match element.attribute(name) {
        None => Ok(default),
        Some("true" | "1") => Ok(true),
        Some("false" | "0") => Ok(false),
        Some(_) => Err(FinishError::NotABoolean(name)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Jid;
    use crate::payload::delay::Delay;
    use crate::payload::result_set::Ends;
    use proptest::prelude::*;

    #[test]
    fn result_of_s4_2_is_written_and_read() {
        let original = "<message from='witch@shakespeare.lit' to='macbeth@shakespeare.lit'><body>Hail to thee</body></message>";
        let delay = Delay {
            from: None,
            stamp: 1_278_803_305_000,
            reason: None,
        };
        let result = QueryResult {
            query_id: Some("f27".into()),
            id: "28482-98726-73623".into(),
            message: Forwarded {
                delay: Some(delay),
                stanza: original.into(),
            },
        };
        let carrier = result
            .to_message()
            .with_to(Jid::parse("juliet@capulet.lit/chamber").unwrap());
        let mut written = Vec::new();
        carrier.write(&mut written);
        assert_eq!(
            String::from_utf8(written).unwrap(),
            "<message to='juliet@capulet.lit/chamber'>\
             <result xmlns='urn:xmpp:mam:2' queryid='f27' id='28482-98726-73623'>\
             <forwarded xmlns='urn:xmpp:forward:0'><delay xmlns='urn:xmpp:delay' stamp='2010-07-10T23:08:25Z'/>\
             <message xmlns='jabber:client' from='witch@shakespeare.lit' to='macbeth@shakespeare.lit'>\
             <body>Hail to thee</body></message></forwarded></result></message>"
        );
        let element = carrier.child("result", ns::ARCHIVE).unwrap().unwrap();
        assert_eq!(QueryResult::parse(&element).unwrap(), result);
    }

    #[test]
    fn what_is_no_result_is_refused() {
        let parse = |xml: &str| QueryResult::parse(&Element::parse_str(xml).unwrap());
        assert!(matches!(
            parse("<fin xmlns='urn:xmpp:mam:2'/>"),
            Err(ResultError::OtherElement)
        ));
        assert!(matches!(
            parse("<result xmlns='urn:xmpp:mam:2' id='1'/>"),
            Err(ResultError::NothingForwarded)
        ));
        let without_id =
            "<result xmlns='urn:xmpp:mam:2'><forwarded xmlns='urn:xmpp:forward:0'/></result>";
        assert!(matches!(parse(without_id), Err(ResultError::NoId)));
        let empty = "<result xmlns='urn:xmpp:mam:2' id='1'><forwarded xmlns='urn:xmpp:forward:0'/></result>";
        assert!(matches!(parse(empty), Err(ResultError::Forwarded(_))));
    }

    #[test]
    fn end_of_a_query_of_s4_3_is_written_and_read() {
        let ends = Ends {
            first: "23452-4534-1".into(),
            index: Some(0),
            last: "390-2342-22".into(),
        };
        let finish = Finish {
            complete: true,
            unstable: false,
            page: SetResult {
                ends: Some(ends),
                count: Some(16),
            },
        };
        let xml = "<fin xmlns='urn:xmpp:mam:2' complete='true'><set xmlns='http://jabber.org/protocol/rsm'>\
            <first index='0'>23452-4534-1</first><last>390-2342-22</last><count>16</count></set></fin>";
        assert_eq!(finish.to_element().to_bytes(""), xml.as_bytes());
        assert_eq!(Finish::parse(&Element::parse_str(xml).unwrap()), Ok(finish));
    }

    #[test]
    fn what_is_no_end_of_a_query_is_refused() {
        let parse = |xml: &str| Finish::parse(&Element::parse_str(xml).unwrap());
        assert_eq!(
            parse("<fin xmlns='urn:xmpp:mam:1'/>"),
            Err(FinishError::OtherElement)
        );
        assert_eq!(
            parse("<fin xmlns='urn:xmpp:mam:2'/>"),
            Err(FinishError::NoSet)
        );
        let odd = "<fin xmlns='urn:xmpp:mam:2' stable='maybe'><set xmlns='http://jabber.org/protocol/rsm'/></fin>";
        assert_eq!(parse(odd), Err(FinishError::NotABoolean("stable")));
    }

    proptest! {
        #[test]
        fn every_result_comes_back(query_id in prop::option::of("[ -~äé€]{0,20}"), id in "[ -~]{0,20}", body in "[ -~äé€]{0,40}") {
            let body = Element::new("body", ns::CLIENT).with_text(body);
            let original = Stanza::message(MessageType::Chat).with_payload(body);
            let result = QueryResult {
                query_id: query_id.map(Into::into),
                id: id.into(),
                message: Forwarded::new(&original),
            };
            let element = result.to_message().child("result", ns::ARCHIVE).unwrap().unwrap();
            prop_assert_eq!(QueryResult::parse(&element).unwrap(), result);
        }

        #[test]
        fn every_end_comes_back(complete: bool, unstable: bool, count: Option<u64>) {
            let finish = Finish { complete, unstable, page: SetResult { ends: None, count } };
            prop_assert_eq!(Finish::parse(&finish.to_element()), Ok(finish));
        }
    }
}
