//! What can wait (XEP-0352 §3.2).

use rookery_archive::Content;
use rookery_delivery::Delivery;
use rookery_stanza::payload::carbon::{Carbon, Direction};
use rookery_stanza::{Jid, Kind, MessageType, PayloadName, PresenceType, Stanza, ns};

use super::config::Config;

/// Rooms say with it what an occupant is (XEP-0045).
const ROOM_USER: &str = "http://jabber.org/protocol/muc#user";

/// How urgently a client that nobody looks at needs a stanza.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Importance {
    /// At once.
    High,
    /// It can wait, but it has to come.
    Low,
    /// It can wait, and is not needed any more once there is something later about the same topic.
    Latest(Topic),
}

/// What only the last stanza counts about: something about its sender.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Topic {
    /// What it is up to.
    Presence(Jid),
    /// What it does in a conversation: in a room, or with the account alone.
    ChatState(Jid, MessageType),
}

// === impl Importance ===

impl Importance {
    /// Whatever is not known to be able to wait is important, and so is what the account's log owes.
    pub(super) fn of(delivery: &Delivery, config: &Config) -> Self {
        let stanza = &delivery.stanza;
        let Some(from) = &stanza.from else {
            return Self::High;
        };
        if delivery.custody.row().is_some() {
            return Self::High;
        }
        match stanza.kind {
            Kind::Presence(PresenceType::Available | PresenceType::Unavailable)
                if config.hold_presence =>
            {
                Self::of_presence(stanza, from)
            }
            Kind::Message(MessageType::Error) => Self::High,
            Kind::Message(kind) if config.hold_chat_states => Self::of_message(stanza, from, kind),
            Kind::Presence(_) | Kind::Message(_) | Kind::Iq(_) => Self::High,
        }
    }

    /// Presence of a room carries what happened in it, so that each counts; to hear of itself a client may be
    /// waiting.
    fn of_presence(stanza: &Stanza, from: &Jid) -> Self {
        if !stanza.has("x", ROOM_USER) {
            Self::Latest(Topic::Presence(from.clone()))
        } else if is_of_oneself(stanza) {
            Self::High
        } else {
            Self::Low
        }
    }

    fn of_message(stanza: &Stanza, from: &Jid, kind: MessageType) -> Self {
        if is_chat_state(stanza.names()) {
            return Self::Latest(Topic::ChatState(from.clone(), kind));
        }
        let momentary =
            Content::of(stanza.names()) == Content::Momentary || is_momentary_copy(stanza);
        if momentary { Self::Low } else { Self::High }
    }
}

/// Whether presence of a room is about the client itself (XEP-0045 §7.2.2).
fn is_of_oneself(presence: &Stanza) -> bool {
    let Ok(Some(user)) = presence.child("x", ROOM_USER) else {
        return false;
    };
    user.children()
        .any(|child| child.is("status", ROOM_USER) && child.attribute("code") == Some("110"))
}

/// Whether a message carries a chat state (XEP-0085) and nothing else that anybody would miss.
fn is_chat_state(names: &[PayloadName]) -> bool {
    let real_time_text = |name: &PayloadName| name.is("rtt", "urn:xmpp:rtt:0");
    Content::of(names) == Content::Momentary && !names.iter().any(real_time_text)
}

/// Whether it is a copy (XEP-0280) of a message that is of interest only now.
fn is_momentary_copy(stanza: &Stanza) -> bool {
    let copy = [Direction::Sent, Direction::Received]
        .into_iter()
        .find_map(|direction| stanza.child(direction.as_str(), ns::CARBONS).ok()?);
    let original = copy.and_then(|copy| Carbon::parse(&copy).ok()?.message.stanza().ok());
    original.is_some_and(|original| {
        original.kind != Kind::Message(MessageType::Error)
            && Content::of(original.names()) == Content::Momentary
    })
}
