//! Handles to metrics. A handle is looked up once, when it is made; using it is one atomic operation.

use std::marker::PhantomData;
use std::sync::Arc;
use std::time::Duration;

use prometheus::core::Collector;
use prometheus::{
    GaugeVec, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts,
};

use crate::labels::Label;

/// A count that only rises.
#[derive(Clone, Debug)]
pub struct Counter(IntCounter);

/// A value that rises and falls.
#[derive(Clone, Debug)]
pub struct Gauge(IntGauge);

/// Observations of durations in buckets.
#[derive(Clone, Debug)]
pub struct Histogram(prometheus::Histogram);

/// Counters by one label; each value's counter is made at the start.
#[derive(Clone, Debug)]
pub struct CounterFamily<L> {
    vector: IntCounterVec,
    members: Arc<[Counter]>,
    label: PhantomData<fn(L)>,
}

/// Counters by two labels.
#[derive(Clone, Debug)]
pub struct CounterFamily2<A, B> {
    vector: IntCounterVec,
    members: Arc<[Counter]>,
    labels: PhantomData<fn(A, B)>,
}

/// Counters by three labels.
#[derive(Clone, Debug)]
pub struct CounterFamily3<A, B, C> {
    vector: IntCounterVec,
    members: Arc<[Counter]>,
    labels: PhantomData<fn(A, B, C)>,
}

/// Gauges by one label.
#[derive(Clone, Debug)]
pub struct GaugeFamily<L> {
    vector: IntGaugeVec,
    members: Arc<[Gauge]>,
    label: PhantomData<fn(L)>,
}

/// Gauges by three labels.
#[derive(Clone, Debug)]
pub struct GaugeFamily3<A, B, C> {
    vector: IntGaugeVec,
    members: Arc<[Gauge]>,
    labels: PhantomData<fn(A, B, C)>,
}

/// Durations that were measured once, such as that of a part of the start, by one label.
#[derive(Clone, Debug)]
pub struct SecondsFamily<L> {
    vector: GaugeVec,
    members: Arc<[prometheus::Gauge]>,
    label: PhantomData<fn(L)>,
}

/// Histograms by one label.
#[derive(Clone, Debug)]
pub struct HistogramFamily<L> {
    vector: HistogramVec,
    members: Arc<[Histogram]>,
    label: PhantomData<fn(L)>,
}

/// Histograms by two labels.
#[derive(Clone, Debug)]
pub struct HistogramFamily2<A, B> {
    vector: HistogramVec,
    members: Arc<[Histogram]>,
    labels: PhantomData<fn(A, B)>,
}

// === impl Counter ===

impl Counter {
    pub(crate) fn new(opts: Opts) -> Self {
        Self(valid(IntCounter::with_opts(opts)))
    }

    /// Counts one.
    pub fn increment(&self) {
        self.0.inc();
    }

    /// Counts `n`.
    pub fn add(&self, n: u64) {
        self.0.inc_by(n);
    }

    /// The count so far.
    pub fn get(&self) -> u64 {
        self.0.get()
    }

    pub(crate) fn collector(&self) -> Box<dyn Collector> {
        Box::new(self.0.clone())
    }
}

// === impl Gauge ===

impl Gauge {
    pub(crate) fn new(opts: Opts) -> Self {
        Self(valid(IntGauge::with_opts(opts)))
    }

    /// Sets the value.
    pub fn set(&self, value: i64) {
        self.0.set(value);
    }

    /// Adds `n`, which may be negative.
    pub fn add(&self, n: i64) {
        self.0.add(n);
    }

    /// The value now.
    pub fn get(&self) -> i64 {
        self.0.get()
    }

    pub(crate) fn collector(&self) -> Box<dyn Collector> {
        Box::new(self.0.clone())
    }
}

// === impl Histogram ===

impl Histogram {
    pub(crate) fn new(opts: Opts, buckets: &[f64]) -> Self {
        let opts = HistogramOpts {
            common_opts: opts,
            buckets: buckets.to_vec(),
        };
        Self(valid(prometheus::Histogram::with_opts(opts)))
    }

    /// Records a duration.
    pub fn observe(&self, duration: Duration) {
        self.0.observe(duration.as_secs_f64());
    }

