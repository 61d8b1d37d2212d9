//! XEP-0198 §4: what the client was sent and has not acknowledged, and when to ask for it.

use std::collections::VecDeque;
use std::mem;
use std::time::Duration;

use rookery_delivery::{Custody, Delivery};
use rookery_stanza::{Kind, Stanza, StreamCondition, StreamError, ns};
use rookery_xml::Element;
use tokio::time::Instant;

use super::inbound::wire;

/// Bounds on the queue, and when to ask.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The most stanzas that may wait for an acknowledgement.
    pub stanzas: usize,
    /// The most bytes of stanzas that may wait for one.
    pub bytes: usize,
    /// As many stanzas, none of which the store waits for, are reason enough to ask.
    pub ask_after_stanzas: usize,
    /// A client that did not answer for so long has lost its connection.
    pub answer_within: Duration,
    /// A client that answered, and left something the store waits for unacknowledged, is asked again after
    /// this time.
    pub ask_again_after: Duration,
}

/// A stanza that the client has not acknowledged.
#[derive(Clone, Debug)]
pub struct Unacknowledged {
    /// The stanza, and its row in the account's log if it has one.
    pub delivery: Delivery,
    /// When it was first sent, in unix milliseconds: what a note of its delay says (§4).
    pub sent: u64,
}

/// The stanzas that were sent since stream management was enabled. Counts are never wrapped in here, only
/// on the wire.
#[derive(Debug, Default)]
pub struct Outbound {
    /// All that are not acknowledged, in order.
    queue: VecDeque<Unacknowledged>,
    /// Their bytes.
    bytes: usize,
    /// How many of them the store waits for.
    awaited: usize,
    /// How many the client has acknowledged.
    acknowledged: u64,
    /// When the client was last asked.
    asked: Option<Asked>,
}

/// A question to the client.
#[derive(Clone, Copy, Debug)]
struct Asked {
    at: Instant,
    /// How many stanzas had been sent before it.
    sent: u64,
    /// Whether it has been answered.
    answered: bool,
}

/// What is to be done because time has passed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Due {
    /// Nothing.
    Nothing,
    /// `<r/>` is sent.
    Ask,
    /// The client does not answer. Its connection is closed without `</stream:stream>`, so that it may resume.
    Silent,
}

/// The client acknowledges more than it was sent (§6). The stream cannot go on: nobody knows what the client
/// has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the client acknowledged {handled} stanzas of {sent} (modulo 2^32)")]
pub struct TooHigh {
    /// What it acknowledges.
    pub handled: u32,
    /// What it was sent.
    pub sent: u32,
}

// === impl Outbound ===

impl Outbound {
    /// Whether a batch fits. Into an empty queue every batch fits, so that none is stuck for ever.
    pub fn has_room(&self, batch: &[Delivery], limits: &Limits) -> bool {
        let bytes: usize = batch.iter().map(size).sum();
        self.queue.is_empty()
            || (self.queue.len() + batch.len() <= limits.stanzas
                && self.bytes.saturating_add(bytes) <= limits.bytes)
    }

    /// Keeps a stanza that is about to be sent, at `now` in unix milliseconds.
    pub fn sent(&mut self, delivery: Delivery, now: u64) {
        self.push(Unacknowledged {
            delivery,
            sent: now,
        });
    }

    fn push(&mut self, stanza: Unacknowledged) {
        self.bytes += size(&stanza.delivery);
        self.awaited += usize::from(stanza.is_awaited());
        self.queue.push_back(stanza);
    }

    /// The client has handled so many stanzas, modulo 2^32: those among them that it had not acknowledged
    /// before, in order. A count that it has passed before is no news (§4).
    ///
    /// # Errors
    /// [`TooHigh`] when it was sent fewer.
    pub fn acknowledge(&mut self, handled: u32) -> Result<Vec<Unacknowledged>, TooHigh> {
        let news = handled.wrapping_sub(wire(self.acknowledged));
        let news = match usize::try_from(news) {
            Ok(news) if news <= self.queue.len() => news,
            _ if self.is_old(handled) => 0,
            _ => {
                return Err(TooHigh {
                    handled,
                    sent: wire(self.total()),
                });
            }
        };
        if let Some(asked) = &mut self.asked {
            asked.answered = true;
        }
        self.acknowledged = self.acknowledged.wrapping_add(news as u64);
        let acknowledged = self.take(news);
        for stanza in &acknowledged {
            self.bytes -= size(&stanza.delivery);
            self.awaited -= usize::from(stanza.is_awaited());
        }
        Ok(acknowledged)
    }

    /// Takes the first stanzas out. An empty queue keeps no memory.
    fn take(&mut self, count: usize) -> Vec<Unacknowledged> {
        if count == self.queue.len() {
            mem::take(&mut self.queue).into()
        } else {
            self.queue.drain(..count).collect()
        }
    }

    /// Whether the client has acknowledged so many before, as far as a count modulo 2^32 can tell.
    fn is_old(&self, handled: u32) -> bool {
        const HALF: u64 = 1 << 31;
        let behind = u64::from(wire(self.acknowledged).wrapping_sub(handled));
        behind <= self.acknowledged.min(HALF)
    }

