//! Seeing inside: the metric registry with typed labels, and the set-up of structured logs.
//!
//! Every crate declares its metrics in its own `metrics.rs` as a struct of handles that is made from a
//! [`Registry`]. A label is an enum ([`label!`]) or a name from the configuration ([`ByName`]), never a
//! string from outside, so that the number of series is known at the start and each series exists, at zero.
//!
//! This crate does not know what is measured.

mod family;
mod labels;
mod log;
mod measure;
mod registry;

pub use family::{
    ByName, CounterFamily, CounterFamily2, CounterFamily3, CounterFamily4, Family, GaugeFamily,
    GaugeFamily3, HistogramFamily, HistogramFamily2, SecondsFamily,
};
pub use labels::{Label, Labels};
pub use log::{Config as LogConfig, Format as LogFormat, LogError, init as init_log};
pub use measure::{Counter, Gauge, Histogram, Measure, Seconds, Sizes};
pub use registry::{Description, Kind, Registry};
