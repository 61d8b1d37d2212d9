//! How long things took.

use std::time::Duration;

use hdrhistogram::Histogram;
use serde::Serialize;

/// Nothing takes longer, or is told from what does: one minute, in nanoseconds.
const LONGEST: u64 = 60_000_000_000;

/// A distribution of durations, exact to 1 %.
#[derive(Clone, Debug)]
pub(crate) struct Latency {
    histogram: Option<Histogram<u64>>,
}

/// What is told of a distribution, in milliseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Percentiles {
    /// The median.
    pub p50: f64,
    /// 99 of 100 are not above it.
    pub p99: f64,
    /// 999 of 1000 are not above it.
    pub p999: f64,
    /// The longest.
    pub max: f64,
}

// === impl Latency ===

impl Latency {
    pub(crate) fn new() -> Self {
        let histogram = Histogram::new_with_bounds(1, LONGEST, 2).ok();
        Self { histogram }
    }

    pub(crate) fn record(&mut self, duration: Duration) {
        if let Some(histogram) = &mut self.histogram {
            histogram.saturating_record(u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX));
        }
    }

    /// Adds what another one recorded.
    pub(crate) fn add(&mut self, other: &Self) {
        if let (Some(histogram), Some(other)) = (&mut self.histogram, &other.histogram) {
            // Both have the same bounds, so that everything fits.
            histogram.add(other).unwrap_or_default();
        }
    }

    /// `None` when nothing was recorded.
    pub(crate) fn percentiles(&self) -> Option<Percentiles> {
        let histogram = self.histogram.as_ref().filter(|it| !it.is_empty())?;
        let at = |quantile| milliseconds(histogram.value_at_quantile(quantile));
        Some(Percentiles {
            p50: at(0.5),
            p99: at(0.99),
            p999: at(0.999),
            max: milliseconds(histogram.max()),
        })
    }
}

fn milliseconds(nanoseconds: u64) -> f64 {
    Duration::from_nanos(nanoseconds).as_secs_f64() * 1e3
}

#[cfg(test)]
mod tests {
    use super::*;

    fn close(found: f64, wanted: f64) {
        assert!(
            (found / wanted - 1.0).abs() < 0.02,
            "{found} is not {wanted}"
        );
    }

    #[test]
    fn percentiles_are_those_of_what_was_recorded_within_one_percent() {
        let mut latency = Latency::new();
        for thousandth in 1..=1000 {
            latency.record(Duration::from_micros(thousandth * 10));
        }
        let found = latency.percentiles().unwrap();
        close(found.p50, 5.0);
        close(found.p99, 9.9);
        close(found.p999, 9.99);
        close(found.max, 10.0);
    }

    #[test]
    fn distributions_add_up_and_what_is_beyond_the_scale_is_not_left_out() {
        let mut sum = Latency::new();
        assert_eq!(sum.percentiles(), None);
        let mut other = Latency::new();
        other.record(Duration::from_secs(3600));
        sum.add(&other);
        close(sum.percentiles().unwrap().max, 60_000.0);
    }
}
