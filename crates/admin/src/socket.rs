//! The local socket: a request a line, an answer a line, for the server's own user.

use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rookery_lifecycle::{DrainSignal, ScopeClosed, TaskScope};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{UnixListener, UnixStream};
use tokio::time::timeout;

use crate::operations::Operations;
use crate::request::{Request, Response};

/// The longest request, in bytes: the most accounts with passwords of the greatest length fit.
const LONGEST_REQUEST: u64 = 4 << 20;
/// How long a client may think, and how long it may take to read its answer.
const PATIENCE: Duration = Duration::from_secs(60);
/// How long to wait after accepting failed.
const PAUSE: Duration = Duration::from_millis(100);
/// What a path of a socket can hold on Linux.
const LONGEST_PATH: usize = 107;

/// Why the socket could not be made.
#[derive(Debug, thiserror::Error)]
pub enum SocketError {
    /// The path is too long for a socket.
    #[error(
        "the path of the administration socket {} is longer than {LONGEST_PATH} bytes; set admin.socket to a shorter one",
        .0.display()
    )]
    TooLong(PathBuf),
    /// The system refused.
    #[error("cannot make the administration socket {}: {source}", path.display())]
    Io {
        /// The socket.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// The task cannot be started.
    #[error(transparent)]
    Scope(#[from] ScopeClosed),
}

/// Listens on `path` until the drain begins. A socket that an earlier process left there is replaced, so
/// the caller makes sure that no other server runs: whoever holds the store does.
///
/// Each connection is a task of the scope, whose limit is also the limit of connections.
pub fn listen(
    path: &Path,
    operations: Operations,
    scope: &TaskScope,
    drain: DrainSignal,
) -> Result<(), SocketError> {
    if path.as_os_str().len() > LONGEST_PATH {
        return Err(SocketError::TooLong(path.to_owned()));
    }
    let failed = |source| SocketError::Io {
        path: path.to_owned(),
        source,
    };
    match fs::remove_file(path) {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(failed(error)),
    }
    let _runtime = scope.runtime().enter();
    let listener = UnixListener::bind(path).map_err(failed)?;
    fs::set_permissions(path, Permissions::from_mode(0o600)).map_err(failed)?;
    let owner = fs::metadata(path).map_err(failed)?.uid();
    let door = Door {
        path: path.to_owned(),
        owner,
        operations,
        scope: scope.clone(),
    };
    scope.spawn("admin_socket", door.accept(listener, drain))?;
    Ok(())
}

/// What the accepting task knows.
struct Door {
    path: PathBuf,
    owner: u32,
    operations: Operations,
    scope: TaskScope,
}

// === impl Door ===

impl Door {
    async fn accept(self, listener: UnixListener, mut drain: DrainSignal) {
        let accept = async {
            loop {
                match listener.accept().await {
                    Ok((stream, _)) => self.admit(stream),
                    Err(error) => pause(&error).await,
                }
            }
        };
        tokio::select! {
            () = accept => {}
            () = drain.draining() => {}
        }
        if let Err(error) = fs::remove_file(&self.path) {
            tracing::debug!(%error, "the administration socket was gone");
        }
    }

    fn admit(&self, stream: UnixStream) {
        let peer = stream.peer_cred().map(|peer| peer.uid());
        if !peer
            .as_ref()
            .is_ok_and(|uid| *uid == self.owner || *uid == 0)
        {
            tracing::warn!(
                ?peer,
                "another user was turned away from the administration socket"
            );
            return;
        }
        let operations = self.operations.clone();
        let serve = async move {
            if let Err(error) = converse(stream, &operations).await {
                tracing::debug!(%error, "an administration client left");
            }
        };
        if let Err(error) = self.scope.spawn("admin_client", serve) {
            tracing::warn!(%error, "too many administration clients");
        }
    }
}

/// Accepting failed, for want of file descriptors perhaps: that passes.
async fn pause(error: &io::Error) {
    tracing::error!(%error, "the administration socket accepts nothing");
    tokio::time::sleep(PAUSE).await;
}

/// Answers requests until the client leaves.
async fn converse(stream: UnixStream, operations: &Operations) -> io::Result<()> {
    let mut stream = BufReader::new(stream);
    let mut line = Vec::new();
    loop {
        line.clear();
        let mut limited = (&mut stream).take(LONGEST_REQUEST);
        timeout(PATIENCE, limited.read_until(b'\n', &mut line)).await??;
        if line.is_empty() {
            return Ok(());
        }
        // The end of the line is missing: it is too long, or the client is gone.
        let complete = line.ends_with(b"\n");
        let request = serde_json::from_slice(&line);
        let response = match request {
            Ok(request) if complete => perform(operations, request).await,
            Ok(_) => not_understood("the line does not end"),
            Err(error) => not_understood(&error.to_string()),
        };
        let mut answer = serde_json::to_vec(&response)?;
        answer.push(b'\n');
        timeout(PATIENCE, stream.get_mut().write_all(&answer)).await??;
        if !complete {
            return Ok(());
        }
    }
}

async fn perform(operations: &Operations, request: Request) -> Response {
    // On the heap: the future of an import is large, and rare.
    Box::pin(operations.perform(request)).await
}

fn not_understood(why: &str) -> Response {
    let reason = format!("the request is not understood ({why}); use the same version of rookery");
    Response::Refused { reason }
}
