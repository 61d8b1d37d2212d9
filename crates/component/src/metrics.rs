//! What is counted about components.

use rookery_delivery::StanzaKind;
use rookery_stanza::Kind;
use rookery_telemetry::{ByName, Counter, CounterFamily, Gauge, Registry, label};

label! {
    /// Which way a stanza went.
    pub(crate) enum Direction("direction") {
        /// From the component.
        In = "in",
        /// To the component.
        Out = "out",
    }
}

label! {
    /// How an attempt to connect as a component ended.
    pub(crate) enum Attempt("outcome") {
        /// The peer is the component.
        Accepted = "accepted",
        /// The secret was wrong, or something came before it.
        NotAuthorized = "not_authorized",
        /// There is no such component.
        HostUnknown = "host_unknown",
        /// There was no stream of a component.
        StreamError = "stream_error",
        /// The peer did nothing in time, or went.
        Incomplete = "incomplete",
        /// There are as many connections as there may be.
        MaxConnections = "max_connections",
        /// One address opens too many connections.
        Rate = "rate",
    }
}

label! {
    /// Why a stanza was returned to its sender.
    pub(crate) enum Returned("reason") {
        /// The component is not connected.
        Absent = "absent",
        /// What waits for the component is as much as may.
        QueueFull = "queue_full",
        /// The connection ended before the component had it.
        ConnectionLost = "connection_lost",
    }
}

/// The metrics of this crate.
#[derive(Clone, Debug)]
pub(crate) struct Metrics {
    pub(crate) connections: Gauge,
    pub(crate) attempts: CounterFamily<Attempt>,
    pub(crate) replaced: ByName<Counter, ()>,
    pub(crate) connected: ByName<Gauge, ()>,
    pub(crate) stanzas: ByName<Counter, (Direction, StanzaKind)>,
    pub(crate) returned: ByName<Counter, (Returned,)>,
    pub(crate) queued: ByName<Gauge, ()>,
    pub(crate) shared: rookery_delivery::Metrics,
}

// === impl Metrics ===

impl Metrics {
    pub(crate) fn register(registry: &Registry, components: &[&str]) -> Self {
        let label = "component";
        Self {
            connections: registry.gauge(
                "component_connections",
                "How many connections of components are open?",
            ),
            attempts: registry.counters(
                "component_attempts_total",
                "How do attempts to connect as a component end?",
            ),
            replaced: registry.by_name(
                "component_replaced_total",
                "Do two processes connect as the same component?",
                label,
                components,
            ),
            connected: registry.by_name(
                "component_connected",
                "Is each component connected?",
                label,
                components,
            ),
            stanzas: registry.by_name(
                "component_stanzas_total",
                "How much do components send and get?",
                label,
                components,
            ),
            returned: registry.by_name(
                "component_returned_total",
                "What did not reach its component, and went back to its sender?",
                label,
                components,
            ),
            queued: registry.by_name(
                "component_queue_bytes",
                "How many bytes wait for each component?",
                label,
                components,
            ),
            shared: rookery_delivery::Metrics::of(registry),
        }
    }

    /// A stanza went this way.
    pub(crate) fn passed(&self, component: &str, direction: Direction, kind: Kind) {
        let family = self.stanzas.of(component);
        family.get((direction, kind.into())).increment();
    }
}
