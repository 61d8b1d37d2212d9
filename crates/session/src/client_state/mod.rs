//! XEP-0352: what reaches a client while nobody looks at it.
//!
//! A [`Gate`] stands between what the home delivers and what is sent, before stream management (XEP-0198)
//! numbers anything: what waits here was not sent. It is open as long as the client is active. Once it is not,
//! presence and chat states wait (`importance.rs` says which), and of those only the last of each sender
//! (`queue.rs`). Anything important takes along whatever came before it, so that nothing is ever overtaken:
//! what is sent is what was delivered, in the same order, without what was replaced.
//!
//! While the connection is lost nothing can be sent; everything waits, and what is replaced never needs to be.
//!
//! The gate knows no clock. What waits is bounded by [`Config`] while there is a connection, by the session's
//! budget of unsent bytes while there is none.

mod config;
mod importance;
mod metrics;
mod queue;
#[cfg(test)]
mod tests;

use rookery_delivery::Delivery;
use rookery_stanza::payload::client_state::ClientState;

pub use config::Config;
pub use metrics::Metrics;

use self::importance::Importance;
use self::queue::Queue;

/// Lets deliveries pass to the client, or has them wait. Costs a pointer while the client is active.
#[derive(Debug, Default)]
pub struct Gate {
    /// `None`: it is open.
    closed: Option<Box<Closed>>,
}

/// A gate that not everything passes.
#[derive(Debug, Default)]
struct Closed {
    /// Whether there is no connection, so that nothing passes.
    detached: bool,
    waiting: Queue,
}

/// What became of deliveries.
#[derive(Debug, Default)]
pub struct Passed {
    /// What is to be sent now, in order.
    pub send: Vec<Delivery>,
    /// How many stanzas were replaced by later ones: the client never gets them, nor does it miss them.
    pub replaced: usize,
    /// The bytes of those ([`Stanza::size`](rookery_stanza::Stanza::size)), for the budget that they were taken
    /// from.
    pub replaced_bytes: usize,
    /// Whether so much waited that all of it is sent, though nothing of it is important.
    pub overflowed: bool,
}

// === impl Gate ===

impl Gate {
    /// Whether everything passes.
    pub fn is_open(&self) -> bool {
        self.closed.is_none()
    }

    /// What is to be sent of a batch that the home delivered.
    ///
    /// What waits still counts as unsent; what was replaced does not any more.
    pub fn deliver(&mut self, batch: Vec<Delivery>, config: &Config) -> Passed {
        let Some(closed) = &mut self.closed else {
            return Passed::all(batch);
        };
        let mut passed = Passed::default();
        for delivery in batch {
            closed.deliver(delivery, config, &mut passed);
        }
        passed
    }

    /// The client says whether somebody looks at it (§4.2): what is to be sent now, before anything that answers
    /// what the client sent behind this (§5.1).
    pub fn indicate(&mut self, state: ClientState) -> Vec<Delivery> {
        match state {
            ClientState::Active => self.open(),
            ClientState::Inactive => {
                self.closed.get_or_insert_default();
                Vec::new()
            }
        }
    }

    /// The connection is lost, and the session waits for its client: from now on nothing passes.
    pub fn detach(&mut self) {
        self.closed.get_or_insert_default().detached = true;
    }

    /// The client has resumed the session, and is taken for active (§5.2): what is to be sent now.
    pub fn resume(&mut self) -> Vec<Delivery> {
        self.open()
    }

    /// The session ends: what its client did not get, in order, to be returned as undelivered.
    pub fn end(&mut self) -> Vec<Delivery> {
        self.open()
    }

    /// What waits, in order.
    pub fn waiting(&self) -> impl Iterator<Item = &Delivery> {
        self.closed.iter().flat_map(|closed| closed.waiting.iter())
    }

    fn open(&mut self) -> Vec<Delivery> {
        let closed = self.closed.take().unwrap_or_default();
        closed.waiting.into_deliveries().collect()
    }
}

// === impl Closed ===

impl Closed {
    fn deliver(&mut self, mut delivery: Delivery, config: &Config, passed: &mut Passed) {
        let importance = Importance::of(&delivery, config);
        if importance == Importance::High && !self.detached {
            self.flush(passed);
            passed.send.push(delivery);
            return;
        }
        // How long the server took is not measured for what it was told to hold.
        delivery.since = None;
        match importance {
            Importance::High | Importance::Low => self.waiting.push(delivery),
            Importance::Latest(topic) => {
                if let Some(earlier) = self.waiting.replace(topic, delivery) {
                    passed.replaced += 1;
                    passed.replaced_bytes += earlier.stanza.size();
                }
            }
        }
        if !self.detached && !self.waiting.fits(config) {
            passed.overflowed = true;
            self.flush(passed);
        }
    }

    fn flush(&mut self, passed: &mut Passed) {
        let waiting = std::mem::take(&mut self.waiting);
        passed.send.extend(waiting.into_deliveries());
    }
}

// === impl Passed ===

impl Passed {
    /// All of it is sent.
    fn all(send: Vec<Delivery>) -> Self {
        Self {
            send,
            ..Self::default()
        }
    }
}
