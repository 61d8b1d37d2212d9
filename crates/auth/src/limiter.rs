//! Bounds failed logins by address, against the guessing of passwords.

use std::collections::HashMap;
use std::net::IpAddr;
use std::time::Duration;

use tokio::time::Instant;

/// Remembers how often each network has failed, as the time at which all of it will be forgiven.
///
/// Each failure costs `window / failures`; an address whose time lies further ahead than the window allows
/// is refused until time has passed. At most `networks` are remembered: when there are more, the half that
/// will be forgiven soonest is forgotten at once.
#[derive(Debug)]
pub(crate) struct Limiter {
    forgiven: HashMap<Network, Instant>,
    cost: Duration,
    window: Duration,
    networks: usize,
}

/// What counts as one address: an IPv4 address, or the 64 bits of an IPv6 address that its user cannot
/// choose freely.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Network {
    V4(u32),
    V6(u64),
}

// === impl Limiter ===

impl Limiter {
    /// Bears `failures` in `window` from each of at most `networks`.
    pub(crate) fn new(failures: u32, window: Duration, networks: usize) -> Self {
        Self {
            forgiven: HashMap::new(),
            cost: window / failures.max(1),
            window,
            networks: networks.max(1),
        }
    }

    /// Whether an address has failed too often to try again now.
    pub(crate) fn is_blocked(&self, address: IpAddr, now: Instant) -> bool {
        let forgiven = self.forgiven.get(&Network::of(address));
        forgiven.is_some_and(|at| at.saturating_duration_since(now) + self.cost > self.window)
    }

    /// Remembers a failure.
    pub(crate) fn failed(&mut self, address: IpAddr, now: Instant) {
        let network = Network::of(address);
        if self.forgiven.len() >= self.networks && !self.forgiven.contains_key(&network) {
            self.make_room(now);
        }
        let at = self.forgiven.entry(network).or_insert(now);
        *at = (*at).max(now) + self.cost;
    }

    /// How many networks are remembered.
    pub(crate) fn networks(&self) -> usize {
        self.forgiven.len()
    }

    /// Forgets those that are forgiven; if there are none, the half that will be soonest.
    fn make_room(&mut self, now: Instant) {
        self.forgiven.retain(|_, at| *at > now);
        if self.forgiven.len() < self.networks {
            return;
        }
        let mut times: Vec<_> = self.forgiven.values().copied().collect();
        let half = times.len() / 2;
        let (_, median, _) = times.select_nth_unstable(half);
        let median = *median;
        self.forgiven.retain(|_, at| *at > median);
    }
}

// === impl Network ===

impl Network {
    fn of(address: IpAddr) -> Self {
        match address.to_canonical() {
            IpAddr::V4(address) => Self::V4(address.to_bits()),
            IpAddr::V6(address) => {
                // The upper half always fits.
                Self::V6(u64::try_from(address.to_bits() >> 64).unwrap_or_default())
            }
        }
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
    fn an_address_that_fails_too_often_waits_and_is_forgiven_bit_by_bit() {
        let mut limiter = Limiter::new(3, WINDOW, 10);
        let now = Instant::now();
        let bad = address("192.0.2.1");
        for _ in 0..3 {
            assert!(!limiter.is_blocked(bad, now));
            limiter.failed(bad, now);
        }
        assert!(limiter.is_blocked(bad, now));
        assert!(
            !limiter.is_blocked(address("192.0.2.2"), now),
            "others are not concerned"
        );
        let later = now + Duration::from_secs(20);
        assert!(!limiter.is_blocked(bad, later), "one of three is forgiven");
        limiter.failed(bad, later);
        assert!(limiter.is_blocked(bad, later));
        assert!(!limiter.is_blocked(bad, later + WINDOW));
    }

    #[test]
    fn an_ipv6_network_of_64_bits_is_one_address() {
        let mut limiter = Limiter::new(1, WINDOW, 10);
        let now = Instant::now();
        limiter.failed(address("2001:db8:0:1::1"), now);
        assert!(limiter.is_blocked(address("2001:db8:0:1:ffff::2"), now));
        assert!(!limiter.is_blocked(address("2001:db8:0:2::1"), now));
        limiter.failed(address("::ffff:192.0.2.1"), now);
        assert!(
            limiter.is_blocked(address("192.0.2.1"), now),
            "a mapped address is the address"
        );
    }

    #[test]
    fn a_full_limiter_forgets_the_forgiven_first_and_the_worst_last() {
        let mut limiter = Limiter::new(10, WINDOW, 4);
        let now = Instant::now();
        let worst = address("192.0.2.1");
        for _ in 0..10 {
            limiter.failed(worst, now);
        }
        for last in 2..=4 {
            limiter.failed(address(&format!("192.0.2.{last}")), now);
        }
        limiter.failed(address("192.0.2.5"), now);
        assert!(limiter.is_blocked(worst, now));
        assert_eq!(limiter.networks(), 2, "the worst and the newest");
        limiter.failed(address("192.0.2.6"), now);
        limiter.failed(address("192.0.2.7"), now);
        limiter.failed(address("192.0.2.8"), now + WINDOW);
        assert_eq!(limiter.networks(), 1, "the others were forgiven by then");
    }

    proptest! {
        #[test]
        fn the_number_of_networks_is_bounded(
            failures in prop::collection::vec((0u32..40, 0u64..100), 0..200),
        ) {
            let mut limiter = Limiter::new(5, WINDOW, 8);
            let start = Instant::now();
            for (host, seconds) in failures {
                let now = start + Duration::from_secs(seconds);
                limiter.failed(IpAddr::V4(host.into()), now);
                prop_assert!(limiter.networks() <= 8);
            }
        }
    }
}
