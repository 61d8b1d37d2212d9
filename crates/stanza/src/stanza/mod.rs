//! Stanzas (RFC 6120 §8): what routing needs, parsed; the payload, as the bytes that were received.
//!
//! A stanza is read once ([`Stanza::parse`]). Its own tag becomes fields; everything inside it stays bytes,
//! is shared between copies, and goes out again unchanged ([`Stanza::write`]). Of the payload only the names
//! of the first-level children are known; a handler that wants more asks for the tree of a child.

mod content;
mod name;
mod parse;
mod payload;
mod reply;
#[cfg(test)]
mod tests;
mod write;

pub use name::PayloadName;
pub use parse::{ParseError, StanzaFault};

use crate::Jid;
use bytes::Bytes;
use content::Content;
use rookery_xml::Element;
use std::sync::Arc;

/// Types of message (RFC 6121 §5.2.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub enum MessageType {
    /// Outside a conversation; also what a missing or unknown type means.
    #[default]
    Normal,
    /// In a conversation of two.
    Chat,
    /// In a room.
    Groupchat,
    /// A notice to which no reply is expected.
    Headline,
    /// An error about an earlier message.
    Error,
}

/// Types of presence (RFC 6121 §4.7.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub enum PresenceType {
    /// Available: no type on the wire.
    #[default]
    Available,
    /// No longer available.
    Unavailable,
    /// Asks for a subscription.
    Subscribe,
    /// Grants a subscription.
    Subscribed,
    /// Ends one's own subscription.
    Unsubscribe,
    /// Denies or cancels a subscription of the recipient.
    Unsubscribed,
    /// Asks for current presence.
    Probe,
    /// An error about an earlier presence.
    Error,
}

/// Types of IQ (RFC 6120 §8.2.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum IqType {
    /// Asks for information.
    Get,
    /// Provides data or changes something.
    Set,
    /// Answers a request that succeeded.
    Result,
    /// Answers a request that failed.
    Error,
}

/// The kind of a stanza with its type.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// `<message/>`: pushed to somebody.
    Message(MessageType),
    /// `<presence/>`: broadcast to those who subscribed, or directed.
    Presence(PresenceType),
    /// `<iq/>`: a request or its answer.
    Iq(IqType),
}

/// One stanza. It is small, and so are its clones, which share all texts and the payload: it is moved and copied
/// often on its way.
#[derive(Clone, Debug)]
pub struct Stanza {
    /// Kind and type.
    pub kind: Kind,
    /// The recipient.
    pub to: Option<Jid>,
    /// The sender.
    pub from: Option<Jid>,
    /// The `id` attribute, unescaped.
    pub id: Option<Arc<str>>,
    /// The `xml:lang` attribute: the language of the text inside. A stanza that comes without one gets that
    /// of its stream from whoever reads the stream (RFC 6120 §8.1.5).
    pub lang: Option<Arc<str>>,
    /// What is read of it only when it is asked for.
    content: Content,
}

impl MessageType {
    /// The name on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Normal => "normal",
            Self::Chat => "chat",
            Self::Groupchat => "groupchat",
            Self::Headline => "headline",
            Self::Error => "error",
        }
    }

    /// The type of this name; an unknown one is `normal` (RFC 6121 §5.2.2).
    fn from_name(name: &str) -> Self {
        match name {
            "chat" => Self::Chat,
            "groupchat" => Self::Groupchat,
            "headline" => Self::Headline,
            "error" => Self::Error,
            _ => Self::Normal,
        }
    }
}

impl PresenceType {
    /// The name on the wire; `available` has none, the attribute is left out.
    pub fn as_str(self) -> Option<&'static str> {
        match self {
            Self::Available => None,
            Self::Unavailable => Some("unavailable"),
            Self::Subscribe => Some("subscribe"),
            Self::Subscribed => Some("subscribed"),
            Self::Unsubscribe => Some("unsubscribe"),
            Self::Unsubscribed => Some("unsubscribed"),
            Self::Probe => Some("probe"),
            Self::Error => Some("error"),
        }
    }

    fn from_name(name: &str) -> Option<Self> {
        match name {
            "unavailable" => Some(Self::Unavailable),
            "subscribe" => Some(Self::Subscribe),
            "subscribed" => Some(Self::Subscribed),
            "unsubscribe" => Some(Self::Unsubscribe),
            "unsubscribed" => Some(Self::Unsubscribed),
            "probe" => Some(Self::Probe),
            "error" => Some(Self::Error),
            _ => None,
        }
    }
}

