//! A connection's bytes: the socket, and TLS around it once the stream is secured.

use std::cell::RefCell;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::BytesMut;
use rookery_tls::{Acceptor, TlsError, TlsSession};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

/// How much one read takes at most.
const READ: usize = 64 * 1024;

thread_local! {
    // Lent to one read at a time, so that an idle connection keeps no buffer of its own.
    static SCRATCH: RefCell<Box<[u8]>> = RefCell::new(vec![0; READ].into_boxed_slice());
}

/// The socket of a connection, with its TLS session if it has one.
#[derive(Debug)]
pub(crate) struct Transport {
    socket: TcpStream,
    tls: Option<Box<TlsSession>>,
    // What the socket has yet to take, from `sent` on.
    wire: Vec<u8>,
    sent: usize,
}

/// A transport between two arbiters: its socket belongs to no event loop.
#[derive(Debug)]
pub(crate) struct Detached {
    socket: std::net::TcpStream,
    tls: Option<Box<TlsSession>>,
    wire: Vec<u8>,
    sent: usize,
}

/// Why the transport ended.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TransportError {
    /// The socket failed.
    #[error(transparent)]
    Socket(#[from] io::Error),
    /// TLS failed; an alert may be waiting to be flushed.
    #[error(transparent)]
    Tls(#[from] TlsError),
}

/// What a read came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Read {
    /// Something arrived.
    Some,
    /// The peer has closed its side.
    End,
}

// === impl Transport ===

impl Transport {
    pub(crate) fn new(socket: TcpStream) -> Self {
        Self {
            socket,
            tls: None,
            wire: Vec::new(),
            sent: 0,
        }
    }

    /// Secures the connection: from here on, everything is TLS.
    pub(crate) fn secure(&mut self, acceptor: &Acceptor) -> Result<(), TlsError> {
        self.tls = Some(Box::new(acceptor.session()?));
        Ok(())
    }

    pub(crate) fn is_handshaking(&self) -> bool {
        self.tls.as_ref().is_some_and(|tls| tls.is_handshaking())
    }

    pub(crate) fn awaits_key_exchange(&self) -> bool {
        let tls = self.tls.as_ref();
        tls.is_some_and(|tls| tls.awaits_key_exchange())
    }

    pub(crate) fn tls(&self) -> Option<&TlsSession> {
        self.tls.as_deref()
    }

    /// Ready when a read may find something.
    pub(crate) fn poll_readable(&self, cx: &mut Context<'_>) -> Poll<()> {
        // An error is what the read finds.
        self.socket.poll_read_ready(cx).map(drop)
    }

    /// Reads once, and appends what arrived, in plain text, to `plaintext`.
    pub(crate) fn poll_read(
        &mut self,
        cx: &mut Context<'_>,
        plaintext: &mut BytesMut,
    ) -> Poll<Result<Read, TransportError>> {
        SCRATCH.with_borrow_mut(|scratch| {
            let mut buffer = ReadBuf::new(scratch);
            std::task::ready!(Pin::new(&mut self.socket).poll_read(cx, &mut buffer))?;
            let arrived = buffer.filled();
            if arrived.is_empty() {
                return Poll::Ready(Ok(Read::End));
            }
            let Some(tls) = &mut self.tls else {
                plaintext.extend_from_slice(arrived);
                return Poll::Ready(Ok(Read::Some));
            };
            let received = tls.receive(arrived, plaintext);
            tls.take_urgent_output(&mut self.wire);
            received?;
            Poll::Ready(Ok(if tls.peer_closed() {
                Read::End
            } else {
                Read::Some
            }))
        })
    }

    /// Takes plain text to be sent. The caller sends no more than a little until
    /// [`poll_flush`](Self::poll_flush) is ready.
    pub(crate) fn send(&mut self, plaintext: &[u8]) -> Result<(), TlsError> {
        match &mut self.tls {
            None => self.wire.extend_from_slice(plaintext),
            Some(tls) => {
                tls.send(plaintext)?;
                tls.take_output(&mut self.wire);
            }
        }
        Ok(())
    }

    /// Writes until the socket has taken everything or takes no more.
    pub(crate) fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while let Some(rest @ [_, ..]) = self.wire.get(self.sent..) {
            let taken = std::task::ready!(Pin::new(&mut self.socket).poll_write(cx, rest))?;
            if taken == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.sent += taken;
        }
        // Nothing waits: an idle connection keeps no buffer.
        self.wire = Vec::new();
        self.sent = 0;
        Poll::Ready(Ok(()))
    }

    /// Says that nothing more will be sent: `close_notify`, if there is TLS.
    pub(crate) fn close(&mut self) {
        if let Some(tls) = &mut self.tls {
            tls.close();
            tls.take_output(&mut self.wire);
        }
    }

    /// Ends the writing side of the socket, after everything was flushed.
    pub(crate) fn poll_shutdown(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        std::task::ready!(self.poll_flush(cx))?;
        Pin::new(&mut self.socket).poll_shutdown(cx)
    }

    /// Takes the socket out of this arbiter's event loop.
    pub(crate) fn detach(self) -> io::Result<Detached> {
        let Self {
            socket,
            tls,
            wire,
            sent,
        } = self;
        Ok(Detached {
            socket: socket.into_std()?,
            tls,
            wire,
            sent,
        })
    }
}

// === impl Detached ===

impl Detached {
    /// Puts the socket into this arbiter's event loop.
    pub(crate) fn attach(self) -> io::Result<Transport> {
        let Self {
            socket,
            tls,
            wire,
            sent,
        } = self;
        Ok(Transport {
            socket: TcpStream::from_std(socket)?,
            tls,
            wire,
            sent,
        })
    }
}
