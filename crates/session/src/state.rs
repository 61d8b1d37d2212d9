//! The pure core of a session: what becomes of a stanza that the client sends.

use rookery_delivery::{SessionId, SessionKey};
use rookery_stanza::{Jid, Kind, PresenceType, Stanza};

/// A session's state. It knows no clock, no connection and no home.
#[derive(Debug)]
pub struct Session {
    id: SessionId,
    /// The full JID that is bound.
    bound: Option<Jid>,
}

/// A stanza as it leaves the session towards the home of the account.
#[derive(Debug)]
pub struct Outbound {
    /// The stanza with its true sender.
    pub stanza: Stanza,
    /// Whether the client had named another sender.
    pub spoofed: bool,
}

// === impl Session ===

impl Session {
    /// A session that has yet to be bound.
    pub fn new(id: SessionId) -> Self {
        Self { id, bound: None }
    }

    /// The home has bound `jid` to this session.
    pub fn bind(&mut self, jid: Jid) {
        self.bound = Some(jid);
    }

    /// Which session it is.
    pub fn id(&self) -> SessionId {
        self.id
    }

    /// The binding, once there is one.
    pub fn key(&self) -> Option<SessionKey> {
        Some(SessionKey {
            jid: self.bound.clone()?,
            id: self.id,
        })
    }

    /// Stamps a stanza of the client with its true sender (RFC 6120 §8.1.2.1). `None` before the session is
    /// bound.
    pub fn stamp(&self, mut stanza: Stanza) -> Option<Outbound> {
        let bound = self.bound.as_ref()?;
        let spoofed = stanza
            .from
            .as_ref()
            .is_some_and(|from| from.bare_str() != bound.bare_str());
        stanza.from = Some(sender(bound, stanza.kind));
        Some(Outbound { stanza, spoofed })
    }
}

/// The full JID; the bare JID for stanzas that manage subscriptions (RFC 6120 §8.1.2.1, RFC 6121 §3).
fn sender(bound: &Jid, kind: Kind) -> Jid {
    match kind {
        Kind::Presence(
            PresenceType::Subscribe
            | PresenceType::Subscribed
            | PresenceType::Unsubscribe
            | PresenceType::Unsubscribed,
        ) => bound.bare().into(),
        Kind::Message(_) | Kind::Presence(_) | Kind::Iq(_) => bound.clone(),
    }
}

#[cfg(test)]
mod tests {
    use rookery_stanza::MessageType;

    use super::*;

    fn session() -> Session {
        let mut session = Session::new(SessionId(1));
        session.bind("juliet@example.com/balcony".parse().unwrap());
        session
    }

    #[test]
    fn server_stamps_the_full_jid_s8_1_2_1() {
        let message = Stanza::message(MessageType::Chat);
        let outbound = session().stamp(message).unwrap();
        assert_eq!(
            outbound.stanza.from.unwrap().as_str(),
            "juliet@example.com/balcony"
        );
        assert!(!outbound.spoofed);
    }

    #[test]
    fn server_overrides_a_spoofed_sender_s8_1_2_1() {
        let mut message = Stanza::message(MessageType::Chat);
        message.from = Some("romeo@example.net/orchard".parse().unwrap());
        let outbound = session().stamp(message).unwrap();
        assert_eq!(
            outbound.stanza.from.unwrap().as_str(),
            "juliet@example.com/balcony"
        );
        assert!(outbound.spoofed);
    }

    #[test]
    fn server_stamps_the_bare_jid_on_subscriptions_s8_1_2_1() {
        let presence = Stanza::presence(PresenceType::Subscribe);
        let outbound = session().stamp(presence).unwrap();
        assert_eq!(outbound.stanza.from.unwrap().as_str(), "juliet@example.com");
    }

    #[test]
    fn nothing_is_stamped_before_a_resource_is_bound() {
        let session = Session::new(SessionId(1));
        assert!(session.stamp(Stanza::message(MessageType::Chat)).is_none());
    }
}
