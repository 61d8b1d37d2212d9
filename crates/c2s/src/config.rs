//! `[listener.c2s]`, `[listener.c2s_tls]` and `[limits]`: where clients connect, and how many may.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use rookery_stream::StartTls;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// `[listener.c2s]`: clients that begin in plain text and secure the stream with STARTTLS.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct StartTlsListener {
    /// Addresses to listen on. An empty list turns the listener off.
    pub address: Vec<SocketAddr>,
    /// `required`: a client must secure the stream before anything else. `optional`: it may, and cannot
    /// send its password without. `off`: the stream is never secured here. The last two are refused on
    /// addresses that are not loopback, for tests and for a proxy on the same machine that ends TLS.
    pub starttls: StartTls,
}

/// `[listener.c2s_tls]`: clients that begin with TLS (XEP-0368).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct DirectTlsListener {
    /// Addresses to listen on. An empty list turns the listener off.
    pub address: Vec<SocketAddr>,
}

/// `[limits]`: how many connections there may be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// The most client connections at one time; more are closed as soon as they are accepted.
    pub connections: usize,
    /// The most connections from one IPv4 address or IPv6 /64 network that have not yet
    /// authenticated; more are closed as soon as they are accepted.
    pub unauthenticated_per_address: usize,
}

// === impl StartTlsListener ===

impl Default for StartTlsListener {
    fn default() -> Self {
        Self {
            address: vec![loopback(5222)],
            starttls: StartTls::Required,
        }
    }
}

// === impl DirectTlsListener ===

impl Default for DirectTlsListener {
    fn default() -> Self {
        Self {
            address: vec![loopback(5223)],
        }
    }
}

// === impl Limits ===

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 100_000,
            unauthenticated_per_address: 256,
        }
    }
}

fn loopback(port: u16) -> SocketAddr {
    SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), port)
}
