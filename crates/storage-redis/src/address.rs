//! Where a server is: `redis://host:port`, or `rediss://host:port` for TLS.

use std::fmt;

/// The port where none is named.
const PORT: u16 = 6379;

/// The address of a server.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Address {
    /// A name, or an IP address without brackets.
    pub host: String,
    /// The port.
    pub port: u16,
    /// Whether TLS is spoken there.
    pub tls: bool,
}

/// A text that is not an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    /// Neither scheme.
    #[error("must begin with redis:// or rediss://")]
    Scheme,
    /// A user or a password in it.
    #[error("must not have a user or a password in it; use user and password_file")]
    User,
    /// A path or a query.
    #[error("must end after the port; use database for its number")]
    Path,
    /// No name.
    #[error("must name a host")]
    Host,
    /// A port that is none.
    #[error("must have a port of 1 to 65535")]
    Port,
}

// === impl Address ===

impl Address {
    /// Reads an address.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(url: &str) -> Result<Self, AddressError> {
        let (tls, rest) = match (url.strip_prefix("redis://"), url.strip_prefix("rediss://")) {
            (Some(rest), _) => (false, rest),
            (_, Some(rest)) => (true, rest),
            _ => return Err(AddressError::Scheme),
        };
        if rest.contains('@') {
            return Err(AddressError::User);
        }
        let rest = rest.strip_suffix('/').unwrap_or(rest);
        if rest.contains(['/', '?', '#']) {
            return Err(AddressError::Path);
        }
        Self::of(rest, tls)
    }

    /// Reads `host:port`.
    pub(crate) fn of(text: &str, tls: bool) -> Result<Self, AddressError> {
        let (host, port) = match text.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
            Some((host, "")) => (host, None),
            Some((host, port)) => (
                host,
                Some(port.strip_prefix(':').ok_or(AddressError::Port)?),
            ),
            // An IPv6 address without brackets comes from servers, which always give a port.
            None => match text.rsplit_once(':') {
                Some((host, port)) => (host, Some(port)),
                None => (text, None),
            },
        };
        if host.is_empty() {
            return Err(AddressError::Host);
        }
        let port = match port.map(str::parse) {
            None => PORT,
            Some(Ok(0) | Err(_)) => return Err(AddressError::Port),
            Some(Ok(port)) => port,
        };
        Ok(Self {
            host: host.to_owned(),
            port,
            tls,
        })
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { host, port, .. } = self;
        if host.contains(':') {
            write!(f, "[{host}]:{port}")
        } else {
            write!(f, "{host}:{port}")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_with_and_without_a_port() {
        for (url, host, port, tls) in [
            ("redis://localhost", "localhost", 6379, false),
            (
                "rediss://redis.example.net:6380/",
                "redis.example.net",
                6380,
                true,
            ),
            ("redis://[::1]:7000", "::1", 7000, false),
            ("redis://[::1]", "::1", 6379, false),
        ] {
            let address = Address::parse(url).unwrap();
            assert_eq!(
                (address.host.as_str(), address.port, address.tls),
                (host, port, tls)
            );
        }
        assert_eq!(
            Address::parse("redis://[::1]:7000").unwrap().to_string(),
            "[::1]:7000"
        );
    }

    #[test]
    fn what_is_wrong_with_an_address_is_said() {
        for (url, error) in [
            ("localhost:6379", AddressError::Scheme),
            ("redis://user:secret@localhost", AddressError::User),
            ("redis://localhost/3", AddressError::Path),
            ("redis://localhost:0", AddressError::Port),
            ("redis://localhost:70000", AddressError::Port),
            ("redis://:6379", AddressError::Host),
            ("redis://", AddressError::Host),
        ] {
            assert_eq!(Address::parse(url), Err(error), "{url}");
        }
    }
}
