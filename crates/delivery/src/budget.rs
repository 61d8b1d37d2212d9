//! A bound on the bytes that wait for a slow reader.

use std::sync::atomic::{AtomicUsize, Ordering};

use rookery_telemetry::Gauge;

/// Bytes queued towards one session, and the most that may be.
#[derive(Debug)]
pub struct Budget {
    queued: AtomicUsize,
    limit: usize,
    /// What waits for all sessions together.
    all: Gauge,
}

// === impl Budget ===

impl Budget {
    /// An empty budget of `limit` bytes. What is taken from it is counted in `all`, too.
    pub fn new(limit: usize, all: Gauge) -> Self {
        Self {
            queued: AtomicUsize::new(0),
            limit,
            all,
        }
    }

    /// Takes `bytes` from the budget, or answers `false` and takes nothing when they do not fit.
    ///
    /// Into an empty queue everything fits, so that one stanza larger than the budget is not stuck
    /// for ever.
    pub fn take(&self, bytes: usize) -> bool {
        let fits = |queued: usize| {
            (queued == 0 || queued.saturating_add(bytes) <= self.limit)
                .then(|| queued.saturating_add(bytes))
        };
        let taken = self
            .queued
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, fits)
            .is_ok();
        if taken {
            self.all.add(signed(bytes));
        }
        taken
    }

    /// Gives `bytes` back after they were written or returned.
    pub fn give_back(&self, bytes: usize) {
        let less = |queued: usize| Some(queued.saturating_sub(bytes));
        let before = self
            .queued
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, less)
            .unwrap_or_default();
        self.all.add(-signed(before.min(bytes)));
    }

    /// Bytes in the queue now.
    pub fn queued(&self) -> usize {
        self.queued.load(Ordering::Relaxed)
    }
}

impl Drop for Budget {
    fn drop(&mut self) {
        self.all.add(-signed(self.queued()));
    }
}

fn signed(bytes: usize) -> i64 {
    i64::try_from(bytes).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use rookery_telemetry::Registry;

    use super::*;

    #[test]
    fn a_full_budget_refuses_and_recovers() {
        let all = Registry::new().gauge("session_queue_bytes", "How many?");
        let budget = Budget::new(100, all.clone());
        assert!(budget.take(80));
        assert!(!budget.take(30));
        budget.give_back(80);
        assert!(budget.take(500), "into an empty queue everything fits");
        assert!(!budget.take(1));
        assert_eq!((budget.queued(), all.get()), (500, 500));
        budget.give_back(600);
        assert_eq!((budget.queued(), all.get()), (0, 0));
        assert!(budget.take(7));
        drop(budget);
        assert_eq!(all.get(), 0, "what nobody gives back goes with its session");
    }
}
