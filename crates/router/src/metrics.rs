//! What the router counts.

use rookery_stanza::{Condition, Kind};
use rookery_telemetry::{Counter, CounterFamily, CounterFamily2, Gauge, Registry, label};

label! {
    /// The three kinds of stanza.
    pub(crate) enum StanzaKind("kind") {
        /// `<message/>`.
        Message = "message",
        /// `<presence/>`.
        Presence = "presence",
        /// `<iq/>`.
        Iq = "iq",
    }
}

label! {
    /// What became of a stanza.
    pub(crate) enum Outcome("outcome") {
        /// Handed to a session, or answered here.
        Local = "local",
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
        /// Handed to a session.
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
    /// What failed and began anew.
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

/// Declares the label of stanza error conditions and the way to it.
macro_rules! conditions {
    ($($variant:ident = $name:literal),+ $(,)?) => {
        label! {
            /// A stanza error condition (RFC 6120 §8.3.3).
            pub(crate) enum ErrorCondition("condition") {
                $(
                    /// The condition of that name.
                    $variant = $name
                ),+
            }
        }

        impl From<Condition> for ErrorCondition {
            fn from(condition: Condition) -> Self {
                match condition { $(Condition::$variant => Self::$variant),+ }
            }
        }
    };
}

conditions! {
    BadRequest = "bad-request",
    Conflict = "conflict",
    FeatureNotImplemented = "feature-not-implemented",
    Forbidden = "forbidden",
    Gone = "gone",
    InternalServerError = "internal-server-error",
    ItemNotFound = "item-not-found",
    JidMalformed = "jid-malformed",
    NotAcceptable = "not-acceptable",
    NotAllowed = "not-allowed",
    NotAuthorized = "not-authorized",
    PolicyViolation = "policy-violation",
    RecipientUnavailable = "recipient-unavailable",
    Redirect = "redirect",
    RegistrationRequired = "registration-required",
    RemoteServerNotFound = "remote-server-not-found",
    RemoteServerTimeout = "remote-server-timeout",
    ResourceConstraint = "resource-constraint",
    ServiceUnavailable = "service-unavailable",
    SubscriptionRequired = "subscription-required",
    UndefinedCondition = "undefined-condition",
    UnexpectedRequest = "unexpected-request",
}

/// The router's metrics.
///
/// Every `<message/>` that enters, sent by a client, made by the server (an error), or returned by a
/// session that ended, is accepted once and settled or lost once: accepted = settled + in flight + lost.
#[derive(Clone, Debug)]
pub(crate) struct Metrics {
    pub(crate) sessions: Gauge,
    pub(crate) users_online: Gauge,
    pub(crate) routed: CounterFamily2<StanzaKind, Outcome>,
    pub(crate) errors: CounterFamily2<StanzaKind, ErrorCondition>,
    pub(crate) rejected: CounterFamily<Queue>,
    pub(crate) restarts: CounterFamily2<Actor, Cause>,
    accepted: Counter,
    settled: CounterFamily<Settled>,
    in_flight: Gauge,
    lost: CounterFamily<Lost>,
}

// === impl Metrics ===

impl Metrics {
    pub(crate) fn new(registry: &Registry) -> Self {
        Self {
            sessions: registry.gauge("sessions", "How many resources are bound?"),
            users_online: registry.gauge("users_online", "How many accounts have a session?"),
            routed: registry.counters2("route_total", "What becomes of stanzas?"),
            errors: registry.counters2(
                "stanza_errors_total",
                "Which stanza errors does the server send?",
            ),
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

    /// A message entered.
    pub(crate) fn accept(&self) {
        self.accepted.increment();
        self.in_flight.add(1);
    }

    /// A message was lost.
    pub(crate) fn lose(&self, reason: Lost) {
        self.lost.of(reason).increment();
        self.in_flight.add(-1);
    }

    /// A stanza of this kind has left.
    pub(crate) fn settle(&self, kind: Kind, outcome: Outcome) {
        self.routed.of(kind.into(), outcome).increment();
        if let Kind::Message(_) = kind {
            self.settled.of(outcome.into()).increment();
            self.in_flight.add(-1);
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

impl From<Kind> for StanzaKind {
    fn from(kind: Kind) -> Self {
        match kind {
            Kind::Message(_) => Self::Message,
            Kind::Presence(_) => Self::Presence,
            Kind::Iq(_) => Self::Iq,
        }
    }
}

impl From<Outcome> for Settled {
    fn from(outcome: Outcome) -> Self {
        match outcome {
            Outcome::Local => Self::Delivered,
            Outcome::Offline => Self::Stored,
            Outcome::Bounced => Self::Bounced,
            Outcome::Dropped => Self::Dropped,
        }
    }
}
