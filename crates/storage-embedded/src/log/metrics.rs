//! The metrics of the message log.

use std::time::Duration;

use rookery_telemetry::{Counter, CounterFamily, Gauge, GaugeFamily, Histogram, Registry, label};

label! {
    /// Which files they are.
    pub(crate) enum Part("part") {
        /// The segments.
        Log = "log",
        /// What finds rows in them.
        Index = "index",
    }
}

label! {
    /// Why something could not be written.
    pub(crate) enum Reason("reason") {
        /// The disk is full.
        Full = "full",
        /// It may not be written.
        ReadOnly = "read_only",
        /// Too much waits for an index that cannot be written.
        Index = "index",
        /// The disk said something else.
        Other = "other",
    }
}

/// Handles to the metrics.
#[derive(Clone, Debug)]
pub(crate) struct Metrics {
    rows: Counter,
    commits: Histogram,
    unindexed: Gauge,
    pub(crate) up: GaugeFamily<Part>,
    pub(crate) failures: CounterFamily<Reason>,
    pub(crate) index_failures: Counter,
    pub(crate) syncs: Counter,
    /// In seconds, as of when it was last asked.
    pub(crate) writing: Gauge,
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
            up: registry.gauges(
                "message_log_up",
                "Can the message log and its index be written? 0 also when the disk has not answered for 10 seconds.",
            ),
            failures: registry.counters(
                "message_log_failures_total",
                "How often could the message log not be written, and why?",
            ),
            index_failures: registry.counter(
                "message_log_index_failures_total",
                "How often could the index of the message log not be written?",
            ),
            syncs: registry.counter(
                "message_log_syncs_total",
                "How often was the message log made durable?",
            ),
            writing: registry.gauge(
                "message_log_writing_seconds",
                "For how long has the message log been waiting for the disk to take what it writes?",
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
