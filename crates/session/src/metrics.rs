//! What is counted about the stanzas of sessions.

use std::sync::Arc;

use rookery_delivery::Delivery;
use rookery_lifecycle::Clock;
use rookery_stanza::{IqType, Kind, MessageType, PresenceType, Stanza};
use rookery_telemetry::{Counter, CounterFamily, Family, Label, Labels, Registry, Sizes, label};

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
    /// With whom the server exchanges a stanza.
    pub(crate) enum Origin("origin") {
        /// A client.
        Client = "c2s",
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
        /// As many stanzas of a client, or bytes of them, are on their way as may be: it is read no further.
        InFlight = "in_flight",
        /// A client is read no further before it has read what waits for it.
        UnreadBytes = "unread_bytes",
    }
}

/// The labels of a stanza: which way it goes, whose it is, its kind with the type of that kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Traffic {
    direction: Direction,
    origin: Origin,
    kind: Kind,
}

/// All kinds with their types, in the order of [`index`].
const KINDS: [Kind; 17] = [
    Kind::Message(MessageType::Normal),
    Kind::Message(MessageType::Chat),
    Kind::Message(MessageType::Groupchat),
    Kind::Message(MessageType::Headline),
    Kind::Message(MessageType::Error),
    Kind::Presence(PresenceType::Available),
    Kind::Presence(PresenceType::Unavailable),
    Kind::Presence(PresenceType::Subscribe),
    Kind::Presence(PresenceType::Subscribed),
    Kind::Presence(PresenceType::Unsubscribe),
    Kind::Presence(PresenceType::Unsubscribed),
    Kind::Presence(PresenceType::Probe),
    Kind::Presence(PresenceType::Error),
    Kind::Iq(IqType::Get),
    Kind::Iq(IqType::Set),
    Kind::Iq(IqType::Result),
    Kind::Iq(IqType::Error),
];

/// The metrics of this crate. All sessions share them.
#[derive(Debug)]
pub struct Metrics {
    stanzas: Family<Counter, Traffic>,
    bytes: Family<Sizes, (Direction, Origin)>,
    /// Limits that were met.
    pub limited: CounterFamily<Limiter>,
    /// Stanzas whose `from` named somebody else.
    pub spoofed: Counter,
    /// What is measured together with others.
    pub shared: rookery_delivery::Metrics,
    clock: Clock,
}

// === impl Metrics ===

impl Metrics {
    /// Registers the metrics. By the clock it is measured how long messages take.
    pub fn register(registry: &Registry, clock: Clock) -> Arc<Self> {
        Arc::new(Self {
            stanzas: registry.family(
                "stanzas_total",
                "How many stanzas pass, of which kind and type?",
            ),
            bytes: registry.family("stanza_bytes", "How large are stanzas?"),
            limited: registry.counters("rate_limited_total", "Which limit is biting?"),
            spoofed: registry.counter(
                "stanzas_spoofed_total",
                "How many stanzas named another sender and were corrected?",
            ),
            shared: rookery_delivery::Metrics::of(registry),
            clock,
        })
    }

    /// Counts what a client sent.
    pub(crate) fn received(&self, batch: &[Stanza]) {
        self.count(Direction::In, batch, |stanza| stanza);
    }

    /// Counts what is handed to the client's connection.
    pub fn delivered(&self, batch: &[Delivery]) {
        self.count(Direction::Out, batch, |delivery| &delivery.stanza);
        let now = || self.clock.now().into_std();
        self.shared.delivered(batch, now);
    }

    fn count<T>(&self, direction: Direction, batch: &[T], stanza: impl Fn(&T) -> &Stanza) {
        let origin = Origin::Client;
        let sizes = batch.iter().map(|item| stanza(item).size());
        self.bytes.of(direction, origin).observe(sizes);
        for item in batch {
            let traffic = Traffic {
                direction,
                origin,
                kind: stanza(item).kind,
            };
            self.stanzas.get(traffic).increment();
        }
    }
}

// === impl Traffic ===

impl Labels for Traffic {
    const NAMES: &'static [&'static str] = &["direction", "origin", "kind", "type"];

    fn all() -> Vec<Self> {
        let with_kinds = |(direction, origin)| {
            KINDS.map(|kind| Self {
                direction,
                origin,
                kind,
            })
        };
        <(Direction, Origin)>::all()
            .into_iter()
            .flat_map(with_kinds)
            .collect()
    }

    fn values(self) -> Vec<&'static str> {
        let (kind, name) = match self.kind {
            Kind::Message(name) => ("message", name.as_str()),
            Kind::Presence(name) => ("presence", name.as_str().unwrap_or("available")),
            Kind::Iq(name) => ("iq", name.as_str()),
        };
        vec![self.direction.value(), self.origin.value(), kind, name]
    }

    fn index(self) -> usize {
        (self.direction, self.origin).index() * KINDS.len() + index(self.kind)
    }
}

/// The place of a kind with its type among all of them.
fn index(kind: Kind) -> usize {
    match kind {
        Kind::Message(name) => name as usize,
        Kind::Presence(name) => 5 + name as usize,
        Kind::Iq(name) => 13 + name as usize,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_and_type_has_its_place() {
        for (place, traffic) in Traffic::all().into_iter().enumerate() {
            assert_eq!(traffic.index(), place, "{traffic:?}");
        }
    }

    #[test]
    fn stanzas_are_counted_by_type_and_size() {
        let registry = Registry::new();
        let metrics = Metrics::register(&registry, Clock::system());
        let chat = Stanza::message(MessageType::Chat);
        metrics.received(&[chat.clone(), Stanza::presence(PresenceType::Available)]);
        metrics.delivered(&[chat.into()]);
        let text = registry.render();
        for line in [
            "rookery_stanzas_total{direction=\"in\",kind=\"message\",origin=\"c2s\",type=\"chat\"} 1\n",
            "rookery_stanzas_total{direction=\"in\",kind=\"presence\",origin=\"c2s\",type=\"available\"} 1\n",
            "rookery_stanzas_total{direction=\"out\",kind=\"message\",origin=\"c2s\",type=\"chat\"} 1\n",
            "rookery_stanzas_total{direction=\"out\",kind=\"iq\",origin=\"c2s\",type=\"get\"} 0\n",
            "rookery_stanza_bytes_count{direction=\"in\",origin=\"c2s\"} 2\n",
            "rookery_stanza_bytes_count{direction=\"out\",origin=\"c2s\"} 1\n",
        ] {
            assert!(text.contains(line), "{line} is not in {text}");
        }
    }
}
