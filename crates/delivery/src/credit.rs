//! Back-pressure: what a sender has in flight, and the wake-up when there is less of it.

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::Waker;
use std::time::Instant;

use futures_util::task::AtomicWaker;

use crate::settlement::Settlements;

/// Counts the stanzas of one connection that are on their way inside the server, and their bytes.
///
/// The connection reads from its socket only while there is credit; TCP does the rest.
#[derive(Debug)]
pub struct Credit {
    stanzas: AtomicUsize,
    bytes: AtomicUsize,
    limit: Load,
    waker: AtomicWaker,
}

/// How much is in flight, or may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Load {
    /// Stanzas.
    pub stanzas: usize,
    /// Their bytes.
    pub bytes: usize,
}

/// Stands for stanzas in flight; when the last clone is dropped, they are settled: all that they caused is
/// durable, handed over, or answered.
#[derive(Clone, Debug)]
pub struct Permit {
    held: Arc<Held>,
    awaited: Option<Arc<Numbered>>,
}

/// Numbers of stanzas that a session is told of when they are settled.
#[derive(Debug)]
struct Numbered {
    settlements: Arc<Settlements>,
    numbers: Range<u64>,
}

#[derive(Debug)]
struct Held {
    credit: Arc<Credit>,
    load: Load,
    since: Instant,
}

// === impl Credit ===

impl Credit {
    /// Credit for as many stanzas and bytes in flight as `limit` says.
    pub fn new(limit: Load) -> Arc<Self> {
        Arc::new(Self {
            stanzas: AtomicUsize::new(0),
            bytes: AtomicUsize::new(0),
            limit,
            waker: AtomicWaker::new(),
        })
    }

    /// Whether more may be read. Registers `waker` first, so that credit given back between the
    /// question and the answer is not missed.
    pub fn available(&self, waker: &Waker) -> bool {
        if self.is_within_limit() {
            return true;
        }
        self.waker.register(waker);
        self.is_within_limit()
    }

    /// Takes credit for a batch that was read at this moment; it may overdraw by one batch.
    pub fn take(self: &Arc<Self>, load: Load, since: Instant) -> Permit {
        self.stanzas.fetch_add(load.stanzas, Ordering::AcqRel);
        self.bytes.fetch_add(load.bytes, Ordering::AcqRel);
        Permit {
            held: Arc::new(Held {
                credit: Arc::clone(self),
                load,
                since,
            }),
            awaited: None,
        }
    }

    /// What is in flight now.
    pub fn in_flight(&self) -> Load {
        Load {
            stanzas: self.stanzas.load(Ordering::Acquire),
            bytes: self.bytes.load(Ordering::Acquire),
        }
    }

    fn is_within_limit(&self) -> bool {
        let Load { stanzas, bytes } = self.in_flight();
        stanzas < self.limit.stanzas && bytes < self.limit.bytes
    }
}

// === impl Permit ===

impl Permit {
    /// When the stanzas were read.
    pub fn since(&self) -> Instant {
        self.held.since
    }

    /// Whether a session is told when the stanzas are settled, so that its client may be.
    pub fn is_awaited(&self) -> bool {
        self.awaited.is_some()
    }

    /// Has the session of `settlements` told, when the stanzas are settled, that these numbers are.
    #[must_use]
    pub fn settling(self, settlements: &Arc<Settlements>, numbers: Range<u64>) -> Self {
        let settlements = Arc::clone(settlements);
        Self {
            awaited: Some(Arc::new(Numbered {
                settlements,
                numbers,
            })),
            ..self
        }
    }
}

impl Drop for Numbered {
    fn drop(&mut self) {
        self.settlements.settle(self.numbers.clone());
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        let (credit, load) = (&self.credit, self.load);
        let stanzas = credit.stanzas.fetch_sub(load.stanzas, Ordering::AcqRel);
        let bytes = credit.bytes.fetch_sub(load.bytes, Ordering::AcqRel);
        if stanzas >= credit.limit.stanzas || bytes >= credit.limit.bytes {
            credit.waker.wake();
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    #[expect(
        clippy::disallowed_methods,
        reason = "any moment will do, and nothing waits"
    )]
    fn take(credit: &Arc<Credit>, load: Load) -> Permit {
        credit.take(load, Instant::now())
    }

    /// The first numbers of the ranges that were settled since the last question.
    fn settled(settlements: &Settlements) -> Option<Vec<u64>> {
        let ranges = settlements.next().now_or_never()?;
        Some(ranges.into_iter().map(|range| range.start).collect())
    }

    const fn load(stanzas: usize, bytes: usize) -> Load {
        Load { stanzas, bytes }
    }

    #[test]
    fn few_large_stanzas_use_up_credit_as_many_small_ones_do() {
        let credit = Credit::new(load(10, 1_000));
        let waker = futures_util::task::noop_waker();
        let large = take(&credit, load(1, 1_000));
        assert!(!credit.available(&waker));
        drop(large);
        assert!(credit.available(&waker));
        assert_eq!(credit.in_flight(), load(0, 0));
    }

    #[test]
    fn credit_returns_when_the_last_clone_is_dropped() {
        let credit = Credit::new(load(2, 1_000));
        let waker = futures_util::task::noop_waker();
        let permit = take(&credit, load(3, 300));
        let copy = permit.clone();
        assert!(!credit.available(&waker));
        drop(permit);
        assert!(!credit.available(&waker));
        drop(copy);
        assert!(credit.available(&waker));
    }

    #[test]
    fn numbers_are_settled_when_the_last_clone_is_dropped() {
        let credit = Credit::new(load(10, 1_000));
        let settlements = Settlements::new();
        drop(take(&credit, load(3, 300)).settling(&settlements, 1..4));
        let permit = take(&credit, load(3, 300)).settling(&settlements, 4..7);
        let copy = permit.clone();
        drop(permit);
        assert_eq!(settled(&settlements), Some(vec![1]));
        drop(copy);
        assert_eq!(settled(&settlements), Some(vec![4]));
        assert_eq!(settled(&settlements), None);
    }
}
