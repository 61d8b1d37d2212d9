//! The registry of one node's metrics, and the list of what it holds.

use std::sync::Arc;

use prometheus::core::Collector;
use prometheus::{Encoder, Opts, TextEncoder};

use crate::family::{
    Counter, CounterFamily, CounterFamily2, CounterFamily3, Gauge, GaugeFamily, GaugeFamily3,
    Histogram, HistogramFamily, HistogramFamily2, SecondsFamily,
};
use crate::labels::Label;

/// Boundaries in seconds of every histogram of durations; 0.25 and 2 are objectives.
const SECONDS: [f64; 12] = [
    0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 2.0, 10.0,
];

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
    /// The label names with their possible values.
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
    descriptions: parking_lot::Mutex<Vec<Description>>,
}

// === impl Registry ===

impl Registry {
    /// An empty registry.
    pub fn new() -> Self {
        Self::default()
    }

    /// A counter without labels. `name` comes without the prefix.
    pub fn counter(&self, name: &'static str, help: &'static str) -> Counter {
        let counter = Counter::new(opts(name, help));
        self.add(name, Kind::Counter, help, vec![], counter.collector());
        counter
    }

    /// Counters by one label.
    pub fn counters<L: Label>(&self, name: &'static str, help: &'static str) -> CounterFamily<L> {
        let family = CounterFamily::new(opts(name, help));
        self.add(
            name,
            Kind::Counter,
            help,
            vec![values::<L>()],
            family.collector(),
        );
        family
    }

    /// Counters by two labels.
    pub fn counters2<A: Label, B: Label>(
        &self,
        name: &'static str,
        help: &'static str,
    ) -> CounterFamily2<A, B> {
        let family = CounterFamily2::new(opts(name, help));
        self.add(
            name,
            Kind::Counter,
            help,
            vec![values::<A>(), values::<B>()],
            family.collector(),
        );
        family
    }

    /// Counters by three labels.
    pub fn counters3<A: Label, B: Label, C: Label>(
        &self,
        name: &'static str,
        help: &'static str,
    ) -> CounterFamily3<A, B, C> {
        let family = CounterFamily3::new(opts(name, help));
        self.add(
            name,
            Kind::Counter,
            help,
            vec![values::<A>(), values::<B>(), values::<C>()],
            family.collector(),
        );
        family
    }

    /// A gauge without labels.
    pub fn gauge(&self, name: &'static str, help: &'static str) -> Gauge {
        let gauge = Gauge::new(opts(name, help));
        self.add(name, Kind::Gauge, help, vec![], gauge.collector());
        gauge
    }

    /// Gauges by one label.
    pub fn gauges<L: Label>(&self, name: &'static str, help: &'static str) -> GaugeFamily<L> {
        let family = GaugeFamily::new(opts(name, help));
        self.add(
            name,
            Kind::Gauge,
            help,
            vec![values::<L>()],
            family.collector(),
        );
        family
    }

    /// Gauges by three labels.
    pub fn gauges3<A: Label, B: Label, C: Label>(
        &self,
        name: &'static str,
        help: &'static str,
    ) -> GaugeFamily3<A, B, C> {
        let family = GaugeFamily3::new(opts(name, help));
        self.add(
            name,
            Kind::Gauge,
            help,
            vec![values::<A>(), values::<B>(), values::<C>()],
            family.collector(),
        );
        family
    }

    /// Durations that are measured once, as gauges by one label.
    pub fn seconds<L: Label>(&self, name: &'static str, help: &'static str) -> SecondsFamily<L> {
        let family = SecondsFamily::new(opts(name, help));
        self.add(
            name,
            Kind::Gauge,
            help,
            vec![values::<L>()],
            family.collector(),
        );
        family
    }

    /// A gauge whose labels have one constant value each, such as `build_info`.
    pub fn info(&self, name: &'static str, help: &'static str, labels: &[(&'static str, &str)]) {
        let mut options = opts(name, help);
        for (label, value) in labels {
            options = options.const_label(*label, *value);
        }
        let gauge = Gauge::new(options);
        gauge.set(1);
        let labels = labels.iter().map(|(label, _)| (*label, vec![])).collect();
        self.add(name, Kind::Gauge, help, labels, gauge.collector());
    }

    /// A histogram of durations in seconds.
    pub fn histogram(&self, name: &'static str, help: &'static str) -> Histogram {
        let histogram = Histogram::new(opts(name, help), &SECONDS);
        self.add(name, Kind::Histogram, help, vec![], histogram.collector());
        histogram
    }

    /// Histograms of durations in seconds by one label.
    pub fn histograms<L: Label>(
        &self,
        name: &'static str,
        help: &'static str,
    ) -> HistogramFamily<L> {
        let family = HistogramFamily::new(opts(name, help), &SECONDS);
        self.add(
            name,
            Kind::Histogram,
            help,
            vec![values::<L>()],
            family.collector(),
        );
        family
    }

    /// Histograms of durations in seconds by two labels.
    pub fn histograms2<A: Label, B: Label>(
        &self,
        name: &'static str,
        help: &'static str,
    ) -> HistogramFamily2<A, B> {
        let family = HistogramFamily2::new(opts(name, help), &SECONDS);
        self.add(
            name,
            Kind::Histogram,
            help,
            vec![values::<A>(), values::<B>()],
            family.collector(),
        );
        family
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

    fn add(
        &self,
        name: &'static str,
        kind: Kind,
        help: &'static str,
        labels: Vec<(&'static str, Vec<&'static str>)>,
        collector: Box<dyn Collector>,
    ) {
        match self.inner.prometheus.register(collector) {
            Ok(()) => {
                let name = format!("rookery_{name}");
                self.inner.descriptions.lock().push(Description {
                    name,
                    kind,
                    labels,
                    help,
                });
            }
            Err(error) => tracing::error!(name, %error, "metric registered twice"),
        }
    }
}

fn opts(name: &str, help: &str) -> Opts {
    Opts::new(format!("rookery_{name}"), help)
}

fn values<L: Label>() -> (&'static str, Vec<&'static str>) {
    (
        L::NAME,
        L::VALUES.iter().map(|value| value.value()).collect(),
    )
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
}
