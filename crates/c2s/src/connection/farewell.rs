//! The end of a connection after its streams have ended (RFC 6120 §4.4): the last bytes, the end of TLS,
//! the end of the socket.
//!
//! Who closes the stream ends TLS first, and waits for the other side's `close_notify` before the socket is
//! closed. What the client still sends is read and left alone: a socket that is closed with something
//! unread is reset, and takes with it what the client has not read yet.

use std::task::{Context as TaskContext, Poll, ready};
use std::time::Duration;

use bytes::BytesMut;
use rookery_tls::TlsSession;
use tokio::time::Instant;

use super::Connection;
use crate::metrics::CloseReason;
use crate::transport::Read;

/// How long the last bytes may take.
const LAST_BYTES: Duration = Duration::from_secs(5);
/// How long a client that has closed its stream has to end the connection before the server does.
const COURTESY: Duration = Duration::from_millis(200);
/// How long a client may take to end its side when the server has ended its own.
const PATIENCE: Duration = Duration::from_secs(2);
/// How many reads one wake-up makes before others have their turn.
const READS: usize = 4;

/// How far a connection's end has come, and until when it may stay there.
#[derive(Debug, Default)]
pub(super) enum Farewell {
    /// It has not begun.
    #[default]
    None,
    /// The last bytes are written.
    Writing(Instant),
    /// The client, who closed the stream, is to end the connection.
    Yielding(Instant),
    /// The server has ended its side; the client's end is awaited.
    Ended(Instant),
}

// === impl Farewell ===

impl Farewell {
    /// Goes as far as it can; ready when the socket can be dropped.
    pub(super) fn poll(
        &mut self,
        connection: &mut Connection,
        reason: CloseReason,
        cx: &mut TaskContext<'_>,
    ) -> Poll<()> {
        self.deadline(connection);
        if let Self::Writing(_) = self {
            if !connection.outgoing.is_empty() {
                return Poll::Pending;
            }
            if ready!(connection.transport.poll_flush(cx)).is_err() {
                return Poll::Ready(());
            }
            if reason == CloseReason::Client {
                *self = Self::Yielding(connection.edge.clock.now() + COURTESY);
            } else {
                self.end(connection);
            }
        }
        if let Self::Yielding(_) = self
            && connection.poll_leave(cx).is_ready()
        {
            self.end(connection);
        }
        if let Self::Ended(_) = self {
            if ready!(connection.transport.poll_shutdown(cx)).is_err() {
                return Poll::Ready(());
            }
            return connection.poll_leave(cx);
        }
        Poll::Pending
    }

    /// When it goes on whatever the client does.
    pub(super) fn deadline(&mut self, connection: &Connection) -> Instant {
        match *self {
            Self::None => {
                let deadline = connection.edge.clock.now() + LAST_BYTES;
                *self = Self::Writing(deadline);
                deadline
            }
            Self::Writing(deadline) | Self::Yielding(deadline) | Self::Ended(deadline) => deadline,
        }
    }

    /// The deadline is over: whether there is nothing else to do but to drop the socket.
    pub(super) fn is_late(&self) -> bool {
        !matches!(self, Self::Yielding(_))
    }

    /// Ends the server's side.
    pub(super) fn end(&mut self, connection: &mut Connection) {
        connection.transport.close();
        *self = Self::Ended(connection.edge.clock.now() + PATIENCE);
    }
}

// === impl Connection ===

impl Connection {
    /// Reads what the client still sends and leaves it alone; ready when the client has ended its side.
    fn poll_leave(&mut self, cx: &mut TaskContext<'_>) -> Poll<()> {
        let mut ignored = BytesMut::new();
        for _ in 0..READS {
            if self.transport.tls().is_some_and(TlsSession::peer_closed) {
                return Poll::Ready(());
            }
            match ready!(self.transport.poll_read(cx, &mut ignored)) {
                Ok(Read::Some) => ignored.clear(),
                Ok(Read::End) | Err(_) => return Poll::Ready(()),
            }
        }
        cx.waker().wake_by_ref(); // There may be more; others first.
        Poll::Pending
    }
}
