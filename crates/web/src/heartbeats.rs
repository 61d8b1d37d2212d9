//! The beat of the threads: one that is blocked stops beating.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::time::Instant;

/// A thread that has not beaten for so long is taken for blocked.
const LATE: Duration = Duration::from_secs(15);

/// When each thread beat last. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Heartbeats {
    started: Instant,
    // Milliseconds from the start to the last beat of each thread.
    threads: Arc<[(String, AtomicU64)]>,
}

// === impl Heartbeats ===

impl Heartbeats {
    /// These threads, all of which have beaten just now.
    pub fn new(threads: impl IntoIterator<Item = String>, now: Instant) -> Self {
        let threads = threads.into_iter().map(|name| (name, AtomicU64::new(0)));
        Self {
            started: now,
            threads: threads.collect(),
        }
    }

    /// The thread at this place is alive.
    pub fn beat(&self, thread: usize, now: Instant) {
        if let Some((_, last)) = self.threads.get(thread) {
            last.store(self.millis(now), Ordering::Relaxed);
        }
    }

    /// The threads that have not beaten for 15 seconds.
    pub fn late(&self, now: Instant) -> Vec<&str> {
        let (now, late) = (
            self.millis(now),
            u64::try_from(LATE.as_millis()).unwrap_or(u64::MAX),
        );
        let is_late = |last: &AtomicU64| now.saturating_sub(last.load(Ordering::Relaxed)) > late;
        let threads = self.threads.iter().filter(|(_, last)| is_late(last));
        threads.map(|(name, _)| name.as_str()).collect()
    }

    fn millis(&self, now: Instant) -> u64 {
        u64::try_from(now.duration_since(self.started).as_millis()).unwrap_or(u64::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_thread_that_stops_beating_is_late_after_15_seconds() {
        let threads = ["arbiter-0".to_owned(), "arbiter-1".to_owned()];
        let heartbeats = Heartbeats::new(threads, Instant::now());
        tokio::time::advance(LATE).await;
        assert!(heartbeats.late(Instant::now()).is_empty());
        heartbeats.beat(1, Instant::now());
        tokio::time::advance(Duration::from_millis(1)).await;
        assert_eq!(heartbeats.late(Instant::now()), ["arbiter-0"]);
    }
}
