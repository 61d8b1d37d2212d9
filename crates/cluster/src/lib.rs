//! Many nodes that behave as one.
//!
//! * [`Node`]: this node as a member of a cluster: it founds one or joins one, and keeps the routing table that all
//!   of them share;
//! * [`Proposals`]: what this node's sessions and rooms change in the table, in order and many at once;
//! * `raft`: the log that all nodes agree on; `autopilot`: who votes; `identity`: who this node is.
//!
//! This crate does not know sessions, homes or rooms: they read the table, and propose changes.

mod autopilot;
mod identity;
mod joining;
mod member;
mod node;
mod peers;
mod proposals;
mod raft;

pub use identity::IdentityError;
pub use member::ProposeError;
pub use node::{ClusterError, Node, Settings};
pub use proposals::{NotChanged, Proposals};
pub use raft::machine::Applied;
