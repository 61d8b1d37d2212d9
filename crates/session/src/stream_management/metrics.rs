//! What is counted about stream management.

use rookery_telemetry::{Counter, CounterFamily, Gauge, GaugeFamily, Registry, label};

use super::resumption::{Asker, Former};

label! {
    /// What stream management is used for.
    pub enum Mode("mode") {
        /// Acknowledgements.
        Acknowledging = "ack_only",
        /// Acknowledgements, and the stream can be resumed.
        Resumable = "resumable",
    }
}

label! {
    /// How an attempt to resume a stream ended.
    pub enum Attempt("result") {
        /// The stream goes on.
        Ok = "ok",
        /// There is no such stream, or it cannot be resumed.
        NotFound = "not_found",
        /// It was not resumed in time.
        Expired = "expired",
        /// It is another account's.
        WrongUser = "wrong_user",
        /// The client acknowledged what it was never sent.
        TooHigh = "h_invalid",
        /// The client has a resource already.
        OutOfOrder = "out_of_order",
    }
}

label! {
    /// Why a session that had lost its connection ended.
    pub enum DetachedEnd("reason") {
        /// It was not resumed in time.
        Expired = "expired",
        /// More waited for its client than may.
        Full = "full",
        /// A later one of the same account took its place.
        Displaced = "displaced",
        /// Its resource was taken, its account is gone, or the node stops.
        Closed = "closed",
    }
}

/// The metrics of all streams.
#[derive(Clone, Debug)]
pub struct Metrics {
    /// Streams with stream management.
    pub streams: GaugeFamily<Mode>,
    /// Sessions without a connection.
    pub detached: Gauge,
    /// Clients that want to resume a stream and wait until all is settled that they sent before.
    pub waiting: Gauge,
    /// Stanzas that clients have not acknowledged.
    pub unacknowledged: Gauge,
    /// Stanzas that were sent again when a stream was resumed.
    pub replayed: Counter,
    /// Connections that were lost, and whose sessions wait.
    pub lost: Counter,
    /// Clients that did not answer.
    pub silent: Counter,
    /// Sessions that waited in vain.
    pub ended: CounterFamily<DetachedEnd>,
    /// Sessions that could not wait, since as many do as may.
    pub no_place: Counter,
    /// Streams that ended because the client did not acknowledge.
    pub queue_limit: Counter,
    resumptions: CounterFamily<Attempt>,
}

// === impl Metrics ===

impl Metrics {
    /// Registers them.
    pub fn register(registry: &Registry) -> Self {
        Self {
            streams: registry.gauges("sm_streams", "Who uses stream management, and what for?"),
            detached: registry.gauge(
                "sm_detached_sessions",
                "How many sessions wait for their client to come back?",
            ),
            waiting: registry.gauge(
                "sm_resumptions_waiting",
                "How many clients wait for what they sent before, to resume a stream?",
            ),
            unacknowledged: registry.gauge(
                "sm_unacked_stanzas",
                "How many stanzas have clients not acknowledged?",
            ),
            replayed: registry.counter(
                "sm_replayed_stanzas_total",
                "How many stanzas were sent again on resumed streams?",
            ),
            lost: registry.counter(
                "sm_detached_total",
                "How many sessions lost their connection and waited?",
            ),
            silent: registry.counter(
                "sm_silent_clients_total",
                "How many clients did not answer and were taken for lost?",
            ),
            ended: registry.counters(
                "sm_detached_ended_total",
                "Why did sessions end that waited for their client?",
            ),
            no_place: registry.counter(
                "sm_detached_refused_total",
                "How many sessions ended with their connection, since too many waited?",
            ),
            queue_limit: registry.counter(
                "sm_queue_limit_closed_total",
                "How many streams ended because the client did not acknowledge?",
            ),
            resumptions: registry.counters(
                "sm_resumptions_total",
                "How do attempts to resume a stream end?",
            ),
        }
    }

    /// An attempt to resume a stream has ended.
    pub fn resumed(&self, how: Attempt) {
        self.resumptions.of(how).increment();
    }
}

// === impl Attempt ===

impl Attempt {
    /// Why [`may_resume`](super::may_resume) says no.
    pub(crate) fn refused(asker: Asker<'_>, former: Former<'_>) -> Self {
        match former {
            _ if asker.bound || asker.account.is_none() => Self::OutOfOrder,
            Former::Unknown => Self::NotFound,
            Former::Resumable { account } | Former::Expired { account, .. }
                if asker.account != Some(account) =>
            {
                Self::WrongUser
            }
            Former::Expired { .. } => Self::Expired,
            Former::Resumable { .. } => Self::Ok,
        }
    }
}
