//! Handles to what is measured. Using one is one or two atomic operations.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use prometheus::proto;

/// A kind of thing that is measured.
pub trait Measure: Clone + Send + Sync + 'static {
    /// How its series are called in the text format.
    #[doc(hidden)]
    const TYPE: proto::MetricType;

    /// One that has measured nothing yet.
    #[doc(hidden)]
    fn zero() -> Self;

    /// Writes down what it has measured.
    #[doc(hidden)]
    fn read(&self, into: &mut proto::Metric);
}

/// A count that only rises.
#[derive(Clone, Debug)]
pub struct Counter(Arc<AtomicU64>);

/// A value that rises and falls.
#[derive(Clone, Debug)]
pub struct Gauge(Arc<AtomicI64>);

/// A duration that was measured once, such as that of a part of the start.
#[derive(Clone, Debug)]
pub struct Seconds(Arc<AtomicU64>);

/// Observations of durations in buckets.
#[derive(Clone, Debug)]
pub struct Histogram(Arc<Buckets>);

/// Observations of sizes in bytes in buckets.
#[derive(Clone, Debug)]
pub struct Sizes(Arc<Buckets>);

/// Boundaries in nanoseconds of every histogram of durations; 0.25 and 2 seconds are objectives.
const NANOSECONDS: [u64; 12] = [
    500_000,
    1_000_000,
    2_500_000,
    5_000_000,
    10_000_000,
    25_000_000,
    50_000_000,
    100_000_000,
    250_000_000,
    1_000_000_000,
    2_000_000_000,
    10_000_000_000,
];

/// Boundaries in bytes of every histogram of sizes.
const BYTES: [u64; 12] = [
    64, 128, 256, 512, 1024, 2048, 4096, 8192, 16_384, 65_536, 262_144, 1_048_576,
];

/// How often a value was at most each of the boundaries, and beyond the one before, and beyond all of them.
#[derive(Debug)]
struct Buckets {
    bounds: &'static [u64],
    counts: [AtomicU64; 13],
    sum: AtomicU64,
}

// === impl Counter ===

impl Counter {
    /// Counts one.
    pub fn increment(&self) {
        self.add(1);
    }

    /// Counts `n`.
    pub fn add(&self, n: u64) {
        self.0.fetch_add(n, Ordering::Relaxed);
    }

    /// The count so far.
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

impl Measure for Counter {
    const TYPE: proto::MetricType = proto::MetricType::COUNTER;

    fn zero() -> Self {
        Self(Arc::default())
    }

    fn read(&self, into: &mut proto::Metric) {
        let mut counter = proto::Counter::default();
        counter.set_value(float(self.get()));
        into.set_counter(counter);
    }
}

// === impl Gauge ===

impl Gauge {
    /// Sets the value.
    pub fn set(&self, value: i64) {
        self.0.store(value, Ordering::Relaxed);
    }

    /// Adds `n`, which may be negative.
    pub fn add(&self, n: i64) {
        self.0.fetch_add(n, Ordering::Relaxed);
    }

    /// The value now.
    pub fn get(&self) -> i64 {
        self.0.load(Ordering::Relaxed)
    }
}

impl Measure for Gauge {
    const TYPE: proto::MetricType = proto::MetricType::GAUGE;

    fn zero() -> Self {
        Self(Arc::default())
    }

    fn read(&self, into: &mut proto::Metric) {
        let value = self.get();
        let size = float(value.unsigned_abs());
        let mut gauge = proto::Gauge::default();
        gauge.set_value(if value < 0 { -size } else { size });
        into.set_gauge(gauge);
    }
}

// === impl Seconds ===

impl Seconds {
    /// Sets the duration.
    pub fn set(&self, duration: Duration) {
        self.0.store(nanoseconds(duration), Ordering::Relaxed);
    }
}

impl Measure for Seconds {
    const TYPE: proto::MetricType = proto::MetricType::GAUGE;

    fn zero() -> Self {
        Self(Arc::default())
    }

    fn read(&self, into: &mut proto::Metric) {
        let mut gauge = proto::Gauge::default();
        gauge.set_value(seconds(self.0.load(Ordering::Relaxed)));
        into.set_gauge(gauge);
    }
}

// === impl Histogram ===

impl Histogram {
    /// Records a duration.
    pub fn observe(&self, duration: Duration) {
        self.observe_times(duration, 1);
    }

    /// Records a duration that `times` things had.
    pub fn observe_times(&self, duration: Duration, times: u64) {
        let nanoseconds = nanoseconds(duration);
        self.0.add(nanoseconds, times);
        self.0
            .sum
            .fetch_add(nanoseconds.saturating_mul(times), Ordering::Relaxed);
    }

