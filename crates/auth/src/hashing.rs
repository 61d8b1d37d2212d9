//! Hashing of passwords away from the arbiters, a few at a time.

use std::sync::Arc;

use rookery_lifecycle::TaskScope;
use rookery_telemetry::Gauge;
use tokio::runtime::Handle;
use tokio::sync::Semaphore;

/// Runs work that keeps a processor busy for milliseconds on the blocking threads of a runtime. Cheap to
/// clone; all clones share the bounds.
#[derive(Clone, Debug)]
pub struct Hashing {
    runtime: Handle,
    /// One for each work that may run now.
    hashers: Arc<Semaphore>,
    /// One for each work that may run or wait.
    places: Arc<Semaphore>,
    queue: Gauge,
}

/// Why work was not done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HashingError {
    /// As much waits as may wait.
    #[error("too many passwords wait to be hashed; try again later")]
    Busy,
    /// The runtime has ended, or the work has panicked.
    #[error("hashing a password was cut short")]
    Ended,
}

/// A work that waits or runs, as the gauge counts it.
struct Queued(Gauge);

// === impl Hashing ===

impl Hashing {
    /// Runs up to `hashers` works at once on the runtime of `scope`, and lets up to `waiting` more wait.
    pub(crate) fn new(scope: &TaskScope, hashers: usize, waiting: usize, queue: Gauge) -> Self {
        let hashers = hashers.clamp(1, 1024);
        Self {
            runtime: scope.runtime().clone(),
            hashers: Arc::new(Semaphore::new(hashers)),
            places: Arc::new(Semaphore::new(hashers.saturating_add(waiting).min(1 << 20))),
            queue,
        }
    }

    /// Does the work. When the caller goes away, work that has begun is finished all the same.
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, HashingError> {
        let _place = self.places.try_acquire().map_err(|_| HashingError::Busy)?;
        let queued = Queued::new(&self.queue);
        let hasher = Arc::clone(&self.hashers).acquire_owned().await;
        let hasher = hasher.map_err(|_| HashingError::Ended)?;
        drop(queued);
        let work = move || {
            let _hasher = hasher;
            work()
        };
        self.runtime
            .spawn_blocking(work)
            .await
            .map_err(|_| HashingError::Ended)
    }
}

// === impl Queued ===

impl Queued {
    fn new(gauge: &Gauge) -> Self {
        gauge.add(1);
        Self(gauge.clone())
    }
}

impl Drop for Queued {
    fn drop(&mut self) {
        self.0.add(-1);
    }
}

#[cfg(test)]
mod tests {
    use rookery_telemetry::Registry;
    use tokio::sync::oneshot;

    use super::*;

    #[tokio::test]
    async fn more_than_may_wait_is_refused_by_name() {
        let scope = TaskScope::new("test", Handle::current(), 1);
        let gauge = Registry::new().gauge("login_queue", "test");
        let hashing = Hashing::new(&scope, 1, 1, gauge.clone());
        let (go, gone) = oneshot::channel::<()>();
        let mut running = Box::pin(hashing.run(move || drop(gone.blocking_recv())));
        let mut waiting = Box::pin(hashing.run(|| 2));
        // Each is polled once: the first then runs, the second waits.
        tokio::select! { biased; _ = &mut running => (), () = std::future::ready(()) => () }
        tokio::select! { biased; _ = &mut waiting => (), () = std::future::ready(()) => () }
        assert_eq!(gauge.get(), 1);
        assert_eq!(hashing.run(|| 3).await, Err(HashingError::Busy));
        go.send(()).unwrap();
        assert_eq!(running.await, Ok(()));
        assert_eq!(waiting.await, Ok(2));
        assert_eq!(gauge.get(), 0);
    }
}
