//! A scope that owns its tasks: each has a name, their number is bounded, and their end is awaited.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::runtime::Handle;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// Why a task was not started.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ScopeClosed {
    /// The scope has been told to end.
    #[error("the scope has ended")]
    Ended,
    /// The scope runs as many tasks as it may.
    #[error("the scope is full")]
    Full,
}

/// Owns tasks on one runtime. Cheap to clone; all clones are the same scope.
#[derive(Clone, Debug)]
pub struct TaskScope {
    name: &'static str,
    limit: usize,
    running: Arc<AtomicUsize>,
    runtime: Handle,
    tasks: TaskTracker,
    cancelled: CancellationToken,
}

// === impl TaskScope ===

impl TaskScope {
    /// A scope whose tasks run on `runtime`, at most `limit` at once.
    pub fn new(name: &'static str, runtime: Handle, limit: usize) -> Self {
        Self {
            name,
            limit,
            running: Arc::default(),
            runtime,
            tasks: TaskTracker::new(),
            cancelled: CancellationToken::new(),
        }
    }

    /// The same scope for tasks that run on another runtime: where what they tell is wanted, no thread has to
    /// be woken for it.
    #[must_use]
    pub fn on(&self, runtime: Handle) -> Self {
        Self {
            runtime,
            ..self.clone()
        }
    }

    /// Starts a task. When the scope ends, the task is dropped at its next await.
    pub fn spawn(
        &self,
        task: &'static str,
        future: impl Future<Output = ()> + Send + 'static,
    ) -> Result<(), ScopeClosed> {
        if self.cancelled.is_cancelled() {
            return Err(ScopeClosed::Ended);
        }
        let slot = Slot::take(&self.running, self.limit).ok_or(ScopeClosed::Full)?;
        let cancelled = self.cancelled.clone();
        let scope = self.name;
        // Everything that is around it moves it, and some keep room for it twice.
        let future = Box::pin(future);
        let task = async move {
            let _slot = slot;
            if cancelled.run_until_cancelled(future).await.is_none() {
                tracing::debug!(scope, task, "task ended with its scope");
            }
        };
        drop(self.tasks.spawn_on(task, &self.runtime));
        Ok(())
    }

    /// How many tasks run now.
    pub fn running(&self) -> usize {
        self.running.load(Ordering::Relaxed)
    }

    /// The runtime that the tasks run on.
    pub fn runtime(&self) -> &Handle {
        &self.runtime
    }

    /// Completes when the scope is told to end; for tasks that clean up before they go.
    pub async fn ended(&self) {
        self.cancelled.cancelled().await;
    }

    /// Waits up to `grace` for the tasks to finish by themselves, then ends those that are left.
    pub async fn close(&self, grace: Duration) {
        self.tasks.close();
        if tokio::time::timeout(grace, self.tasks.wait())
            .await
            .is_err()
        {
            tracing::info!(scope = self.name, running = self.running(), "ending tasks");
        }
        self.cancelled.cancel();
        self.tasks.wait().await;
    }
}

/// One task's place in the scope; given back on drop.
struct Slot(Arc<AtomicUsize>);

impl Slot {
    fn take(running: &Arc<AtomicUsize>, limit: usize) -> Option<Self> {
        if running.fetch_add(1, Ordering::Relaxed) >= limit {
            running.fetch_sub(1, Ordering::Relaxed);
            return None;
        }
        Some(Self(Arc::clone(running)))
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_full_scope_refuses_by_name() {
        let scope = TaskScope::new("test", Handle::current(), 1);
        scope.spawn("first", std::future::pending()).unwrap();
        assert_eq!(scope.spawn("second", async {}), Err(ScopeClosed::Full));
        scope.close(Duration::ZERO).await;
        assert_eq!(scope.spawn("third", async {}), Err(ScopeClosed::Ended));
        assert_eq!(scope.running(), 0);
    }

    #[tokio::test]
    async fn a_scope_owns_its_tasks_on_every_runtime() {
        let other = tokio::runtime::Builder::new_multi_thread().build().unwrap();
        let scope = TaskScope::new("test", Handle::current(), 1);
        let there = scope.on(other.handle().clone());
        there.spawn("first", std::future::pending()).unwrap();
        assert_eq!(scope.spawn("second", async {}), Err(ScopeClosed::Full));
        scope.close(Duration::ZERO).await;
        assert_eq!(there.spawn("third", async {}), Err(ScopeClosed::Ended));
        assert_eq!(there.running(), 0);
        other.shutdown_background();
    }
}
