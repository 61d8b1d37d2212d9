//! Connections through proxies: who they are from is read before anything else is done with them.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;

use crate::config::{ProxyHeader, ProxyProtocol};
use crate::proxy_protocol::{HeaderError, HeaderReader, Source};

/// How long a proxy may take: it sends the header at once, and at least 3 seconds cover that TCP has to send
/// it again (`proxy-protocol.txt` §2).
const PATIENCE: Duration = Duration::from_secs(5);
/// How much is looked at in one go.
const LOOK: usize = 512;

/// A connection whose header was read, or why it was not.
pub(crate) struct Heard {
    /// Whom the socket is connected with.
    pub(crate) proxy: SocketAddr,
    /// The socket, with nothing of the header in it any more, and the address of the client.
    pub(crate) outcome: Result<(TcpStream, SocketAddr), ProxyError>,
}

/// Why a proxy's connection was not accepted.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ProxyError {
    /// What it says is no header.
    #[error(transparent)]
    Header(#[from] HeaderError),
    /// The header did not come in time.
    #[error("the PROXY header did not come in time")]
    Late,
    /// The connection broke.
    #[error(transparent)]
    Socket(#[from] io::Error),
}

// === impl ProxyProtocol ===

impl ProxyProtocol {
    /// Whether a connection from this address may say that it is somebody else's.
    pub(crate) fn trusts(&self, peer: SocketAddr) -> bool {
        self.trusted.iter().any(|range| range.contains(peer.ip()))
    }
}

/// Finds out whom a trusted proxy speaks for.
pub(crate) async fn hear(mut socket: TcpStream, proxy: SocketAddr, header: ProxyHeader) -> Heard {
    let read = tokio::time::timeout(PATIENCE, read(&mut socket, header)).await;
    let outcome = match read {
        Ok(Ok(Source::Client(client))) => Ok((socket, client)),
        Ok(Ok(Source::Proxy)) => Ok((socket, proxy)),
        Ok(Err(error)) => Err(error),
        Err(_elapsed) => Err(ProxyError::Late),
    };
    Heard { proxy, outcome }
}

/// Reads the header and not a byte more: what follows is the client's.
async fn read(socket: &mut TcpStream, header: ProxyHeader) -> Result<Source, ProxyError> {
    let mut reader = HeaderReader::default();
    let mut buffer = [0; LOOK];
    let mut is_first = true;
    loop {
        let seen = socket.peek(&mut buffer).await?;
        let piece = buffer.get(..seen).unwrap_or_default();
        let Some(first) = piece.first() else {
            return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
        };
        let optional = is_first && header == ProxyHeader::Optional;
        if optional && !HeaderReader::can_begin_with(*first) {
            return Ok(Source::Proxy);
        }
        is_first = false;
        let taken = reader.read(piece)?;
        let piece = buffer.get_mut(..taken.bytes).unwrap_or_default();
        socket.read_exact(piece).await?;
        if let Some(source) = taken.source {
            return Ok(source);
        }
    }
}
