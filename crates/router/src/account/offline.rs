//! XEP-0160: messages for an account that is away, kept and handed over later.
//!
//! The store holds them in order. When a resource becomes available with a priority of at least 0, they
//! are read page by page; a page is read when the client has the one before (which the session confirms
//! by position), and only then is it removed. Until the last page is handed over, new messages that
//! would overtake it join the end of the queue instead.

use rookery_delivery::{Custody, Delivery, Limit, SessionId};
use rookery_stanza::payload::delay::Delay;
use rookery_stanza::{Condition, Kind, MessageType, RowId, Stanza, ns};
use rookery_storage::{OfflineMessage, Queued};

use super::effect::{Change, Effect, Effects, Step, Write};
use super::sessions::{Presence, Session};
use super::{Account, Scene, Standing, durable};
use crate::metrics::Outcome;

/// Messages read at once.
pub(crate) const PAGE: usize = 64;

/// Bytes handed over at once; a page that has more is read in several goes.
const PAGE_BYTES: usize = 256 * 1024;

/// What is known of the kept messages.
#[derive(Debug)]
pub(super) struct Offline {
    /// The store may hold messages.
    stored: bool,
    /// They are being handed over.
    replay: Option<Replay>,
}

#[derive(Debug)]
struct Replay {
    /// To whom.
    session: SessionId,
    /// The last position that was handed over.
    up_to: u64,
    /// There may be messages after it.
    more: bool,
}

// === impl Offline ===

impl Default for Offline {
    fn default() -> Self {
        Self {
            stored: true,
            replay: None,
        }
    }
}

impl Offline {
    /// Whether kept messages are still to be handed to this session.
    pub(super) fn is_before(&self, session: SessionId) -> bool {
        self.replay
            .as_ref()
            .is_some_and(|replay| replay.session == session && replay.more)
    }

    /// Notes whether the store holds messages; some may have come behind those that are being handed over.
    pub(super) fn found(&mut self, stored: bool) {
        self.stored = stored;
        if let Some(replay) = &mut self.replay {
            replay.more |= stored;
        }
    }

    /// Notes that a message was kept.
    fn appended(&mut self) {
        self.stored = true;
        if let Some(replay) = &mut self.replay {
            replay.more = true;
        }
    }

    /// The session has ended: what it did not confirm is still to be handed over.
    pub(super) fn abandon(&mut self, session: SessionId) {
        if self
            .replay
            .as_ref()
            .is_some_and(|replay| replay.session == session)
        {
            self.replay = None;
            self.stored = true;
        }
    }
}

impl Account {
    /// Whether a message is kept for later: not one that consists of a chat state only.
    pub(super) fn is_kept(stanza: &Stanza) -> bool {
        if !matches!(
            stanza.kind,
            Kind::Message(MessageType::Normal | MessageType::Chat)
        ) {
            return false;
        }
        let names = stanza.names();
        let is_state = |name: &rookery_stanza::PayloadName| name.namespace() == ns::CHAT_STATES;
        !names.iter().any(is_state)
            || names
                .iter()
                .any(|name| !is_state(name) && !name.is("thread", ns::CLIENT))
    }

    /// Keeps a message, or ignores one that is only of interest now.
    pub(super) fn keep_or_ignore(&mut self, stanza: Stanza, scene: &Scene<'_>, step: &mut Step) {
        if !Self::is_kept(&stanza) {
            step.now().ignore(&stanza);
        } else if self.standing == Standing::Guest {
            step.now().bounce(stanza, Condition::ServiceUnavailable);
        } else {
            keep(stanza, scene, step);
        }
    }

    /// A message was kept.
    pub(super) fn kept(&mut self, step: &mut Step) {
        self.offline.appended();
        self.replay_to_any(step);
    }

    /// Hands the kept messages to the first resource that takes them.
    pub(super) fn replay_to_any(&mut self, step: &mut Step) {
        let takes =
            |(session, _): &(&Session, &Presence)| session.takes_messages() && !session.is_held();
        let first = self
            .sessions
            .available()
            .find(takes)
            .map(|(session, _)| session.key.id);
        if let Some(session) = first {
            self.replay_to(session, step);
        }
    }

