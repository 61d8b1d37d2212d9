//! Time as the server sees it: a monotonic instant for deadlines, and the wall clock for stamps.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::time::Instant;

/// A clock. Monotonic time is tokio's, so that a paused test clock moves it too.
#[derive(Clone, Debug)]
pub struct Clock {
    started: Instant,
    epoch: Duration,
}

// === impl Clock ===

impl Clock {
    /// A clock that follows the machine's wall clock at its start, and monotonic time from then on.
    #[expect(
        clippy::disallowed_methods,
        reason = "the one place that reads the wall clock"
    )]
    pub fn system() -> Self {
        let epoch = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        Self {
            started: Instant::now(),
            epoch,
        }
    }

    /// Monotonic time, for deadlines and durations.
    #[expect(
        clippy::unused_self,
        reason = "a part that has no clock must not read the time"
    )]
    pub fn now(&self) -> Instant {
        Instant::now()
    }

    /// Wall time in milliseconds since 1970-01-01T00:00:00Z, for stamps that people see.
    ///
    /// Anchored at the start and advanced by monotonic time: it never runs backwards, and under a
    /// paused test clock it advances with it.
    pub fn unix_millis(&self) -> u64 {
        let elapsed = self.epoch + self.started.elapsed();
        u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn wall_time_advances_with_the_test_clock() {
        let clock = Clock::system();
        let before = clock.unix_millis();
        tokio::time::advance(Duration::from_secs(60)).await;
        assert_eq!(clock.unix_millis() - before, 60_000);
    }
}
