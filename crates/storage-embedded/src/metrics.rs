//! The metrics of the store.

use rookery_telemetry::{
    CounterFamily3, Family, Gauge, GaugeFamily, HistogramFamily2, Registry, label,
};

label! {
    /// Which adapter it is.
    pub(crate) enum Backend("backend") {
        /// This one.
        Embedded = "embedded",
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
        /// Append messages to queues.
        AppendOffline = "append_offline",
        /// Read from a queue of messages.
        ReadOffline = "read_offline",
        /// Remove messages from a queue.
        RemoveOffline = "remove_offline",
    }
}

label! {
    /// For whom work waits.
    pub(crate) enum Threads("queue") {
        /// The one that writes.
        Writer = "writer",
        /// Those that read.
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
        }
    }
}
