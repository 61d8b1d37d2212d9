//! `[auth]` and what a host says about logging in to it.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// `[auth]`: how passwords are kept, and how often a login may fail.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Iterations of PBKDF2 for passwords that are set from now on, at least 4096 (RFC 7677 §4; XEP-0438
    /// recommends 10000). Each doubling doubles what a PLAIN login costs the server and what every login
    /// costs the client. Accounts keep their count until their password is set again, which tells them
    /// apart from accounts that do not exist.
    pub iterations: u32,
    /// How many failed logins are borne from one address (IPv6: one /64 network) in `window_seconds`.
    pub failures_per_address: u32,
    /// In how many seconds an address that failed as often as it may is like new.
    pub window_seconds: u64,
    /// How many addresses with failed logins are remembered. When there are more, the half that can
    /// soonest be forgotten is forgotten.
    pub addresses: usize,
    /// How many passwords are hashed at once (PLAIN logins and new passwords); 0 means half of the
    /// machine's processors.
    pub hashers: usize,
    /// How many logins may wait for a hasher; more are told to try again later.
    pub hasher_queue: usize,
}

/// `[host.auth]`: what a host says about logging in to it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct HostConfig {
    /// Whether PLAIN is offered to clients that use TLS.
    pub plain: bool,
    /// Whether anybody may log in without an account (ANONYMOUS), under a name made up for the session.
    pub anonymous: bool,
}

/// What is wrong with a configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// Fewer iterations than RFC 7677 §4 allows, or more than clients would bear.
    #[error("auth.iterations must be from 4096 to 10000000")]
    Iterations,
    /// A limit that would lock everybody out.
    #[error("auth.{0} must be at least 1")]
    Zero(&'static str),
}

// === impl Config ===

impl Default for Config {
    fn default() -> Self {
        Self {
            iterations: 10_000,
            failures_per_address: 20,
            window_seconds: 60,
            addresses: 65_536,
            hashers: 0,
            hasher_queue: 1024,
        }
    }
}

impl Config {
    /// Checks what a type cannot.
    pub fn validate(&self) -> Result<(), ConfigError> {
        if !(4096..=10_000_000).contains(&self.iterations) {
            return Err(ConfigError::Iterations);
        }
        let at_least_one = [
            ("failures_per_address", self.failures_per_address == 0),
            ("window_seconds", self.window_seconds == 0),
            ("addresses", self.addresses == 0),
            ("hasher_queue", self.hasher_queue == 0),
        ];
        match at_least_one.iter().find(|(_, zero)| *zero) {
            Some((name, _)) => Err(ConfigError::Zero(name)),
            None => Ok(()),
        }
    }

    /// How many passwords are hashed at once.
    pub(crate) fn hashers(&self) -> usize {
        if self.hashers > 0 {
            return self.hashers;
        }
        let processors = std::thread::available_parallelism().map_or(1, usize::from);
        processors.div_ceil(2)
    }
}

// === impl HostConfig ===

impl Default for HostConfig {
    fn default() -> Self {
        Self {
            plain: true,
            anonymous: false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn anonymous_is_off_by_default_as_rfc_4505_s5_asks() {
        assert!(!HostConfig::default().anonymous);
    }

    #[test]
    fn values_that_would_weaken_passwords_or_lock_everybody_out_are_refused() {
        assert_eq!(Config::default().validate(), Ok(()));
        let config = Config {
            iterations: 1000,
            ..Config::default()
        };
        assert_eq!(config.validate(), Err(ConfigError::Iterations));
        let config = Config {
            addresses: 0,
            ..Config::default()
        };
        assert_eq!(config.validate(), Err(ConfigError::Zero("addresses")));
    }
}
