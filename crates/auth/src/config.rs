//! `[auth]` and what a host says about logging in to it.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Seconds of a day.
const DAY: u64 = 86_400;
/// Seconds of ten years.
const YEARS: u64 = 3650 * DAY;

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
    /// Tokens for the next login.
    pub fast: FastConfig,
    /// What is remembered of clients.
    pub clients: ClientsConfig,
}

/// `[auth.fast]`: tokens that clients log in with in place of a password (XEP-0484). Whether there are any is said
/// for each host, by `fast` in its `[host.auth]`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct FastConfig {
    /// For how many seconds a token is good. A client that stays away for longer needs its password again.
    pub lifetime_seconds: u64,
    /// How old a token may be, in seconds, before a client that logs in with it is given the next one.
    pub rotation_seconds: u64,
}

/// `[auth.clients]`: what is remembered of the clients that give themselves a name (XEP-0388), so that the owner of
/// an account can see who has access to it and take that back (XEP-0494).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ClientsConfig {
    /// Whether clients are remembered that have no token. The others always are, as long as their token is good.
    pub remember: bool,
    /// For how many seconds a client is remembered after it logged in last.
    pub forget_seconds: u64,
    /// How many clients are remembered for one account. When another one comes, the one that was not seen for the
    /// longest is forgotten, with its token.
    pub per_account: usize,
}

/// `[host.auth]`: what a host says about logging in to it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct HostConfig {
    /// Whether PLAIN is offered to clients that use TLS.
    pub plain: bool,
    /// Whether anybody may log in without an account (ANONYMOUS), under a name made up for the session.
    pub anonymous: bool,
    /// Whether clients that use TLS can log in with tokens that the server gave them, in one round trip (XEP-0484).
    pub fast: bool,
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
    /// A time that is no sensible one.
    #[error("auth.{0} must be from {1} to 315360000")]
    Seconds(&'static str, u64),
    /// A token that would never be replaced by the next one.
    #[error("auth.fast.rotation_seconds must be less than auth.fast.lifetime_seconds")]
    Rotation,
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
            fast: FastConfig::default(),
            clients: ClientsConfig::default(),
        }
    }
}

impl Default for FastConfig {
    fn default() -> Self {
        Self {
            lifetime_seconds: 30 * DAY,
            rotation_seconds: DAY,
        }
    }
}

impl Default for ClientsConfig {
    fn default() -> Self {
        Self {
            remember: true,
            forget_seconds: 90 * DAY,
            per_account: 32,
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
            ("clients.per_account", self.clients.per_account == 0),
        ];
        if let Some((name, _)) = at_least_one.iter().find(|(_, zero)| *zero) {
            return Err(ConfigError::Zero(name));
        }
        let times = [
            ("fast.lifetime_seconds", self.fast.lifetime_seconds, 60),
            ("fast.rotation_seconds", self.fast.rotation_seconds, 0),
            ("clients.forget_seconds", self.clients.forget_seconds, 60),
        ];
        let wrong = |(_, seconds, least): &&(&str, u64, u64)| !(*least..=YEARS).contains(seconds);
        if let Some((name, _, least)) = times.iter().find(wrong) {
            return Err(ConfigError::Seconds(name, *least));
        }
        if self.fast.rotation_seconds >= self.fast.lifetime_seconds {
            return Err(ConfigError::Rotation);
        }
        Ok(())
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
            fast: true,
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
        let fast = FastConfig {
            lifetime_seconds: 3600,
            rotation_seconds: 3600,
        };
        let config = Config {
            fast,
            ..Config::default()
        };
        assert_eq!(config.validate(), Err(ConfigError::Rotation));
        let clients = ClientsConfig {
            forget_seconds: 1,
            ..ClientsConfig::default()
        };
        let config = Config {
            clients,
            ..Config::default()
        };
        let refused = config.validate().unwrap_err();
        assert_eq!(
            refused.to_string(),
            "auth.clients.forget_seconds must be from 60 to 315360000"
        );
    }
}
