//! Bounds what may be done from one address in some time.

use std::collections::HashMap;
use std::net::IpAddr;
use std::time::Duration;

use tokio::time::Instant;

use crate::network::Network;

/// Remembers how much each network has done, as the time at which all of it will be forgotten.
///
/// What is counted is up to the owner: failed logins, registrations, connections. Each costs
/// `window / events`; a network whose time lies further ahead than the window allows is refused until time
/// has passed. At most `networks` are remembered: when there are more, the half that will be forgotten
/// soonest is forgotten at once.
#[derive(Debug)]
pub struct AddressLimiter {
    forgotten: HashMap<Network, Instant>,
    cost: Duration,
    window: Duration,
    networks: usize,
}

// === impl AddressLimiter ===

impl AddressLimiter {
    /// Bears `events` in `window` from each of at most `networks`.
    pub fn new(events: u32, window: Duration, networks: usize) -> Self {
        Self {
            forgotten: HashMap::new(),
            cost: window / events.max(1),
            window,
            networks: networks.max(1),
        }
    }

    /// Counts one event from an address if that is still allowed, and says whether it is.
    pub fn admit(&mut self, address: IpAddr, now: Instant) -> bool {
        let admitted = !self.is_blocked(address, now);
        if admitted {
            self.count(address, now);
        }
        admitted
    }

    /// Whether so much came from an address that no more is allowed now.
    pub fn is_blocked(&self, address: IpAddr, now: Instant) -> bool {
        let forgotten = self.forgotten.get(&Network::of(address));
        forgotten.is_some_and(|at| at.saturating_duration_since(now) + self.cost > self.window)
    }

    /// Counts one event from an address.
    pub fn count(&mut self, address: IpAddr, now: Instant) {
        let network = Network::of(address);
        if self.forgotten.len() >= self.networks && !self.forgotten.contains_key(&network) {
            self.make_room(now);
        }
        let at = self.forgotten.entry(network).or_insert(now);
        *at = (*at).max(now) + self.cost;
    }

    /// How many networks are remembered.
    pub fn networks(&self) -> usize {
        self.forgotten.len()
    }

    /// Forgets those whose time has come; if there are none, the half whose time will come soonest.
    fn make_room(&mut self, now: Instant) {
        self.forgotten.retain(|_, at| *at > now);
        if self.forgotten.len() < self.networks {
            return;
        }
        let mut times: Vec<_> = self.forgotten.values().copied().collect();
        let half = times.len() / 2;
        let (_, median, _) = times.select_nth_unstable(half);
        let median = *median;
        self.forgotten.retain(|_, at| *at > median);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const WINDOW: Duration = Duration::from_secs(60);

    fn address(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn an_address_that_does_too_much_waits_and_is_forgiven_bit_by_bit() {
        let mut limiter = AddressLimiter::new(3, WINDOW, 10);
        let now = Instant::now();
        let bad = address("192.0.2.1");
        for _ in 0..3 {
            assert!(!limiter.is_blocked(bad, now));
            limiter.count(bad, now);
        }
        assert!(limiter.is_blocked(bad, now));
        assert!(
            !limiter.is_blocked(address("192.0.2.2"), now),
            "others are not concerned"
        );
        let later = now + Duration::from_secs(20);
        assert!(!limiter.is_blocked(bad, later), "one of three is forgiven");
        limiter.count(bad, later);
        assert!(limiter.is_blocked(bad, later));
        assert!(!limiter.is_blocked(bad, later + WINDOW));
    }

    #[test]
    fn what_is_not_admitted_is_not_counted() {
        let mut limiter = AddressLimiter::new(2, WINDOW, 10);
        let (now, somebody) = (Instant::now(), address("192.0.2.1"));
        let admitted = (0..10).filter(|_| limiter.admit(somebody, now)).count();
        assert_eq!(admitted, 2);
        assert!(limiter.admit(somebody, now + WINDOW / 2));
    }

    #[test]
    fn a_full_limiter_forgets_the_forgiven_first_and_the_worst_last() {
        let mut limiter = AddressLimiter::new(10, WINDOW, 4);
        let now = Instant::now();
        let worst = address("192.0.2.1");
        for _ in 0..10 {
            limiter.count(worst, now);
        }
        for last in 2..=4 {
            limiter.count(address(&format!("192.0.2.{last}")), now);
        }
        limiter.count(address("192.0.2.5"), now);
        assert!(limiter.is_blocked(worst, now));
        assert_eq!(limiter.networks(), 2, "the worst and the newest");
        limiter.count(address("192.0.2.6"), now);
        limiter.count(address("192.0.2.7"), now);
        limiter.count(address("192.0.2.8"), now + WINDOW);
        assert_eq!(limiter.networks(), 1, "the others were forgiven by then");
    }

    proptest! {
        #[test]
        fn the_number_of_networks_is_bounded(
            failures in prop::collection::vec((0u32..40, 0u64..100), 0..200),
        ) {
            let mut limiter = AddressLimiter::new(5, WINDOW, 8);
            let start = Instant::now();
            for (host, seconds) in failures {
                let now = start + Duration::from_secs(seconds);
                limiter.count(IpAddr::V4(host.into()), now);
                prop_assert!(limiter.networks() <= 8);
            }
        }
    }
}
