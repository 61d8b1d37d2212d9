//! XEP-0352: Client State Indication.

use crate::ns;
use rookery_xml::Element;

/// Whether somebody looks at a client. It has nothing to do with presence (§5).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum ClientState {
    /// Somebody does: what each stream begins with, also one that is resumed (§4.2, §5.2).
    #[default]
    Active,
    /// Nobody does: what is not important can wait.
    Inactive,
}

impl ClientState {
    /// The name of its element.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Inactive => "inactive",
        }
    }

    /// The stream feature that announces it (§4.1).
    pub fn feature() -> Element {
        Element::new("csi", ns::CLIENT_STATE)
    }

    /// The element (§4.2), which is no stanza and has no answer.
    pub fn to_element(self) -> Element {
        Element::new(self.as_str(), ns::CLIENT_STATE)
    }

    /// Reads an element. `None` when it is none of these.
    pub fn parse(element: &Element) -> Option<Self> {
        [Self::Active, Self::Inactive]
            .into_iter()
            .find(|state| element.is(state.as_str(), ns::CLIENT_STATE))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn states_of_s4_2_read_and_write() {
        for (xml, state) in [
            ("<inactive xmlns='urn:xmpp:csi:0'/>", ClientState::Inactive),
            ("<active xmlns='urn:xmpp:csi:0'/>", ClientState::Active),
        ] {
            assert_eq!(
                ClientState::parse(&Element::parse_str(xml).unwrap()),
                Some(state)
            );
            assert_eq!(state.to_element().to_bytes(ns::CLIENT), xml.as_bytes());
        }
    }

    #[test]
    fn chat_states_are_no_states_of_a_client() {
        for xml in [
            "<active xmlns='http://jabber.org/protocol/chatstates'/>",
            "<csi xmlns='urn:xmpp:csi:0'/>",
        ] {
            assert_eq!(ClientState::parse(&Element::parse_str(xml).unwrap()), None);
        }
    }

    #[test]
    fn stream_begins_active_s4_2() {
        assert_eq!(ClientState::default(), ClientState::Active);
        assert_eq!(
            ClientState::feature().to_bytes(ns::CLIENT),
            &b"<csi xmlns='urn:xmpp:csi:0'/>"[..]
        );
    }
}
