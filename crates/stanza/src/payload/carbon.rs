//! XEP-0280: Message Carbons.

use super::forwarded::{Forwarded, ForwardedError};
use crate::{BareJid, MessageType, Stanza, ns};
use rookery_xml::Element;

/// What a client asks for (§4, §5).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Switch {
    /// `<enable/>`.
    Enable,
    /// `<disable/>`.
    Disable,
}

/// Which way the message went that is copied.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Direction {
    /// Another client of the account sent it (§8).
    Sent,
    /// Another client of the account received it (§7).
    Received,
}

/// A copy of a message for another client of the same account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Carbon {
    /// Which way it went.
    pub direction: Direction,
    /// The message.
    pub message: Forwarded,
}

/// An element that is no copy.
#[derive(Debug, thiserror::Error)]
pub enum CarbonError {
    /// It is another element.
    #[error("another element")]
    OtherElement,
    /// It forwards nothing.
    #[error("there is nothing forwarded in it")]
    NothingForwarded,
    /// What it forwards cannot be read.
    #[error(transparent)]
    Forwarded(#[from] ForwardedError),
}

/// `<private/>`: the message is not to be copied (§9).
pub const PRIVATE: &str = "private";

impl Switch {
    /// The name of the element.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Enable => "enable",
            Self::Disable => "disable",
        }
    }

    /// The element.
    pub fn to_element(self) -> Element {
        Element::new(self.as_str(), ns::CARBONS)
    }

    /// Reads an element. `None` when it is none of these.
    pub fn parse(element: &Element) -> Option<Self> {
        [Self::Enable, Self::Disable]
            .into_iter()
            .find(|switch| element.is(switch.as_str(), ns::CARBONS))
    }
}

impl Direction {
    /// The name of the element.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Sent => "sent",
            Self::Received => "received",
        }
    }
}

impl Carbon {
    /// A copy of a message.
    pub fn new(direction: Direction, message: &Stanza) -> Self {
        Self {
            direction,
            message: Forwarded::new(message),
        }
    }

    /// The message that carries the copy, of the same type as the original, from the account itself (§7, §8).
    /// Each client gets it with its own `to`; the payload is shared.
    pub fn into_message(self, account: &BareJid, kind: MessageType) -> Stanza {
        let mut carrier = Stanza::message(kind).with_from(account.to_jid());
        let name = self.direction.as_str();
        carrier.add_written(ns::CARBONS, name, |out| self.write(out));
        carrier
    }

    fn write(&self, out: &mut Vec<u8>) {
        let name = self.direction.as_str().as_bytes();
        out.extend_from_slice(b"<");
        out.extend_from_slice(name);
        out.extend_from_slice(b" xmlns='urn:xmpp:carbons:2'>");
        self.message.write(out);
        out.extend_from_slice(b"</");
        out.extend_from_slice(name);
        out.extend_from_slice(b">");
    }

