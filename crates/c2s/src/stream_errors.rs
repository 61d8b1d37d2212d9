//! Stream errors, counted by condition (RFC 6120 §4.9.3).

use rookery_delivery::Limit;
use rookery_stanza::{StreamCondition, StreamError};
use rookery_stream::Ending;
use rookery_telemetry::{CounterFamily2, Label, Registry, label};

label! {
    /// Who sent a stream error.
    pub(crate) enum Direction("direction") {
        /// The client.
        In = "in",
        /// The server.
        Out = "out",
    }
}

label! {
    /// The condition of a stream error.
    #[expect(clippy::enum_variant_names, reason = "one of them is named `undefined-condition`")]
    pub(crate) enum Condition("condition") {
        BadFormat = "bad-format",
        BadNamespacePrefix = "bad-namespace-prefix",
        Conflict = "conflict",
        ConnectionTimeout = "connection-timeout",
        HostGone = "host-gone",
        HostUnknown = "host-unknown",
        ImproperAddressing = "improper-addressing",
        InternalServerError = "internal-server-error",
        InvalidFrom = "invalid-from",
        InvalidNamespace = "invalid-namespace",
        InvalidXml = "invalid-xml",
        NotAuthorized = "not-authorized",
        NotWellFormed = "not-well-formed",
        PolicyViolation = "policy-violation",
        RemoteConnectionFailed = "remote-connection-failed",
        Reset = "reset",
        ResourceConstraint = "resource-constraint",
        RestrictedXml = "restricted-xml",
        SeeOtherHost = "see-other-host",
        SystemShutdown = "system-shutdown",
        UndefinedCondition = "undefined-condition",
        UnsupportedEncoding = "unsupported-encoding",
        UnsupportedFeature = "unsupported-feature",
        UnsupportedStanzaType = "unsupported-stanza-type",
        UnsupportedVersion = "unsupported-version",
    }
}

/// Counts the stream errors of both sides.
#[derive(Clone, Debug)]
pub(crate) struct StreamErrors {
    errors: CounterFamily2<Direction, Condition>,
    shared: rookery_delivery::Metrics,
}

// === impl StreamErrors ===

impl StreamErrors {
    pub(crate) fn register(registry: &Registry) -> Self {
        Self {
            errors: registry.counters2(
                "stream_errors_total",
                "Which stream errors are sent or received?",
            ),
            shared: rookery_delivery::Metrics::of(registry),
        }
    }

    /// Counts the error that a stream ends with, if it does.
    pub(crate) fn count(&self, ending: &Ending) {
        let (direction, error) = match ending {
            Ending::Error(error) => (Direction::Out, error),
            Ending::Exceeded(limit, error) => {
                self.shared.exceeded(counted(*limit));
                (Direction::Out, error)
            }
            Ending::PeerError(error) => (Direction::In, error),
            _ => return,
        };
        self.errors.of(direction, Condition::of(error)).increment();
    }
}

// === impl Condition ===

impl Condition {
    fn of(error: &StreamError) -> Self {
        let named = |condition: StreamCondition| {
            Self::VALUES
                .iter()
                .find(|value| value.value() == condition.as_str())
                .copied()
        };
        named(error.condition).unwrap_or(Self::UndefinedCondition)
    }
}

/// A limit of a stream as it is counted.
fn counted(limit: rookery_stream::Limit) -> Limit {
    use rookery_stream::Limit as Met;
    match limit {
        Met::StanzaBytes => Limit::StanzaBytes,
        Met::Depth => Limit::Depth,
        Met::Attributes => Limit::Attributes,
        Met::Namespaces => Limit::Namespaces,
        Met::NameBytes => Limit::NameBytes,
        Met::BytesBeforeAuth => Limit::BytesBeforeAuth,
        Met::SaslRetries => Limit::SaslRetries,
        Met::BindRetries => Limit::BindRetries,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_condition_has_a_label_of_its_name() {
        for condition in StreamCondition::ALL {
            assert_eq!(
                Condition::of(&(*condition).into()).value(),
                condition.as_str()
            );
        }
    }
}
