//! The store that the configuration names, whichever it is, with its message log.

use std::sync::Arc;

use rookery_storage::message_log::MessageLog;
use rookery_storage::{Store, StoreError};
use rookery_storage_embedded::{EmbeddedLog, EmbeddedStore};
use rookery_storage_redis::RedisStore;
use rookery_telemetry::Registry;
use tokio::runtime::Handle;

use super::directory::DataDirectory;
use super::error::StartError;
use super::kept_messages;
use crate::config::{self, StoreKind};

/// Everything that is kept: what the parts of a node are given, and what closes it.
#[derive(Clone, Debug)]
pub enum Stores {
    /// In files in `data_dir`.
    Embedded(Arc<EmbeddedStore>, Arc<EmbeddedLog>),
    /// In Redis.
    Redis(Arc<RedisStore>),
}

// === impl Stores ===

impl Stores {
    /// Opens the store; what waits for disks waits on the blocking threads of `runtime`.
    ///
    /// # Errors
    /// When it cannot be opened. A Redis that does not answer is no such reason: that is told by [`Self::health`].
    pub async fn open(
        config: &config::Store,
        directory: &DataDirectory,
        runtime: &Handle,
        registry: &Registry,
    ) -> Result<Self, StartError> {
        match config.kind {
            StoreKind::Embedded => Self::open_files(config, directory, runtime, registry).await,
            StoreKind::Redis => {
                let store = RedisStore::open(&config.redis, runtime.clone(), registry).await?;
                Ok(Self::Redis(store))
            }
        }
    }

    async fn open_files(
        config: &config::Store,
        directory: &DataDirectory,
        runtime: &Handle,
        registry: &Registry,
    ) -> Result<Self, StartError> {
        let (path, messages) = (directory.store(), directory.messages()?);
        let (config, registry) = (config.clone(), registry.clone());
        let open = move || -> Result<Self, StartError> {
            let store = EmbeddedStore::open(&path, &config.embedded, &registry)?;
            let log = EmbeddedLog::open(&messages, &config.log, &registry)?;
            Ok(Self::Embedded(store, log))
        };
        let opened = runtime.spawn_blocking(open).await;
        opened.map_err(|error| StartError::Threads(error.into()))?
    }

    /// Moves what an earlier version kept elsewhere to where it is looked for.
    pub(super) async fn bring_up_to_date(&self) -> Result<(), StartError> {
        match self {
            Self::Embedded(store, log) => Ok(kept_messages::move_into_log(store, &**log).await?),
            Self::Redis(_) => Ok(()),
        }
    }

    /// Accounts, rosters, records of features.
    pub fn store(&self) -> Arc<dyn Store> {
        match self {
            Self::Embedded(store, _) => store.clone(),
            Self::Redis(store) => store.clone(),
        }
    }

    /// The message log.
    pub fn log(&self) -> Arc<dyn MessageLog> {
        match self {
            Self::Embedded(_, log) => log.clone(),
            Self::Redis(store) => store.clone(),
        }
    }

    /// Whether it can be worked with: what a readiness probe asks.
    ///
    /// # Errors
    /// What is the matter with it.
    pub fn health(&self) -> Result<(), StoreError> {
        match self {
            Self::Embedded(store, log) => store.health().and_then(|()| log.health()),
            Self::Redis(store) => store.health(),
        }
    }

    /// Takes no more work and does what waits.
    pub async fn close(&self) {
        match self {
            Self::Embedded(store, log) => {
                log.close().await;
                store.close().await;
            }
            Self::Redis(store) => store.close().await,
        }
    }
}
