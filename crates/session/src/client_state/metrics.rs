//! What is counted about clients that nobody looks at.

use rookery_telemetry::{CounterFamily, Registry, label};

use super::Passed;

label! {
    /// What became of stanzas for a client that is inactive.
    pub(crate) enum Fate("fate") {
        /// A later one took its place.
        Replaced = "replaced",
        /// It was sent at once, with whatever waited before it.
        Sent = "sent",
        /// It was sent because more may not wait.
        Overflowed = "overflowed",
    }
}

/// The metrics of all gates.
#[derive(Debug)]
pub struct Metrics {
    stanzas: CounterFamily<Fate>,
}

// === impl Metrics ===

impl Metrics {
    /// Registers them.
    pub fn register(registry: &Registry) -> Self {
        Self {
            stanzas: registry.counters(
                "inactive_stanzas_total",
                "What becomes of stanzas for clients that are inactive?",
            ),
        }
    }

    /// Counts what a gate that is not open did.
    pub fn passed(&self, passed: &Passed) {
        let sent = if passed.overflowed {
            Fate::Overflowed
        } else {
            Fate::Sent
        };
        self.stanzas.of(sent).add(passed.send.len() as u64);
        self.stanzas.of(Fate::Replaced).add(passed.replaced as u64);
    }
}
