//! Accepts connections of components, and gives each to an arbiter.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use rookery_lifecycle::{Accepting, ListenError, accepted};
use tokio::net::{TcpListener, TcpStream};

use crate::connection;
use crate::edge::Edge;

const ACCEPTING: Accepting = Accepting {
    backlog: 64,
    keepalive: Duration::from_secs(60),
};

/// Listens on `addresses` until connections are to end. Every address is bound, or none is used.
pub(crate) fn listen(
    addresses: &[SocketAddr],
    edge: &Arc<Edge>,
) -> Result<Vec<SocketAddr>, ListenError> {
    let _runtime = edge.scope.runtime().enter();
    let listeners = ACCEPTING.bind(addresses)?;
    let mut local = Vec::with_capacity(listeners.len());
    for listener in listeners {
        local.extend(listener.local_addr());
        let keeping = keep(listener, Arc::clone(edge));
        edge.scope.spawn("component-listener", keeping)?;
    }
    Ok(local)
}

/// Accepts connections until they are to end.
async fn keep(listener: TcpListener, edge: Arc<Edge>) {
    let (mut drain, next) = (edge.drain.clone(), AtomicUsize::new(0));
    loop {
        let outcome = tokio::select! {
            outcome = listener.accept() => outcome,
            () = drain.draining() => return,
        };
        let Some((socket, peer)) = accepted(outcome, "component").await else {
            continue;
        };
        if let Err(error) = admit(socket, peer, &edge, &next) {
            tracing::debug!(%peer, %error, "the connection broke while it was accepted");
        }
    }
}

fn admit(
    socket: TcpStream,
    peer: SocketAddr,
    edge: &Arc<Edge>,
    next: &AtomicUsize,
) -> io::Result<()> {
    let place = match edge.admit(peer.ip()) {
        Ok(place) => place,
        Err(reason) => {
            edge.components.metrics().attempts.of(reason).increment();
            tracing::warn!(%peer, ?reason, "a connection of a component was not accepted");
            return Ok(());
        }
    };
    let socket = socket.into_std()?;
    let arbiter = next.fetch_add(1, Ordering::Relaxed) % edge.arbiters.len().max(1);
    let (Some(arbiter), edge) = (edge.arbiters.get(arbiter), Arc::clone(edge)) else {
        return Ok(());
    };
    if !arbiter.spawn_fn(move || connection::accept(socket, peer, place, edge)) {
        return Err(io::Error::other("the arbiter has ended"));
    }
    Ok(())
}
