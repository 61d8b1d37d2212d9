//! Where a stanza goes: the routing decision, and the home of each account (RFC 6121).
//!
//! Every arbiter has one shard, an actor that is the home of its part of the accounts. A client's
//! session runs on the arbiter of its account's home, so only the hop from the sender's home to the
//! recipient's may cross threads. What an account sends passes its own home first; what comes for it is
//! decided at its home, strictly in order.
//!
//! * `decide`: who is responsible for an address;
//! * `account`: the home of one account as a pure state machine;
//! * `shard`: the actor that runs it: mailbox, store, hand-over;
//! * `outside`: the way in for what components send;
//! * [`Router`]: the way in, for sessions ([`Homes`](rookery_delivery::Homes)) and for the operator.
//!
//! This crate knows neither connections nor sessions, only their ports.

mod account;
mod config;
mod decide;
mod homes;
mod metrics;
mod outside;
mod shard;

#[cfg(feature = "simulation")]
pub use account::simulation;
pub use config::{Config, Conflict, StrangersRequests};
pub use homes::{Parts, Router};
