//! How many logins are worked on at one time. Whoever comes when there are as many waits to be accepted: in
//! a storm each is served in its turn, instead of all of them too late.

use std::sync::Arc;

use rookery_telemetry::{Counter, Gauge, Registry};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Lets so many in. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Turnstile {
    turns: Arc<Semaphore>,
    in_progress: Gauge,
    waits: Counter,
}

/// A login in progress: from the accepted connection until it is authenticated, or gone.
#[derive(Debug)]
pub(crate) struct Turn {
    in_progress: Gauge,
    _permit: Option<OwnedSemaphorePermit>,
}

// === impl Turnstile ===

impl Turnstile {
    pub(crate) fn new(limit: usize, registry: &Registry) -> Self {
        Self {
            turns: Arc::new(Semaphore::new(limit.min(Semaphore::MAX_PERMITS))),
            in_progress: registry.gauge(
                "logins_in_progress",
                "How many connections are not authenticated yet?",
            ),
            waits: registry.counter(
                "login_waits_total",
                "How often did a connection wait, since as many were logging in as may?",
            ),
        }
    }

    /// Waits for a turn.
    pub(crate) async fn enter(&self) -> Turn {
        let turns = Arc::clone(&self.turns);
        if turns.available_permits() == 0 {
            self.waits.increment();
        }
        let permit = turns.acquire_owned().await;
        self.in_progress.add(1);
        Turn {
            in_progress: self.in_progress.clone(),
            // Nobody closes it, so there is one.
            _permit: permit.ok(),
        }
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.in_progress.add(-1);
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    #[test]
    fn whoever_comes_when_it_is_full_has_a_turn_when_another_ends() {
        let registry = Registry::new();
        let turnstile = Turnstile::new(1, &registry);
        let first = turnstile.enter().now_or_never().unwrap();
        let mut second = Box::pin(turnstile.enter());
        assert!((&mut second).now_or_never().is_none());
        drop(first);
        let second = second.now_or_never();
        assert!(second.is_some());
        let text = registry.render();
        for line in [
            "rookery_logins_in_progress 1",
            "rookery_login_waits_total 1",
        ] {
            assert!(text.contains(line), "{line} is not in {text}");
        }
    }
}
