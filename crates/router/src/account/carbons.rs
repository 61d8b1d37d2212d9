//! XEP-0280: copies of what the account's clients send and receive, for those others that want them (§7, §8).
//!
//! A copy leaves when its message does, and nobody misses it: whoever did not get one finds the message in the archive.

use rookery_archive::copied::CopiedMessages;
use rookery_archive::{Copies, Side, Treatment};
use rookery_delivery::{Custody, Delivery, SessionId};
use rookery_stanza::payload::carbon::{Carbon, Direction};
use rookery_stanza::{Kind, Stanza, ns};

use super::effect::Effects;
use super::sessions::Session;
use super::{Account, Scene};

/// Messages that an account remembers as copied, so that errors about them are copied as well (§6.1).
const REMEMBERED: usize = 64;

impl Account {
    /// Whether a client has enabled carbons.
    pub(super) fn wants_copies(&self) -> bool {
        self.sessions
            .iter()
            .any(|session| session.follows(ns::CARBONS))
    }

    /// Sends a copy of a message that came to each client that enabled carbons, but to those sessions that the message
    /// itself was for, and to those that it is hidden from.
    pub(super) fn copy_received(
        &mut self,
        message: &Stanza,
        treatment: Treatment,
        to: &[SessionId],
        scene: &Scene<'_>,
        out: &mut Effects,
    ) {
        if treatment.copies == Copies::No || !self.wants_copies() {
            return;
        }
        let mut without = self.hidden_from(message, scene);
        if without.is_empty() {
            return self.copy(message, treatment, Side::Recipient, to, out);
        }
        without.extend_from_slice(to);
        self.copy(message, treatment, Side::Recipient, &without, out);
    }

    /// Sends a copy of a message to each client that enabled carbons, but to its sender and to these sessions.
    pub(super) fn copy(
        &mut self,
        message: &Stanza,
        treatment: Treatment,
        side: Side,
        but: &[SessionId],
        out: &mut Effects,
    ) {
        let wants = |session: &Session| {
            session.follows(ns::CARBONS)
                && !but.contains(&session.key.id)
                && message.from.as_ref() != Some(&session.key.jid)
        };
        if treatment.copies == Copies::No || !self.sessions.iter().any(wants) {
            return;
        }
        let copied = self
            .copied
            .get_or_insert_with(|| Box::new(CopiedMessages::new(REMEMBERED)));
        let Kind::Message(kind) = message.kind else {
            return;
        };
        if !copied.copies(message, treatment, side) {
            return;
        }
        let direction = match side {
            Side::Sender => Direction::Sent,
            Side::Recipient => Direction::Received,
        };
        let copy = Carbon::new(direction, message).into_message(&self.jid, kind);
        for session in self.sessions.iter_mut().filter(|session| wants(session)) {
            let stanza = copy.clone().with_to(session.key.jid.clone());
            session.give(as_copy(stanza), out);
        }
    }
}

/// A stanza that nobody misses.
pub(super) fn as_copy(stanza: Stanza) -> Delivery {
    Delivery {
        stanza,
        custody: Custody::Copy,
        since: None,
    }
}
