//! What connections, sessions and homes measure together: where the same thing may happen at any of them.

use std::time::Instant;

use rookery_stanza::{Condition, Kind};
use rookery_telemetry::{CounterFamily, CounterFamily2, Gauge, HistogramFamily, Registry, label};

use crate::session::Delivery;

label! {
    /// The three kinds of stanza.
    pub enum StanzaKind("kind") {
        /// `<message/>`.
        Message = "message",
        /// `<presence/>`.
        Presence = "presence",
        /// `<iq/>`.
        Iq = "iq",
    }
}

label! {
    /// A limit that was met, and what was beyond it refused; named by its key in the configuration, if it
    /// has one.
    pub enum Limit("limit") {
        /// The size of a stanza, or of an element before there are stanzas.
        StanzaBytes = "stream.max_stanza_bytes",
        /// How deep elements are nested.
        Depth = "stream.max_depth",
        /// The attributes of an element.
        Attributes = "stream.max_attributes",
        /// The namespaces in scope.
        Namespaces = "stream.max_namespaces",
        /// The length of a name.
        NameBytes = "stream.max_name_bytes",
        /// What a client sends before it is authenticated.
        BytesBeforeAuth = "stream.max_bytes_before_auth",
        /// Attempts to authenticate.
        SaslRetries = "stream.sasl_retries",
        /// Attempts to bind a resource.
        BindRetries = "stream.bind_retries",
        /// Memory; new connections are counted elsewhere, these are logins.
        Memory = "limits.memory_bytes",
        /// Resources of an account.
        Sessions = "router.sessions_per_account",
        /// Contacts in a roster.
        RosterItems = "router.roster_items",
        /// Bytes of a roster.
        RosterBytes = "router.roster_bytes",
        /// Requests for a subscription that wait.
        SubscriptionRequests = "router.subscription_requests",
        /// Messages, or bytes of them, that are kept for an account that is away.
        Offline = "router.offline_messages",
        /// Stanzas, or bytes of them, that wait for one account.
        Waiting = "router.waiting_stanzas",
        /// Bytes that wait for another arbiter.
        Parcels = "router.waiting_parcel_bytes",
        /// Addresses that get directed presence of one session.
        DirectedPresence = "directed_presence",
        /// Tasks that wait for the store or for a feature.
        Tasks = "tasks",
    }
}

label! {
    /// Where a message went.
    pub enum Path("path") {
        /// To a client of this node.
        Local = "local",
        /// Into the store.
        Offline = "offline",
    }
}

/// Declares the label of stanza error conditions and the way to it.
macro_rules! conditions {
    ($($variant:ident = $name:literal),+ $(,)?) => {
        label! {
            /// A stanza error condition (RFC 6120 §8.3.3).
            pub enum ErrorCondition("condition") {
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

/// The handles. All that are made from one registry are the same.
#[derive(Clone, Debug)]
pub struct Metrics {
    errors: CounterFamily2<StanzaKind, ErrorCondition>,
    durations: HistogramFamily<Path>,
    limits: CounterFamily<Limit>,
    /// Bytes that wait for clients to read them.
    pub queued: Gauge,
}

// === impl Metrics ===

impl Metrics {
    /// The handles of this registry.
    pub fn of(registry: &Registry) -> Self {
        registry.shared(|registry| Self {
            errors: registry.counters2(
                "stanza_errors_total",
                "Which stanza errors does the server send?",
            ),
            durations: registry.histograms(
                "message_delivery_duration_seconds",
                "How long from reading a message to handing it to its recipient's connection, or to the store?",
            ),
            limits: registry.counters(
                "limits_exceeded_total",
                "Which limit was something refused for?",
            ),
            queued: registry.gauge(
                "session_queue_bytes",
                "How many bytes wait for clients to read them?",
            ),
        })
    }

    /// A stanza of this kind was answered with an error, wherever it had got to.
    pub fn answered(&self, kind: Kind, condition: Condition) {
        self.errors.of(kind.into(), condition.into()).increment();
    }

    /// Something was refused, since it was beyond this limit.
    pub fn exceeded(&self, limit: Limit) {
        self.limits.of(limit).increment();
    }

    /// A message was read at this moment and stored now.
    pub fn stored(&self, since: Instant, now: Instant) {
        let duration = now.saturating_duration_since(since);
        self.durations.of(Path::Offline).observe(duration);
    }

    /// These are handed to a client's connection. `now` is asked for the time once, and only if there are
    /// messages among them that were just read.
    pub fn delivered(&self, batch: &[Delivery], now: impl FnOnce() -> Instant) {
        let mut fresh = batch.iter().filter_map(read_at).peekable();
        if fresh.peek().is_none() {
            return;
        }
        let (now, durations) = (now(), self.durations.of(Path::Local));
        // What comes from one read is one observation of several.
        while let Some(since) = fresh.next() {
            let mut times = 1;
            while fresh.next_if_eq(&since).is_some() {
                times += 1;
            }
            durations.observe_times(now.saturating_duration_since(since), times);
        }
    }
}

/// When a message was read, if it was sent just now.
fn read_at(delivery: &Delivery) -> Option<Instant> {
    match delivery.stanza.kind {
        Kind::Message(_) => delivery.since,
        Kind::Presence(_) | Kind::Iq(_) => None,
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

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use rookery_stanza::{MessageType, PresenceType, Stanza};

    use super::*;

    fn since(stanza: Stanza, since: Option<Instant>) -> Delivery {
        Delivery {
            since,
            ..Delivery::from(stanza)
        }
    }

    #[test]
    #[expect(
        clippy::disallowed_methods,
        reason = "any moment will do, and nothing waits"
    )]
    fn messages_are_timed_from_their_read_and_nothing_else_is() {
        let registry = Registry::new();
        let metrics = Metrics::of(&registry);
        let begin = Instant::now();
        let (message, presence) = (
            || Stanza::message(MessageType::Chat),
            Stanza::presence(PresenceType::Available),
        );
        let later = begin + Duration::from_millis(20);
        let batch = [
            since(message(), Some(begin)),
            since(message(), Some(begin)),
            since(presence.clone(), Some(begin)),
            since(message(), None),
            since(message(), Some(later)),
        ];
        metrics.delivered(&batch, || begin + Duration::from_millis(200));
        metrics.delivered(&[since(presence, Some(begin))], || {
            panic!("nothing to time")
        });
        metrics.stored(begin, later);
        let text = registry.render();
        let name = "rookery_message_delivery_duration_seconds";
        for line in [
            format!("{name}_count{{path=\"local\"}} 3\n"),
            format!("{name}_sum{{path=\"local\"}} 0.58\n"),
            format!("{name}_bucket{{path=\"local\",le=\"0.1\"}} 0\n"),
            format!("{name}_bucket{{path=\"local\",le=\"0.25\"}} 3\n"),
            format!("{name}_count{{path=\"offline\"}} 1\n"),
        ] {
            assert!(text.contains(&line), "{line} is not in {text}");
        }
    }

    #[test]
    fn errors_of_all_parts_are_one_count() {
        let registry = Registry::new();
        for _ in 0..2 {
            let kind = Kind::Message(MessageType::Chat);
            Metrics::of(&registry).answered(kind, Condition::JidMalformed);
        }
        let line = "rookery_stanza_errors_total{condition=\"jid-malformed\",kind=\"message\"} 2\n";
        assert!(registry.render().contains(line));
    }
}
