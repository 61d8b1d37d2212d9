//! External components (XEP-0114): gateways, bots and push services that serve domains of their own beside
//! the hosts.
//!
//! A component connects to the [listener](listen), proves to know its secret, and from then on gets what is
//! addressed to its domain and sends on behalf of anybody there. The [`Components`] are the registry of
//! those that are configured: each has a bounded queue, from which its connection writes.
//!
//! * `stream`: a stream as a pure state machine, with `header` and `secret`;
//! * `queue`: what waits for a component, as a pure state machine; `components`: all of them;
//! * `listener`, `connection`: the shell.
//!
//! This crate knows neither accounts nor where stanzas go: it meets the homes at the ports
//! [`Domains`](rookery_delivery::Domains) and [`Inlet`].

mod components;
mod config;
mod connection;
mod edge;
mod header;
mod listener;
mod metrics;
mod queue;
mod secret;
mod stream;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use actix::ArbiterHandle;
use rookery_delivery::{Inlet, Load};
use rookery_lifecycle::{Clock, Drain, TaskScope};

pub use components::{Components, Credentials};
pub use config::{Component, ConfigError, Listener};
pub use rookery_lifecycle::ListenError;
pub use secret::Secret;

use edge::{Edge, Places};

/// How often is looked whether the components have left.
const LOOK: Duration = Duration::from_millis(10);

/// What the listener works with.
#[derive(Debug)]
pub struct Services {
    /// Where connections live.
    pub arbiters: Vec<ArbiterHandle>,
    /// The time.
    pub clock: Clock,
    /// Which components there are.
    pub components: Components,
    /// Where stanzas go.
    pub inlet: Arc<dyn Inlet>,
    /// Owns the listeners.
    pub scope: TaskScope,
    /// `[stream]`: limits and timeouts, the same as for clients.
    pub stream: rookery_stream::Config,
}

/// Where components can connect.
#[derive(Debug)]
pub struct Listening {
    /// The addresses.
    pub addresses: Vec<SocketAddr>,
    drain: Drain,
    edge: Arc<Edge>,
}

/// Listens for components, if there is any.
///
/// # Errors
/// The first address that cannot be listened on.
pub fn listen(config: &Listener, services: Services) -> Result<Listening, ListenError> {
    let (drain, signal) = Drain::new();
    let edge = Arc::new(Edge {
        arbiters: services.arbiters,
        clock: services.clock,
        components: services.components,
        drain: signal,
        inlet: services.inlet,
        in_flight: Load {
            stanzas: config.in_flight_stanzas,
            bytes: config.in_flight_bytes,
        },
        places: Places::new(config),
        scope: services.scope,
        stream: Arc::new(services.stream),
    });
    let none = edge.components.names().next().is_none();
    let addresses = if none { &[][..] } else { &config.address };
    Ok(Listening {
        addresses: listener::listen(addresses, &edge)?,
        drain,
        edge,
    })
}

// === impl Listening ===

impl Listening {
    /// Lets nobody in any more, ends the streams of all components with `system-shutdown`, and waits up to
    /// `patience` until they are gone.
    pub async fn stop(&self, patience: Duration) {
        self.drain.start();
        let gone = async {
            while self.edge.places.taken() > 0 {
                tokio::time::sleep(LOOK).await;
            }
        };
        if tokio::time::timeout(patience, gone).await.is_err() {
            let connections = self.edge.places.taken();
            tracing::info!(connections, "not waiting for the rest of the components");
        }
    }
}
