//! The edge towards clients: listeners and connections over TCP and TLS.
//!
//! A listener accepts a socket and gives it to an arbiter, where a connection actor owns it. The stream on
//! it is negotiated by `rookery-stream`, secured by `rookery-tls`, logged in by `rookery-auth`, and bound
//! to a session of `rookery-session`; this crate moves bytes between them.
//!
//! It does not know how stanzas are routed, or what they mean.

mod address_range;
mod admission;
mod config;
mod connection;
mod edge;
mod facts;
mod listener;
mod metrics;
mod newcomers;
mod outgoing;
mod pace;
mod proxied;
mod proxy_protocol;
mod security;
mod service;
mod stream_errors;
mod transport;
mod turnstile;

use std::net::SocketAddr;
use std::sync::Arc;

use actix::ArbiterHandle;
use rookery_auth::Authenticator;
use rookery_delivery::Homes;
use rookery_extension::{Features, Hosts};
use rookery_lifecycle::{Clock, DrainSignal, TaskScope};
use rookery_telemetry::Registry;
use rookery_tls::CertificateStore;

use admission::Admission;
use newcomers::Newcomers;
use service::ClientService;
use turnstile::Turnstile;

pub use address_range::{AddressRange, AddressRangeError};
pub use config::{DirectTlsListener, Limits, ProxyHeader, ProxyProtocol, StartTlsListener};
pub use metrics::{CloseReason, Listener, Metrics, Rejection};
pub use rookery_lifecycle::ListenError;

/// The application protocol of client streams over TLS (XEP-0368 §3).
const ALPN: &str = "xmpp-client";

/// How the edge is set up.
#[derive(Clone, Debug)]
pub struct Config {
    /// `[listener.c2s]`
    pub starttls: StartTlsListener,
    /// `[listener.c2s_tls]`
    pub direct: DirectTlsListener,
    /// `[limits]`
    pub limits: Limits,
    /// `[session]`
    pub session: rookery_session::Config,
    /// `[stream]`
    pub stream: rookery_stream::Config,
}

/// What the edge works with.
pub struct Services {
    /// The arbiters, in the order in which the homes count them.
    pub arbiters: Vec<ArbiterHandle>,
    /// Logs clients in.
    pub authenticator: Authenticator,
    /// The certificates.
    pub certificates: Arc<CertificateStore>,
    /// The time.
    pub clock: Clock,
    /// What is announced.
    pub features: Features,
    /// Where sessions are bound.
    pub homes: Arc<dyn Homes>,
    /// The hosts.
    pub hosts: Hosts,
    /// The host that speaks to clients which name none.
    pub default_host: String,
    /// Where metrics are registered.
    pub registry: Registry,
    /// Where connections are accepted.
    pub scope: TaskScope,
    /// When to accept no more, and to let go who has no session.
    pub drain: DrainSignal,
}

/// Where clients can connect, and how many are.
#[derive(Clone, Debug)]
pub struct Listening {
    /// With STARTTLS.
    pub starttls: Vec<SocketAddr>,
    /// With TLS from the start.
    pub direct: Vec<SocketAddr>,
    admission: Admission,
}

impl Listening {
    /// How many connections are open now.
    pub fn connections(&self) -> usize {
        self.admission.connections()
    }

    /// Whether to take no more connections and logins for want of memory, from now on.
    pub fn set_short_of_memory(&self, short: bool) {
        self.admission.set_short_of_memory(short);
    }
}

/// Listens for clients until the drain begins.
///
/// # Errors
/// The first address that cannot be listened on.
pub fn listen(config: Config, services: Services) -> Result<Listening, ListenError> {
    let Services {
        authenticator,
        hosts,
        features,
        default_host,
        scope,
        drain,
        ..
    } = services;
    let service = ClientService::new(hosts, default_host, features, authenticator.clone());
    let rates = pace::Rates::of(&config.limits);
    let admission = Admission::new(config.limits.clone());
    let metrics = Metrics::register(&services.registry);
    metrics
        .capacity
        .set(i64::try_from(config.limits.connections).unwrap_or(i64::MAX));
    let sessions = rookery_session::Surroundings::new(
        Arc::clone(&services.homes),
        config.session,
        services.clock.clone(),
        &services.registry,
    );
    let edge = Arc::new(edge::Edge {
        newcomers: Newcomers::new(&services.arbiters, &services.registry),
        arbiters: services.arbiters,
        admission: admission.clone(),
        turnstile: Turnstile::new(config.limits.logins_in_progress, &services.registry),
        authenticator,
        clock: services.clock,
        drain: drain.clone(),
        homes: services.homes,
        metrics,
        rates,
        service: Arc::new(service),
        session_metrics: Arc::clone(&sessions.metrics),
        sessions,
        stream: Arc::new(config.stream),
        policy: config.starttls.starttls,
        starttls: services.certificates.acceptor(&[]),
        direct: services.certificates.acceptor(&[ALPN]),
    });
    Ok(Listening {
        starttls: listener::listen(
            Listener::C2s,
            &config.starttls.address,
            &config.starttls.proxy_protocol,
            &edge,
            &scope,
            &drain,
        )?,
        direct: listener::listen(
            Listener::C2sTls,
            &config.direct.address,
            &config.direct.proxy_protocol,
            &edge,
            &scope,
            &drain,
        )?,
        admission,
    })
}
