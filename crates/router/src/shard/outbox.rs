//! What leaves a shard: one batch for each session and each other shard, when a message has been handled.

use std::fmt;
use std::sync::Arc;

use rookery_delivery::{Delivery, Limit, Refusal, SessionId, SessionPort};
use rookery_stanza::{BareJid, Condition, Kind};
use tokio::sync::Semaphore;

use super::message::{Content, Hop, Parcel};
use super::{HomeShard, Todo};
use crate::account::Input;
use crate::metrics::{Lost, Mailbox, Outcome, Queue, SessionState};

/// Parcels that wait for a shard whose mailbox is full.
const WAITING_PARCELS: usize = 65_536;

/// Parcels that there is room for in a batch at once.
const BATCH: usize = 8;

/// A bound session.
pub(super) struct Port {
    pub(super) port: Arc<dyn SessionPort>,
    pub(super) account: BareJid,
    /// As it is counted.
    pub(super) state: SessionState,
    /// What it is handed at the end of the message.
    pub(super) outgoing: Vec<Delivery>,
    /// Whose turn it is to send it results, when it ever asked for some.
    pub(super) results: Option<Arc<Semaphore>>,
}

/// What leaves at the end of the message.
#[derive(Debug, Default)]
pub(super) struct Outbox {
    /// Sessions that have something to be handed.
    pub(super) touched: Vec<SessionId>,
    /// For each shard.
    hops: Vec<Vec<Parcel>>,
    /// Something waits for a shard whose mailbox was full.
    pub(super) is_waiting: bool,
    /// It will be tried again.
    pub(super) has_timer: bool,
}

// === impl Outbox ===

impl Outbox {
    /// How many messages wait for other shards.
    pub(super) fn messages(&self) -> i64 {
        self.hops.iter().flatten().map(Parcel::messages).sum()
    }

    /// Adds a parcel for another shard.
    pub(super) fn add(&mut self, shard: usize, parcel: Parcel) {
        if self.hops.len() <= shard {
            self.hops.resize_with(shard + 1, Vec::new);
        }
        if let Some(hop) = self.hops.get_mut(shard) {
            if hop.is_empty() {
                hop.reserve(BATCH);
            }
            hop.push(parcel);
        }
    }
}

impl HomeShard {
    /// Hands every session its batch. A session that does not take it gets nothing more.
    pub(super) fn hand_over(&mut self) {
        let mut touched = std::mem::take(&mut self.outbox.touched);
        for session in touched.drain(..) {
            let Some(port) = self.ports.get_mut(&session) else {
                continue;
            };
            let Err(refused) = port.port.deliver(std::mem::take(&mut port.outgoing)) else {
                continue;
            };
            if refused.why == Refusal::Busy {
                self.metrics.rejected.of(Queue::Session).increment();
            }
            let input = Input::Refused {
                session,
                why: refused.why,
                batch: refused.batch,
            };
            self.todo
                .push_back(Todo::Input(port.account.clone(), input));
        }
        self.outbox.touched = touched;
    }

    /// Sends every other shard its batch. When a mailbox is full, what can be answered with an error goes
    /// back to its sender, and the rest waits.
    pub(super) fn send_hops(&mut self) {
        let shards = Arc::clone(&self.shards);
        self.outbox.is_waiting = false;
        for (index, shard) in shards.all().iter().enumerate() {
            let Some(hop) = self.outbox.hops.get_mut(index) else {
                break;
            };
            if hop.is_empty() {
                continue;
            }
            let waiting = self.metrics.waiting.of(Mailbox::Shard);
            waiting.add(1);
            let hop = Hop(std::mem::take(hop));
            let messages = hop.messages();
            self.metrics.in_flight.add(messages);
            if let Err(error) = shard.try_send(hop) {
                waiting.add(-1);
                self.metrics.in_flight.add(-messages);
                self.metrics.rejected.of(Queue::Shard).increment();
                self.hop_refused(index, error.into_inner().0);
            }
        }
    }

    fn hop_refused(&mut self, index: usize, parcels: Vec<Parcel>) {
        self.outbox.is_waiting = true;
        let limit = self.rules.config.waiting_parcel_bytes;
        let (mut waiting, mut bytes) = (Vec::new(), 0_usize);
        for parcel in parcels {
            match parcel.content {
                Content::One(stanza, _) if is_answerable(stanza.kind) => {
                    let error = Condition::ResourceConstraint.into();
                    self.bounce(&stanza, &error, parcel.permit.as_ref());
                }
                _ if waiting.len() < WAITING_PARCELS && bytes < limit => {
                    bytes = bytes.saturating_add(parcel.content.size());
                    waiting.push(parcel);
                }
                content => self.drop_parcel(&content),
            }
        }
        if let Some(hop) = self.outbox.hops.get_mut(index) {
            // What was bounced to the same shard a moment ago comes after what waited.
            waiting.append(hop);
            *hop = waiting;
        }
    }

    /// What waits for another shard is beyond its limit.
    fn drop_parcel(&self, content: &Content) {
        self.metrics.shared.exceeded(Limit::Parcels);
        match content {
            Content::One(stanza, _) => match stanza.kind {
                Kind::Message(_) => self.metrics.lose(Lost::Overflow),
                kind => self.metrics.settle(kind, Outcome::Dropped),
            },
            Content::Many(stanza, _) => self.metrics.settle(stanza.kind, Outcome::Dropped),
            Content::Probe(..) => {}
        }
    }
}

/// Whether a sender is told when a stanza cannot be passed on.
fn is_answerable(kind: Kind) -> bool {
    match kind {
        Kind::Message(_) => !kind.is_error(),
        Kind::Iq(_) => kind.is_request(),
        Kind::Presence(_) => false,
    }
}

impl fmt::Debug for Port {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Port")
            .field("account", &self.account)
            .finish_non_exhaustive()
    }
}
