//! How long each part of the start takes.

use rookery_lifecycle::Clock;
use rookery_web::{Health, Phase};
use tokio::time::Instant;

/// Measures the parts of the start.
pub(super) struct Stopwatch {
    clock: Clock,
    health: Health,
    started: Instant,
}

// === impl Stopwatch ===

impl Stopwatch {
    pub(super) fn new(clock: Clock, health: Health) -> Self {
        Self {
            started: clock.now(),
            clock,
            health,
        }
    }

    /// The time since the last part ended is what this one took.
    pub(super) fn lap(&mut self, phase: Phase) {
        let now = self.clock.now();
        self.health.took(phase, now.duration_since(self.started));
        self.started = now;
    }
}