    /// Begins to hand the kept messages to a resource, unless another one gets them already.
    pub(super) fn replay_to(&mut self, session: SessionId, step: &mut Step) {
        if self.offline.stored && self.offline.replay.is_none() && self.standing == Standing::Stored
        {
            self.offline.replay = Some(Replay {
                session,
                up_to: 0,
                more: true,
            });
            step.write(Write::new(Change::Read(0)));
        }
    }

    /// A page has been read.
    pub(super) fn page(&mut self, page: Vec<Queued>, step: &mut Step) {
        let Some(replay) = &mut self.offline.replay else {
            return;
        };
        let (id, full) = (replay.session, page.len() >= PAGE);
        let Some(last) = page.last() else {
            return self.replayed();
        };
        let last = last.position;
        let (deliveries, up_to) = self.read_page(page, step.now());
        let Some(replay) = &mut self.offline.replay else {
            return;
        };
        replay.up_to = up_to;
        replay.more = full || up_to < last;
        if deliveries.is_empty() {
            return self.confirmed(id, up_to, step);
        }
        if let Some(session) = self.sessions.get_mut(id) {
            for delivery in deliveries {
                session.give(delivery, step.now());
            }
        }
    }

    /// As many messages of a page as may be handed over at once, and the position of the last one.
    fn read_page(&self, page: Vec<Queued>, out: &mut Effects) -> (Vec<Delivery>, u64) {
        let (mut bytes, mut up_to) = (0, 0);
        let mut deliveries = Vec::with_capacity(page.len());
        for queued in page {
            bytes += queued.message.xml.len();
            if bytes > PAGE_BYTES && up_to > 0 {
                break;
            }
            up_to = queued.position;
            match self.read_message(queued.message) {
                Some(stanza) => deliveries.push(Delivery {
                    stanza,
                    custody: Custody::Log(RowId::from_halves(up_to, 0)),
                    since: None,
                }),
                None => out.push(Effect::Unreadable),
            }
        }
        (deliveries, up_to)
    }

    /// A kept message, with the note of its delay.
    fn read_message(&self, message: OfflineMessage) -> Option<Stanza> {
        match durable::read(message.xml) {
            Ok(mut stanza) => {
                // What a session returned has its note already.
                if !stanza.has(Delay::NAME, ns::DELAY) {
                    stanza.append(self.delay(message.received).to_element());
                }
                Some(stanza)
            }
            Err(error) => {
                tracing::error!(account = %self.jid, %error, "a kept message cannot be read");
                None
            }
        }
    }

    /// The client of a session has everything up to `position`.
    pub(super) fn confirmed(&mut self, session: SessionId, position: u64, step: &mut Step) {
        let Some(replay) = &self.offline.replay else {
            return;
        };
        if replay.session != session {
            return;
        }
        let (up_to, more) = (replay.up_to, replay.more);
        step.write(Write::new(Change::Remove(position.min(up_to))));
        if position < up_to {
            return;
        }
        if more
            && self
                .sessions
                .get(session)
                .is_some_and(Session::takes_messages)
        {
            step.write(Write::new(Change::Read(up_to)));
        } else {
            self.offline = Offline {
                stored: more,
                replay: None,
            };
            self.replay_to_any(step);
        }
    }

    /// Nothing is left to hand over.
    fn replayed(&mut self) {
        self.offline = Offline {
            stored: false,
            replay: None,
        };
    }

    /// A page could not be read: it is tried again when a resource next becomes available.
    pub(super) fn page_failed(&mut self) {
        self.offline = Offline {
            stored: true,
            replay: None,
        };
    }
}

/// Keeps a message; its sender gets an error when there is no room (XEP-0160, step 3).
pub(super) fn keep(stanza: Stanza, scene: &Scene<'_>, step: &mut Step) {
    let message = OfflineMessage {
        received: scene.now,
        xml: durable::write(&stanza),
    };
    let mut write = Write::new(Change::Append(message));
    write.then.settled(stanza.kind, Outcome::Offline);
    write.refused.push(Effect::Limited(Limit::Offline));
    step.write(write.or_bounce(stanza, Condition::ServiceUnavailable));
}
