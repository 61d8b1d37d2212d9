//! Back-pressure: what a sender has in flight, and the wake-up when there is less of it.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::Waker;

use futures_util::task::AtomicWaker;

/// Counts the stanzas of one connection that are on their way inside the server.
///
/// The connection reads from its socket only while there is credit; TCP does the rest.
#[derive(Debug)]
pub struct Credit {
    in_flight: AtomicUsize,
    limit: usize,
    waker: AtomicWaker,
}

/// Stands for stanzas in flight; when the last clone is dropped, they are settled.
#[derive(Clone, Debug)]
pub struct Permit {
    _held: Arc<Held>,
}

#[derive(Debug)]
struct Held {
    credit: Arc<Credit>,
    stanzas: usize,
}

// === impl Credit ===

impl Credit {
    /// Credit for `limit` stanzas in flight.
    pub fn new(limit: usize) -> Arc<Self> {
        Arc::new(Self {
            in_flight: AtomicUsize::new(0),
            limit,
            waker: AtomicWaker::new(),
        })
    }

    /// Whether more may be read. Registers `waker` first, so that credit given back between the
    /// question and the answer is not missed.
    pub fn available(&self, waker: &Waker) -> bool {
        if self.in_flight.load(Ordering::Acquire) < self.limit {
            return true;
        }
        self.waker.register(waker);
        self.in_flight.load(Ordering::Acquire) < self.limit
    }

    /// Takes credit for a batch that was read; it may overdraw by one batch.
    pub fn take(self: &Arc<Self>, stanzas: usize) -> Permit {
        self.in_flight.fetch_add(stanzas, Ordering::AcqRel);
        Permit {
            _held: Arc::new(Held {
                credit: Arc::clone(self),
                stanzas,
            }),
        }
    }

    /// Stanzas in flight now.
    pub fn in_flight(&self) -> usize {
        self.in_flight.load(Ordering::Acquire)
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        let before = self
            .credit
            .in_flight
            .fetch_sub(self.stanzas, Ordering::AcqRel);
        if before >= self.credit.limit {
            self.credit.waker.wake();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credit_returns_when_the_last_clone_is_dropped() {
        let credit = Credit::new(2);
        let waker = futures_util::task::noop_waker();
        let permit = credit.take(3);
        let copy = permit.clone();
        assert!(!credit.available(&waker));
        drop(permit);
        assert!(!credit.available(&waker));
        drop(copy);
        assert!(credit.available(&waker));
    }
}
