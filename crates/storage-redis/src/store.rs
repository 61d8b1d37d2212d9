//! The store as its users see it: open, ask, close.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use rookery_lifecycle::TaskScope;
use rookery_storage::StoreError;
use rookery_storage::message_log::Salts;
use rookery_telemetry::Registry;
use tokio::runtime::Handle;

use crate::config::Config;
use crate::dial::{Dialer, OpenError};
use crate::health::{self, Health};
use crate::metrics::Metrics;
use crate::route::Routes;
use crate::scripts::Scripts;
use crate::wire::Wire;

/// One lane for each server of a cluster, and the watch over them.
const TASKS: usize = 1024;

/// The store in Redis: all ports of the store, and the message log.
///
/// An answer of `Ok` to a write comes when as many replicas have it as the configuration says. When a caller drops its
/// future, the write is done all the same.
pub struct RedisStore {
    pub(crate) wire: Wire,
    pub(crate) salts: Mutex<Salts>,
    health: Arc<Health>,
    scope: TaskScope,
}

// === impl RedisStore ===

impl RedisStore {
    /// Opens the store; its tasks run on `runtime`. Whether servers answer, and are as they have to be, is told by
    /// [`Self::health`].
    ///
    /// # Errors
    /// When a setting is wrong or a file that it names cannot be used.
    pub async fn open(
        config: &Config,
        runtime: Handle,
        registry: &Registry,
    ) -> Result<Arc<Self>, OpenError> {
        let (config, scripts) = (Arc::new(config.clone()), Arc::new(Scripts::new()));
        let dialer = Arc::new(Dialer::prepare(Arc::clone(&config), Arc::clone(&scripts)).await?);
        let metrics = Metrics::register(registry);
        let scope = TaskScope::new("redis", runtime, TASKS);
        let routes = Routes::new(Arc::clone(&dialer), scope.clone(), metrics.clone());
        let health = Health::new(metrics.clone());
        let mut salts = Salts::default();
        salts.mint().map_err(OpenError::Randomness)?;
        // The first look is taken before anybody is served.
        health::look(&dialer, &routes, &health).await;
        let watch = health::watch(
            Arc::clone(&dialer),
            Arc::clone(&routes),
            Arc::clone(&health),
        );
        scope.spawn("redis-health", watch)?;
        Ok(Arc::new(Self {
            wire: Wire::new(dialer, routes, scripts, metrics),
            salts: Mutex::new(salts),
            health,
            scope,
        }))
    }

    /// Whether the servers answer and are as they have to be: what a readiness probe asks.
    ///
    /// # Errors
    /// What is the matter, and what to do.
    pub fn health(&self) -> Result<(), StoreError> {
        self.health.check()
    }

    /// Takes no more work and does what waits, for as long as an operation may take. Closing again changes nothing.
    pub async fn close(&self) {
        self.wire.routes.close();
        self.health.end();
        self.scope
            .close(self.wire.dialer.config().patience() + Duration::from_secs(1))
            .await;
    }
}

impl fmt::Debug for RedisStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisStore")
            .field("urls", &self.wire.dialer.config().urls)
            .finish_non_exhaustive()
    }
}
