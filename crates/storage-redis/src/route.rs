//! Which server has which slot, and the ways to it.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::{Mutex, RwLock};
use redis::aio::MultiplexedConnection;
use rookery_lifecycle::TaskScope;
use tokio::sync::Mutex as Turn;
use tokio::time::Instant;

use crate::address::Address;
use crate::config::Mode;
use crate::dial::{Dialer, Target};
use crate::failure::Failure;
use crate::lane::Lane;
use crate::metrics::{Backend, Metrics, Threads};
use crate::queue::Queue;

/// How long a map of the slots, and a failed connection, count as new.
const NEW: Duration = Duration::from_millis(200);

/// All servers that are known.
#[derive(Debug)]
pub(crate) struct Routes {
    dialer: Arc<Dialer>,
    scope: TaskScope,
    metrics: Metrics,
    table: RwLock<Table>,
    /// When the map was made; held while it is made.
    mapped: Turn<Option<Instant>>,
    closed: Mutex<bool>,
}

#[derive(Debug, Default)]
struct Table {
    servers: HashMap<Option<Address>, Arc<Server>>,
    ranges: Vec<(u16, u16, Address)>,
}

/// A server, with the ways to it.
#[derive(Debug)]
pub(crate) struct Server {
    pub(crate) target: Target,
    /// The way of the writes.
    pub(crate) queue: Arc<Queue>,
    reads: Turn<Reads>,
}

/// The connection that reads.
#[derive(Debug, Default)]
struct Reads {
    connection: Option<MultiplexedConnection>,
    failed: Option<(Instant, Failure)>,
}

// === impl Routes ===

impl Routes {
    pub(crate) fn new(dialer: Arc<Dialer>, scope: TaskScope, metrics: Metrics) -> Arc<Self> {
        Arc::new(Self {
            dialer,
            scope,
            metrics,
            table: RwLock::default(),
            mapped: Turn::default(),
            closed: Mutex::default(),
        })
    }

    /// The server that has a slot.
    pub(crate) async fn of(self: &Arc<Self>, slot: u16) -> Result<Arc<Server>, Failure> {
        match self.dialer.config().mode {
            Mode::Standalone => {
                let address = self.dialer.config().addresses().into_iter().next();
                let target = address.map_or(Target::Primary, Target::At);
                self.server(None, || target)
            }
            Mode::Sentinel => self.server(None, || Target::Primary),
            Mode::Cluster => {
                if let Some(address) = self.found(slot) {
                    return self.at(address);
                }
                self.map().await?;
                let address = self.found(slot);
                self.at(address.ok_or_else(|| {
                    Failure::Later(format!("no server of the cluster has slot {slot}"))
                })?)
            }
        }
    }

    /// The server at an address.
    pub(crate) fn at(self: &Arc<Self>, address: Address) -> Result<Arc<Server>, Failure> {
        self.server(Some(address.clone()), || Target::At(address))
    }

    /// All servers that are known to have data.
    pub(crate) async fn all(self: &Arc<Self>) -> Result<Vec<Arc<Server>>, Failure> {
        if !self.dialer.is_cluster() {
            return Ok(vec![self.of(0).await?]);
        }
        self.map().await?;
        let mut addresses: Vec<Address> = Vec::new();
        for (_, _, address) in &self.table.read().ranges {
            if !addresses.contains(address) {
                addresses.push(address.clone());
            }
        }
        addresses
            .into_iter()
            .map(|address| self.at(address))
            .collect()
    }

    fn found(&self, slot: u16) -> Option<Address> {
        let table = self.table.read();
        let range = table
            .ranges
            .iter()
            .find(|(from, to, _)| (*from..=*to).contains(&slot));
        range.map(|(_, _, address)| address.clone())
    }

    fn server(
        self: &Arc<Self>,
        name: Option<Address>,
        target: impl FnOnce() -> Target,
    ) -> Result<Arc<Server>, Failure> {
        if let Some(server) = self.table.read().servers.get(&name) {
            return Ok(Arc::clone(server));
        }
        let closed = || {
            Failure::Refused(rookery_storage::StoreError::Unavailable(
                "the store is closed".to_owned(),
            ))
        };
        let mut table = self.table.write();
        if let Some(server) = table.servers.get(&name) {
            return Ok(Arc::clone(server));
        }
        if *self.closed.lock() {
            return Err(closed());
        }
        let waiting = self
            .metrics
            .waiting
            .of(Backend::Redis, Threads::Writer)
            .clone();
        let most = self.dialer.config().queue.get();
        let server = Arc::new(Server {
            target: target(),
            queue: Arc::new(Queue::new(most, waiting)),
            reads: Turn::default(),
        });
        let lane = Lane {
            target: server.target.clone(),
            dialer: Arc::clone(&self.dialer),
            routes: Arc::clone(self),
            queue: Arc::clone(&server.queue),
            metrics: self.metrics.clone(),
            connection: None,
            connected: false,
        };
        self.scope
            .spawn("redis-writes", lane.run())
            .map_err(|_| closed())?;
        table.servers.insert(name, Arc::clone(&server));
        Ok(server)
    }

    /// Asks the cluster who has which slots, unless that was just asked.
    pub(crate) async fn map(&self) -> Result<(), Failure> {
        let mut mapped = self.mapped.lock().await;
        if mapped.is_some_and(|at| at.elapsed() < NEW) {
            return Ok(());
        }
        let mut known: Vec<Address> = {
            let table = self.table.read();
            table
                .ranges
                .iter()
                .map(|(_, _, address)| address.clone())
                .collect()
        };
        known.extend(self.dialer.config().addresses());
        known.dedup();
        let ranges = self.dialer.slots(&known).await?;
        let mut table = self.table.write();
        table.servers.retain(|name, server| {
            let stays = ranges
                .iter()
                .any(|(_, _, address)| name.as_ref() == Some(address));
            if !stays {
                server.queue.close();
            }
            stays
        });
        table.ranges = ranges;
        drop(table);
        *mapped = Some(Instant::now());
        Ok(())
    }

    /// Whether a server has lost its slots to another.
    pub(crate) async fn has_lost(&self, target: &Target) -> bool {
        let Target::At(address) = target else {
            return false;
        };
        if self.map().await.is_err() {
            return false;
        }
        let table = self.table.read();
        !table.ranges.iter().any(|(_, _, other)| other == address)
    }

    /// Takes no more work: the lanes end when they have done what waits.
    pub(crate) fn close(&self) {
        *self.closed.lock() = true;
        for server in std::mem::take(&mut self.table.write().servers).into_values() {
            server.queue.close();
        }
    }
}

// === impl Server ===

impl Server {
    /// The connection that reads.
    pub(crate) async fn reading(&self, dialer: &Dialer) -> Result<MultiplexedConnection, Failure> {
        let mut reads = self.reads.lock().await;
        if let Some(connection) = &reads.connection {
            return Ok(connection.clone());
        }
        if let Some((at, failure)) = &reads.failed
            && at.elapsed() < NEW
        {
            return Err(failure.clone());
        }
        let dialed = dialer.dial(&self.target).await;
        reads.failed = dialed
            .as_ref()
            .err()
            .map(|failure| (Instant::now(), failure.clone()));
        reads.connection = dialed.as_ref().ok().cloned();
        dialed
    }

    /// The connection that reads has failed somebody.
    pub(crate) async fn forget(&self) {
        self.reads.lock().await.connection = None;
    }
}
