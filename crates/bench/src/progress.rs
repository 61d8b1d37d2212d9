//! The line that tells a person how far the run is.

use std::io::{self, IsTerminal as _, Write as _};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::time::{Instant, MissedTickBehavior, interval};

/// What is counted while it happens.
#[derive(Clone, Debug, Default)]
pub(crate) struct Progress {
    done: Arc<AtomicU64>,
}

// === impl Progress ===

impl Progress {
    pub(crate) fn count(&self, done: u64) {
        self.done.fetch_add(done, Ordering::Relaxed);
    }

    /// Writes a line a second on standard error while `work` goes on, if that is a terminal.
    pub(crate) async fn show<T>(&self, what: &str, work: impl Future<Output = T>) -> T {
        if !io::stderr().is_terminal() {
            return work.await;
        }
        let begun = Instant::now();
        let mut last = 0;
        let mut ticks = interval(Duration::from_secs(1));
        ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
        let mut work = std::pin::pin!(work);
        loop {
            tokio::select! {
                result = &mut work => {
                    write!(io::stderr(), "\r\x1b[K").unwrap_or_default();
                    return result;
                }
                _ = ticks.tick() => {
                    let done = self.done.load(Ordering::Relaxed);
                    let seconds = begun.elapsed().as_secs();
                    // Where standard error cannot be written, there is nobody to tell.
                    write!(io::stderr(), "\r{what}: {seconds} s, {done} in all, {} in the last second\x1b[K", done - last)
                        .unwrap_or_default();
                    last = done;
                }
            }
        }
    }
}
