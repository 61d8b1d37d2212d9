//! A bound on the bytes that wait for a slow reader.

use std::sync::atomic::{AtomicUsize, Ordering};

/// Bytes queued towards one session, and the most that may be.
#[derive(Debug)]
pub struct Budget {
    queued: AtomicUsize,
    limit: usize,
}

// === impl Budget ===

impl Budget {
    /// An empty budget of `limit` bytes.
    pub fn new(limit: usize) -> Self {
        Self {
            queued: AtomicUsize::new(0),
            limit,
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
        self.queued
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, fits)
            .is_ok()
    }

    /// Gives `bytes` back after they were written or returned.
    pub fn give_back(&self, bytes: usize) {
        let less = |queued: usize| Some(queued.saturating_sub(bytes));
        self.queued
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, less)
            .unwrap_or_default();
    }

    /// Bytes in the queue now.
    pub fn queued(&self) -> usize {
        self.queued.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_budget_refuses_and_recovers() {
        let budget = Budget::new(100);
        assert!(budget.take(80));
        assert!(!budget.take(30));
        budget.give_back(80);
        assert!(budget.take(500), "into an empty queue everything fits");
        assert!(!budget.take(1));
        assert_eq!(budget.queued(), 500);
    }
}