    /// How many durations were recorded.
    pub fn count(&self) -> u64 {
        self.0.get_sample_count()
    }

    pub(crate) fn collector(&self) -> Box<dyn Collector> {
        Box::new(self.0.clone())
    }
}

// === impl CounterFamily ===

impl<L: Label> CounterFamily<L> {
    pub(crate) fn new(opts: Opts) -> Self {
        let vector = valid(IntCounterVec::new(opts, &[L::NAME]));
        let member = |label: &L| Counter(vector.with_label_values(&[label.value()]));
        Self {
            members: L::VALUES.iter().map(member).collect(),
            vector,
            label: PhantomData,
        }
    }

    /// The counter of one label value.
    #[expect(
        clippy::indexing_slicing,
        reason = "a member exists for each value of the label"
    )]
    pub fn of(&self, label: L) -> &Counter {
        &self.members[label.index()]
    }

    pub(crate) fn collector(&self) -> Box<dyn Collector> {
        Box::new(self.vector.clone())
    }
}

// === impl CounterFamily2 ===

impl<A: Label, B: Label> CounterFamily2<A, B> {
    pub(crate) fn new(opts: Opts) -> Self {
        let vector = valid(IntCounterVec::new(opts, &[A::NAME, B::NAME]));
        let mut members = Vec::with_capacity(A::VALUES.len() * B::VALUES.len());
        for a in A::VALUES {
            for b in B::VALUES {
                members.push(Counter(vector.with_label_values(&[a.value(), b.value()])));
            }
        }
        Self {
            members: members.into(),
            vector,
            labels: PhantomData,
        }
    }

    /// The counter of one pair of label values.
    #[expect(
        clippy::indexing_slicing,
        reason = "a member exists for each pair of values"
    )]
    pub fn of(&self, a: A, b: B) -> &Counter {
        &self.members[a.index() * B::VALUES.len() + b.index()]
    }

    pub(crate) fn collector(&self) -> Box<dyn Collector> {
        Box::new(self.vector.clone())
    }
}

// === impl CounterFamily3 ===

impl<A: Label, B: Label, C: Label> CounterFamily3<A, B, C> {
    pub(crate) fn new(opts: Opts) -> Self {
        let vector = valid(IntCounterVec::new(opts, &[A::NAME, B::NAME, C::NAME]));
        let mut members = Vec::with_capacity(A::VALUES.len() * B::VALUES.len() * C::VALUES.len());
        for a in A::VALUES {
            for b in B::VALUES {
                for c in C::VALUES {
                    let values = [a.value(), b.value(), c.value()];
                    members.push(Counter(vector.with_label_values(&values)));
                }
            }
        }
        Self {
            members: members.into(),
            vector,
            labels: PhantomData,
        }
    }

    /// The counter of one triple of label values.
    #[expect(
        clippy::indexing_slicing,
        reason = "a member exists for each triple of values"
    )]
    pub fn of(&self, a: A, b: B, c: C) -> &Counter {
        &self.members[(a.index() * B::VALUES.len() + b.index()) * C::VALUES.len() + c.index()]
    }

    pub(crate) fn collector(&self) -> Box<dyn Collector> {
        Box::new(self.vector.clone())
    }
}

// === impl GaugeFamily ===

impl<L: Label> GaugeFamily<L> {
    pub(crate) fn new(opts: Opts) -> Self {
        let vector = valid(IntGaugeVec::new(opts, &[L::NAME]));
        let member = |label: &L| Gauge(vector.with_label_values(&[label.value()]));
        Self {
            members: L::VALUES.iter().map(member).collect(),
            vector,
            label: PhantomData,
        }
    }

    /// The gauge of one label value.
    #[expect(
        clippy::indexing_slicing,
        reason = "a member exists for each value of the label"
    )]
    pub fn of(&self, label: L) -> &Gauge {
        &self.members[label.index()]
    }

    /// Sets one label value to 1 and the others to 0: a state set.
    pub fn set_only(&self, label: L) {
        for (index, member) in self.members.iter().enumerate() {
            member.set(i64::from(index == label.index()));
        }
    }

    pub(crate) fn collector(&self) -> Box<dyn Collector> {
        Box::new(self.vector.clone())
    }
}

// === impl GaugeFamily3 ===

