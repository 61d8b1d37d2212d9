//! Accepts connections and gives each to an arbiter.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use rookery_lifecycle::{DrainSignal, ScopeClosed, TaskScope};
use socket2::{Domain, Protocol, SockRef, Socket, TcpKeepalive, Type};
use tokio::net::{TcpListener, TcpStream};

use crate::admission::Place;
use crate::connection::{self, Accepted};
use crate::edge::Edge;
use crate::metrics::Listener;

/// How many connections may wait to be accepted.
const BACKLOG: i32 = 4096;
/// How long to wait after accepting failed for want of file descriptors or memory.
const PAUSE: Duration = Duration::from_millis(100);
/// After how long the kernel asks a silent peer whether it is still there.
const KEEPALIVE: Duration = Duration::from_secs(120);

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

/// Listens on `addresses` until the drain begins. Every address is bound, or none is used.
pub(crate) fn listen(
    kind: Listener,
    addresses: &[SocketAddr],
    edge: &Arc<Edge>,
    scope: &TaskScope,
    drain: &DrainSignal,
) -> Result<Vec<SocketAddr>, ListenError> {
    let _runtime = scope.runtime().enter();
    let bound = addresses.iter().map(|address| {
        bind(*address).map_err(|source| ListenError::Bind {
            address: *address,
            source,
        })
    });
    let listeners = bound.collect::<Result<Vec<_>, _>>()?;
    let mut local = Vec::with_capacity(listeners.len());
    for listener in listeners {
        let address = listener.local_addr();
        local.extend(address);
        let (edge, drain) = (Arc::clone(edge), drain.clone());
        scope.spawn("listener", accept(kind, listener, edge, drain))?;
    }
    edge.metrics.up.of(kind).set(i64::from(!local.is_empty()));
    Ok(local)
}

fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(
        Domain::for_address(address),
        Type::STREAM,
        Some(Protocol::TCP),
    )?;
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    if address.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    TcpListener::from_std(socket.into())
}

async fn accept(kind: Listener, listener: TcpListener, edge: Arc<Edge>, mut drain: DrainSignal) {
    let next = AtomicUsize::new(0);
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = drain.draining() => break,
        };
        match accepted {
            Ok((socket, peer)) => admit(kind, socket, peer, &edge, &next),
            Err(error) if is_of_one_connection(&error) => {}
            Err(error) => {
                tracing::error!(listener = ?kind, %error, "accepting connections failed");
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
    edge.metrics.up.of(kind).set(0);
}

fn admit(
    kind: Listener,
    socket: TcpStream,
    peer: SocketAddr,
    edge: &Arc<Edge>,
    next: &AtomicUsize,
) {
    let place = match edge.admission.admit(peer.ip()) {
        Ok(place) => place,
        Err(reason) => {
            edge.metrics.rejected.of(kind, reason).increment();
            return;
        }
    };
    edge.metrics.accepted.of(kind).increment();
    if let Err(error) = hand_over(kind, socket, peer, place, edge, next) {
        tracing::debug!(%peer, %error, "the connection broke while it was accepted");
    }
}

/// Gives the socket to the next arbiter in turn; the connection moves on to the home of its account when
/// it has authenticated.
fn hand_over(
    listener: Listener,
    socket: TcpStream,
    peer: SocketAddr,
    place: Place,
    edge: &Arc<Edge>,
    next: &AtomicUsize,
) -> io::Result<()> {
    let socket = socket.into_std()?;
    socket.set_nodelay(true)?;
    SockRef::from(&socket).set_tcp_keepalive(&TcpKeepalive::new().with_time(KEEPALIVE))?;
    let arbiter = next.fetch_add(1, Ordering::Relaxed) % edge.arbiters.len().max(1);
    let accepted = Accepted {
        listener,
        socket,
        peer,
        place,
    };
    let for_connection = Arc::clone(edge);
    let Some(target) = edge.arbiters.get(arbiter) else {
        return Ok(());
    };
    if !target.spawn_fn(move || connection::accept(accepted, for_connection, arbiter)) {
        return Err(io::Error::other("the arbiter has ended"));
    }
    Ok(())
}

/// Errors that concern the connection that was being accepted, not the listener.
fn is_of_one_connection(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::ConnectionRefused
            | io::ErrorKind::Interrupted
    )
}
