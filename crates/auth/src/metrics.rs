//! What is counted about logins.

use rookery_telemetry::{CounterFamily, CounterFamily4, Gauge, Label, Registry, label};

use crate::mechanism::Mechanism;

label! {
    /// What a stream runs on.
    pub enum Transport("transport") {
        /// TCP, where TLS may begin later.
        Tcp = "tcp",
        /// TLS from the start.
        Tls = "tls",
    }
}

label! {
    /// By which protocol a client logs in.
    pub enum Profile("profile") {
        /// SASL as in RFC 6120 §6.
        Legacy = "legacy",
        /// The extensible SASL profile (XEP-0388).
        Sasl2 = "sasl2",
        /// The same, with a token (XEP-0484).
        Fast = "fast",
    }
}

label! {
    /// How a login ended.
    pub(crate) enum LoginResult("result") {
        /// The client is in.
        Success = "success",
        /// The client did not show that it is who it claims to be, or gave up.
        AuthFailed = "auth_failed",
        /// The client asked for something that is not offered, or has failed too often.
        Policy = "policy",
        /// The client did not go on in time.
        Timeout = "timeout",
        /// The store did not answer.
        StoreError = "store_error",
        /// The server had no room or no randomness.
        Internal = "internal",
    }
}

label! {
    /// What becomes of tokens (XEP-0484).
    pub(crate) enum TokenEvent("event") {
        /// A client was given one.
        Issued = "issued",
        /// A client logged out, and has none any more.
        Invalidated = "invalidated",
        /// One was too old, or of a password that is the account's no more.
        Expired = "expired",
        /// One came with a count that was seen before.
        Replayed = "replayed",
        /// A client was forgotten, with its tokens, since its account has too many.
        Evicted = "evicted",
        /// The owner of an account took a client's access back.
        Revoked = "revoked",
    }
}

/// A mechanism as a label; `unknown` for one that the server does not know.
#[derive(Clone, Copy, Debug)]
pub struct MechanismLabel(pub Option<Mechanism>);

/// The handles.
#[derive(Clone, Debug)]
pub(crate) struct Metrics {
    /// Logins by transport, profile, mechanism and result.
    pub(crate) logins: CounterFamily4<Transport, Profile, MechanismLabel, LoginResult>,
    /// What becomes of tokens.
    pub(crate) tokens: CounterFamily<TokenEvent>,
    /// Passwords that wait for a hasher.
    pub(crate) queue: Gauge,
    /// Addresses with failed logins that are remembered.
    pub(crate) addresses: Gauge,
}

// === impl Metrics ===

impl Metrics {
    pub(crate) fn new(registry: &Registry) -> Self {
        Self {
            logins: registry.counters4("logins_total", "How do logins end, by which way in?"),
            tokens: registry.counters(
                "login_tokens_total",
                "What becomes of the tokens that clients log in with?",
            ),
            queue: registry.gauge("login_queue", "Logins waiting for a password to be hashed"),
            addresses: registry.gauge(
                "login_failure_addresses",
                "Addresses with failed logins that are remembered",
            ),
        }
    }
}

// === impl MechanismLabel ===

impl Label for MechanismLabel {
    const NAME: &'static str = "mechanism";
    const VALUES: &'static [Self] = &[
        Self(Some(Mechanism::External)),
        Self(Some(Mechanism::ScramSha512Plus)),
        Self(Some(Mechanism::ScramSha256Plus)),
        Self(Some(Mechanism::ScramSha1Plus)),
        Self(Some(Mechanism::ScramSha512)),
        Self(Some(Mechanism::ScramSha256)),
        Self(Some(Mechanism::ScramSha1)),
        Self(Some(Mechanism::Plain)),
        Self(Some(Mechanism::Anonymous)),
        Self(Some(Mechanism::HtSha256Expr)),
        Self(Some(Mechanism::HtSha256Endp)),
        Self(Some(Mechanism::HtSha256None)),
        Self(None),
    ];

    fn value(self) -> &'static str {
        self.0.map_or("unknown", Mechanism::name)
    }

    fn index(self) -> usize {
        self.0
            .map_or(Mechanism::ALL.len(), |mechanism| mechanism as usize)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_mechanism_has_its_place() {
        for (index, label) in MechanismLabel::VALUES.iter().enumerate() {
            assert_eq!(label.index(), index);
        }
        let metrics = Metrics::new(&Registry::new());
        metrics
            .logins
            .of(
                Transport::Tls,
                Profile::Legacy,
                MechanismLabel(None),
                LoginResult::Internal,
            )
            .increment();
    }
}