impl<A: Label, B: Label, C: Label> GaugeFamily3<A, B, C> {
    pub(crate) fn new(opts: Opts) -> Self {
        let vector = valid(IntGaugeVec::new(opts, &[A::NAME, B::NAME, C::NAME]));
        let mut members = Vec::with_capacity(A::VALUES.len() * B::VALUES.len() * C::VALUES.len());
        for a in A::VALUES {
            for b in B::VALUES {
                for c in C::VALUES {
                    let values = [a.value(), b.value(), c.value()];
                    members.push(Gauge(vector.with_label_values(&values)));
                }
            }
        }
        Self {
            members: members.into(),
            vector,
            labels: PhantomData,
        }
    }

    /// The gauge of one triple of label values.
    #[expect(
        clippy::indexing_slicing,
        reason = "a member exists for each triple of values"
    )]
    pub fn of(&self, a: A, b: B, c: C) -> &Gauge {
        &self.members[(a.index() * B::VALUES.len() + b.index()) * C::VALUES.len() + c.index()]
    }

    pub(crate) fn collector(&self) -> Box<dyn Collector> {
        Box::new(self.vector.clone())
    }
}

// === impl SecondsFamily ===

impl<L: Label> SecondsFamily<L> {
    pub(crate) fn new(opts: Opts) -> Self {
        let vector = valid(GaugeVec::new(opts, &[L::NAME]));
        let member = |label: &L| vector.with_label_values(&[label.value()]);
        Self {
            members: L::VALUES.iter().map(member).collect(),
            vector,
            label: PhantomData,
        }
    }

    /// Sets the duration of one label value.
    #[expect(
        clippy::indexing_slicing,
        reason = "a member exists for each value of the label"
    )]
    pub fn set(&self, label: L, duration: Duration) {
        self.members[label.index()].set(duration.as_secs_f64());
    }

    pub(crate) fn collector(&self) -> Box<dyn Collector> {
        Box::new(self.vector.clone())
    }
}

// === impl HistogramFamily ===

impl<L: Label> HistogramFamily<L> {
    pub(crate) fn new(opts: Opts, buckets: &[f64]) -> Self {
        let opts = HistogramOpts {
            common_opts: opts,
            buckets: buckets.to_vec(),
        };
        let vector = valid(HistogramVec::new(opts, &[L::NAME]));
        let member = |label: &L| Histogram(vector.with_label_values(&[label.value()]));
        Self {
            members: L::VALUES.iter().map(member).collect(),
            vector,
            label: PhantomData,
        }
    }

    /// The histogram of one label value.
    #[expect(
        clippy::indexing_slicing,
        reason = "a member exists for each value of the label"
    )]
    pub fn of(&self, label: L) -> &Histogram {
        &self.members[label.index()]
    }

    pub(crate) fn collector(&self) -> Box<dyn Collector> {
        Box::new(self.vector.clone())
    }
}

// === impl HistogramFamily2 ===

impl<A: Label, B: Label> HistogramFamily2<A, B> {
    pub(crate) fn new(opts: Opts, buckets: &[f64]) -> Self {
        let opts = HistogramOpts {
            common_opts: opts,
            buckets: buckets.to_vec(),
        };
        let vector = valid(HistogramVec::new(opts, &[A::NAME, B::NAME]));
        let mut members = Vec::with_capacity(A::VALUES.len() * B::VALUES.len());
        for a in A::VALUES {
            for b in B::VALUES {
                members.push(Histogram(vector.with_label_values(&[a.value(), b.value()])));
            }
        }
        Self {
            members: members.into(),
            vector,
            labels: PhantomData,
        }
    }

    /// The histogram of one pair of label values.
    #[expect(
        clippy::indexing_slicing,
        reason = "a member exists for each pair of values"
    )]
    pub fn of(&self, a: A, b: B) -> &Histogram {
        &self.members[a.index() * B::VALUES.len() + b.index()]
    }

    pub(crate) fn collector(&self) -> Box<dyn Collector> {
        Box::new(self.vector.clone())
    }
}

#[expect(
    clippy::expect_used,
    reason = "names are literals; a test registers every metric"
)]
fn valid<T>(made: prometheus::Result<T>) -> T {
    made.expect("metric names, labels and buckets are valid literals")
}
