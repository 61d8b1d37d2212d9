//! The registry of one node's metrics, and the list of what it holds.

use std::any::{Any, TypeId};
use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::Mutex;
use prometheus::proto::MetricType;
use prometheus::{Encoder, TextEncoder};

use crate::family::{
    ByName, CounterFamily, CounterFamily2, CounterFamily3, CounterFamily4, Exposed, Family,
    GaugeFamily, GaugeFamily3, HistogramFamily, HistogramFamily2, SecondsFamily,
};
use crate::labels::{Label, Labels};
use crate::measure::{Counter, Gauge, Histogram, Measure};

/// What kind of metric a family is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Only ever rises.
    Counter,
    /// Rises and falls.
    Gauge,
    /// Counts observations in buckets.
    Histogram,
}

/// One family as the reference lists it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Description {
    /// The full name, with the prefix `rookery_`.
    pub name: String,
    /// Counter, gauge or histogram.
    pub kind: Kind,
    /// The label names with their possible values; none where the configuration or the build gives them.
    pub labels: Vec<(&'static str, Vec<&'static str>)>,
    /// What question it answers.
    pub help: &'static str,
}

/// The registry of one node. Cheap to clone; all clones are the same registry.
///
/// A family that is registered twice under one name is a mistake in the program: the second handle
/// works, is not exposed, and the mistake is logged (and fails the test that builds all metrics).
#[derive(Clone, Debug, Default)]
pub struct Registry {
    inner: Arc<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    prometheus: prometheus::Registry,
    descriptions: Mutex<Vec<Description>>,
    shared: Mutex<HashMap<TypeId, Box<dyn Any + Send>>>,
}

// === impl Registry ===

impl Registry {
    /// An empty registry.
    pub fn new() -> Self {
        Self::default()
    }

    /// A counter without labels. `name` comes without the prefix.
    pub fn counter(&self, name: &'static str, help: &'static str) -> Counter {
        self.family::<Counter, ()>(name, help).get(()).clone()
    }

    /// Counters by one label.
    pub fn counters<A: Label>(&self, name: &'static str, help: &'static str) -> CounterFamily<A> {
        self.family(name, help)
    }

    /// Counters by two labels.
    pub fn counters2<A: Label, B: Label>(
        &self,
        name: &'static str,
        help: &'static str,
    ) -> CounterFamily2<A, B> {
        self.family(name, help)
    }

    /// Counters by three labels.
    pub fn counters3<A: Label, B: Label, C: Label>(
        &self,
        name: &'static str,
        help: &'static str,
    ) -> CounterFamily3<A, B, C> {
        self.family(name, help)
    }

    /// Counters by four labels.
    pub fn counters4<A: Label, B: Label, C: Label, D: Label>(
        &self,
        name: &'static str,
        help: &'static str,
    ) -> CounterFamily4<A, B, C, D> {
        self.family(name, help)
    }

    /// A gauge without labels.
    pub fn gauge(&self, name: &'static str, help: &'static str) -> Gauge {
        self.family::<Gauge, ()>(name, help).get(()).clone()
    }

    /// Gauges by one label.
    pub fn gauges<A: Label>(&self, name: &'static str, help: &'static str) -> GaugeFamily<A> {
        self.family(name, help)
    }

    /// Gauges by three labels.
    pub fn gauges3<A: Label, B: Label, C: Label>(
        &self,
        name: &'static str,
        help: &'static str,
    ) -> GaugeFamily3<A, B, C> {
        self.family(name, help)
    }

    /// Durations that are measured once, as gauges by one label.
    pub fn seconds<A: Label>(&self, name: &'static str, help: &'static str) -> SecondsFamily<A> {
        self.family(name, help)
    }

    /// A histogram of durations in seconds.
    pub fn histogram(&self, name: &'static str, help: &'static str) -> Histogram {
        self.family::<Histogram, ()>(name, help).get(()).clone()
    }

    /// Histograms of durations in seconds by one label.
    pub fn histograms<A: Label>(
        &self,
        name: &'static str,
        help: &'static str,
    ) -> HistogramFamily<A> {
        self.family(name, help)
    }

    /// Histograms of durations in seconds by two labels.
    pub fn histograms2<A: Label, B: Label>(
        &self,
        name: &'static str,
        help: &'static str,
    ) -> HistogramFamily2<A, B> {
        self.family(name, help)
    }

