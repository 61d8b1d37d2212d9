//! The metrics of the store.

use std::time::Duration;

use rookery_telemetry::{
    Counter, CounterFamily3, Family, Gauge, GaugeFamily, Histogram, HistogramFamily2, Registry,
    label,
};

label! {
    /// Which adapter it is.
    pub(crate) enum Backend("backend") {
        /// This one.
        Redis = "redis",
    }
}

label! {
    /// What the store was asked to do.
    pub(crate) enum Operation("operation") {
        /// Create accounts.
        CreateAccounts = "create_accounts",
        /// Read an account's credentials.
        Credentials = "credentials",
        /// Replace an account's credentials.
        SetCredentials = "set_credentials",
        /// Delete an account.
        DeleteAccount = "delete_account",
        /// Look whether there is an account.
        AccountExists = "account_exists",
        /// List accounts.
        ListAccounts = "list_accounts",
        /// Read an account's roster and the records that are kept in memory.
        LoadAccount = "load_account",
        /// Read records of an account.
        ReadData = "read_data",
        /// Change records of an account.
        UpdateData = "update_data",
        /// Search records of a host.
        FindData = "find_data",
        /// Change a roster.
        UpdateRoster = "update_roster",
        /// Open a message log.
        OpenLog = "open_log",
        /// Append to message logs.
        AppendLog = "append_log",
        /// Note that rows of a message log are not owed any more.
        ConfirmLog = "confirm_log",
        /// Read from a message log.
        ReadLog = "read_log",
        /// Replace a row of a message log, take old rows out of it, or remove it.
        ChangeLog = "change_log",
    }
}

label! {
    /// For whom work waits.
    pub(crate) enum Threads("queue") {
        /// The way of the writes.
        Writer = "writer",
        /// The way of the reads.
        Readers = "readers",
    }
}

label! {
    /// What came of it.
    pub(crate) enum Outcome("result") {
        /// It was done.
        Ok = "ok",
        /// It failed.
        Error = "error",
        /// It was tried for as long as it may be.
        Timeout = "timeout",
        /// It was refused without being tried, since too much waits already or the store is closed.
        CircuitOpen = "circuit_open",
    }
}

/// Handles to the metrics.
#[derive(Clone, Debug)]
pub(crate) struct Metrics {
    pub(crate) up: GaugeFamily<Backend>,
    pub(crate) operations: CounterFamily3<Backend, Operation, Outcome>,
    pub(crate) duration: HistogramFamily2<Backend, Operation>,
    pub(crate) bytes: GaugeFamily<Backend>,
    pub(crate) waiting: Family<Gauge, (Backend, Threads)>,
    pub(crate) reconnects: Family<Counter, (Backend,)>,
    pub(crate) degraded: Family<Counter, (Backend,)>,
    rows: Counter,
    commits: Histogram,
}

// === impl Metrics ===

impl Metrics {
    pub(crate) fn register(registry: &Registry) -> Self {
        Self {
            up: registry.gauges("store_up", "Is the store reachable and writable?"),
            operations: registry.counters3(
                "store_operations_total",
                "What is the store asked, and does it work?",
            ),
            duration: registry.histograms2(
                "store_operation_duration_seconds",
                "Which operation of the store is slow?",
            ),
            bytes: registry.gauges("store_bytes", "How large is the store?"),
            waiting: registry.family(
                "store_queue_operations",
                "How many operations wait for a thread of the store?",
            ),
            reconnects: registry.counters(
                "store_reconnects_total",
                "How often is a connection to the store made anew?",
            ),
            degraded: registry.counters(
                "store_degraded_writes_total",
                "How often did fewer replicas have a write than have to?",
            ),
            rows: registry.counter(
                "message_log_rows_total",
                "How many rows are appended to the logs of all accounts?",
            ),
            commits: registry.histogram(
                "message_log_commit_duration_seconds",
                "How long does it take to write and sync a group of rows?",
            ),
        }
    }

    /// Rows were appended.
    pub(crate) fn appended(&self, rows: u64) {
        self.rows.add(rows);
    }

    /// A batch of writes was confirmed.
    pub(crate) fn committed(&self, duration: Duration) {
        self.commits.observe(duration);
    }
}
