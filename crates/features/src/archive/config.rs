//! `[archive]`: how long messages are kept, and how many come at once.

use std::time::Duration;

use rookery_archive::query::Limits;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// `[archive]`: the archives of accounts (XEP-0313), where clients find what was said while they were away, and what
/// other clients said.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Whether messages are archived. Where they are not, only what a client has yet to receive is kept. A host may
    /// say otherwise with `archive`, and an account for its own messages (XEP-0441).
    pub enabled: bool,
    /// How many days messages are kept; 0 keeps them for ever. A year lets a client that was long away catch up, and
    /// lets no account's past grow without end.
    pub max_age_days: u32,
    /// The most messages of one archive; the oldest leave first. 0 sets no limit.
    pub max_messages: usize,
    /// How many days a message waits for a client to come, after which it is lost; 0 lets it wait for ever. How many
    /// may wait is said in `[router]`.
    pub max_owed_days: u32,
    /// Messages of a page when the client does not say how many it wants.
    pub page: usize,
    /// The most messages of a page, whatever the client wants.
    pub max_page: usize,
    /// The most messages that a query may name by their ids; one that names more gets `not-acceptable`.
    pub max_ids: usize,
    /// The most addresses of an account's archiving preferences (XEP-0441); a request for more gets
    /// `resource-constraint`.
    pub max_preferences: usize,
}

/// A setting that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("archive.{key} {text}")]
pub struct ConfigError {
    /// The key, below `archive`.
    pub key: &'static str,
    /// What is wrong with its value.
    pub text: &'static str,
}

/// How long what may be kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Kept {
    /// How old a message of the archive may become, in milliseconds.
    pub(super) age: u64,
    /// How many messages the archive may have.
    pub(super) rows: usize,
    /// How long a message may be owed, in milliseconds.
    pub(super) owed: u64,
}

// === impl Config ===

impl Default for Config {
    fn default() -> Self {
        let limits = Limits::default();
        Self {
            enabled: true,
            max_age_days: 365,
            max_messages: 1_000_000,
            max_owed_days: 0,
            page: limits.default_page,
            max_page: limits.largest_page,
            max_ids: limits.ids,
            max_preferences: 200,
        }
    }
}

impl Config {
    /// Checks what a type cannot.
    ///
    /// # Errors
    /// The first setting that cannot be used.
    pub fn validate(&self) -> Result<(), ConfigError> {
        let refuse = |key, text| Err(ConfigError { key, text });
        match self {
            Self { page: 0, .. } => refuse("page", "must be at least 1"),
            Self { max_ids: 0, .. } => refuse("max_ids", "must be at least 1"),
            _ if self.page > self.max_page => refuse("page", "must be at most archive.max_page"),
            _ => Ok(()),
        }
    }

    pub(super) fn limits(&self) -> Limits {
        Limits {
            default_page: self.page,
            largest_page: self.max_page,
            ids: self.max_ids,
            ..Limits::default()
        }
    }

    pub(super) fn kept(&self) -> Kept {
        Kept {
            age: days(self.max_age_days),
            rows: match self.max_messages {
                0 => usize::MAX,
                rows => rows,
            },
            owed: days(self.max_owed_days),
        }
    }
}

/// So many days in milliseconds; none means for ever.
fn days(days: u32) -> u64 {
    match days {
        0 => u64::MAX,
        days => u64::try_from((DAY * days).as_millis()).unwrap_or(u64::MAX),
    }
}
