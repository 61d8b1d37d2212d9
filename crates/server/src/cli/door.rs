//! The way to the accounts: the running server, or the store when none runs.

use rookery_admin::{Client, Operations, Request, Response};
use rookery_storage_embedded::OpenError;
use rookery_telemetry::Registry;
use tokio::runtime::Runtime;

use super::exit::Failure;
use crate::config::Config;
use crate::run::{self, StartError, Stores};

/// Whom to ask.
#[derive(Debug)]
pub(super) enum Door {
    /// The running server.
    Server(Client),
    /// The store, which nobody else has open.
    Store(Box<Opened>),
}

/// The store, opened by this command.
#[derive(Debug)]
pub(super) struct Opened {
    runtime: Runtime,
    operations: Operations,
    stores: Stores,
}

// === impl Door ===

impl Door {
    /// Finds the server of this configuration, or opens its store.
    pub(super) fn open(config: &Config) -> Result<Self, Failure> {
        let socket = config.admin_socket();
        if let Some(client) = Client::connect(&socket)? {
            return Ok(Self::Server(client));
        }
        match Opened::open(config) {
            Ok(opened) => Ok(Self::Store(Box::new(opened))),
            Err(StartError::Store(error @ OpenError::InUse { .. })) => {
                let socket = socket.display();
                Err(Failure::Failed(format!(
                    "no server answers on {socket}, and {error}"
                )))
            }
            Err(error) => Err(error.into()),
        }
    }

    pub(super) fn ask(&mut self, request: Request) -> Result<Response, Failure> {
        match self {
            Self::Server(client) => Ok(client.request(&request)?),
            Self::Store(opened) => Ok(opened.perform(request)),
        }
    }
}

// === impl Opened ===

impl Opened {
    fn open(config: &Config) -> Result<Self, StartError> {
        let runtime = run::control_runtime(config)?;
        let mut config = config.clone();
        // No login waits for a processor here.
        config.auth.hashers = std::thread::available_parallelism().map_or(1, usize::from);
        let directory = run::DataDirectory::prepare(&config.data_dir)?;
        let registry = Registry::new();
        let opened = Stores::open(&config.store, &directory, runtime.handle(), &registry);
        let stores = runtime.block_on(Box::pin(opened))?;
        let accounts = run::Accounts {
            config: &config,
            hosts: &run::hosts(&config),
            stores: stores.clone(),
            runtime: runtime.handle(),
            registry: &registry,
            secret: directory.secret()?,
        };
        let operations = accounts.operations(&accounts.authenticator(), None);
        Ok(Self {
            runtime,
            operations,
            stores,
        })
    }

    fn perform(&self, request: Request) -> Response {
        self.runtime
            .block_on(Box::pin(self.operations.perform(request)))
    }
}

impl Drop for Opened {
    fn drop(&mut self) {
        self.runtime.block_on(self.stores.close());
    }
}
