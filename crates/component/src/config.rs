//! `[listener.component]` and `[[component]]`: where components connect, and which there are.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// `[listener.component]`: external components (XEP-0114): gateways, bots, push services. It listens as
/// soon as there is a `[[component]]`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Listener {
    /// Addresses to listen on. An empty list turns the listener off.
    pub address: Vec<SocketAddr>,
    /// Whether it may listen on addresses that other machines can reach. What is said to components is not
    /// encrypted: the network between must be trusted as the machine itself is.
    pub allow_remote: bool,
    /// The most connections at one time; more are closed as soon as they are accepted.
    pub connections: usize,
    /// The most connections that one address may open in a minute; more are closed as soon as they are
    /// accepted, so that nobody tries secrets for long. 0 turns this off.
    pub connections_per_address_and_minute: u32,
    /// The most stanzas that wait for one component. A further one is answered with
    /// `remote-server-timeout`.
    pub queue_stanzas: usize,
    /// The most bytes of stanzas that wait for one component. A stanza that would exceed this is answered
    /// as one that exceeds `queue_stanzas` is.
    pub queue_bytes: usize,
    /// The most stanzas of one component that are under way inside of the server. While there are as many,
    /// the component is not read from.
    pub in_flight_stanzas: usize,
    /// The most bytes of stanzas of one component that are under way inside of the server. While there are
    /// as many, the component is not read from.
    pub in_flight_bytes: usize,
}

/// `[[component]]`: a domain that an external component serves. More components are more tables.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Component {
    /// The domain, such as `irc.example.org`. It cannot be that of a host.
    pub name: String,
    /// What the component proves to know, at least 8 characters. Never shown.
    pub secret: String,
    /// A file that holds the secret, in place of `secret`; white space around it does not count.
    pub secret_file: Option<PathBuf>,
}

/// A value that is not allowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("listener.component.{0} must be at least 1")]
pub struct ConfigError(&'static str);

// === impl Listener ===

impl Listener {
    /// Checks what types cannot.
    ///
    /// # Errors
    /// The first value that leaves no room for anything.
    pub fn validate(&self) -> Result<(), ConfigError> {
        let limits = [
            ("connections", self.connections),
            ("queue_stanzas", self.queue_stanzas),
            ("queue_bytes", self.queue_bytes),
            ("in_flight_stanzas", self.in_flight_stanzas),
            ("in_flight_bytes", self.in_flight_bytes),
        ];
        let none = limits.iter().find(|(_, limit)| *limit == 0);
        none.map_or(Ok(()), |(key, _)| Err(ConfigError(key)))
    }
}

impl Default for Listener {
    fn default() -> Self {
        Self {
            address: vec![SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 5347)],
            allow_remote: false,
            connections: 64,
            connections_per_address_and_minute: 60,
            queue_stanzas: 10_000,
            queue_bytes: 8 * 1024 * 1024,
            in_flight_stanzas: 1_000,
            in_flight_bytes: 1024 * 1024,
        }
    }
}

// === impl Component ===

impl fmt::Debug for Component {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Component")
            .field("name", &self.name)
            .field("secret_file", &self.secret_file)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_of_nothing_is_named() {
        let limits = Listener {
            queue_bytes: 0,
            ..Listener::default()
        };
        assert_eq!(
            limits.validate().unwrap_err().to_string(),
            "listener.component.queue_bytes must be at least 1"
        );
        assert_eq!(Listener::default().validate(), Ok(()));
    }

    #[test]
    fn a_secret_is_not_shown() {
        let component = Component {
            secret: "hush".to_owned(),
            ..Component::default()
        };
        assert!(!format!("{component:?}").contains("hush"));
    }
}
