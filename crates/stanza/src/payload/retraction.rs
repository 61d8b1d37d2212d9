//! XEP-0424: Message Retraction.

use crate::{Jid, date, ns};
use rookery_xml::Element;

/// `<retract/>`: an earlier message is taken back (§3).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Retract {
    /// The `id` of the message; in a room, the id that the room has given to it (§5.1).
    pub id: Box<str>,
}

/// `<retracted/>`: what stands in an archive in the place of a message that was taken back (§4).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Retracted {
    /// The `id` of the message that took it back.
    pub id: Box<str>,
    /// Who took it back, if not its sender.
    pub by: Option<Jid>,
    /// When, in unix milliseconds.
    pub stamp: Option<i64>,
}

/// An element that takes nothing back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RetractionError {
    /// It is another element.
    #[error("another element")]
    OtherElement,
    /// It has no `id`.
    #[error("id is missing")]
    NoId,
    /// `by` is no address.
    #[error("by is no address")]
    BadBy,
    /// `stamp` is no time.
    #[error("stamp is no time")]
    BadStamp,
}

impl Retract {
    /// The name of the element.
    pub const NAME: &'static str = "retract";

    /// The `<retract/>` element.
    pub fn to_element(&self) -> Element {
        Element::new(Self::NAME, ns::RETRACTION).with_attribute("id", self.id.to_string())
    }

    /// Reads a `<retract/>` element.
    ///
    /// # Errors
    /// See [`RetractionError`].
    pub fn parse(element: &Element) -> Result<Self, RetractionError> {
        Ok(Self {
            id: id(element, Self::NAME)?,
        })
    }
}

impl Retracted {
    /// The name of the element.
    pub const NAME: &'static str = "retracted";

    /// The `<retracted/>` element.
    pub fn to_element(&self) -> Element {
        let mut retracted = Element::new(Self::NAME, ns::RETRACTION);
        if let Some(stamp) = self.stamp {
            retracted.set_attribute("stamp", date::format(stamp));
        }
        if let Some(by) = &self.by {
            retracted.set_attribute("by", by.as_str().to_owned());
        }
        retracted.with_attribute("id", self.id.to_string())
    }

    /// Reads a `<retracted/>` element.
    ///
    /// # Errors
    /// See [`RetractionError`].
    pub fn parse(element: &Element) -> Result<Self, RetractionError> {
        let id = id(element, Self::NAME)?;
        let by = element.attribute("by").map(Jid::parse).transpose();
        let stamp = match element.attribute("stamp") {
            Some(stamp) => Some(date::parse(stamp).ok_or(RetractionError::BadStamp)?),
            None => None,
        };
        Ok(Self {
            id,
            by: by.map_err(|_| RetractionError::BadBy)?,
            stamp,
        })
    }
}

fn id(element: &Element, name: &str) -> Result<Box<str>, RetractionError> {
    if !element.is(name, ns::RETRACTION) {
        return Err(RetractionError::OtherElement);
    }
    let id = element.attribute("id").ok_or(RetractionError::NoId)?;
    Ok(id.into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn element(xml: &str) -> Element {
        Element::parse_str(xml).unwrap()
    }

    #[test]
    fn retraction_of_s3_and_tombstone_of_s4_read_and_write() {
        let retract = "<retract xmlns='urn:xmpp:message-retract:1' id='wrong-recipient-1'/>";
        let read = Retract {
            id: "wrong-recipient-1".into(),
        };
        assert_eq!(Retract::parse(&element(retract)), Ok(read.clone()));
        assert_eq!(read.to_element().to_bytes(""), retract.as_bytes());
        let retracted = "<retracted xmlns='urn:xmpp:message-retract:1' stamp='2019-09-20T23:09:32Z' \
            id='retract-message-1'/>";
        let read = Retracted {
            id: "retract-message-1".into(),
            by: None,
            stamp: Some(1_569_020_972_000),
        };
        assert_eq!(Retracted::parse(&element(retracted)), Ok(read.clone()));
        assert_eq!(read.to_element().to_bytes(""), retracted.as_bytes());
    }

    #[test]
    fn what_takes_nothing_back_is_refused() {
        let retract = |xml: &str| Retract::parse(&element(xml)).unwrap_err();
        assert_eq!(
            retract("<retract xmlns='urn:xmpp:message-retract:1'/>"),
            RetractionError::NoId
        );
        assert_eq!(
            retract("<retract xmlns='urn:xmpp:jingle-message:0' id='1'/>"),
            RetractionError::OtherElement
        );
        let retracted = |attributes: &str| {
            let xml =
                format!("<retracted xmlns='urn:xmpp:message-retract:1' id='1' {attributes}/>");
            Retracted::parse(&element(&xml)).unwrap_err()
        };
        assert_eq!(retracted("by='@'"), RetractionError::BadBy);
        assert_eq!(retracted("stamp='now'"), RetractionError::BadStamp);
    }

    proptest! {
        #[test]
        fn every_tombstone_comes_back(id in "[ -~]{0,20}", by: bool, stamp in prop::option::of(0_i64..4_000_000_000_000)) {
            let by = by.then(|| Jid::parse("a@b/c").unwrap());
            let retracted = Retracted { id: id.into(), by, stamp };
            prop_assert_eq!(Retracted::parse(&retracted.to_element()), Ok(retracted));
        }
    }
}
