//! How fast one client is read from (RFC 6120 §13.12, rule 6).

use rookery_lifecycle::{Rate, TokenBucket};
use rookery_session::Limiter;
use tokio::time::Instant;

use crate::config::Limits;

/// The rates that hold for every client.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rates {
    pub(crate) bytes: Option<Rate>,
    pub(crate) stanzas: Option<Rate>,
}

/// What one client has left of them. It costs a client that keeps to them two subtractions a read.
#[derive(Debug)]
pub(crate) struct Pace {
    /// Until when nothing more is read.
    paused_until: Option<Instant>,
    bytes: Option<TokenBucket>,
    stanzas: Option<TokenBucket>,
}

// === impl Rates ===

impl Rates {
    /// The rates that the limits allow.
    pub(crate) fn of(limits: &Limits) -> Self {
        Self {
            bytes: limits.bytes(),
            stanzas: limits.stanzas(),
        }
    }
}

// === impl Pace ===

impl Pace {
    pub(crate) fn new(rates: &Rates, now: Instant) -> Self {
        let bucket = |rate: Option<Rate>| rate.map(|rate| TokenBucket::new(rate, now));
        Self {
            paused_until: None,
            bytes: bucket(rates.bytes),
            stanzas: bucket(rates.stanzas),
        }
    }

    /// Takes note of what was read. Where that was too much, nothing more is read for a while, and the limit is
    /// named.
    pub(crate) fn read(
        &mut self,
        rates: &Rates,
        bytes: usize,
        stanzas: usize,
        now: Instant,
    ) -> Option<Limiter> {
        let spend = |bucket: &mut Option<TokenBucket>, rate: Option<Rate>, tokens| {
            bucket.as_mut().zip(rate)?.0.spend(rate?, tokens, now)
        };
        let for_bytes = spend(&mut self.bytes, rates.bytes, bytes);
        let for_stanzas = spend(&mut self.stanzas, rates.stanzas, stanzas);
        let bytes = for_bytes.map(|time| (time, Limiter::ReadBytes));
        let stanzas = for_stanzas.map(|time| (time, Limiter::ReadStanzas));
        let longest = bytes
            .into_iter()
            .chain(stanzas)
            .max_by_key(|(time, _)| *time);
        let (time, limiter) = longest?;
        self.paused_until = now.checked_add(time);
        Some(limiter)
    }

    /// Until when nothing more is read, if nothing is read now.
    pub(crate) fn paused_until(&self) -> Option<Instant> {
        self.paused_until
    }

    /// Whether a pause was on and is over.
    pub(crate) fn resume(&mut self, now: Instant) -> bool {
        let is_over = self.paused_until.is_some_and(|until| until <= now);
        if is_over {
            self.paused_until = None;
        }
        is_over
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn the_longer_pause_counts() {
        let rates = Rates {
            bytes: Rate::new(1_000, 2_000),
            stanzas: Rate::new(10, 20),
        };
        let now = Instant::now();
        let mut pace = Pace::new(&rates, now);
        assert_eq!(pace.read(&rates, 2_000, 20, now), None);
        assert_eq!(pace.read(&rates, 1_000, 1, now), Some(Limiter::ReadBytes));
        let pause = |pace: &Pace| (pace.paused_until().unwrap() - now).as_secs();
        assert_eq!(pause(&pace), 1);
        assert_eq!(pace.read(&rates, 0, 19, now), Some(Limiter::ReadStanzas));
        assert_eq!(pause(&pace), 2);
        assert!(!pace.resume(now));
        assert!(pace.resume(now + Duration::from_secs(3)));
        assert!(
            !pace.resume(now + Duration::from_secs(4)),
            "it is over once"
        );
    }

    #[test]
    fn without_rates_nobody_waits() {
        let rates = Rates {
            bytes: None,
            stanzas: None,
        };
        let mut pace = Pace::new(&rates, Instant::now());
        let wait = pace.read(&rates, usize::MAX, usize::MAX, Instant::now());
        assert!(wait.is_none());
    }
}
