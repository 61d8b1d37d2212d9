//! XEP-0352: what reaches a client while nobody looks at it.
//!
//! A [`Gate`] stands between what the home delivers and what is sent, before stream management (XEP-0198)
//! numbers anything: what waits here was not sent. It is open as long as the client is active. Once it is not,
//! presence and chat states wait (`importance.rs` says which), and of those only the last of each sender
//! (`queue.rs`). Anything important takes along whatever came before it, so that nothing is ever overtaken:
//! what is sent is what was delivered, in the same order, without what was replaced.
//!
//! The gate of a session that loses its connection stays as it is: an inactive client needs no more of what came while it
//! was away than of what came before. A client that resumes is taken for active (§5.2), which opens the gate.
//!
//! The gate knows no clock. What waits is bounded by [`Config`]; at the bound all of it is sent.

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
    /// What waits; `None`: it is open.
    waiting: Option<Box<Queue>>,
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
        self.waiting.is_none()
    }

    /// What is to be sent of a batch that the home delivered.
    ///
    /// What waits still counts as unsent; what was replaced does not any more.
    pub fn deliver(&mut self, batch: Vec<Delivery>, config: &Config) -> Passed {
        let Some(waiting) = &mut self.waiting else {
            return Passed::all(batch);
        };
        let mut passed = Passed::default();
        for delivery in batch {
            deliver(waiting, delivery, config, &mut passed);
        }
        passed
    }

    /// The client says whether somebody looks at it (§4.2): what is to be sent now, before anything that answers
    /// what the client sent behind this (§5.1).
    pub fn indicate(&mut self, state: ClientState) -> Vec<Delivery> {
        match state {
            ClientState::Active => self.open(),
            ClientState::Inactive => {
                self.waiting.get_or_insert_default();
                Vec::new()
            }
        }
    }

    /// Opens the gate, since the connection or the session ends: what the client did not get, in order.
    pub fn open(&mut self) -> Vec<Delivery> {
        let waiting = self.waiting.take().unwrap_or_default();
        waiting.into_deliveries().collect()
    }

    /// The bytes of all stanzas that wait.
    pub fn bytes(&self) -> usize {
        self.waiting.as_ref().map_or(0, |waiting| waiting.bytes())
    }

    /// What waits, in order.
    pub fn waiting(&self) -> impl Iterator<Item = &Delivery> {
        self.waiting.iter().flat_map(|waiting| waiting.iter())
    }
}

/// One delivery at a gate that is not open.
fn deliver(waiting: &mut Queue, mut delivery: Delivery, config: &Config, passed: &mut Passed) {
    let importance = Importance::of(&delivery, config);
    if importance != Importance::High {
        // How long the server took is not measured for what it was told to hold.
        delivery.since = None;
    }
    match importance {
        Importance::High => {
            passed.send.extend(waiting.take());
            passed.send.push(delivery);
        }
        Importance::Low => waiting.push(delivery),
        Importance::Latest(topic) => {
            if let Some(earlier) = waiting.replace(topic, delivery) {
                passed.replaced += 1;
                passed.replaced_bytes += earlier.stanza.size();
            }
        }
    }
    if !waiting.fits(config) {
        passed.overflowed = true;
        passed.send.extend(waiting.take());
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
