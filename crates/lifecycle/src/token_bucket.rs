//! A token bucket: a rate that may be exceeded for a moment.

use std::time::Duration;

use tokio::time::Instant;

/// How many tokens there are in a second, and how many may be spent at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    per_second: u32,
    burst: u32,
}

/// Tokens of one spender. Spending is a subtraction and a comparison; the clock counts only when all are
/// spent.
#[derive(Clone, Copy, Debug)]
pub struct TokenBucket {
    // Negative: a debt.
    left: i64,
    filled: Instant,
}

// === impl Rate ===

impl Rate {
    /// `per_second` tokens in a second, and `burst` at once; `None` if there is no limit, which is what 0
    /// means.
    pub fn new(per_second: u32, burst: u32) -> Option<Self> {
        (per_second > 0).then_some(Self { per_second, burst })
    }

    fn gained_in(self, time: Duration) -> i64 {
        let gained = time.as_micros().saturating_mul(self.per_second.into()) / 1_000_000;
        i64::try_from(gained).unwrap_or(i64::MAX)
    }

    fn time_for(self, tokens: i64) -> Duration {
        let micros = tokens.unsigned_abs().saturating_mul(1_000_000) / u64::from(self.per_second);
        Duration::from_micros(micros.saturating_add(1))
    }
}

// === impl TokenBucket ===

impl TokenBucket {
    /// A full bucket.
    pub fn new(rate: Rate, now: Instant) -> Self {
        Self {
            left: rate.burst.into(),
            filled: now,
        }
    }

    /// Spends tokens, if need be on credit, and says for how long nothing more should be spent then: who
    /// keeps to that spends at most the burst, the rate, and one overdraft.
    pub fn spend(&mut self, rate: Rate, tokens: usize, now: Instant) -> Option<Duration> {
        let tokens = i64::try_from(tokens).unwrap_or(i64::MAX);
        self.left = self.left.saturating_sub(tokens);
        if self.left >= 0 {
            return None;
        }
        let gained = rate.gained_in(now.saturating_duration_since(self.filled));
        self.left = self.left.saturating_add(gained).min(rate.burst.into());
        self.filled = now;
        (self.left < 0).then(|| rate.time_for(self.left))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_burst_is_free_and_then_the_rate_counts() {
        let rate = Rate::new(100, 200).unwrap();
        let start = Instant::now();
        let mut bucket = TokenBucket::new(rate, start);
        assert_eq!(bucket.spend(rate, 200, start), None);
        let wait = bucket.spend(rate, 50, start).unwrap();
        assert!(wait >= Duration::from_millis(500) && wait < Duration::from_millis(501));
        assert_eq!(bucket.spend(rate, 1, start + Duration::from_secs(1)), None);
    }

    #[test]
    fn idleness_earns_no_more_than_a_burst() {
        let rate = Rate::new(100, 200).unwrap();
        let start = Instant::now();
        let mut bucket = TokenBucket::new(rate, start);
        bucket.spend(rate, 201, start);
        let late = start + Duration::from_secs(86_400);
        assert_eq!(bucket.spend(rate, 200, late), None);
        assert!(bucket.spend(rate, 300, late).is_some());
    }

    #[test]
    fn no_rate_is_no_limit() {
        assert_eq!(Rate::new(0, 10), None);
    }

    proptest! {
        #[test]
        fn who_waits_as_told_spends_no_more_than_burst_and_rate(
            spent in prop::collection::vec((1usize..500, 0u64..50), 1..200),
        ) {
            let rate = Rate::new(1_000, 300).unwrap();
            let start = Instant::now();
            let (mut bucket, mut now, mut total) = (TokenBucket::new(rate, start), start, 0);
            for (tokens, pause) in spent {
                now += Duration::from_millis(pause);
                total += tokens as u128;
                if let Some(wait) = bucket.spend(rate, tokens, now) {
                    now += wait;
                }
                let earned = now.duration_since(start).as_millis();
                prop_assert!(total <= 300 + earned + 1);
            }
        }
    }
}
