//! Accepts connections of components, and gives each to an arbiter.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use rookery_lifecycle::ScopeClosed;
use socket2::{Domain, Protocol, Socket, TcpKeepalive, Type};
use tokio::net::{TcpListener, TcpStream};

use crate::connection;
use crate::edge::Edge;

/// How many connections may wait to be accepted.
const BACKLOG: i32 = 64;
/// How long to wait after accepting failed.
const PAUSE: Duration = Duration::from_millis(100);
/// After how long the kernel asks a silent peer whether it is still there.
const KEEPALIVE: Duration = Duration::from_secs(60);

/// Why a listener could not be started.
#[derive(Debug, thiserror::Error)]
pub enum ListenError {
    /// The address is not to be had.
    #[error("cannot listen on {address}: {source}")]
    Bind {
        /// The address.
        address: SocketAddr,
        /// What the system says.
        source: io::Error,
    },
    /// The tasks cannot be started.
    #[error(transparent)]
    Scope(#[from] ScopeClosed),
}

/// Listens on `addresses` until connections are to end. Every address is bound, or none is used.
pub(crate) fn listen(
    addresses: &[SocketAddr],
    edge: &Arc<Edge>,
) -> Result<Vec<SocketAddr>, ListenError> {
    let _runtime = edge.scope.runtime().enter();
    let bound = addresses.iter().map(|address| {
        bind(*address).map_err(|source| ListenError::Bind {
            address: *address,
            source,
        })
    });
    let listeners = bound.collect::<Result<Vec<_>, _>>()?;
    let mut local = Vec::with_capacity(listeners.len());
    for listener in listeners {
        local.extend(listener.local_addr());
        let keeping = keep(listener, Arc::clone(edge));
        edge.scope.spawn("component-listener", keeping)?;
    }
    Ok(local)
}

fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    let domain = Domain::for_address(address);
    let socket = Socket::new(domain, Type::STREAM, Some(Protocol::TCP))?;
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    // Accepted sockets inherit both.
    socket.set_tcp_nodelay(true)?;
    socket.set_tcp_keepalive(&TcpKeepalive::new().with_time(KEEPALIVE))?;
    if address.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    TcpListener::from_std(socket.into())
}

/// Accepts connections until they are to end.
async fn keep(listener: TcpListener, edge: Arc<Edge>) {
    let (mut drain, next) = (edge.drain.clone(), AtomicUsize::new(0));
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = drain.draining() => return,
        };
        match accepted {
            Ok((socket, peer)) => {
                if let Err(error) = admit(socket, peer, &edge, &next) {
                    tracing::debug!(%peer, %error, "the connection broke while it was accepted");
                }
            }
            Err(error) => {
                tracing::error!(%error, "accepting connections of components failed");
                tokio::time::sleep(PAUSE).await;
            }
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
