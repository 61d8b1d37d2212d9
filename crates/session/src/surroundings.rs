//! What all sessions of a node share.

use std::fmt;
use std::sync::Arc;

use rookery_delivery::Homes;
use rookery_lifecycle::Clock;
use rookery_telemetry::Registry;

use crate::client_state;
use crate::config::Config;
use crate::metrics::Metrics;
use crate::resumable_streams::ResumableStreams;
use crate::stream_management;

/// What all sessions of a node share. There is one of it.
pub struct Surroundings {
    /// Where sessions are bound.
    pub homes: Arc<dyn Homes>,
    /// The settings.
    pub config: Config,
    /// The time.
    pub clock: Clock,
    /// What is counted.
    pub metrics: Arc<Metrics>,
    /// What is counted about stream management.
    pub stream_management: stream_management::Metrics,
    /// What is counted about inactive clients.
    pub client_state: client_state::Metrics,
    /// The streams that can be resumed.
    pub resumable: Arc<ResumableStreams>,
}

// === impl Surroundings ===

impl Surroundings {
    /// For sessions that are bound at these homes.
    pub fn new(
        homes: Arc<dyn Homes>,
        config: Config,
        clock: Clock,
        registry: &Registry,
    ) -> Arc<Self> {
        let stream_management = stream_management::Metrics::register(registry);
        Arc::new(Self {
            homes,
            metrics: Metrics::register(registry, clock.clone()),
            resumable: ResumableStreams::new(&config, stream_management.clone()),
            stream_management,
            client_state: client_state::Metrics::register(registry),
            config: config.in_proportion(),
            clock,
        })
    }
}

impl fmt::Debug for Surroundings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Surroundings")
            .field("config", &self.config)
            .finish_non_exhaustive()
    }
}
