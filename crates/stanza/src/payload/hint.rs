//! XEP-0334: Message Processing Hints.

use crate::ns;
use rookery_xml::Element;

/// What the sender of a message suggests to whoever handles it. In an error, it is no suggestion (§5).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Hint {
    /// Not to be kept in an archive (§4.1).
    NoPermanentStore,
    /// Not to be kept at all, not even for later delivery (§4.2).
    NoStore,
    /// Not to be copied to other addresses (§4.3).
    NoCopy,
    /// Worth keeping, whatever it is (§4.4).
    Store,
}

impl Hint {
    /// All hints, in the order of the standard.
    pub const ALL: [Self; 4] = [
        Self::NoPermanentStore,
        Self::NoStore,
        Self::NoCopy,
        Self::Store,
    ];

    /// The name of its element.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::NoPermanentStore => "no-permanent-store",
            Self::NoStore => "no-store",
            Self::NoCopy => "no-copy",
            Self::Store => "store",
        }
    }

    /// The hint that a payload of this name is.
    pub fn of(namespace: &str, name: &str) -> Option<Self> {
        if namespace != ns::HINTS {
            return None;
        }
        Self::ALL.into_iter().find(|hint| hint.as_str() == name)
    }

    /// The element.
    pub fn to_element(self) -> Element {
        Element::new(self.as_str(), ns::HINTS)
    }

    /// Reads an element. `None` when it is no hint.
    pub fn parse(element: &Element) -> Option<Self> {
        Self::of(element.namespace(), element.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Stanza;

    #[test]
    fn hints_of_the_example_of_s3_1_are_found_by_name() {
        let xml = "<message from='romeo@montague.lit/laptop' to='juliet@capulet.lit/laptop'>\
            <body>V unir avtug'f pybnx</body><no-copy xmlns='urn:xmpp:hints'/>\
            <no-store xmlns='urn:xmpp:hints'/></message>";
        let stanza = Stanza::parse_again(xml.into()).unwrap();
        let hints = stanza
            .names()
            .iter()
            .filter_map(|payload| Hint::of(payload.namespace(), payload.name()));
        assert_eq!(hints.collect::<Vec<_>>(), [Hint::NoCopy, Hint::NoStore]);
    }

    #[test]
    fn every_hint_comes_back_and_nothing_else_is_one_s4() {
        for hint in Hint::ALL {
            assert_eq!(Hint::parse(&hint.to_element()), Some(hint));
        }
        assert_eq!(Hint::of(ns::HINTS, "no-storage"), None);
        assert_eq!(Hint::of(ns::CLIENT, "store"), None);
    }
}
