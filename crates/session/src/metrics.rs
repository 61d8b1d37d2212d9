//! What is counted about the stanzas of sessions.

use rookery_stanza::{Kind, Stanza};
use rookery_telemetry::{Counter, CounterFamily, CounterFamily2, Registry, label};

label! {
    /// Which way a stanza goes, seen from the server.
    pub enum Direction("direction") {
        /// From the client.
        In = "in",
        /// To the client.
        Out = "out",
    }
}

label! {
    /// The kind of a stanza.
    pub enum StanzaKind("kind") {
        /// `<message/>`
        Message = "message",
        /// `<presence/>`
        Presence = "presence",
        /// `<iq/>`
        Iq = "iq",
    }
}

label! {
    /// Which limit was met.
    pub enum Limiter("limiter") {
        /// A client does not read what is sent to it.
        OutgoingBytes = "outgoing_bytes",
        /// The home of the account takes no more.
        HomeQueue = "home_queue",
        /// The connection's actor takes no more.
        ConnectionQueue = "connection_queue",
        /// A client sends more bytes a second than are read.
        ReadBytes = "read_bytes",
        /// A client sends more stanzas a second than are read.
        ReadStanzas = "read_stanzas",
    }
}

/// The metrics of this crate.
#[derive(Clone, Debug)]
pub struct Metrics {
    stanzas: CounterFamily2<Direction, StanzaKind>,
    /// Limits that were met.
    pub limited: CounterFamily<Limiter>,
    /// Stanzas whose `from` named somebody else.
    pub spoofed: Counter,
}

// === impl Metrics ===

impl Metrics {
    /// Registers the metrics.
    pub fn register(registry: &Registry) -> Self {
        Self {
            stanzas: registry.counters2("stanzas_total", "How many stanzas pass, of which kind?"),
            limited: registry.counters("rate_limited_total", "Which limit is biting?"),
            spoofed: registry.counter(
                "stanzas_spoofed_total",
                "How many stanzas named another sender and were corrected?",
            ),
        }
    }

    /// Counts one stanza.
    pub fn count(&self, direction: Direction, stanza: &Stanza) {
        let kind = match stanza.kind {
            Kind::Message(_) => StanzaKind::Message,
            Kind::Presence(_) => StanzaKind::Presence,
            Kind::Iq(_) => StanzaKind::Iq,
        };
        self.stanzas.of(direction, kind).increment();
    }
}
