//! The store in Redis, or any server that speaks its protocol: one server, one behind Sentinel, or a cluster.
//!
//! * `config.rs` is what can be set, `address.rs` how an address is written;
//! * `dial.rs` makes connections: TLS, user, scripts; `route.rs` knows which server has which slot; `slot.rs` how
//!   a key has its slot;
//! * `queue.rs` is what waits for the way of all writes to one server, `lane.rs` that way: whatever waits goes there in
//!   one pipeline, with one `WAIT`; `wire.rs` is what the ports ask through, and tries again what may be tried again;
//! * `reply.rs` reads answers, `failure.rs` says what an error means;
//! * `preflight.rs` judges a server, `health.rs` has it judged again and again;
//! * `keys.rs` names every key, `scripts.rs` every script;
//! * `accounts.rs`, `rosters.rs`, `data.rs`, `terms.rs` and `log` are the ports.
//!
//! This crate does not know what a stanza means, or who may read what.

mod accounts;
mod address;
mod config;
mod data;
mod dial;
mod directory;
mod failure;
mod health;
mod keys;
mod lane;
mod log;
mod metrics;
mod offline;
mod preflight;
mod queue;
mod reply;
mod rosters;
mod route;
mod scripts;
mod slot;
mod store;
mod terms;
mod wire;

pub use address::{Address, AddressError};
pub use config::{Config, ConfigError, Durability, Mode, Tls};
pub use dial::OpenError;
pub use store::RedisStore;
