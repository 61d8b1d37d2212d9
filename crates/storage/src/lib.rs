//! Storage ports: one trait for each kind of data, the records behind them, an adapter in memory for
//! tests, and the suite that every adapter passes.
//!
//! An answer of `Ok` to a write means that the write is durable, as the adapter's configuration
//! defines it. A failed write has no effect or the whole effect, never a part.

mod account;
mod client;
mod credentials;
mod data;
mod error;
pub mod memory;
pub mod message_log;
mod offline;
pub mod record;
mod roster;
pub mod suite;

use std::fmt;

pub use account::{AccountStore, Created};
pub use client::{Client, Token};
pub use credentials::{Credentials, ScramHash, ScramKeys};
pub use data::{AccountState, DataStore, DataUpdate, DataWrite, DataWritten, Datum, Term};
pub use error::StoreError;
pub use offline::{Append, Appended, OfflineLimit, OfflineMessage, OfflineStore, Queued};
pub use roster::{
    Roster, RosterItem, RosterStore, RosterUpdate, RosterWrite, Subscription, Tombstone,
};

/// Everything that one store keeps: what the parts of the server are given.
pub trait Store: AccountStore + RosterStore + OfflineStore + DataStore + fmt::Debug {}

impl<T: AccountStore + RosterStore + OfflineStore + DataStore + fmt::Debug> Store for T {}