    /// Reads a `<sent/>` or `<received/>` element. Whether it may be believed depends on who sent it (§11).
    ///
    /// # Errors
    /// See [`CarbonError`].
    pub fn parse(element: &Element) -> Result<Self, CarbonError> {
        let direction = [Direction::Sent, Direction::Received]
            .into_iter()
            .find(|direction| element.is(direction.as_str(), ns::CARBONS))
            .ok_or(CarbonError::OtherElement)?;
        let forwarded = element
            .child(Forwarded::NAME, ns::FORWARD)
            .ok_or(CarbonError::NothingForwarded)?;
        Ok(Self {
            direction,
            message: Forwarded::parse(forwarded)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Jid;
    use proptest::prelude::*;

    fn romeo() -> BareJid {
        BareJid::parse("romeo@montague.example").unwrap()
    }

    fn written(stanza: &Stanza) -> String {
        let mut out = Vec::new();
        stanza.write(&mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn requests_of_s4_and_s5_read_and_write() {
        for (xml, switch) in [
            ("<enable xmlns='urn:xmpp:carbons:2'/>", Switch::Enable),
            ("<disable xmlns='urn:xmpp:carbons:2'/>", Switch::Disable),
        ] {
            assert_eq!(
                Switch::parse(&Element::parse_str(xml).unwrap()),
                Some(switch)
            );
            assert_eq!(switch.to_element().to_bytes(""), xml.as_bytes());
        }
        let sm = Element::parse_str("<enable xmlns='urn:xmpp:sm:3'/>").unwrap();
        assert_eq!(Switch::parse(&sm), None);
    }

    #[test]
    fn received_message_of_s7_is_copied() {
        let original = "<message from='juliet@capulet.example/balcony' to='romeo@montague.example/garden' type='chat'>\
            <body>What man art thou</body><thread>0e3141cd80894871a68e6fe6b1ec56fa</thread></message>";
        let original = Stanza::parse_again(original.into()).unwrap();
        let carbon = Carbon::new(Direction::Received, &original);
        let home = Jid::parse("romeo@montague.example/home").unwrap();
        let copy = carbon
            .clone()
            .into_message(&romeo(), MessageType::Chat)
            .with_to(home);
        assert_eq!(
            written(&copy),
            "<message from='romeo@montague.example' to='romeo@montague.example/home' type='chat'>\
             <received xmlns='urn:xmpp:carbons:2'><forwarded xmlns='urn:xmpp:forward:0'>\
             <message xmlns='jabber:client' from='juliet@capulet.example/balcony' \
             to='romeo@montague.example/garden' type='chat'><body>What man art thou</body>\
             <thread>0e3141cd80894871a68e6fe6b1ec56fa</thread></message>\
             </forwarded></received></message>"
        );
        let element = copy.child("received", ns::CARBONS).unwrap().unwrap();
        assert_eq!(Carbon::parse(&element).unwrap(), carbon);
    }

    #[test]
    fn copies_for_several_clients_share_their_payload() {
        let original =
            Stanza::message(MessageType::Chat).with_payload(Element::new("body", ns::CLIENT));
        let copy =
            Carbon::new(Direction::Sent, &original).into_message(&romeo(), MessageType::Chat);
        let other = copy
            .clone()
            .with_to(Jid::parse("romeo@montague.example/garden").unwrap());
        assert_eq!(copy.payload().as_ptr(), other.payload().as_ptr());
    }

    #[test]
    fn what_is_no_copy_is_refused() {
        let parse = |xml: &str| Carbon::parse(&Element::parse_str(xml).unwrap());
        assert!(matches!(
            parse("<sent xmlns='urn:example:x'/>"),
            Err(CarbonError::OtherElement)
        ));
        assert!(matches!(
            parse("<private xmlns='urn:xmpp:carbons:2'/>"),
            Err(CarbonError::OtherElement)
        ));
        assert!(matches!(
            parse("<sent xmlns='urn:xmpp:carbons:2'/>"),
            Err(CarbonError::NothingForwarded)
        ));
        let empty =
            "<sent xmlns='urn:xmpp:carbons:2'><forwarded xmlns='urn:xmpp:forward:0'/></sent>";
        assert!(matches!(parse(empty), Err(CarbonError::Forwarded(_))));
    }

    proptest! {
        #[test]
        fn every_copy_comes_back(id in "[ -~]{0,20}", body in "[ -~äé€]{0,40}", sent: bool) {
            let direction = if sent { Direction::Sent } else { Direction::Received };
            let body = Element::new("body", ns::CLIENT).with_text(body);
            let original = Stanza::message(MessageType::Normal).with_id(id).with_payload(body);
            let carbon = Carbon::new(direction, &original);
            let copy = carbon.clone().into_message(&romeo(), MessageType::Normal);
            let element = copy.child(direction.as_str(), ns::CARBONS).unwrap().unwrap();
            prop_assert_eq!(Carbon::parse(&element).unwrap(), carbon);
        }
    }
}
