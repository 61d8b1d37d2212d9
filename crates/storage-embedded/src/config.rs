//! What can be set about the embedded store.

use std::num::NonZeroUsize;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// `[store.embedded]`: one file in `data_dir`, written with full durability.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// How many threads read, each with a connection of its own.
    pub readers: NonZeroUsize,
    /// How many operations may wait for the writer, and as many for the readers; one more is refused,
    /// and the client is told to try again later.
    pub queue: NonZeroUsize,
    /// How many operations the writer puts into one transaction at most.
    pub batch: NonZeroUsize,
    /// How durable a confirmed write is. Not a setting of the configuration file: always synced there.
    #[serde(skip)]
    pub durability: Durability,
}

/// What a confirmed write survives.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Durability {
    /// The loss of power: every transaction is synced to the disk before its operations are confirmed.
    #[default]
    Synced,
    /// The end of the process only. It exists to show that the test of a power loss notices a missing
    /// sync.
    Unsynced,
}

// === impl Config ===

impl Default for Config {
    fn default() -> Self {
        Self {
            readers: NonZeroUsize::MIN.saturating_add(3),
            queue: NonZeroUsize::MIN.saturating_add(1023),
            batch: NonZeroUsize::MIN.saturating_add(255),
            durability: Durability::Synced,
        }
    }
}

impl Durability {
    /// The value of SQLite's `synchronous`.
    pub(crate) fn pragma(self) -> &'static str {
        match self {
            Self::Synced => "FULL",
            Self::Unsynced => "OFF",
        }
    }
}