    /// One handle for each combination of labels. The functions above are this with names for the usual ones.
    pub fn family<M: Measure, L: Labels>(
        &self,
        name: &'static str,
        help: &'static str,
    ) -> Family<M, L> {
        let family = Family::new();
        self.add(name, help, described::<L>(), family.series(&[]));
        family
    }

    /// Families by a label whose values the configuration gives.
    pub fn by_name<M: Measure, L: Labels>(
        &self,
        name: &'static str,
        help: &'static str,
        label: &'static str,
        values: &[&str],
    ) -> ByName<M, L> {
        let by_name = ByName::new(values);
        let mut labels = vec![(label, Vec::new())];
        labels.extend(described::<L>());
        self.add(name, help, labels, by_name.series(label));
        by_name
    }

    /// A gauge whose labels have one constant value each, such as `build_info`.
    pub fn info(&self, name: &'static str, help: &'static str, labels: &[(&'static str, &str)]) {
        let family = Family::<Gauge, ()>::new();
        family.get(()).set(1);
        let described = labels.iter().map(|(label, _)| (*label, vec![])).collect();
        self.add(name, help, described, family.series(labels));
    }

    /// Handles that several crates use: `make` makes them for whoever asks first.
    pub fn shared<T: Clone + Send + 'static>(&self, make: impl FnOnce(&Self) -> T) -> T {
        let known = |shared: &HashMap<TypeId, Box<dyn Any + Send>>| {
            let handles = shared.get(&TypeId::of::<T>())?;
            handles.downcast_ref::<T>().cloned()
        };
        let mut shared = self.inner.shared.lock();
        known(&shared).unwrap_or_else(|| {
            let made = make(self);
            shared.insert(TypeId::of::<T>(), Box::new(made.clone()));
            made
        })
    }

    /// Everything, in the Prometheus text format 0.0.4.
    pub fn render(&self) -> String {
        let mut text = Vec::new();
        if let Err(error) = TextEncoder::new().encode(&self.inner.prometheus.gather(), &mut text) {
            tracing::error!(%error, "metrics could not be written");
        }
        String::from_utf8(text).unwrap_or_default()
    }

    /// The families, by name, for the reference.
    pub fn descriptions(&self) -> Vec<Description> {
        let mut list = self.inner.descriptions.lock().clone();
        list.sort_by(|a, b| a.name.cmp(&b.name));
        list
    }

    fn add<M: Measure>(
        &self,
        name: &'static str,
        help: &'static str,
        labels: Vec<(&'static str, Vec<&'static str>)>,
        series: Vec<(Vec<(String, String)>, M)>,
    ) {
        let names = labels.iter().map(|(name, _)| (*name).to_owned()).collect();
        let full_name = format!("rookery_{name}");
        let exposed = Exposed::new(full_name.clone(), help, names, series);
        let registered =
            exposed.and_then(|exposed| self.inner.prometheus.register(Box::new(exposed)));
        if let Err(error) = registered {
            tracing::error!(name, %error, "a metric is not exposed");
            return;
        }
        self.inner.descriptions.lock().push(Description {
            name: full_name,
            kind: Kind::of(M::TYPE),
            labels,
            help,
        });
    }
}

// === impl Kind ===

impl Kind {
    fn of(kind: MetricType) -> Self {
        match kind {
            MetricType::COUNTER => Self::Counter,
            MetricType::HISTOGRAM => Self::Histogram,
            _ => Self::Gauge,
        }
    }
}

/// The names of labels, with the values that each has in any combination.
fn described<L: Labels>() -> Vec<(&'static str, Vec<&'static str>)> {
    let mut labels: Vec<_> = L::NAMES.iter().map(|name| (*name, Vec::new())).collect();
    for combination in L::all() {
        for ((_, known), value) in labels.iter_mut().zip(combination.values()) {
            if !known.contains(&value) {
                known.push(value);
            }
        }
    }
    labels
}

#[cfg(test)]
mod tests {
    use super::*;

    crate::label! {
        /// Who ended it.
        enum Reason("reason") {
            /// The client.
            Client = "client",
            /// Nobody in time.
            Timeout = "timeout",
        }
    }

    crate::label! {
        /// How it ended.
        enum Outcome("outcome") {
            /// Well.
            Ok = "ok",
        }
    }

    crate::label! {
        /// Where it was.
        enum Side("side") {
            /// Here.
            Near = "near",
            /// There.
            Far = "far",
        }
    }

