//! What all connections of components share.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use actix::ArbiterHandle;
use parking_lot::Mutex;
use rookery_delivery::{Inlet, Load};
use rookery_lifecycle::{AddressLimiter, Clock, DrainSignal, TaskScope};

use crate::components::Components;
use crate::config::Listener;
use crate::metrics::Attempt;

/// How many networks are remembered that have opened connections of late.
const NETWORKS: usize = 4096;
const MINUTE: Duration = Duration::from_secs(60);

/// What all connections share.
#[derive(Debug)]
pub(crate) struct Edge {
    /// Where connections live.
    pub(crate) arbiters: Vec<ArbiterHandle>,
    pub(crate) clock: Clock,
    pub(crate) components: Components,
    /// When connections end.
    pub(crate) drain: DrainSignal,
    /// Where stanzas go.
    pub(crate) inlet: Arc<dyn Inlet>,
    /// What one component may have under way.
    pub(crate) in_flight: Load,
    pub(crate) places: Places,
    /// Where stanzas are returned that a component did not get.
    pub(crate) scope: TaskScope,
    pub(crate) stream: Arc<rookery_stream::Config>,
}

/// Counts connections against their limit.
#[derive(Debug)]
pub(crate) struct Places {
    taken: AtomicUsize,
    limit: usize,
    opened: Option<Mutex<AddressLimiter>>,
}

/// A connection's place; given back on drop.
#[derive(Debug)]
pub(crate) struct Place(Arc<Edge>);

// === impl Edge ===

impl Edge {
    /// A place for a connection from `address`, or the reason why there is none.
    pub(crate) fn admit(self: &Arc<Self>, address: std::net::IpAddr) -> Result<Place, Attempt> {
        let places = &self.places;
        if let Some(opened) = &places.opened
            && !opened.lock().admit(address, self.clock.now())
        {
            return Err(Attempt::Rate);
        }
        if places.taken.fetch_add(1, Ordering::Relaxed) >= places.limit {
            places.taken.fetch_sub(1, Ordering::Relaxed);
            return Err(Attempt::MaxConnections);
        }
        self.components.metrics().connections.add(1);
        Ok(Place(Arc::clone(self)))
    }
}

// === impl Places ===

impl Places {
    pub(crate) fn new(limits: &Listener) -> Self {
        let opened = limits.connections_per_address_and_minute;
        let opened = (opened > 0).then(|| AddressLimiter::new(opened, MINUTE, NETWORKS));
        Self {
            taken: AtomicUsize::new(0),
            limit: limits.connections,
            opened: opened.map(Mutex::new),
        }
    }

    /// How many connections there are.
    pub(crate) fn taken(&self) -> usize {
        self.taken.load(Ordering::Relaxed)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.places.taken.fetch_sub(1, Ordering::Relaxed);
        self.0.components.metrics().connections.add(-1);
    }
}