    /// How many durations were recorded.
    pub fn count(&self) -> u64 {
        self.0.count()
    }
}

impl Measure for Histogram {
    const TYPE: proto::MetricType = proto::MetricType::HISTOGRAM;

    fn zero() -> Self {
        Self(Buckets::new(&NANOSECONDS))
    }

    fn read(&self, into: &mut proto::Metric) {
        self.0.read(into, seconds);
    }
}

// === impl Sizes ===

impl Sizes {
    /// Records sizes in bytes: for each of them one atomic addition, and one for all.
    pub fn observe(&self, sizes: impl IntoIterator<Item = usize>) {
        let mut sum = 0_u64;
        for size in sizes {
            let size = u64::try_from(size).unwrap_or(u64::MAX);
            self.0.add(size, 1);
            sum = sum.saturating_add(size);
        }
        self.0.sum.fetch_add(sum, Ordering::Relaxed);
    }

    /// How many sizes were recorded.
    pub fn count(&self) -> u64 {
        self.0.count()
    }
}

impl Measure for Sizes {
    const TYPE: proto::MetricType = proto::MetricType::HISTOGRAM;

    fn zero() -> Self {
        Self(Buckets::new(&BYTES))
    }

    fn read(&self, into: &mut proto::Metric) {
        self.0.read(into, float);
    }
}

// === impl Buckets ===

impl Buckets {
    fn new(bounds: &'static [u64; 12]) -> Arc<Self> {
        Arc::new(Self {
            bounds,
            counts: Default::default(),
            sum: AtomicU64::new(0),
        })
    }

    fn add(&self, value: u64, times: u64) {
        let bucket = self.bounds.partition_point(|bound| *bound < value);
        if let Some(count) = self.counts.get(bucket) {
            count.fetch_add(times, Ordering::Relaxed);
        }
    }

    fn count(&self) -> u64 {
        let counts = self.counts.iter();
        counts.map(|count| count.load(Ordering::Relaxed)).sum()
    }

    /// Writes the counts down, added up; `unit` turns a value into the unit that is exposed.
    fn read(&self, into: &mut proto::Metric, unit: impl Fn(u64) -> f64) {
        let mut total = 0;
        let mut buckets = Vec::with_capacity(self.bounds.len());
        let mut counts = self
            .counts
            .iter()
            .map(|count| count.load(Ordering::Relaxed));
        for (bound, count) in self.bounds.iter().zip(counts.by_ref()) {
            total += count;
            let mut bucket = proto::Bucket::default();
            bucket.set_cumulative_count(total);
            bucket.set_upper_bound(unit(*bound));
            buckets.push(bucket);
        }
        // What is beyond all boundaries is in the total, from which the encoder makes the last bucket.
        total += counts.sum::<u64>();
        let mut histogram = proto::Histogram::default();
        histogram.set_sample_count(total);
        histogram.set_sample_sum(unit(self.sum.load(Ordering::Relaxed)));
        histogram.set_bucket(buckets);
        into.set_histogram(histogram);
    }
}

fn nanoseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

fn seconds(nanoseconds: u64) -> f64 {
    float(nanoseconds) / 1e9
}

#[expect(
    clippy::cast_precision_loss,
    reason = "the text format knows no other numbers, and 53 bits count for long enough"
)]
fn float(value: u64) -> f64 {
    value as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn buckets(measure: &impl Measure) -> Vec<u64> {
        let mut metric = proto::Metric::default();
        measure.read(&mut metric);
        let buckets = metric.get_histogram().get_bucket();
        buckets
            .iter()
            .map(proto::Bucket::cumulative_count)
            .collect()
    }

    #[test]
    fn a_value_on_a_boundary_belongs_below_it() {
        let histogram = Histogram::zero();
        for micros in [500, 501, 250_000, 11_000_000] {
            histogram.observe(Duration::from_micros(micros));
        }
        assert_eq!(buckets(&histogram), [1, 2, 2, 2, 2, 2, 2, 2, 3, 3, 3, 3]);
        assert_eq!(histogram.count(), 4);
        let sizes = Sizes::zero();
        sizes.observe([0, 64, 65, usize::MAX]);
        assert_eq!(buckets(&sizes)[..3], [2, 3, 3]);
        assert_eq!(sizes.count(), 4);
    }

    #[test]
    fn a_gauge_may_be_negative() {
        let gauge = Gauge::zero();
        gauge.add(-3);
        let mut metric = proto::Metric::default();
        gauge.read(&mut metric);
        assert!((metric.get_gauge().get_value() + 3.0).abs() < f64::EPSILON);
    }
}
