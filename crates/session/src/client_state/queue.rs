//! Deliveries in the order in which they came, of which later ones replace earlier ones.

use std::collections::{BTreeMap, HashMap};

use rookery_delivery::Delivery;

use super::config::Config;
use super::importance::Topic;

/// What waits.
#[derive(Debug, Default)]
pub(super) struct Queue {
    /// By when it came.
    deliveries: BTreeMap<u64, Delivery>,
    /// Where the last one about a topic is.
    latest: HashMap<Topic, u64>,
    /// How many ever came.
    came: u64,
    /// The bytes of all stanzas.
    bytes: usize,
}

// === impl Queue ===

impl Queue {
    /// Whether it is within its bounds.
    pub(super) fn fits(&self, config: &Config) -> bool {
        self.deliveries.len() <= config.max_stanzas && self.bytes <= config.max_bytes
    }

    /// The bytes of all stanzas.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// One more, at the end.
    pub(super) fn push(&mut self, delivery: Delivery) {
        self.bytes += delivery.stanza.size();
        self.deliveries.insert(self.came, delivery);
        self.came += 1;
    }

    /// One more, at the end; the earlier one about its topic is taken out.
    pub(super) fn replace(&mut self, topic: Topic, delivery: Delivery) -> Option<Delivery> {
        let earlier = self.latest.insert(topic, self.came);
        self.push(delivery);
        let earlier = self.deliveries.remove(&earlier?)?;
        self.bytes -= earlier.stanza.size();
        Some(earlier)
    }

    /// All of them, in order.
    pub(super) fn iter(&self) -> impl Iterator<Item = &Delivery> {
        self.deliveries.values()
    }

    /// All of them, in order; it is empty then.
    pub(super) fn take(&mut self) -> impl Iterator<Item = Delivery> {
        std::mem::take(self).into_deliveries()
    }

    /// All of them, in order.
    pub(super) fn into_deliveries(self) -> impl Iterator<Item = Delivery> {
        self.deliveries.into_values()
    }
}
