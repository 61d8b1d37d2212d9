//! What can be set about the message log.

use std::num::{NonZeroU32, NonZeroUsize};
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::config::Durability;

/// `[store.log]`: the message log, files in `data_dir` that are only appended to, and an index of them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct LogConfig {
    /// How many threads read, each with a connection of its own to the index; up to 64.
    pub readers: NonZeroUsize,
    /// How many operations may wait for the writer, and as many for the readers. When as many wait, messages wait
    /// in front, and their senders are not read from; who reads is told to try again later. One account has at most a
    /// sixteenth of this.
    pub queue: NonZeroUsize,
    /// How many bytes of messages may wait for the writer, from 64 KiB on. One account has at most a sixteenth of this.
    pub queue_bytes: NonZeroU32,
    /// How many operations are written and synced at once at most.
    pub batch: NonZeroUsize,
    /// How many bytes are written and synced at once, roughly at most; up to 64 MiB.
    pub batch_bytes: NonZeroUsize,
    /// How large a file of the log becomes, from 64 KiB to 1 GiB. Its room is given back when retention has
    /// removed most of what is in it.
    pub segment_bytes: NonZeroU32,
    /// How long the index may stay behind the log, in seconds, up to 60. The longer, the less is written to the disk,
    /// and the more is kept in memory and read at the start after a crash.
    pub index_delay_seconds: u32,
    /// How often segments are looked for that can be given up. Not a setting of the configuration file.
    #[serde(skip)]
    pub clearing: Duration,
    /// How durable a confirmed append is. Not a setting of the configuration file: always synced there.
    #[serde(skip)]
    pub durability: Durability,
}

/// A value that is not allowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{key} must be {allowed}")]
pub struct LogConfigError {
    /// The key.
    pub key: &'static str,
    /// What is allowed.
    pub allowed: &'static str,
}

// === impl LogConfig ===

impl LogConfig {
    /// Checks what types cannot.
    ///
    /// # Errors
    /// The first value that is out of bounds.
    pub fn validate(&self) -> Result<(), LogConfigError> {
        let check = |holds: bool, key, allowed| {
            if holds {
                Ok(())
            } else {
                Err(LogConfigError { key, allowed })
            }
        };
        check(self.readers.get() <= 64, "readers", "1 to 64")?;
        check(
            self.queue_bytes.get() >= 64 << 10,
            "queue_bytes",
            "at least 65536",
        )?;
        check(
            self.batch_bytes.get() <= 64 << 20,
            "batch_bytes",
            "1 to 67108864",
        )?;
        check(
            (64 << 10..=1 << 30).contains(&self.segment_bytes.get()),
            "segment_bytes",
            "65536 to 1073741824",
        )?;
        check(
            self.index_delay_seconds <= 60,
            "index_delay_seconds",
            "0 to 60",
        )
    }

    /// How long the index may stay behind the log.
    pub(crate) fn index_delay(&self) -> Duration {
        Duration::from_secs(self.index_delay_seconds.into())
    }
}

impl Default for LogConfig {
    fn default() -> Self {
        Self {
            readers: NonZeroUsize::MIN.saturating_add(1),
            queue: NonZeroUsize::MIN.saturating_add(4095),
            queue_bytes: NonZeroU32::MIN.saturating_add((32 << 20) - 1),
            batch: NonZeroUsize::MIN.saturating_add(1023),
            batch_bytes: NonZeroUsize::MIN.saturating_add((1 << 20) - 1),
            segment_bytes: NonZeroU32::MIN.saturating_add((64 << 20) - 1),
            index_delay_seconds: 10,
            clearing: Duration::from_secs(1),
            durability: Durability::Synced,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_that_are_not_allowed_are_named() {
        assert_eq!(LogConfig::default().validate(), Ok(()));
        let small = LogConfig {
            segment_bytes: NonZeroU32::MIN,
            ..LogConfig::default()
        };
        let error = small.validate().map_err(|error| error.to_string());
        assert_eq!(
            error,
            Err("segment_bytes must be 65536 to 1073741824".to_owned())
        );
    }
}
