//! Accepts connections and gives each to an arbiter.

use std::io::{self, Write as _};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures_util::FutureExt as _;
use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use rookery_lifecycle::{Accepting, DrainSignal, ListenError, TaskScope, accepted};
use rookery_stanza::{StreamCondition, StreamError};
use rookery_stream::{Effect, Input, Negotiation, Security, StartTls};
use rookery_telemetry::Label as _;
use tokio::net::{TcpListener, TcpStream};

use crate::admission::Place;
use crate::config::ProxyProtocol;
use crate::connection::{self, Accepted};
use crate::edge::Edge;
use crate::metrics::{Listener, Rejection};
use crate::proxied::{self, Heard};
use crate::turnstile::Turn;

const ACCEPTING: Accepting = Accepting {
    backlog: 4096,
    keepalive: Duration::from_secs(120),
};
/// How many connections of proxies may be waited for to say whom they are from.
const UNHEARD: usize = 4096;
/// One address that clients come in by.
struct Door {
    kind: Listener,
    proxies: ProxyProtocol,
    edge: Arc<Edge>,
    /// The number of the connection that comes next.
    next: AtomicUsize,
}

/// Listens on `addresses` until the drain begins. Every address is bound, or none is used.
pub(crate) fn listen(
    kind: Listener,
    addresses: &[SocketAddr],
    proxies: &ProxyProtocol,
    edge: &Arc<Edge>,
    scope: &TaskScope,
    drain: &DrainSignal,
) -> Result<Vec<SocketAddr>, ListenError> {
    let _runtime = scope.runtime().enter();
    let listeners = ACCEPTING.bind(addresses)?;
    let mut local = Vec::with_capacity(listeners.len());
    for listener in listeners {
        let address = listener.local_addr();
        local.extend(address);
        let door = Door {
            kind,
            proxies: proxies.clone(),
            edge: Arc::clone(edge),
            next: AtomicUsize::new(0),
        };
        scope.spawn("listener", door.keep(listener, drain.clone()))?;
    }
    edge.metrics.up.of(kind).set(i64::from(!local.is_empty()));
    Ok(local)
}

// === impl Door ===

impl Door {
    /// Accepts connections until the drain begins.
    async fn keep(self, listener: TcpListener, mut drain: DrainSignal) {
        let mut unheard = FuturesUnordered::new();
        loop {
            let outcome = tokio::select! {
                outcome = listener.accept() => outcome,
                Some((heard, turn)) = unheard.next() => {
                    self.heard(heard, turn);
                    continue;
                }
                () = drain.draining() => break,
            };
            let turn = tokio::select! {
                turn = self.edge.turnstile.enter() => turn,
                () = drain.draining() => break,
            };
            match accepted(outcome, self.kind.value()).await {
                Some((socket, peer)) if !self.proxies.trusts(peer) => {
                    self.admit(socket, peer, turn);
                }
                Some((socket, proxy)) if unheard.len() < UNHEARD => {
                    let hearing = proxied::hear(socket, proxy, self.proxies.header);
                    unheard.push(hearing.map(|heard| (heard, turn)));
                }
                Some(_) => self.reject(Rejection::ProxyHeader),
                None => {}
            }
        }
        self.edge.metrics.up.of(self.kind).set(0);
    }

    /// A proxy has said whom it speaks for, or has not.
    fn heard(&self, Heard { proxy, outcome }: Heard, turn: Turn) {
        match outcome {
            Ok((socket, client)) => self.admit(socket, client, turn),
            Err(error) => {
                tracing::warn!(%proxy, %error, "a proxy does not say whom it speaks for");
                self.reject(Rejection::ProxyHeader);
            }
        }
    }

    fn admit(&self, socket: TcpStream, peer: SocketAddr, turn: Turn) {
        let now = self.edge.clock.now();
        let admitted = self.edge.admission.admit(peer.ip(), turn, now);
        let handed_over = match admitted {
            Ok(place) => {
                self.edge.metrics.accepted.of(self.kind).increment();
                self.hand_over(socket, peer, place)
            }
            Err(reason) => {
                self.reject(reason);
                self.turn_away(socket)
            }
        };
        if let Err(error) = handed_over {
            tracing::debug!(%peer, %error, "the connection broke while it was accepted");
        }
    }

    fn reject(&self, reason: Rejection) {
        self.edge.metrics.rejected.of(self.kind, reason).increment();
    }

    /// Tells a client that there is no place (RFC 6120 §4.9.3.17), as far as that can be said at once and
    /// without TLS.
    fn turn_away(&self, socket: TcpStream) -> io::Result<()> {
        if self.kind != Listener::C2s {
            return Ok(());
        }
        let (config, service) = (
            Arc::clone(&self.edge.stream),
            Arc::clone(&self.edge.service),
        );
        let (security, now) = (Security::StartTls(StartTls::Off), self.edge.clock.now());
        let mut negotiation = Negotiation::new(config, service, security, now.into_std());
        let (mut effects, mut last_words) = (Vec::new(), Vec::new());
        let error = StreamError::new(StreamCondition::ResourceConstraint);
        negotiation.handle(Input::Shutdown(error), now.into_std(), &mut effects);
        for effect in effects {
            if let Effect::Send(bytes) = effect {
                last_words.extend_from_slice(&bytes);
            }
        }
        // It is the first that is written to the socket: all of it fits.
        socket.into_std()?.write_all(&last_words)
    }

    /// Gives the socket to the next arbiter in turn; the connection moves on to the home of its account
    /// when it has authenticated.
    fn hand_over(&self, socket: TcpStream, peer: SocketAddr, place: Place) -> io::Result<()> {
        let socket = socket.into_std()?;
        let arbiters = &self.edge.arbiters;
        let arbiter = self.next.fetch_add(1, Ordering::Relaxed) % arbiters.len().max(1);
        let accepted = Accepted {
            listener: self.kind,
            socket,
            peer,
            place,
        };
        let for_connection = Arc::clone(&self.edge);
        let Some(target) = arbiters.get(arbiter) else {
            return Ok(());
        };
        if !target.spawn_fn(move || connection::accept(accepted, for_connection, arbiter)) {
            return Err(io::Error::other("the arbiter has ended"));
        }
        Ok(())
    }
}
