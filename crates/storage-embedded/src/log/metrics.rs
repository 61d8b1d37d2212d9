//! The metrics of the message log.

use std::time::Duration;

use rookery_telemetry::{Counter, Gauge, Histogram, Registry};

/// Handles to the metrics.
#[derive(Clone, Debug)]
pub(crate) struct Metrics {
    rows: Counter,
    commits: Histogram,
    unindexed: Gauge,
    /// How many operations wait for the writer.
    pub(crate) writes: Gauge,
    /// How many wait for the readers.
    pub(crate) reads: Gauge,
}

// === impl Metrics ===

impl Metrics {
    pub(crate) fn register(registry: &Registry) -> Self {
        Self {
            rows: registry.counter(
                "message_log_rows_total",
                "How many rows are appended to the logs of all accounts?",
            ),
            commits: registry.histogram(
                "message_log_commit_duration_seconds",
                "How long does it take to write and sync a group of rows?",
            ),
            unindexed: registry.gauge(
                "message_log_unindexed",
                "How far is the index behind the log, in records?",
            ),
            writes: registry.gauge(
                "message_log_queue_writes",
                "How many operations wait for the writer of the message log?",
            ),
            reads: registry.gauge(
                "message_log_queue_reads",
                "How many operations wait for the readers of the message log?",
            ),
        }
    }

    /// A group with this many rows was committed, and this many records wait for the index.
    pub(crate) fn committed(&self, rows: u64, duration: Duration, unindexed: usize) {
        self.rows.add(rows);
        self.commits.observe(duration);
        self.unindexed
            .set(i64::try_from(unindexed).unwrap_or(i64::MAX));
    }
}
