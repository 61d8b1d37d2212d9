//! XEP-0280: copies of what the account's clients send and receive, for those others that want them (§7, §8).
//!
//! A copy leaves when its message does, and nobody misses it: whoever did not get one finds the message in the archive.

use rookery_archive::copied::CopiedMessages;
use rookery_archive::{Copies, Side, Treatment};
use rookery_delivery::{Custody, Delivery, SessionId};
use rookery_stanza::payload::carbon::{Carbon, Direction};
use rookery_stanza::{Kind, Stanza, ns};

use super::Account;
use super::effect::Effects;
use super::sessions::Session;

/// Messages that an account remembers as copied, so that errors about them are copied as well (§6.1).
const REMEMBERED: usize = 64;

impl Account {
    /// Whether a client has enabled carbons.
    pub(super) fn wants_copies(&self) -> bool {
        self.sessions
            .iter()
            .any(|session| session.follows(ns::CARBONS))
    }

    /// Sends a copy of a message to each client that enabled carbons, but to its sender and to those sessions that
    /// the message itself was for.
    pub(super) fn copy(
        &mut self,
        message: &Stanza,
        treatment: Treatment,
        side: Side,
        received_by: &[SessionId],
        out: &mut Effects,
    ) {
        let wants = |session: &Session| {
            session.follows(ns::CARBONS)
                && !received_by.contains(&session.key.id)
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