    /// Whether to send `<r/>` now, behind the stanzas of a batch: at most one question is open, and there is
    /// something to ask about. Sent behind other data it wakes no sleeping client (§8.2).
    pub fn ask(&mut self, now: Instant, limits: &Limits) -> bool {
        let open = self.asked.is_some_and(|asked| !asked.answered);
        let reason = self.awaited > 0
            || self.queue.len() >= limits.ask_after_stanzas
            || self.bytes >= limits.bytes / 2;
        if open || !reason {
            return false;
        }
        self.asked = Some(Asked {
            at: now,
            sent: self.total(),
            answered: false,
        });
        true
    }

    /// Whether to send `<r/>` once more because the client has just answered: it keeps up, and there is
    /// something that was sent behind the question. A client that does not keep up is given time.
    pub fn ask_on(&mut self, now: Instant, limits: &Limits) -> bool {
        let keeps_up = self
            .asked
            .is_some_and(|asked| asked.answered && asked.sent <= self.acknowledged);
        keeps_up && self.ask(now, limits)
    }

    /// When [`due`](Self::due) will have an answer, if nothing happens before.
    pub fn deadline(&self, limits: &Limits) -> Option<Instant> {
        let asked = self.asked?;
        if !asked.answered {
            Some(asked.at + limits.answer_within)
        } else if self.awaited > 0 {
            Some(asked.at + limits.ask_again_after)
        } else {
            None
        }
    }

    /// What is to be done at `now`.
    pub fn due(&mut self, now: Instant, limits: &Limits) -> Due {
        if self.deadline(limits).is_none_or(|deadline| now < deadline) {
            Due::Nothing
        } else if self.ask(now, limits) {
            Due::Ask
        } else {
            Due::Silent
        }
    }

    /// The client has answered a request: it has that, whether it acknowledges it or not, and nobody else needs to
    /// answer it (RFC 6120 §8.2.3).
    pub fn answered(&mut self, answer: &Stanza) {
        let asked = |one: &&mut Unacknowledged| {
            let (stanza, custody) = (&one.delivery.stanza, one.delivery.custody);
            let is_request = matches!(stanza.kind, Kind::Iq(kind) if kind.is_request());
            is_request
                && custody != Custody::Copy
                && stanza.id == answer.id
                && stanza.from == answer.to
        };
        if let Some(request) = self.queue.iter_mut().find(asked) {
            request.delivery.custody = Custody::Copy;
        }
    }

    /// The connection is gone, and with it the question.
    pub fn detach(&mut self) {
        self.asked = None;
        self.queue.shrink_to_fit();
    }

    /// What is not acknowledged, in order: what is sent again when the stream is resumed (§5).
    pub fn unacknowledged(&self) -> impl ExactSizeIterator<Item = &Unacknowledged> {
        self.queue.iter()
    }

    /// Takes all that is not acknowledged, when the stream will not be resumed: it finds another way (§4).
    pub fn into_unacknowledged(self) -> Vec<Unacknowledged> {
        self.queue.into()
    }

    /// How many stanzas wait for an acknowledgement.
    pub fn len(&self) -> usize {
        self.queue.len()
    }

    /// Whether none does.
    pub fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }

    /// Bytes of those that do.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// How many stanzas the client has acknowledged in all.
    pub(super) fn acknowledged(&self) -> u64 {
        self.acknowledged
    }

    /// How many stanzas were sent in all.
    fn total(&self) -> u64 {
        self.acknowledged.wrapping_add(self.queue.len() as u64)
    }

    /// The queue of a session that was written down.
    pub(super) fn restore(acknowledged: u64, queue: Vec<Unacknowledged>) -> Self {
        let mut outbound = Self {
            acknowledged,
            ..Self::default()
        };
        for stanza in queue {
            outbound.push(stanza);
        }
        outbound
    }
}

// === impl Unacknowledged ===

impl Unacknowledged {
    /// Whether the store waits for the client to have it.
    fn is_awaited(&self) -> bool {
        self.delivery.custody.row().is_some()
    }
}

/// What a stanza counts for in a queue.
fn size(delivery: &Delivery) -> usize {
    delivery.stanza.size()
}

// === impl Limits ===

impl Default for Limits {
    fn default() -> Self {
        Self {
            stanzas: 2048,
            bytes: 4 * 1024 * 1024,
            ask_after_stanzas: 32,
            answer_within: Duration::from_secs(60),
            ask_again_after: Duration::from_secs(10),
        }
    }
}

// === impl TooHigh ===

impl From<TooHigh> for StreamError {
    fn from(TooHigh { handled, sent }: TooHigh) -> Self {
        let condition = Element::new("handled-count-too-high", ns::STREAM_MANAGEMENT)
            .with_attribute("h", handled.to_string())
            .with_attribute("send-count", sent.to_string());
        Self::new(StreamCondition::UndefinedCondition)
            .with_text(format!(
                "{handled} stanzas were acknowledged, {sent} were sent"
            ))
            .with_application(condition)
    }
}
