//! XEP-0203: Delayed Delivery.

use crate::{Jid, date, ns};
use rookery_xml::Element;

/// A note that a stanza was not delivered when it was sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delay {
    /// Who delayed it.
    pub from: Option<Jid>,
    /// When it was first sent, in unix milliseconds.
    pub stamp: i64,
    /// Why it was delayed, for people.
    pub reason: Option<Box<str>>,
}

impl Delay {
    /// The name of the element.
    pub const NAME: &'static str = "delay";

    /// A delay by `from` of something that was sent at `stamp`, in unix milliseconds.
    pub fn new(from: impl Into<Jid>, stamp: i64) -> Self {
        Self {
            from: Some(from.into()),
            stamp,
            reason: None,
        }
    }

    /// With a reason for people to read.
    pub fn with_reason(mut self, reason: impl Into<Box<str>>) -> Self {
        self.reason = Some(reason.into());
        self
    }

    /// The `<delay/>` element.
    pub fn to_element(&self) -> Element {
        let mut element = Element::new(Self::NAME, ns::DELAY);
        if let Some(from) = &self.from {
            element.set_attribute("from", from.as_str().to_owned());
        }
        element.set_attribute("stamp", date::format(self.stamp));
        if let Some(reason) = &self.reason {
            element.push_text(reason);
        }
        element
    }

    /// Reads a `<delay/>` element. `None` when it is another element or has no valid stamp; a `from` that
    /// is no address is left out.
    pub fn parse(element: &Element) -> Option<Self> {
        if !element.is(Self::NAME, ns::DELAY) {
            return None;
        }
        let reason = element.text();
        let reason = reason.trim();
        Some(Self {
            from: element
                .attribute("from")
                .and_then(|from| Jid::parse(from).ok()),
            stamp: date::parse(element.attribute("stamp")?)?,
            reason: (!reason.is_empty()).then(|| reason.into()),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(xml: &str) -> Option<Delay> {
        Delay::parse(&Element::parse_str(xml).unwrap())
    }

    #[test]
    fn offline_example_of_s3_reads_and_writes() {
        let xml = "<delay xmlns='urn:xmpp:delay' from='capulet.com' stamp='2002-09-10T23:08:25Z'>\n    Offline Storage\n  </delay>";
        let capulet = Jid::parse("capulet.com").unwrap();
        let expected = Delay::new(capulet, 1_031_699_305_000).with_reason("Offline Storage");
        assert_eq!(parse(xml), Some(expected.clone()));
        assert_eq!(
            expected.to_element().to_bytes(ns::CLIENT),
            &b"<delay xmlns='urn:xmpp:delay' from='capulet.com' stamp='2002-09-10T23:08:25Z'>Offline Storage</delay>"[..]
        );
    }

    #[test]
    fn stamp_is_required_and_sender_is_not() {
        assert_eq!(parse("<delay xmlns='urn:xmpp:delay'/>"), None);
        assert_eq!(
            parse("<delay xmlns='urn:xmpp:delay' stamp='20020910T23:08:25'/>"),
            None
        );
        assert_eq!(
            parse("<delay xmlns='urn:xmpp:other' stamp='2002-09-10T23:08:25Z'/>"),
            None
        );
        let anonymous = parse("<delay xmlns='urn:xmpp:delay' stamp='1970-01-01T00:00:00Z'/>");
        assert_eq!(
            anonymous,
            Some(Delay {
                from: None,
                stamp: 0,
                reason: None
            })
        );
    }
}
