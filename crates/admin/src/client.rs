//! The client's end of the local socket. It blocks: it is for commands, not for the server.

use std::io::{self, BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::request::{Request, Response};

/// How long a server may take over one request; the longest is an import of many accounts.
const PATIENCE: Duration = Duration::from_secs(120);

/// A connection to a running server.
#[derive(Debug)]
pub struct Client {
    path: PathBuf,
    stream: BufReader<UnixStream>,
}

/// Why a server was not asked, or did not answer.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// The socket belongs to another user.
    #[error(
        "the administration socket {} is not for this user; run the command as the user that runs the server",
        .0.display()
    )]
    NotAllowed(PathBuf),
    /// The server has not answered in time.
    #[error(
        "the server behind {} does not answer; look into its log, and start it again if it hangs",
        .0.display()
    )]
    Silent(PathBuf),
    /// The server closed the connection: it stops, or has too many clients.
    #[error(
        "the server behind {} closed the connection without an answer; try again later",
        .0.display()
    )]
    Closed(PathBuf),
    /// The connection failed.
    #[error("the administration socket {} failed: {source}", path.display())]
    Io {
        /// The socket.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// The answer is not one that this version knows.
    #[error("the server's answer is not understood ({0}); use the same version of rookery")]
    NotUnderstood(#[from] serde_json::Error),
}

// === impl Client ===

impl Client {
    /// Connects to the server behind the socket `path`; `None` when there is none.
    pub fn connect(path: &Path) -> Result<Option<Self>, ClientError> {
        let failed = |error| ClientError::from_io(path, error);
        let stream = match UnixStream::connect(path) {
            Ok(stream) => stream,
            Err(error) => {
                return match error.kind() {
                    // No server is behind a path that cannot be one of a socket either.
                    io::ErrorKind::NotFound
                    | io::ErrorKind::NotADirectory
                    | io::ErrorKind::ConnectionRefused
                    | io::ErrorKind::InvalidInput => Ok(None),
                    _ => Err(failed(error)),
                };
            }
        };
        stream.set_read_timeout(Some(PATIENCE)).map_err(failed)?;
        stream.set_write_timeout(Some(PATIENCE)).map_err(failed)?;
        Ok(Some(Self {
            path: path.to_owned(),
            stream: BufReader::new(stream),
        }))
    }

    /// Asks the server.
    pub fn request(&mut self, request: &Request) -> Result<Response, ClientError> {
        let mut line = serde_json::to_vec(request)?;
        line.push(b'\n');
        let failed = |error| ClientError::from_io(&self.path, error);
        self.stream.get_mut().write_all(&line).map_err(failed)?;
        let mut answer = Vec::new();
        self.stream.read_until(b'\n', &mut answer).map_err(failed)?;
        if answer.is_empty() {
            return Err(ClientError::Closed(self.path.clone()));
        }
        Ok(serde_json::from_slice(&answer)?)
    }
}

// === impl ClientError ===

impl ClientError {
    fn from_io(path: &Path, source: io::Error) -> Self {
        let path = path.to_owned();
        match source.kind() {
            io::ErrorKind::PermissionDenied => Self::NotAllowed(path),
            io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => Self::Silent(path),
            io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset => Self::Closed(path),
            _ => Self::Io { path, source },
        }
    }
}
