//! The embedded store: SQLite with one group-committing writer and separate readers.
//!
//! * `open.rs` opens, checks and migrates the file; `lock.rs` keeps a second process out;
//! * `queue.rs` is the bounded way to the threads: `writer.rs` puts whatever waits into one transaction
//!   and answers after its sync, `readers.rs` reads beside it from the last committed state;
//! * `accounts.rs`, `roster.rs` and `offline.rs` are the ports, one statement after the other;
//! * `log` is the message log, which has files of its own;
//! * `failure.rs` says what a failure of SQLite means to a caller.
//!
//! This crate does not know what a stanza means, or who may read what.

mod accounts;
mod config;
mod data;
mod failure;
mod lock;
mod log;
mod metrics;
mod offline;
mod open;
mod queue;
mod readers;
mod roster;
mod schema;
mod store;
mod writer;

pub use config::{Config, Durability};
pub use log::{
    EmbeddedLog, LogConfig, LogConfigError, LogReport, Loss, LostRow, check_log, repair_log,
};
pub use open::OpenError;
pub use store::EmbeddedStore;
