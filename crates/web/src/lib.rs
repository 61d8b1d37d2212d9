//! HTTP edges: what operators and their tools see of a node, over actix-web.
//!
//! * [`Health`] is what a node says about itself: its state, its readiness gates, the beat of its threads.
//! * [`listen`] answers `/metrics`, `/livez`, `/readyz` and `/startupz` from it and from the registry.
//! * [`process`] is what the kernel says about the process.
//!
//! This crate does not know what the gates stand for: whoever opens and shuts them does.

mod health;
mod heartbeats;
mod ops;
mod probes;
pub mod process;
mod series;

pub use health::{Gate, Health, Phase, State};
pub use heartbeats::Heartbeats;
pub use ops::{Ops, OpsListener, listen};
pub use rookery_lifecycle::ListenError;
pub use series::SERIES;
