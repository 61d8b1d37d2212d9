//! `[listener.c2s]`, `[listener.c2s_tls]` and `[limits]`: where clients connect, and how many may.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use rookery_lifecycle::Rate;
use rookery_stream::StartTls;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::address_range::AddressRange;

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
    /// The proxies in front.
    pub proxy_protocol: ProxyProtocol,
}

/// `[listener.c2s_tls]`: clients that begin with TLS (XEP-0368).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct DirectTlsListener {
    /// Addresses to listen on. An empty list turns the listener off.
    pub address: Vec<SocketAddr>,
    /// The proxies in front.
    pub proxy_protocol: ProxyProtocol,
}

/// `proxy_protocol`: load balancers that pass connections on, and say with the PROXY protocol (version 1
/// or 2) from whom they are. Limits, logs and bans then concern the client and not the load balancer.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ProxyProtocol {
    /// The addresses of the proxies, such as `10.0.0.0/8` or `2001:db8::7`: whoever connects from there
    /// is believed. From anywhere else a header is what it looks like, garbage.
    #[schemars(with = "Vec<String>")]
    pub trusted: Vec<AddressRange>,
    /// `required`: connections from there must begin with a header. `optional`: they may, which is for
    /// the time while a proxy is being set up.
    pub header: ProxyHeader,
}

/// Whether a trusted proxy must say whom it speaks for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum ProxyHeader {
    /// It must.
    #[default]
    Required,
    /// It may; without a header the connection is its own.
    Optional,
}

/// `[limits]`: how much there may be, on this node, from one address, on one connection. An address is an
/// IPv4 address or an IPv6 /64 network.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// The most client connections at one time; more are closed as soon as they are accepted.
    pub connections: usize,
    /// The most connections at one time that have not authenticated yet, at least 16; more wait to be
    /// accepted, so that in a storm of logins each is served in its turn.
    pub logins_in_progress: usize,
    /// The most bytes of memory that the server may occupy before it takes no more connections and
    /// logins, and tells clients `resource-constraint`; who is logged in stays. 0 means nine tenths of what
    /// the machine has, or its control group may have.
    pub memory_bytes: u64,
    /// The most client connections from one address at one time; more are closed as soon as they are
    /// accepted.
    pub connections_per_address: usize,
    /// The most connections from one IPv4 address or IPv6 /64 network that have not yet
    /// authenticated; more are closed as soon as they are accepted.
    pub unauthenticated_per_address: usize,
    /// The most connections that one address may open in a minute; more are closed as soon as they are
    /// accepted. 0 turns this off: behind one address there may be a proxy or a whole company.
    pub new_connections_per_address_and_minute: u32,
    /// How many bytes a second are read from one client in the long run. What one client sends faster is
    /// left in the network, which slows the client; two seconds' worth may come at once. 0 turns this off.
    pub bytes_per_second: u32,
    /// How many stanzas a second are read from one client in the long run, in the same way.
    pub stanzas_per_second: u32,
}

// === impl StartTlsListener ===

impl Default for StartTlsListener {
    fn default() -> Self {
        Self {
            address: vec![loopback(5222)],
            starttls: StartTls::Required,
            proxy_protocol: ProxyProtocol::default(),
        }
    }
}

// === impl DirectTlsListener ===

impl Default for DirectTlsListener {
    fn default() -> Self {
        Self {
            address: vec![loopback(5223)],
            proxy_protocol: ProxyProtocol::default(),
        }
    }
}

// === impl Limits ===

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 100_000,
            logins_in_progress: 4096,
            memory_bytes: 0,
            connections_per_address: 20_000,
            unauthenticated_per_address: 256,
            new_connections_per_address_and_minute: 0,
            bytes_per_second: 4 * 1024 * 1024,
            stanzas_per_second: 10_000,
        }
    }
}

impl Limits {
    pub(crate) fn bytes(&self) -> Option<Rate> {
        Rate::new(
            self.bytes_per_second,
            self.bytes_per_second.saturating_mul(2),
        )
    }

    pub(crate) fn stanzas(&self) -> Option<Rate> {
        Rate::new(
            self.stanzas_per_second,
            self.stanzas_per_second.saturating_mul(2),
        )
    }
}

fn loopback(port: u16) -> SocketAddr {
    SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), port)
}
