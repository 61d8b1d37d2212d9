//! Which stanzas of a client are settled: what its acknowledgements (XEP-0198 §4) may count.

use std::future::poll_fn;
use std::mem;
use std::ops::Range;
use std::sync::Arc;
use std::task::{Context, Poll};

use futures_util::task::AtomicWaker;
use parking_lot::Mutex;

/// Collects the numbers of stanzas that are settled, for the session that counts them.
///
/// There are never more of them than the client has credit for.
#[derive(Debug, Default)]
pub struct Settlements {
    settled: Mutex<Vec<Range<u64>>>,
    waker: AtomicWaker,
}

// === impl Settlements ===

impl Settlements {
    /// Nothing is settled yet.
    pub fn new() -> Arc<Self> {
        Arc::default()
    }

    /// The numbers that were settled since the last answer, in ranges and in any order; waits until there
    /// are some. One task may wait at a time.
    pub async fn next(&self) -> Vec<Range<u64>> {
        poll_fn(|context| self.poll(context)).await
    }

    fn poll(&self, context: &Context<'_>) -> Poll<Vec<Range<u64>>> {
        self.waker.register(context.waker());
        let settled = mem::take(&mut *self.settled.lock());
        if settled.is_empty() {
            Poll::Pending
        } else {
            Poll::Ready(settled)
        }
    }

    /// These are settled.
    pub(crate) fn settle(&self, numbers: Range<u64>) {
        self.settled.lock().push(numbers);
        self.waker.wake();
    }
}
