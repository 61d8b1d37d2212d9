//! Why a node did not start or did not end well, in words for whoever runs it.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;

use rookery_admin::SocketError;
use rookery_auth::AccountError;
use rookery_extension::RegistryError;
use rookery_lifecycle::ScopeClosed;
use rookery_storage::StoreError;
use rookery_storage_embedded::OpenError;
use rookery_storage_redis::OpenError as RedisError;
use rookery_telemetry::LogError;
use rookery_tls::CertificateError;

use crate::config::Config;

/// Why a node did not start, or did not end well.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The log cannot be written as configured.
    #[error(transparent)]
    Log(#[from] LogError),
    /// A certificate cannot be used.
    #[error(transparent)]
    Certificate(#[from] CertificateError),
    /// The store cannot be opened.
    #[error(transparent)]
    Store(#[from] OpenError),
    /// The store in Redis cannot be opened.
    #[error(transparent)]
    Redis(#[from] RedisError),
    /// Messages that an earlier version kept cannot be moved into the message log.
    #[error("messages of an earlier version cannot be moved into the message log: {0}")]
    KeptMessages(#[from] StoreError),
    /// An address cannot be listened on.
    #[error("{key}: {address} {what}")]
    Address {
        /// The key that names it.
        key: &'static str,
        /// The address.
        address: SocketAddr,
        /// What is the matter with it, and what to do.
        what: String,
    },
    /// A directory cannot be used.
    #[error("data_dir: {} cannot be made or used: {source}; choose a directory that this user can write", path.display())]
    Directory {
        /// The directory.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// A file in the data directory cannot be used.
    #[error("{} cannot be read or written: {source}; look after its owner and permissions", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// The server's secret is not what the server wrote.
    #[error("{} is damaged; restore it, or remove it to have a new one made", .0.display())]
    Secret(PathBuf),
    /// The secret of a component cannot be read.
    #[error("component.{index}.secret_file: {} {what}", path.display())]
    ComponentSecret {
        /// Which component, counted from 0.
        index: usize,
        /// The file.
        path: PathBuf,
        /// What is the matter with it.
        what: String,
    },
    /// The system gives no random numbers.
    #[error("the system gives no random numbers: {0}")]
    Randomness(getrandom::Error),
    /// Two features do not fit together.
    #[error(transparent)]
    Features(#[from] RegistryError),
    /// The administration socket cannot be made.
    #[error(transparent)]
    Admin(#[from] SocketError),
    /// An account for development cannot be made.
    #[error("an account for development cannot be made: {0}")]
    Account(#[from] AccountError),
    /// A task cannot be started.
    #[error(transparent)]
    Scope(#[from] ScopeClosed),
    /// Threads cannot be started.
    #[error("threads cannot be started: {0}; look after the limits of this user")]
    Threads(io::Error),
    /// Signals cannot be received.
    #[error("signals cannot be received: {0}")]
    Signals(io::Error),
    /// What a newcomer needs cannot be printed.
    #[error("cannot write the output: {0}")]
    Output(io::Error),
    /// The end took longer than it may.
    #[error(
        "the end took longer than shutdown.timeout_seconds; some clients were not told, nothing that was confirmed is lost"
    )]
    SlowEnd,
    /// A second signal came.
    #[error("ended at once by a second signal; nothing that was confirmed is lost")]
    ForcedEnd,
}

// === impl StartError ===

impl StartError {
    /// Whether the configuration has to be changed.
    pub(crate) fn is_configuration(&self) -> bool {
        matches!(
            self,
            Self::Log(_)
                | Self::Certificate(_)
                | Self::ComponentSecret { .. }
                | Self::Redis(RedisError::Config(_) | RedisError::File { .. })
        )
    }

    /// An address of this configuration that could not be bound.
    pub(crate) fn address(config: &Config, address: SocketAddr, error: &io::Error) -> Self {
        let listeners = [
            ("listener.c2s.address", &config.listener.c2s.address),
            ("listener.c2s_tls.address", &config.listener.c2s_tls.address),
            (
                "listener.component.address",
                &config.listener.component.address,
            ),
            ("listener.ops.address", &config.listener.ops.address),
        ];
        let named = listeners
            .iter()
            .find(|(_, addresses)| addresses.contains(&address));
        let what = match error.kind() {
            io::ErrorKind::AddrInUse => {
                "is in use by another process; stop it or choose another port".to_owned()
            }
            io::ErrorKind::AddrNotAvailable => {
                "is not an address of this machine; choose one that is".to_owned()
            }
            io::ErrorKind::PermissionDenied => {
                "is not allowed for this user; choose a port above 1023, or grant CAP_NET_BIND_SERVICE"
                    .to_owned()
            }
            _ => format!("cannot be listened on: {error}"),
        };
        Self::Address {
            key: named.map_or("listener", |(key, _)| key),
            address,
            what,
        }
    }
}
