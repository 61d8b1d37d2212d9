//! Limits and timeouts of streams.

use std::time::Duration;

use rookery_xml::Limits;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// RFC 6120 §13.12, rule 4: no server may accept less than this.
const SMALLEST_STANZA_LIMIT: usize = 10_000;

/// No timeout is longer than a day, in seconds.
const LONGEST_WAIT: u64 = 86_400;

/// `[stream]`: limits and timeouts of each client stream.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// The largest stanza that is accepted from an authenticated client, in bytes; at least 10000.
    /// Announced to clients (XEP-0478).
    pub max_stanza_bytes: usize,
    /// The largest element that is accepted before authentication, in bytes; at least 10000.
    pub max_stanza_bytes_before_auth: usize,
    /// All that a client may send before it is authenticated, in bytes.
    pub max_bytes_before_auth: usize,
    /// How deep the elements of a stanza may be nested.
    pub max_depth: usize,
    /// How many attributes one element may have, namespace declarations among them.
    pub max_attributes: usize,
    /// How many namespaces may be declared at one place of a stanza.
    pub max_namespaces: usize,
    /// The longest name of an element or attribute, in bytes.
    pub max_name_bytes: usize,
    /// How long a client may take from its connection to a bound resource, in seconds.
    pub negotiation_timeout_seconds: u64,
    /// How long the server waits for the client to close its side of a stream, in seconds.
    pub close_timeout_seconds: u64,
    /// After how many seconds without a byte from the client the server sends a space, which finds dead
    /// connections. 0 turns this off.
    pub keepalive_seconds: u64,
    /// How often a client may try again after it failed to authenticate: 2 to 5.
    pub sasl_retries: u32,
    /// How often a client may try again after a resource was refused: 5 to 10.
    pub bind_retries: u32,
}

/// Whether a listener that begins without TLS asks for it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum StartTls {
    /// Clients must start TLS before they can authenticate.
    #[default]
    Required,
    /// Clients may start TLS; without it they cannot use the mechanism PLAIN.
    Optional,
    /// TLS is not offered. For tests, and behind a proxy that speaks TLS.
    Off,
}

/// A value that is not allowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{key} must be {allowed}")]
pub struct ConfigError {
    /// The key.
    pub key: &'static str,
    /// What is allowed.
    pub allowed: &'static str,
}

// === impl Config ===

impl Default for Config {
    fn default() -> Self {
        let limits = Limits::default();
        Self {
            max_stanza_bytes: limits.max_stanza_bytes,
            max_stanza_bytes_before_auth: SMALLEST_STANZA_LIMIT,
            max_bytes_before_auth: 64 * 1024,
            max_depth: limits.max_depth,
            max_attributes: limits.max_attributes,
            max_namespaces: limits.max_namespaces,
            max_name_bytes: limits.max_name_bytes,
            negotiation_timeout_seconds: 30,
            close_timeout_seconds: 5,
            keepalive_seconds: 300,
            sasl_retries: 3,
            bind_retries: 5,
        }
    }
}

impl Config {
    /// Checks what types cannot: the bounds that RFC 6120 sets.
    ///
    /// # Errors
    /// The first value that is out of bounds.
    pub fn validate(&self) -> Result<(), ConfigError> {
        let check = |holds: bool, key, allowed| {
            if holds {
                Ok(())
            } else {
                Err(ConfigError { key, allowed })
            }
        };
        let smallest = SMALLEST_STANZA_LIMIT;
        check(
            self.max_stanza_bytes >= smallest,
            "max_stanza_bytes",
            "at least 10000",
        )?;
        check(
            self.max_stanza_bytes_before_auth >= smallest,
            "max_stanza_bytes_before_auth",
            "at least 10000",
        )?;
        check(
            self.max_bytes_before_auth >= self.max_stanza_bytes_before_auth,
            "max_bytes_before_auth",
            "at least max_stanza_bytes_before_auth",
        )?;
        check(self.max_depth >= 8, "max_depth", "at least 8")?;
        check(self.max_attributes >= 8, "max_attributes", "at least 8")?;
        check(self.max_namespaces >= 8, "max_namespaces", "at least 8")?;
        check(self.max_name_bytes >= 64, "max_name_bytes", "at least 64")?;
        let negotiation = self.negotiation_timeout_seconds;
        check(
            (1..=LONGEST_WAIT).contains(&negotiation),
            "negotiation_timeout_seconds",
            "1 to 86400",
        )?;
        let close = self.close_timeout_seconds;
        check(
            (1..=LONGEST_WAIT).contains(&close),
            "close_timeout_seconds",
            "1 to 86400",
        )?;
        check(
            self.keepalive_seconds <= LONGEST_WAIT,
            "keepalive_seconds",
            "0 to 86400",
        )?;
        // RFC 6120 §6.4.5 and §7.7.3.
        check(
            (2..=5).contains(&self.sasl_retries),
            "sasl_retries",
            "2 to 5",
        )?;
        check(
            (5..=10).contains(&self.bind_retries),
            "bind_retries",
            "5 to 10",
        )
    }

    /// What XML is accepted from a client.
    pub fn limits(&self, authenticated: bool) -> Limits {
        Limits {
            max_stanza_bytes: if authenticated {
                self.max_stanza_bytes
            } else {
                self.max_stanza_bytes_before_auth
            },
            max_depth: self.max_depth,
            max_attributes: self.max_attributes,
            max_namespaces: self.max_namespaces,
            max_name_bytes: self.max_name_bytes,
        }
    }

    pub(crate) fn negotiation_timeout(&self) -> Duration {
        Duration::from_secs(self.negotiation_timeout_seconds)
    }

    pub(crate) fn close_timeout(&self) -> Duration {
        Duration::from_secs(self.close_timeout_seconds)
    }

    pub(crate) fn keepalive(&self) -> Option<Duration> {
        (self.keepalive_seconds > 0).then(|| Duration::from_secs(self.keepalive_seconds))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stanzas_of_10000_bytes_are_always_accepted_s13_12() {
        let config = Config {
            max_stanza_bytes: 9_999,
            ..Config::default()
        };
        assert_eq!(config.validate().unwrap_err().key, "max_stanza_bytes");
        let config = Config {
            max_stanza_bytes_before_auth: 9_999,
            ..Config::default()
        };
        assert_eq!(
            config.validate().unwrap_err().key,
            "max_stanza_bytes_before_auth"
        );
        assert_eq!(Config::default().validate(), Ok(()));
    }

    #[test]
    fn retries_stay_within_s6_4_5_and_s7_7_3() {
        for sasl_retries in [1, 6] {
            let config = Config {
                sasl_retries,
                ..Config::default()
            };
            assert_eq!(
                config.validate().unwrap_err().to_string(),
                "sasl_retries must be 2 to 5"
            );
        }
        for bind_retries in [4, 11] {
            let config = Config {
                bind_retries,
                ..Config::default()
            };
            assert_eq!(config.validate().unwrap_err().key, "bind_retries");
        }
    }
}
