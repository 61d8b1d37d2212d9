//! What is counted about connections.

use rookery_auth::Profile;
use rookery_telemetry::{
    CounterFamily, CounterFamily2, Gauge, GaugeFamily, Histogram, HistogramFamily, Registry, label,
};

use crate::security::Sessions;
use crate::stream_errors::StreamErrors;
use rookery_tls::HandshakeResult;

label! {
    /// Which listener accepted a connection.
    pub enum Listener("listener") {
        /// STARTTLS.
        C2s = "c2s",
        /// Direct TLS.
        C2sTls = "c2s_tls",
    }
}

label! {
    /// Why a connection ended.
    pub enum CloseReason("reason") {
        /// The client closed its stream, or its side of the connection.
        Client = "client",
        /// The client sent what the stream does not allow.
        StreamError = "stream_error",
        /// TLS failed.
        Tls = "tls",
        /// The client did nothing in time.
        Timeout = "timeout",
        /// The connection broke.
        TcpReset = "tcp_reset",
        /// The client did not read what was sent to it.
        SlowConsumer = "slow_consumer",
        /// Another session took the resource, or the account is gone.
        Policy = "policy",
        /// The node stops.
        Shutdown = "shutdown",
        /// A mistake of the server.
        Internal = "internal",
    }
}

label! {
    /// Why a connection was not accepted.
    pub enum Rejection("reason") {
        /// There are as many connections as there may be.
        MaxConnections = "max_connections",
        /// One address has too many connections.
        AddressConnections = "address_connections",
        /// One address has too many connections that are not authenticated.
        AddressUnauthenticated = "address_unauthenticated",
        /// One address opens too many connections in a minute.
        AddressRate = "address_rate",
        /// The node is short of memory.
        Memory = "memory",
        /// A trusted proxy did not say whom it speaks for.
        ProxyHeader = "proxy_header",
    }
}

/// The metrics of this crate.
#[derive(Clone, Debug)]
pub struct Metrics {
    /// Open connections.
    pub connections: GaugeFamily<Listener>,
    /// Accepted connections.
    pub accepted: CounterFamily<Listener>,
    /// How many connections there may be.
    pub capacity: Gauge,
    /// Sessions by how they are secured.
    pub(crate) sessions: Sessions,
    /// Stream errors of both sides.
    pub(crate) stream_errors: StreamErrors,
    /// Ended connections.
    pub closed: CounterFamily2<Listener, CloseReason>,
    /// Connections that were not accepted.
    pub rejected: CounterFamily2<Listener, Rejection>,
    /// Whether each listener is bound.
    pub up: GaugeFamily<Listener>,
    /// Ended TLS handshakes.
    pub handshakes: CounterFamily2<Listener, HandshakeResult>,
    /// How long TLS handshakes take.
    pub handshake_seconds: HistogramFamily<Listener>,
    /// From the accepted connection to the bound resource.
    pub login_seconds: HistogramFamily<Profile>,
    /// From a read to the hand-over of its stanzas.
    pub processing_seconds: Histogram,
}

// === impl Metrics ===

impl Metrics {
    /// Registers the metrics.
    pub fn register(registry: &Registry) -> Self {
        Self {
            connections: registry.gauges("connections", "How many sockets are open, where?"),
            accepted: registry
                .counters("connections_accepted_total", "How fast do clients connect?"),
            capacity: registry.gauge(
                "connection_capacity",
                "How many connections may there be at one time?",
            ),
            sessions: Sessions::register(registry),
            stream_errors: StreamErrors::register(registry),
            closed: registry.counters2("connections_closed_total", "Who ended connections?"),
            rejected: registry.counters2("connections_rejected_total", "Is load being shed?"),
            up: registry.gauges("listener_up", "Is each listener bound?"),
            handshakes: registry.counters2("tls_handshakes_total", "How do TLS handshakes end?"),
            handshake_seconds: registry.histograms(
                "tls_handshake_duration_seconds",
                "How long do TLS handshakes take?",
            ),
            login_seconds: registry.histograms(
                "login_duration_seconds",
                "How long from connecting to being bound?",
            ),
            processing_seconds: registry.histogram(
                "read_processing_duration_seconds",
                "How long does one read take until its stanzas are handed over?",
            ),
        }
    }
}
