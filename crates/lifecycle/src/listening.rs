//! Sockets on which connections are accepted.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use socket2::{Domain, Protocol, Socket, TcpKeepalive, Type};
use tokio::net::{TcpListener, TcpStream};

use crate::scope::ScopeClosed;

/// How long to wait after accepting failed for want of file descriptors or memory.
const PAUSE: Duration = Duration::from_millis(100);

/// What the kernel does for a socket and for the connections that come in by it.
#[derive(Clone, Copy, Debug)]
pub struct Accepting {
    /// How many connections may wait to be accepted.
    pub backlog: i32,
    /// After how long a silent peer is asked whether it is still there.
    pub keepalive: Duration,
}

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

// === impl Accepting ===

impl Accepting {
    /// Listens on these addresses: every one is bound, or none is used. To be called where a runtime is entered.
    ///
    /// # Errors
    /// The first address that is not to be had.
    pub fn bind(&self, addresses: &[SocketAddr]) -> Result<Vec<TcpListener>, ListenError> {
        let bound = addresses.iter().map(|address| {
            self.bind_one(*address).map_err(|source| ListenError::Bind {
                address: *address,
                source,
            })
        });
        bound.collect()
    }

    fn bind_one(&self, address: SocketAddr) -> io::Result<TcpListener> {
        let domain = Domain::for_address(address);
        let socket = Socket::new(domain, Type::STREAM, Some(Protocol::TCP))?;
        socket.set_reuse_address(true)?;
        socket.set_nonblocking(true)?;
        // Accepted sockets inherit both: what is set once here is not set again for each of them.
        socket.set_tcp_nodelay(true)?;
        socket.set_tcp_keepalive(&TcpKeepalive::new().with_time(self.keepalive))?;
        if address.is_ipv6() {
            socket.set_only_v6(true)?;
        }
        socket.bind(&address.into())?;
        socket.listen(self.backlog)?;
        TcpListener::from_std(socket.into())
    }
}

/// What came of accepting, if that is a connection. Who failed while it was accepted is passed over; a failure of the
/// listener itself is logged with its `name`, and waited for a little.
pub async fn accepted(
    outcome: io::Result<(TcpStream, SocketAddr)>,
    name: &'static str,
) -> Option<(TcpStream, SocketAddr)> {
    let error = match outcome {
        Ok(connection) => return Some(connection),
        Err(error) if is_of_one_connection(&error) => return None,
        Err(error) => error,
    };
    tracing::error!(listener = name, %error, "accepting connections failed");
    tokio::time::sleep(PAUSE).await;
    None
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

#[cfg(test)]
mod tests {
    use super::*;

    const ACCEPTING: Accepting = Accepting {
        backlog: 16,
        keepalive: Duration::from_secs(60),
    };

    #[tokio::test]
    async fn an_address_that_is_taken_is_named_and_no_other_is_used() {
        let free: SocketAddr = "127.0.0.1:0".parse().unwrap();
        let taken = ACCEPTING.bind(&[free]).unwrap();
        let taken_address = taken[0].local_addr().unwrap();
        let refused = ACCEPTING.bind(&[free, taken_address]).unwrap_err();
        let expected = format!("cannot listen on {taken_address}: ");
        assert!(refused.to_string().starts_with(&expected), "{refused}");
    }

    #[tokio::test(start_paused = true)]
    async fn only_a_listener_that_fails_is_waited_for() {
        let begin = tokio::time::Instant::now();
        let failed = |kind: io::ErrorKind| accepted(Err(kind.into()), "test");
        assert!(failed(io::ErrorKind::ConnectionAborted).await.is_none());
        assert_eq!(begin.elapsed(), Duration::ZERO);
        assert!(failed(io::ErrorKind::OutOfMemory).await.is_none());
        assert_eq!(begin.elapsed(), PAUSE);
    }
}