    #[test]
    fn every_series_exists_at_zero_from_the_start() {
        let registry = Registry::new();
        let closed = registry.counters::<Reason>("connections_closed_total", "Who ended it?");
        closed.of(Reason::Client).increment();
        let text = registry.render();
        assert!(
            text.contains("rookery_connections_closed_total{reason=\"client\"} 1"),
            "{text}"
        );
        assert!(
            text.contains("rookery_connections_closed_total{reason=\"timeout\"} 0"),
            "{text}"
        );
    }

    #[test]
    fn each_triple_of_label_values_has_its_own_counter_and_gauge() {
        let registry = Registry::new();
        let family = registry.counters3::<Reason, Outcome, Side>("triples_total", "Triples?");
        family.of(Reason::Timeout, Outcome::Ok, Side::Near).add(3);
        let gauges = registry.gauges3::<Reason, Outcome, Side>("triples", "Triples?");
        gauges.of(Reason::Client, Outcome::Ok, Side::Far).set(2);
        let text = registry.render();
        for (labels, count) in [
            ("outcome=\"ok\",reason=\"client\",side=\"far\"", 0),
            ("outcome=\"ok\",reason=\"timeout\",side=\"near\"", 3),
        ] {
            let line = format!("rookery_triples_total{{{labels}}} {count}");
            assert!(text.contains(&line), "{line} is not in {text}");
        }
        let line = "rookery_triples{outcome=\"ok\",reason=\"client\",side=\"far\"} 2";
        assert!(text.contains(line), "{line} is not in {text}");
    }

    #[test]
    fn the_reference_lists_labels_and_values() {
        let registry = Registry::new();
        registry.counters2::<Reason, Outcome>("pairs_total", "Pairs?");
        let [pairs] = &registry.descriptions()[..] else {
            panic!("one family")
        };
        assert_eq!(pairs.name, "rookery_pairs_total");
        assert_eq!(pairs.labels[0], ("reason", vec!["client", "timeout"]));
    }

    #[test]
    fn names_of_the_configuration_are_labels_up_to_a_bound() {
        let registry = Registry::new();
        let names: Vec<String> = (10..50).map(|number| format!("{number}.example")).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let gauges: ByName<Gauge, (Side,)> =
            registry.by_name("sessions", "Sessions?", "host", &names);
        gauges.of("10.example").of(Side::Near).add(2);
        gauges.of("49.example").of(Side::Far).add(3);
        let text = registry.render();
        let series = text.lines().filter(|line| !line.starts_with('#'));
        assert_eq!(series.count(), 33 * 2, "{text}");
        for line in [
            "rookery_sessions{host=\"10.example\",side=\"near\"} 2",
            "rookery_sessions{host=\"other\",side=\"far\"} 3",
        ] {
            assert!(text.contains(line), "{line} is not in {text}");
        }
        let labels = &registry.descriptions()[0].labels;
        assert_eq!(
            labels[..],
            [("host", vec![]), ("side", vec!["near", "far"])]
        );
    }

    #[test]
    fn what_crates_share_is_made_once() {
        let registry = Registry::new();
        let handles = || registry.shared(|registry| registry.counter("shared_total", "Shared?"));
        handles().increment();
        handles().increment();
        assert!(registry.render().contains("rookery_shared_total 2\n"));
    }

    #[test]
    fn a_bad_name_is_not_exposed_and_hurts_nobody() {
        let registry = Registry::new();
        registry.counter("no name", "Bad?").increment();
        registry.counter("good_total", "Good?").increment();
        assert_eq!(registry.descriptions().len(), 1);
        assert!(registry.render().contains("rookery_good_total 1\n"));
    }

    #[test]
    fn a_histogram_ends_with_a_bucket_for_everything() {
        let registry = Registry::new();
        let histogram = registry.histogram("wait_seconds", "How long?");
        histogram.observe(std::time::Duration::from_millis(20));
        histogram.observe(std::time::Duration::from_secs(60));
        let text = registry.render();
        for line in [
            "rookery_wait_seconds_bucket{le=\"0.01\"} 0\n",
            "rookery_wait_seconds_bucket{le=\"0.025\"} 1\n",
            "rookery_wait_seconds_bucket{le=\"10\"} 1\n",
            "rookery_wait_seconds_bucket{le=\"+Inf\"} 2\n",
            "rookery_wait_seconds_sum 60.02\n",
            "rookery_wait_seconds_count 2\n",
        ] {
            assert!(text.contains(line), "{line} is not in {text}");
        }
    }
}
