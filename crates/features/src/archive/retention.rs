//! What leaves the logs by its age and number (XEP-0313 §3.2): a task that goes from log to log, at a gentle pace.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use rookery_lifecycle::{Clock, ScopeClosed, TaskScope};
use rookery_stanza::BareJid;
use rookery_storage::StoreError;
use rookery_storage::message_log::{MessageLog, Retention, Trimmed};
use rookery_telemetry::{CounterFamily, Gauge, Registry, label};
use tokio::time::sleep;

use super::Config;
use super::config::Kept;

/// Logs that are asked for at once.
const PAGE: usize = 100;

/// Rows that leave a log at once: what is done in a few milliseconds.
const STEP: usize = 500;

/// The time between two steps: at most 25 000 rows a second leave, or 50 logs a second are looked at.
const PAUSE: Duration = Duration::from_millis(20);

/// The time between two rounds.
const REST: Duration = Duration::from_secs(60 * 60);

/// The time after a failure of the store.
const RECOVERY: Duration = Duration::from_secs(60);

/// What the task works with.
pub struct Parts {
    /// The logs.
    pub log: Arc<dyn MessageLog>,
    /// The prepared names of the hosts.
    pub hosts: Vec<String>,
    /// The time.
    pub clock: Clock,
    /// Where metrics are registered.
    pub metrics: Registry,
}

/// Goes from log to log.
pub(super) struct Trimmer {
    log: Arc<dyn MessageLog>,
    hosts: Vec<String>,
    kept: Kept,
    clock: Clock,
    metrics: Metrics,
}

#[derive(Clone, Debug)]
pub(super) struct Metrics {
    rows: CounterFamily<Left>,
    rounds: CounterFamily<Ended>,
    duration: Gauge,
    finished: Gauge,
}

label! {
    /// Why a row was kept that is kept no longer.
    enum Left("kept") {
        /// It was in the archive.
        Archived = "archived",
        /// A client had yet to receive it: the message is lost.
        Owed = "owed",
    }
}

label! {
    /// How a round ended.
    enum Ended("result") {
        /// It came to the last log.
        Done = "done",
        /// The store failed.
        Failed = "failed",
    }
}

/// What one round did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Round {
    pub(super) logs: usize,
    pub(super) removed: usize,
    pub(super) lost: usize,
}

/// Has old rows leave for as long as the scope lasts.
///
/// # Errors
/// The scope takes no more tasks.
pub fn start(config: &Config, parts: Parts, scope: &TaskScope) -> Result<(), ScopeClosed> {
    let trimmer = Trimmer::new(config, parts);
    scope.spawn("archive-retention", async move { trimmer.run().await })
}

// === impl Trimmer ===

impl Trimmer {
    pub(super) fn new(config: &Config, parts: Parts) -> Self {
        let Parts {
            log,
            hosts,
            clock,
            metrics,
        } = parts;
        Self {
            log,
            hosts,
            kept: config.kept(),
            clock,
            metrics: Metrics::register(&metrics),
        }
    }

    /// One round after the other.
    pub(super) async fn run(self) -> ! {
        loop {
            let rest = match self.round().await {
                Ok(_) => REST,
                Err(error) => {
                    tracing::warn!(%error, "old messages could not be removed; trying again in a minute");
                    RECOVERY
                }
            };
            sleep(rest).await;
        }
    }

    /// Looks at each log of each host once.
    pub(super) async fn round(&self) -> Result<Round, StoreError> {
        let began = self.clock.now();
        let mut round = Round::default();
        let mut outcome = Ok(());
        for host in &self.hosts {
            outcome = self.host(host, &mut round).await;
            if outcome.is_err() {
                break;
            }
        }
        let ended = if outcome.is_ok() {
            Ended::Done
        } else {
            Ended::Failed
        };
        self.metrics.rounds.of(ended).increment();
        outcome?;
        let took = self.clock.now() - began;
        self.metrics.duration.set(whole_seconds(took));
        self.metrics
            .finished
            .set(whole_seconds(Duration::from_millis(
                self.clock.unix_millis(),
            )));
        let Round {
            logs,
            removed,
            lost,
        } = round;
        if removed + lost > 0 {
            tracing::info!(
                logs,
                removed,
                lost,
                seconds = took.as_secs(),
                "old messages were removed"
            );
        }
        Ok(round)
    }

    async fn host(&self, host: &str, round: &mut Round) -> Result<(), StoreError> {
        let mut after: Option<String> = None;
        loop {
            let logs = self.log.logs(host, after.as_deref(), PAGE).await?;
            let Some(last) = logs.last() else {
                return Ok(());
            };
            after = last.local().map(str::to_owned);
            for account in &logs {
                self.account(account, round).await?;
                round.logs += 1;
            }
        }
    }

    /// Step after step, until nothing is left to do.
    async fn account(&self, account: &BareJid, round: &mut Round) -> Result<(), StoreError> {
        loop {
            let Trimmed {
                removed,
                lost,
                more,
            } = self.log.trim(account, self.retention(), STEP).await?;
            self.metrics.rows.of(Left::Archived).add(removed as u64);
            self.metrics.rows.of(Left::Owed).add(lost as u64);
            round.removed += removed;
            round.lost += lost;
            if lost > 0 {
                let days = self.kept.owed / (24 * 60 * 60 * 1000);
                tracing::warn!(%account, lost, days, "messages were lost that no client came for");
            }
            sleep(PAUSE).await;
            if !more {
                return Ok(());
            }
        }
    }

    fn retention(&self) -> Retention {
        Retention {
            now: self.clock.unix_millis(),
            age: self.kept.age,
            rows: self.kept.rows,
            owed: self.kept.owed,
        }
    }
}

// === impl Metrics ===

impl Metrics {
    pub(super) fn register(registry: &Registry) -> Self {
        registry.shared(|registry| Self {
            rows: registry.counters(
                "archive_trimmed_rows_total",
                "How many messages left the logs by their age or number?",
            ),
            rounds: registry.counters(
                "archive_trim_rounds_total",
                "How often were all logs looked at for messages to remove?",
            ),
            duration: registry.gauge(
                "archive_trim_duration_seconds",
                "How long did the last round through all logs take?",
            ),
            finished: registry.gauge(
                "archive_trim_finished_timestamp_seconds",
                "When did the last round through all logs end?",
            ),
        })
    }
}

fn whole_seconds(duration: Duration) -> i64 {
    i64::try_from(duration.as_secs()).unwrap_or(i64::MAX)
}

impl fmt::Debug for Parts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Parts")
            .field("hosts", &self.hosts)
            .finish_non_exhaustive()
    }
}
