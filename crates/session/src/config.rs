//! `[session]`: how much may wait for, and how much may be in flight from, one client, and for how long a session
//! outlives its connection.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::client_state;
use crate::stream_management::Limits;

/// No timeout is longer than a day, in seconds.
const LONGEST: u32 = 86_400;

/// `[session]`: bounds on one client's session.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// The most bytes that wait for a client which reads too slowly, or does not acknowledge (XEP-0198). A
    /// client that lets more pile up is disconnected with `policy-violation`; messages that it did not get go to
    /// its other sessions or are kept for later.
    pub max_outgoing_bytes: usize,
    /// The most stanzas of one client that are on their way inside the server. While there are as many,
    /// nothing more is read from the client.
    pub max_in_flight_stanzas: usize,
    /// The most bytes of stanzas of one client that are on their way inside the server. While there are as
    /// many, nothing more is read from the client.
    pub max_in_flight_bytes: usize,
    /// How long a session waits for a client that has lost its connection and asked to be able to resume its
    /// stream (XEP-0198), in seconds, up to a day; a client may ask for less. What arrives in the meantime waits
    /// for it, within the limits of this section. 0 turns resumption off.
    pub resume_timeout_seconds: u32,
    /// The most stanzas that a client may leave unacknowledged (XEP-0198). With more its session ends as if
    /// it read too slowly.
    pub max_unacknowledged_stanzas: usize,
    /// How long a client may take to answer when it is asked what it has received (XEP-0198), in seconds. A
    /// client that is silent for longer has lost its connection.
    pub acknowledge_timeout_seconds: u32,
    /// The most sessions of this node that wait at one time for clients that have lost their connections. A
    /// further one ends with its connection.
    pub max_detached: usize,
    /// The most bytes that wait at one time for all of these clients. A session that needs more ends.
    pub max_detached_bytes: usize,
    /// The most sessions of one account that wait at one time. A further one ends the one that has waited for
    /// the longest.
    pub max_detached_per_account: usize,
    /// What waits for clients that nobody looks at.
    pub client_state: client_state::Config,
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
        Self {
            max_outgoing_bytes: 4 * 1024 * 1024,
            max_in_flight_stanzas: 512,
            max_in_flight_bytes: 4 * 1024 * 1024,
            resume_timeout_seconds: 600,
            max_unacknowledged_stanzas: 10_000,
            acknowledge_timeout_seconds: 60,
            max_detached: 100_000,
            max_detached_bytes: 512 * 1024 * 1024,
            max_detached_per_account: 10,
            client_state: client_state::Config::default(),
        }
    }
}

impl Config {
    /// Checks what types cannot.
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
        check(
            self.resume_timeout_seconds <= LONGEST,
            "resume_timeout_seconds",
            "0 to 86400",
        )?;
        check(
            (1..=LONGEST).contains(&self.acknowledge_timeout_seconds),
            "acknowledge_timeout_seconds",
            "1 to 86400",
        )?;
        check(
            self.max_unacknowledged_stanzas >= 100,
            "max_unacknowledged_stanzas",
            "at least 100",
        )?;
        check(
            self.max_detached_per_account >= 1,
            "max_detached_per_account",
            "at least 1",
        )
    }

    /// With bounds that keep to each other: what waits for an inactive client is unread as well, so that no more than
    /// half of what may be unread waits for it.
    pub(crate) fn in_proportion(mut self) -> Self {
        let most = self.max_outgoing_bytes / 2;
        self.client_state.max_bytes = self.client_state.max_bytes.min(most);
        self
    }

    /// For how many seconds a stream can be resumed, if at all.
    pub(crate) fn resumption(&self) -> Option<u32> {
        (self.resume_timeout_seconds > 0).then_some(self.resume_timeout_seconds)
    }

    /// What stream management keeps to.
    pub(crate) fn limits(&self) -> Limits {
        Limits {
            stanzas: self.max_unacknowledged_stanzas,
            bytes: self.max_outgoing_bytes,
            answer_within: Duration::from_secs(self.acknowledge_timeout_seconds.into()),
            ..Limits::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_out_of_bounds_are_named() {
        assert_eq!(Config::default().validate(), Ok(()));
        let config = Config {
            resume_timeout_seconds: LONGEST + 1,
            ..Config::default()
        };
        let error = config.validate().unwrap_err().to_string();
        assert_eq!(error, "resume_timeout_seconds must be 0 to 86400");
    }

    #[test]
    fn what_waits_for_an_inactive_client_is_at_most_half_of_what_may_be_unread() {
        let with = |max_outgoing_bytes| {
            let config = Config {
                max_outgoing_bytes,
                ..Config::default()
            };
            assert_eq!(config.validate(), Ok(()));
            config.in_proportion().client_state.max_bytes
        };
        let usual = client_state::Config::default().max_bytes;
        assert_eq!([with(4 * 1024 * 1024), with(100_000)], [usual, 50_000]);
    }
}
