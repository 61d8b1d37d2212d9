//! The rookery binary: configuration, wiring, life cycle.
//!
//! * [`config`]: the settings of all crates, put together;
//! * [`cli`]: the command `rookery` and its subcommands;
//! * [`run`]: a node, from its start to its end.

pub mod cli;
pub mod config;
pub mod run;

mod build;