impl IqType {
    /// The name on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Get => "get",
            Self::Set => "set",
            Self::Result => "result",
            Self::Error => "error",
        }
    }

    fn from_name(name: &str) -> Option<Self> {
        match name {
            "get" => Some(Self::Get),
            "set" => Some(Self::Set),
            "result" => Some(Self::Result),
            "error" => Some(Self::Error),
            _ => None,
        }
    }

    /// True for `get` and `set`, which want an answer.
    pub fn is_request(self) -> bool {
        matches!(self, Self::Get | Self::Set)
    }
}

impl Kind {
    /// The element's name: `message`, `presence` or `iq`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Message(_) => "message",
            Self::Presence(_) => "presence",
            Self::Iq(_) => "iq",
        }
    }

    /// The value of the `type` attribute; `None` where it is left out: a normal message, available presence.
    pub fn type_name(self) -> Option<&'static str> {
        match self {
            Self::Message(MessageType::Normal) => None,
            Self::Message(message_type) => Some(message_type.as_str()),
            Self::Presence(presence_type) => presence_type.as_str(),
            Self::Iq(iq_type) => Some(iq_type.as_str()),
        }
    }

    /// True for type `error` of any kind.
    pub fn is_error(self) -> bool {
        matches!(
            self,
            Self::Message(MessageType::Error)
                | Self::Presence(PresenceType::Error)
                | Self::Iq(IqType::Error)
        )
    }

    /// True for an IQ that wants an answer.
    pub fn is_request(self) -> bool {
        matches!(self, Self::Iq(iq_type) if iq_type.is_request())
    }
}

impl Stanza {
    /// A stanza that has nothing but its kind.
    fn new(kind: Kind) -> Self {
        Self {
            kind,
            to: None,
            from: None,
            id: None,
            lang: None,
            content: Content::default(),
        }
    }

    /// An empty message.
    pub fn message(message_type: MessageType) -> Self {
        Self::new(Kind::Message(message_type))
    }

    /// An empty presence.
    pub fn presence(presence_type: PresenceType) -> Self {
        Self::new(Kind::Presence(presence_type))
    }

    /// An empty IQ; `id` is required for this kind (RFC 6120 §8.2.3).
    pub fn iq(iq_type: IqType, id: impl Into<Arc<str>>) -> Self {
        Self::new(Kind::Iq(iq_type)).with_id(id)
    }

    /// With a recipient.
    pub fn with_to(mut self, to: impl Into<Jid>) -> Self {
        self.to = Some(to.into());
        self
    }

    /// With a sender.
    pub fn with_from(mut self, from: impl Into<Jid>) -> Self {
        self.from = Some(from.into());
        self
    }

    /// With an identifier. It has to be text that XML allows.
    pub fn with_id(mut self, id: impl Into<Arc<str>>) -> Self {
        self.id = Some(id.into());
        self
    }

    /// With one more child.
    pub fn with_payload(mut self, child: Element) -> Self {
        self.add(&child);
        self
    }

    /// With more children.
    pub fn with_payloads(mut self, children: &[Element]) -> Self {
        for child in children {
            self.add(child);
        }
        self
    }

    /// The bytes between the tags: as received, or as written for children that were added.
    pub fn payload(&self) -> &Bytes {
        self.content.payload()
    }

    /// The names of the first-level children, in order.
    pub fn names(&self) -> &[PayloadName] {
        self.content.names()
    }

    /// True if a first-level child has this name.
    pub fn has(&self, name: &str, namespace: &str) -> bool {
        self.names()
            .iter()
            .any(|payload| payload.is(name, namespace))
    }

    /// True for type `error` of any kind.
    pub fn is_error(&self) -> bool {
        self.kind.is_error()
    }

    /// True for an IQ that wants an answer.
    pub fn is_request(&self) -> bool {
        self.kind.is_request()
    }
}
