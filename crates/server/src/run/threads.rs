//! The threads: arbiters for connections and sessions, and a runtime for everything else.

use std::time::Duration;

use actix_rt::{Arbiter, ArbiterHandle};
use rookery_lifecycle::{Clock, TaskScope};
use rookery_telemetry::{Histogram, Registry};
use rookery_web::Heartbeats;
use tokio::runtime::{Builder, Runtime};

use super::error::StartError;
use crate::config::Config;

/// How often each thread beats.
const BEAT: Duration = Duration::from_secs(1);

/// The threads of connections and sessions.
#[derive(Debug, Default)]
pub(super) struct Arbiters {
    arbiters: Vec<Arbiter>,
}

/// The runtime of everything that must not wait for an arbiter, or have an arbiter wait: the store,
/// password hashing, HTTP, listeners.
///
/// # Errors
/// When its threads cannot be started.
pub fn control_runtime(config: &Config) -> Result<Runtime, StartError> {
    let threads = match config.runtime.control_threads {
        0 => processors().max(2),
        threads => threads,
    };
    let mut builder = Builder::new_multi_thread();
    builder
        .worker_threads(threads)
        .thread_name("control")
        .enable_all();
    builder.build().map_err(StartError::Threads)
}

/// Raises the limit of open files as far as this user may: each connection is one.
pub(super) fn allow_many_files() {
    match rlimit::increase_nofile_limit(u64::MAX) {
        Ok(limit) => tracing::debug!(limit, "open files"),
        Err(error) => tracing::warn!(%error, "the limit of open files cannot be raised"),
    }
}

/// The names of the threads that beat: the arbiters, then the runtime.
pub(super) fn names(config: &Config) -> Vec<String> {
    let arbiters = (0..count(config)).map(|index| format!("arbiter-{index}"));
    arbiters.chain(["control".to_owned()]).collect()
}

/// Has the runtime of the scope beat, after the arbiters in the order of [`names`].
pub(super) fn beat_control(
    config: &Config,
    heartbeats: &Heartbeats,
    clock: &Clock,
    scope: &TaskScope,
) -> Result<(), StartError> {
    let beat = beat(count(config), heartbeats.clone(), clock.clone(), None);
    Ok(scope.spawn("heartbeat", beat)?)
}

// === impl Arbiters ===

impl Arbiters {
    /// Starts them, beating. Must be called within an actix system.
    pub(super) fn start(
        config: &Config,
        heartbeats: &Heartbeats,
        clock: &Clock,
        registry: &Registry,
    ) -> Self {
        let lag = registry.histogram(
            "runtime_scheduling_lag_seconds",
            "Timer lateness: is an arbiter blocked?",
        );
        let arbiters: Vec<Arbiter> = (0..count(config)).map(|_| Arbiter::new()).collect();
        for (index, arbiter) in arbiters.iter().enumerate() {
            let beat = beat(index, heartbeats.clone(), clock.clone(), Some(lag.clone()));
            if !arbiter.spawn(beat) {
                tracing::error!(index, "an arbiter has ended at its start");
            }
        }
        Self { arbiters }
    }

    pub(super) fn handles(&self) -> Vec<ArbiterHandle> {
        self.arbiters.iter().map(Arbiter::handle).collect()
    }

    /// Tells them to end, and waits until they have.
    pub(super) fn stop(self) {
        for arbiter in &self.arbiters {
            arbiter.stop();
        }
        for arbiter in self.arbiters {
            if arbiter.join().is_err() {
                tracing::error!("an arbiter has panicked");
            }
        }
    }
}

/// Beats for as long as its thread does its work.
#[expect(
    clippy::infinite_loop,
    reason = "it ends with its thread, or with the scope that owns it"
)]
async fn beat(thread: usize, heartbeats: Heartbeats, clock: Clock, lag: Option<Histogram>) {
    loop {
        let due = clock.now() + BEAT;
        tokio::time::sleep_until(due).await;
        let now = clock.now();
        heartbeats.beat(thread, now);
        if let Some(lag) = &lag {
            lag.observe(now.duration_since(due));
        }
    }
}

fn count(config: &Config) -> usize {
    match config.runtime.arbiters {
        0 => processors(),
        arbiters => arbiters,
    }
}

fn processors() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}
