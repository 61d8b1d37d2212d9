//! Families: one handle for each combination of label values, all made at the start, so that each series
//! exists, at zero, and finding one costs no look-up by name.

use std::collections::HashMap;
use std::marker::PhantomData;
use std::sync::Arc;

use prometheus::core::{Collector, Desc};
use prometheus::proto::{LabelPair, Metric, MetricFamily};

use crate::labels::{Label, Labels};
use crate::measure::{Counter, Gauge, Histogram, Measure, Seconds};

/// How many values a label has at most that the configuration gives it.
const NAMES: usize = 32;
/// What all further ones are counted as.
const OTHER: &str = "other";

/// One handle for each combination of label values.
#[derive(Clone, Debug)]
pub struct Family<M, L> {
    members: Arc<[M]>,
    labels: PhantomData<fn(L)>,
}

/// Families by a label whose values the configuration gives, such as the hosts: at most 32, and `other` for
/// all that are not among them.
#[derive(Clone, Debug)]
pub struct ByName<M, L> {
    families: Arc<HashMap<Box<str>, Family<M, L>>>,
    other: Family<M, L>,
}

/// Counters by one label.
pub type CounterFamily<A> = Family<Counter, (A,)>;
/// Counters by two labels.
pub type CounterFamily2<A, B> = Family<Counter, (A, B)>;
/// Counters by three labels.
pub type CounterFamily3<A, B, C> = Family<Counter, (A, B, C)>;
/// Counters by four labels.
pub type CounterFamily4<A, B, C, D> = Family<Counter, (A, B, C, D)>;
/// Gauges by one label.
pub type GaugeFamily<A> = Family<Gauge, (A,)>;
/// Gauges by three labels.
pub type GaugeFamily3<A, B, C> = Family<Gauge, (A, B, C)>;
/// Histograms by one label.
pub type HistogramFamily<A> = Family<Histogram, (A,)>;
/// Histograms by two labels.
pub type HistogramFamily2<A, B> = Family<Histogram, (A, B)>;
/// Durations that were measured once, by one label.
pub type SecondsFamily<A> = Family<Seconds, (A,)>;

/// What the registry reads a family from.
pub(crate) struct Exposed<M> {
    desc: Desc,
    series: Vec<(Vec<LabelPair>, M)>,
}

/// The labels of a series, with a handle to it.
type Series<M> = (Vec<(String, String)>, M);

// === impl Family ===

impl<M: Measure, L: Labels> Family<M, L> {
    pub(crate) fn new() -> Self {
        Self {
            members: L::all().into_iter().map(|_| M::zero()).collect(),
            labels: PhantomData,
        }
    }

    /// The handle of one combination.
    #[expect(
        clippy::indexing_slicing,
        reason = "a member exists for each combination of values"
    )]
    pub fn get(&self, labels: L) -> &M {
        &self.members[labels.index()]
    }

    /// All handles.
    pub fn members(&self) -> impl Iterator<Item = &M> {
        self.members.iter()
    }

    /// Its series, with `further` labels before its own.
    pub(crate) fn series(&self, further: &[(&str, &str)]) -> Vec<Series<M>> {
        let owned = |(name, value): (&str, &str)| (name.to_owned(), value.to_owned());
        let labelled = |(labels, member): (L, &M)| {
            let own = L::NAMES.iter().copied().zip(labels.values());
            let pairs = further.iter().copied().chain(own).map(owned);
            (pairs.collect(), member.clone())
        };
        L::all()
            .into_iter()
            .zip(self.members())
            .map(labelled)
            .collect()
    }
}

impl<M: Measure, A: Label> Family<M, (A,)> {
    /// The handle of one label value.
    pub fn of(&self, a: A) -> &M {
        self.get((a,))
    }
}

impl<M: Measure, A: Label, B: Label> Family<M, (A, B)> {
    /// The handle of one pair of label values.
    pub fn of(&self, a: A, b: B) -> &M {
        self.get((a, b))
    }
}

impl<M: Measure, A: Label, B: Label, C: Label> Family<M, (A, B, C)> {
    /// The handle of one triple of label values.
    pub fn of(&self, a: A, b: B, c: C) -> &M {
        self.get((a, b, c))
    }
}

impl<M: Measure, A: Label, B: Label, C: Label, D: Label> Family<M, (A, B, C, D)> {
    /// The handle of these four label values.
    pub fn of(&self, a: A, b: B, c: C, d: D) -> &M {
        self.get((a, b, c, d))
    }
}

impl<A: Label> GaugeFamily<A> {
    /// Sets one label value to 1 and the others to 0: a state set.
    pub fn set_only(&self, label: A) {
        for (index, member) in self.members().enumerate() {
            member.set(i64::from(index == label.index()));
        }
    }
}

// === impl ByName ===

impl<M: Measure, L: Labels> ByName<M, L> {
    pub(crate) fn new(names: &[&str]) -> Self {
        let named = |name: &&str| (Box::from(*name), Family::new());
        Self {
            families: Arc::new(names.iter().take(NAMES).map(named).collect()),
            other: Family::new(),
        }
    }

    /// The family of one name, or that of all others.
    pub fn of(&self, name: &str) -> &Family<M, L> {
        self.families.get(name).unwrap_or(&self.other)
    }

    pub(crate) fn series(&self, label: &str) -> Vec<Series<M>> {
        let named = self.families.iter().map(|(name, family)| (&**name, family));
        named
            .chain([(OTHER, &self.other)])
            .flat_map(|(name, family)| family.series(&[(label, name)]))
            .collect()
    }
}

// === impl Exposed ===

impl<M: Measure> Exposed<M> {
    /// # Errors
    /// When the name or a label is not one by the rules of Prometheus, or the help is empty.
    pub(crate) fn new(
        name: String,
        help: &str,
        labels: Vec<String>,
        series: Vec<Series<M>>,
    ) -> prometheus::Result<Self> {
        let pair = |(name, value)| {
            let mut pair = LabelPair::default();
            pair.set_name(name);
            pair.set_value(value);
            pair
        };
        let sorted = |(mut labels, member): Series<M>| {
            labels.sort();
            (labels.into_iter().map(pair).collect(), member)
        };
        Ok(Self {
            desc: Desc::new(name, help.to_owned(), labels, HashMap::new())?,
            series: series.into_iter().map(sorted).collect(),
        })
    }
}

impl<M: Measure> Collector for Exposed<M> {
    fn desc(&self) -> Vec<&Desc> {
        vec![&self.desc]
    }

    fn collect(&self) -> Vec<MetricFamily> {
        let read = |(labels, member): &(Vec<LabelPair>, M)| {
            let mut metric = Metric::from_label(labels.clone());
            member.read(&mut metric);
            metric
        };
        let mut family = MetricFamily::default();
        family.set_name(self.desc.fq_name.clone());
        family.set_help(self.desc.help.clone());
        family.set_field_type(M::TYPE);
        family.set_metric(self.series.iter().map(read).collect());
        vec![family]
    }
}
