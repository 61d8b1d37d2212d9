//! Who may connect: the number of connections, in all and from one network before authentication.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use parking_lot::Mutex;

use crate::config::Limits;
use crate::metrics::Rejection;

/// Counts connections against the limits. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Admission {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    limits: Limits,
    connections: AtomicUsize,
    // At most one entry for each connection.
    unauthenticated: Mutex<HashMap<IpAddr, usize>>,
}

/// A connection's place; given back on drop.
#[derive(Debug)]
pub(crate) struct Place {
    shared: Arc<Shared>,
    network: Option<IpAddr>,
}

// === impl Admission ===

impl Admission {
    pub(crate) fn new(limits: Limits) -> Self {
        let (connections, unauthenticated) = (AtomicUsize::new(0), Mutex::default());
        Self {
            shared: Arc::new(Shared {
                limits,
                connections,
                unauthenticated,
            }),
        }
    }

    /// How many connections there are.
    pub(crate) fn connections(&self) -> usize {
        self.shared.connections.load(Ordering::Relaxed)
    }

    /// A place for a connection from `address`, or the reason why there is none.
    pub(crate) fn admit(&self, address: IpAddr) -> Result<Place, Rejection> {
        let shared = &self.shared;
        if shared.connections.fetch_add(1, Ordering::Relaxed) >= shared.limits.connections {
            shared.connections.fetch_sub(1, Ordering::Relaxed);
            return Err(Rejection::MaxConnections);
        }
        // From here on, dropping the place gives the connection back.
        let mut place = Place {
            shared: Arc::clone(shared),
            network: None,
        };
        let network = network(address);
        let mut unauthenticated = shared.unauthenticated.lock();
        let count = unauthenticated.entry(network).or_default();
        if *count >= shared.limits.unauthenticated_per_address {
            drop(unauthenticated);
            return Err(Rejection::Rate);
        }
        *count += 1;
        drop(unauthenticated);
        place.network = Some(network);
        Ok(place)
    }
}

// === impl Place ===

impl Place {
    /// The client has authenticated: its network may open another connection.
    pub(crate) fn authenticated(&mut self) {
        let Some(network) = self.network.take() else {
            return;
        };
        if let Entry::Occupied(mut count) = self.shared.unauthenticated.lock().entry(network) {
            *count.get_mut() = count.get().saturating_sub(1);
            if *count.get() == 0 {
                count.remove();
            }
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.authenticated();
        self.shared.connections.fetch_sub(1, Ordering::Relaxed);
    }
}

/// The network that limits apply to: an IPv4 address, or the /64 of an IPv6 address, since whoever has
/// one address of it has all.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(address) => IpAddr::V4(address),
        IpAddr::V6(address) => {
            let prefix = u128::from(address) & !u128::from(u64::MAX);
            IpAddr::V6(prefix.into())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn admission(connections: usize, unauthenticated_per_address: usize) -> Admission {
        Admission::new(Limits {
            connections,
            unauthenticated_per_address,
        })
    }

    #[test]
    fn a_network_has_a_bound_before_authentication() {
        let admission = admission(10, 1);
        let mut first = admission.admit("2001:db8::1".parse().unwrap()).unwrap();
        let second = admission.admit("2001:db8::2".parse().unwrap());
        assert_eq!(second.unwrap_err(), Rejection::Rate);
        admission.admit("2001:db8:0:1::2".parse().unwrap()).unwrap();
        first.authenticated();
        admission.admit("2001:db8::2".parse().unwrap()).unwrap();
    }

    #[test]
    fn a_place_is_given_back() {
        let admission = admission(1, 1);
        let place = admission.admit("192.0.2.1".parse().unwrap()).unwrap();
        let full = admission.admit("192.0.2.2".parse().unwrap());
        assert_eq!(full.unwrap_err(), Rejection::MaxConnections);
        drop(place);
        drop(admission.admit("192.0.2.1".parse().unwrap()).unwrap());
        assert!(admission.shared.unauthenticated.lock().is_empty());
    }
}
