//! What an archive holds (XEP-0313 §5).

use crate::{date, ns};
use rookery_xml::Element;

/// The answer to a question for the metadata of an archive.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Metadata {
    /// From where to where it goes; `None` when it is empty.
    pub extent: Option<Extent>,
}

/// The ends of an archive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Extent {
    /// The oldest message.
    pub start: Mark,
    /// The newest message.
    pub end: Mark,
}

/// One message of an archive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mark {
    /// Its id.
    pub id: Box<str>,
    /// When it was received, in unix milliseconds.
    pub timestamp: i64,
}

/// A `<metadata/>` that cannot be understood.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MetadataError {
    /// It is another element.
    #[error("another element")]
    OtherElement,
    /// One end without the other.
    #[error("start and end go together")]
    OneEnd,
    /// An end has no id, or no time.
    #[error("{0} needs an id and a timestamp")]
    BadEnd(&'static str),
}

impl Metadata {
    /// The name of the element, in a request and in a result.
    pub const NAME: &'static str = "metadata";

    /// The `<metadata/>` element.
    pub fn to_element(&self) -> Element {
        let metadata = Element::new(Self::NAME, ns::ARCHIVE);
        match &self.extent {
            None => metadata,
            Some(Extent { start, end }) => metadata
                .with_child(start.to_element("start"))
                .with_child(end.to_element("end")),
        }
    }

    /// Reads a `<metadata/>` element.
    ///
    /// # Errors
    /// See [`MetadataError`].
    pub fn parse(element: &Element) -> Result<Self, MetadataError> {
        if !element.is(Self::NAME, ns::ARCHIVE) {
            return Err(MetadataError::OtherElement);
        }
        let extent = match (Mark::of(element, "start")?, Mark::of(element, "end")?) {
            (Some(start), Some(end)) => Some(Extent { start, end }),
            (None, None) => None,
            (Some(_), None) | (None, Some(_)) => return Err(MetadataError::OneEnd),
        };
        Ok(Self { extent })
    }
}

impl Mark {
    fn to_element(&self, name: &'static str) -> Element {
        Element::new(name, ns::ARCHIVE)
            .with_attribute("id", self.id.to_string())
            .with_attribute("timestamp", date::format(self.timestamp))
    }

    fn of(metadata: &Element, name: &'static str) -> Result<Option<Self>, MetadataError> {
        let Some(element) = metadata.child(name, ns::ARCHIVE) else {
            return Ok(None);
        };
        let timestamp = element.attribute("timestamp").and_then(date::parse);
        match (element.attribute("id"), timestamp) {
            (Some(id), Some(timestamp)) => Ok(Some(Self {
                id: id.into(),
                timestamp,
            })),
            _ => Err(MetadataError::BadEnd(name)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn example_of_s5_reads_and_writes() {
        let xml = "<metadata xmlns='urn:xmpp:mam:2'><start id='YWxwaGEg' timestamp='2008-08-22T21:09:04Z'/>\
            <end id='b21lZ2Eg' timestamp='2020-04-20T14:34:21Z'/></metadata>";
        let mark = |id: &str, timestamp| Mark {
            id: id.into(),
            timestamp,
        };
        let metadata = Metadata {
            extent: Some(Extent {
                start: mark("YWxwaGEg", 1_219_439_344_000),
                end: mark("b21lZ2Eg", 1_587_393_261_000),
            }),
        };
        assert_eq!(metadata.to_element().to_bytes(""), xml.as_bytes());
        assert_eq!(
            Metadata::parse(&Element::parse_str(xml).unwrap()),
            Ok(metadata)
        );
    }

    #[test]
    fn an_empty_archive_has_no_ends_s5() {
        let xml = "<metadata xmlns='urn:xmpp:mam:2'/>";
        assert_eq!(
            Metadata::default().to_element().to_bytes(""),
            xml.as_bytes()
        );
        assert_eq!(
            Metadata::parse(&Element::parse_str(xml).unwrap()),
            Ok(Metadata::default())
        );
    }

    #[test]
    fn metadata_that_makes_no_sense_is_refused() {
        let parse = |content: &str| {
            let xml = format!("<metadata xmlns='urn:xmpp:mam:2'>{content}</metadata>");
            Metadata::parse(&Element::parse_str(&xml).unwrap())
        };
        let start = "<start id='1' timestamp='2008-08-22T21:09:04Z'/>";
        assert_eq!(parse(start), Err(MetadataError::OneEnd));
        assert_eq!(
            parse("<start id='1'/>"),
            Err(MetadataError::BadEnd("start"))
        );
        assert_eq!(
            parse(&format!("{start}<end id='1' timestamp='now'/>")),
            Err(MetadataError::BadEnd("end"))
        );
    }

    proptest! {
        #[test]
        fn every_extent_comes_back(ids in ("[ -~]{0,20}", "[ -~]{0,20}"), times in (0_i64..4_000_000_000_000, 0_i64..4_000_000_000_000)) {
            let start = Mark { id: ids.0.into(), timestamp: times.0 };
            let end = Mark { id: ids.1.into(), timestamp: times.1 };
            let metadata = Metadata { extent: Some(Extent { start, end }) };
            prop_assert_eq!(Metadata::parse(&metadata.to_element()), Ok(metadata));
        }
    }
}
