//! Answers to a stanza: results and errors.

use super::{IqType, Kind, MessageType, PresenceType, Stanza};
use crate::StanzaError;
use rookery_xml::Element;

impl Stanza {
    /// The error to send back (RFC 6120 §8.3.1): of the same kind, addresses swapped, the same id, without
    /// the original payload. `None` when the stanza is an error or a result itself, which are never answered
    /// with an error (rule 8; §8.2.3, rule 4).
    pub fn error_reply(&self, error: &StanzaError) -> Option<Self> {
        let kind = match self.kind {
            kind if kind.is_error() => return None,
            Kind::Iq(IqType::Result) => return None,
            Kind::Iq(_) => Kind::Iq(IqType::Error),
            Kind::Message(_) => Kind::Message(MessageType::Error),
            Kind::Presence(_) => Kind::Presence(PresenceType::Error),
        };
        Some(self.reply(kind).with_payload(error.to_element()))
    }

    /// The result to send back for an IQ request (RFC 6120 §8.2.3): addresses swapped, the same id, and at
    /// most one child.
    pub fn result_reply(&self, child: Option<Element>) -> Self {
        self.reply(Kind::Iq(IqType::Result))
            .with_payloads(child.as_slice())
    }

    /// An empty stanza of this kind in the other direction.
    fn reply(&self, kind: Kind) -> Self {
        Self {
            to: self.from.clone(),
            from: self.to.clone(),
            id: self.id.clone(),
            ..Self::new(kind)
        }
    }
}
