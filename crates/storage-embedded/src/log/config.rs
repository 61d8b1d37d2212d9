//! What can be set about the message log.

use std::num::{NonZeroU32, NonZeroUsize};
use std::time::Duration;

use crate::config::Durability;

/// How the message log works.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogConfig {
    /// How many threads read.
    pub readers: NonZeroUsize,
    /// How many operations may wait for the writer, and as many for the readers. Who appends more waits; who
    /// reads more is told to try again later.
    pub queue: NonZeroUsize,
    /// How many bytes of messages may wait for the writer; who appends more waits.
    pub queue_bytes: NonZeroU32,
    /// How many operations are written and synced at once at most.
    pub batch: NonZeroUsize,
    /// How many bytes are written and synced at once, roughly at most.
    pub batch_bytes: NonZeroUsize,
    /// How large a file of the log becomes.
    pub segment_bytes: NonZeroU32,
    /// How often segments are looked for that can be given up.
    pub clearing: Duration,
    /// How durable a confirmed append is. Not a setting of the configuration file: always synced there.
    pub durability: Durability,
}

// === impl LogConfig ===

impl Default for LogConfig {
    fn default() -> Self {
        Self {
            readers: NonZeroUsize::MIN.saturating_add(1),
            queue: NonZeroUsize::MIN.saturating_add(4095),
            queue_bytes: NonZeroU32::MIN.saturating_add((32 << 20) - 1),
            batch: NonZeroUsize::MIN.saturating_add(1023),
            batch_bytes: NonZeroUsize::MIN.saturating_add((1 << 20) - 1),
            segment_bytes: NonZeroU32::MIN.saturating_add((64 << 20) - 1),
            clearing: Duration::from_secs(1),
            durability: Durability::Synced,
        }
    }
}
