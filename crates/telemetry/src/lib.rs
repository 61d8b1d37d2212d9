//! Seeing inside: the metric registry with typed labels, and the set-up of structured logs.
//!
//! Every crate declares its metrics in its own `metrics.rs` as a struct of handles that is made from a
//! [`Registry`]. A label is an enum ([`label!`]), never a string from outside, so that the number of
//! series is known at compile time and each series exists, at zero, from the start.
//!
//! This crate does not know what is measured.

mod family;
mod labels;
mod log;
mod registry;

pub use family::{
    Counter, CounterFamily, CounterFamily2, CounterFamily3, Gauge, GaugeFamily, GaugeFamily3,
    Histogram, HistogramFamily, HistogramFamily2, SecondsFamily,
};
pub use labels::Label;
pub use log::{Config as LogConfig, Format as LogFormat, LogError, init as init_log};
pub use registry::{Description, Kind, Registry};
