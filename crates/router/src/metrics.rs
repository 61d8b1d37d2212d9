//! What the router counts.

use rookery_delivery::StanzaKind;
use rookery_extension::Hosts;
use rookery_stanza::Kind;
use rookery_telemetry::{
    ByName, Counter, CounterFamily, CounterFamily2, Gauge, GaugeFamily, Registry, label,
};

label! {
    /// What became of a stanza.
    pub(crate) enum Outcome("outcome") {
        /// Handed to a session, or answered here.
        Local = "local",
        /// Written to the component that serves its domain.
        Component = "component",
        /// Kept for an account that is away.
        Offline = "offline",
        /// Returned with an error.
        Bounced = "bounced",
        /// Ignored, as a standard demands or allows.
        Dropped = "dropped_policy",
    }
}

label! {
    /// How a message was settled.
    pub(crate) enum Settled("outcome") {
        /// Handed to a session, or written to a component.
        Delivered = "delivered",
        /// Kept for an account that is away.
        Stored = "stored",
        /// Returned with an error.
        Bounced = "bounced",
        /// Ignored, as a standard demands or allows.
        Dropped = "dropped_policy",
    }
}

label! {
    /// Why a message was lost.
    pub(crate) enum Lost("reason") {
        /// A queue inside of the server was full, and the message was an error.
        Overflow = "overflow",
        /// A stored message could not be read.
        Decode = "decode",
    }
}

label! {
    /// The state of a session.
    pub(crate) enum SessionState("state") {
        /// A client is connected.
        Active = "active",
        /// A client has lost its connection, and may resume its stream (XEP-0198).
        Detached = "detached",
    }
}

label! {
    /// What is in memory, or failed and began anew.
    pub(crate) enum Actor("actor") {
        /// An account.
        Account = "account",
    }
}

label! {
    /// Why it failed.
    pub(crate) enum Cause("cause") {
        /// A mistake of the program.
        Panic = "panic",
    }
}

label! {
    /// What waits.
    pub(crate) enum Mailbox("actor") {
        /// Batches in the mailboxes of account shards.
        Shard = "account_shard",
        /// Inputs of accounts that wait for the store; counted once a second.
        Account = "account",
    }
}

label! {
    /// Whose queue was full.
    pub(crate) enum Queue("actor") {
        /// The mailbox of an account shard.
        Shard = "account_shard",
        /// The inputs that wait for one account.
        Account = "account",
        /// The queue of a session.
        Session = "session",
    }
}

/// The router's metrics.
///
/// Every `<message/>` that enters, sent by a client, made by the server (an error), or returned by a
/// session that ended, is accepted once and settled or lost once: accepted = settled + in flight + lost. Each is
/// counted where it happens; what is in flight, where it lies: in mailboxes, by whoever puts it in and takes it
/// out; in a shard, once a second.
#[derive(Clone, Debug)]
pub(crate) struct Metrics {
    pub(crate) sessions: ByName<Gauge, (SessionState,)>,
    pub(crate) users_online: ByName<Gauge, ()>,
    pub(crate) actors: GaugeFamily<Actor>,
    pub(crate) waiting: GaugeFamily<Mailbox>,
    pub(crate) routed: CounterFamily2<StanzaKind, Outcome>,
    pub(crate) shared: rookery_delivery::Metrics,
    pub(crate) rejected: CounterFamily<Queue>,
    pub(crate) restarts: CounterFamily2<Actor, Cause>,
    accepted: Counter,
    settled: CounterFamily<Settled>,
    /// Messages on their way between shards, and to components; of those in a shard, as many as there were when it
    /// last looked.
    pub(crate) in_flight: Gauge,
    lost: CounterFamily<Lost>,
}

// === impl Metrics ===

impl Metrics {
    pub(crate) fn new(registry: &Registry, hosts: &Hosts) -> Self {
        let hosts: Vec<&str> = hosts.iter().map(|host| host.name()).collect();
        Self {
            sessions: registry.by_name("sessions", "How many resources are bound?", "host", &hosts),
            users_online: registry.by_name(
                "users_online",
                "How many accounts have a session?",
                "host",
                &hosts,
            ),
            actors: registry.gauges("actors", "How many are in memory?"),
            waiting: registry.gauges("mailbox_messages", "How much waits inside of the server?"),
            routed: registry.counters2("route_total", "What becomes of stanzas?"),
            shared: rookery_delivery::Metrics::of(registry),
            rejected: registry.counters(
                "mailbox_rejected_total",
                "Whose queue was full when something came?",
            ),
            restarts: registry.counters2(
                "actor_restarts_total",
                "What failed by a mistake of the server and began anew?",
            ),
            accepted: registry.counter(
                "messages_accepted_total",
                "Messages that this node took responsibility for",
            ),
            settled: registry.counters("messages_settled_total", "How did messages leave?"),
            in_flight: registry.gauge(
                "messages_in_flight",
                "Messages accepted and not yet settled",
            ),
            lost: registry.counters("messages_lost_total", "Messages lost; must stay 0"),
        }
    }

    /// A session of a host is in this state from now on, or is no longer.
    pub(crate) fn session(&self, host: &str, state: SessionState, change: i64) {
        self.sessions.of(host).of(state).add(change);
    }

    /// Accounts of a host got their first session, or lost their last.
    pub(crate) fn online(&self, host: &str, change: i64) {
        self.users_online.of(host).get(()).add(change);
    }

    /// A message entered.
    pub(crate) fn accept(&self) {
        self.accepted.increment();
    }

    /// A message was lost.
    pub(crate) fn lose(&self, reason: Lost) {
        self.lost.of(reason).increment();
    }

    /// A stanza of this kind has left.
    pub(crate) fn settle(&self, kind: Kind, outcome: Outcome) {
        self.routed.of(kind.into(), outcome).increment();
        if let Kind::Message(_) = kind {
            self.settled.of(outcome.into()).increment();
        }
    }

    /// Accepted, settled, in flight and lost, for tests of the ledger.
    #[cfg(test)]
    pub(crate) fn ledger(&self) -> (u64, u64, i64, u64) {
        use rookery_telemetry::Label;
        let settled = Settled::VALUES
            .iter()
            .map(|&outcome| self.settled.of(outcome).get())
            .sum();
        let lost = Lost::VALUES
            .iter()
            .map(|&reason| self.lost.of(reason).get())
            .sum();
        (self.accepted.get(), settled, self.in_flight.get(), lost)
    }
}

impl From<Outcome> for Settled {
    fn from(outcome: Outcome) -> Self {
        match outcome {
            Outcome::Local | Outcome::Component => Self::Delivered,
            Outcome::Offline => Self::Stored,
            Outcome::Bounced => Self::Bounced,
            Outcome::Dropped => Self::Dropped,
        }
    }
}
