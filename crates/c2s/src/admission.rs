//! Who may connect: the number of connections, in all and from one network, and the memory that is left.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use rookery_lifecycle::{AddressLimiter, Network};
use tokio::time::Instant;

use crate::config::Limits;
use crate::metrics::Rejection;
use crate::turnstile::Turn;

/// How many networks are remembered that have opened connections of late.
const NETWORKS: usize = 65_536;
const MINUTE: Duration = Duration::from_secs(60);

/// Counts connections against the limits. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Admission {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    limits: Limits,
    connections: AtomicUsize,
    short_of_memory: AtomicBool,
    // At most one entry for each connection.
    networks: Mutex<HashMap<Network, Count>>,
    opened: Option<Mutex<AddressLimiter>>,
}

/// The connections of one network.
#[derive(Debug, Default)]
struct Count {
    all: usize,
    unauthenticated: usize,
}

/// A connection's place; given back on drop.
#[derive(Debug)]
pub(crate) struct Place {
    shared: Arc<Shared>,
    // Counted with its network; absent while it is not.
    network: Option<Network>,
    // Until it is authenticated.
    turn: Option<Turn>,
}

// === impl Admission ===

impl Admission {
    pub(crate) fn new(limits: Limits) -> Self {
        let opened = limits.new_connections_per_address_and_minute;
        let opened = (opened > 0).then(|| AddressLimiter::new(opened, MINUTE, NETWORKS));
        Self {
            shared: Arc::new(Shared {
                limits,
                connections: AtomicUsize::new(0),
                short_of_memory: AtomicBool::new(false),
                networks: Mutex::default(),
                opened: opened.map(Mutex::new),
            }),
        }
    }

    /// How many connections there are.
    pub(crate) fn connections(&self) -> usize {
        self.shared.connections.load(Ordering::Relaxed)
    }

    /// Whether neither connections nor logins are taken for want of memory.
    pub(crate) fn is_short_of_memory(&self) -> bool {
        self.shared.short_of_memory.load(Ordering::Relaxed)
    }

    pub(crate) fn set_short_of_memory(&self, short: bool) {
        self.shared.short_of_memory.store(short, Ordering::Relaxed);
    }

    /// A place for a connection from `address`, or the reason why there is none.
    pub(crate) fn admit(
        &self,
        address: IpAddr,
        turn: Turn,
        now: Instant,
    ) -> Result<Place, Rejection> {
        let shared = &self.shared;
        if self.is_short_of_memory() {
            return Err(Rejection::Memory);
        }
        if shared.connections.fetch_add(1, Ordering::Relaxed) >= shared.limits.connections {
            shared.connections.fetch_sub(1, Ordering::Relaxed);
            return Err(Rejection::MaxConnections);
        }
        // From here on, dropping the place gives the connection back.
        let mut place = Place {
            shared: Arc::clone(shared),
            network: None,
            turn: Some(turn),
        };
        if let Some(opened) = &shared.opened
            && !opened.lock().admit(address, now)
        {
            return Err(Rejection::AddressRate);
        }
        let network = Network::of(address);
        shared.enter(network)?;
        place.network = Some(network);
        Ok(place)
    }
}

// === impl Shared ===

impl Shared {
    /// Counts a connection with its network, if that has not as many as it may have.
    fn enter(&self, network: Network) -> Result<(), Rejection> {
        let mut networks = self.networks.lock();
        let count = networks.entry(network).or_default();
        let full = if count.all >= self.limits.connections_per_address {
            Some(Rejection::AddressConnections)
        } else if count.unauthenticated >= self.limits.unauthenticated_per_address {
            Some(Rejection::AddressUnauthenticated)
        } else {
            None
        };
        if let Some(full) = full {
            if count.all == 0 {
                networks.remove(&network);
            }
            return Err(full);
        }
        count.all += 1;
        count.unauthenticated += 1;
        Ok(())
    }
}

// === impl Place ===

impl Place {
    /// The client has authenticated: its network may open another connection, and another client has its
    /// turn.
    pub(crate) fn authenticated(&mut self) {
        if self.turn.take().is_some() {
            self.change(|count| count.unauthenticated = count.unauthenticated.saturating_sub(1));
        }
    }

    fn change(&self, change: impl FnOnce(&mut Count)) {
        let Some(network) = self.network else { return };
        if let Entry::Occupied(mut count) = self.shared.networks.lock().entry(network) {
            change(count.get_mut());
            if count.get().all == 0 {
                count.remove();
            }
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.authenticated();
        self.change(|count| count.all = count.all.saturating_sub(1));
        self.shared.connections.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;
    use rookery_telemetry::Registry;

    use super::*;
    use crate::turnstile::Turnstile;

    fn admission(change: impl FnOnce(&mut Limits)) -> Admission {
        let mut limits = Limits::default();
        change(&mut limits);
        Admission::new(limits)
    }

    fn turn() -> Turn {
        let turnstile = Turnstile::new(1, &Registry::new());
        turnstile.enter().now_or_never().unwrap()
    }

    fn admit(admission: &Admission, address: &str) -> Result<Place, Rejection> {
        admission.admit(address.parse().unwrap(), turn(), Instant::now())
    }

    #[test]
    fn a_network_has_a_bound_before_authentication() {
        let admission = admission(|limits| limits.unauthenticated_per_address = 1);
        let mut first = admit(&admission, "2001:db8::1").unwrap();
        let second = admit(&admission, "2001:db8::2");
        assert_eq!(second.unwrap_err(), Rejection::AddressUnauthenticated);
        admit(&admission, "2001:db8:0:1::2").unwrap();
        first.authenticated();
        admit(&admission, "2001:db8::2").unwrap();
    }

    #[test]
    fn a_network_has_a_bound_by_rfc6120_s13_12() {
        let admission = admission(|limits| limits.connections_per_address = 2);
        let mut places = [(); 2].map(|()| admit(&admission, "192.0.2.1").unwrap());
        places.iter_mut().for_each(Place::authenticated);
        let third = admit(&admission, "192.0.2.1");
        assert_eq!(third.unwrap_err(), Rejection::AddressConnections);
        admit(&admission, "192.0.2.2").unwrap();
        drop(places);
        admit(&admission, "192.0.2.1").unwrap();
    }

    #[test]
    fn attempts_of_a_network_have_a_bound_by_rfc6120_s13_12() {
        let admission = admission(|limits| limits.new_connections_per_address_and_minute = 3);
        for _ in 0..3 {
            drop(admit(&admission, "192.0.2.1").unwrap());
        }
        let fourth = admit(&admission, "192.0.2.1");
        assert_eq!(fourth.unwrap_err(), Rejection::AddressRate);
        let later = Instant::now() + MINUTE;
        admission
            .admit("192.0.2.1".parse().unwrap(), turn(), later)
            .unwrap();
    }

    #[test]
    fn a_place_is_given_back() {
        let admission = admission(|limits| limits.connections = 1);
        let place = admit(&admission, "192.0.2.1").unwrap();
        let full = admit(&admission, "192.0.2.2");
        assert_eq!(full.unwrap_err(), Rejection::MaxConnections);
        drop(place);
        drop(admit(&admission, "192.0.2.1").unwrap());
        assert!(admission.shared.networks.lock().is_empty());
    }

    #[test]
    fn a_node_that_is_short_of_memory_takes_nobody() {
        let admission = admission(|_| {});
        admission.set_short_of_memory(true);
        assert_eq!(
            admit(&admission, "192.0.2.1").unwrap_err(),
            Rejection::Memory
        );
        admission.set_short_of_memory(false);
        admit(&admission, "192.0.2.1").unwrap();
    }
}
