//! The routing table: who is where in a cluster, as a pure state machine.
//!
//! Every node holds the whole table and reads it locally; a replicated log of [`Command`]s changes it, the same
//! on each of them. It holds what can be built again from the nodes and the store, and nothing else:
//!
//! * [`members`]: the nodes, which of their runs is alive, what versions they speak, and whether they drain;
//! * [`sessions`]: full JID → run of a node, session, priority; in one arena for each of many shards, so that a
//!   session takes less than a hundred bytes, and a snapshot copies nothing but pointers;
//! * [`claims`]: room → the run that has it, the one that stands by, and the epoch that fences its predecessor;
//!   and the streams of components;
//! * [`rendezvous`]: where what has no place yet belongs.
//!
//! [`Table::apply`] is the only way to change it: same commands, same table. What a run of a node has ends with
//! that run in one step: a route names its run, and a run that is down has none
//! ([`Table::sweep`] frees the memory later, at a time that no other node has to know). An `Unbind` that comes
//! late names its session and its run, and finds nothing.
//!
//! [`entry`] and [`snapshot`] are the forms in which commands and tables travel and lie on disk: protobuf with a
//! version, of this crate's own.
//!
//! This crate does not know how the log is replicated, nor what a home or a session does.

mod administration;
mod answer;
mod applying;
pub mod claims;
pub mod command;
pub mod entry;
pub mod members;
pub mod rendezvous;
pub mod sessions;
pub mod snapshot;
mod table;

pub use claims::{Components, Room};
pub use command::{Answer, Change, Command, Event, Named, OnConflict, Outcome, Refusal};
pub use members::{Incarnation, Member, MemberId, Members, Standing, VersionRange};
pub use sessions::{Place, Route};
pub use table::Table;

#[cfg(test)]
mod tests;
