//! XEP-0115: Entity Capabilities.
//!
//! Clients announce in their presence what they can do, by a hash. Each kind of client is asked once what
//! that is (`discovery.rs`), so that other features can look it up: [`of_session`]. The server announces its
//! own capabilities in the stream features (`own.rs`). Presence passes on as it came.

mod announcement;
mod cache;
mod capabilities;
mod discovery;
mod own;
#[cfg(test)]
mod tests;
mod verification;

use rookery_extension::{Feature, Registry, Spec, Standard, Status};
use rookery_stanza::ns;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use self::capabilities::{Capabilities, of_session};
use self::discovery::Discovery;
use self::own::OwnCapabilities;
pub(crate) use self::own::node;
use crate::{ConfigError, Parts};

/// The least bytes that there can be for what was verified: the largest answer fits.
const MIN_CACHE_BYTES: usize = 64 * 1024;

/// `[features.caps]`: what clients can do (XEP-0115).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// The most bytes, roughly, that are used to remember what each kind of client can do; a kind takes some
    /// 4000. When there are more, what was not needed for the longest is forgotten, and the next client of
    /// its kind is asked again.
    pub cache_bytes: usize,
}

/// Learns the capabilities of clients, and announces the server's.
#[derive(Debug)]
pub struct Caps {
    discovery: Discovery,
}

// === impl Config ===

impl Default for Config {
    fn default() -> Self {
        Self {
            cache_bytes: 8 * 1024 * 1024,
        }
    }
}

impl Config {
    pub(crate) fn validate(&self) -> Result<(), ConfigError> {
        if self.cache_bytes < MIN_CACHE_BYTES {
            let text =
                format!("must be at least {MIN_CACHE_BYTES}, so that the largest answer fits");
            return Err(ConfigError::new("caps.cache_bytes", text));
        }
        Ok(())
    }
}

// === impl Caps ===

impl Caps {
    /// Knows no client yet.
    pub(crate) fn new(config: &Config, parts: &Parts) -> Self {
        let discovery = Discovery::new(config.cache_bytes, &parts.metrics);
        Self { discovery }
    }
}

// === impl Feature ===

impl Feature for Caps {
    fn spec(&self) -> Spec {
        Spec {
            name: "caps",
            source: "crates/features/src/caps",
            standards: &[Standard {
                document: "XEP-0115",
                title: "Entity Capabilities",
                version: "1.6.0",
                status: Status::Complete,
                note: "The optional caps optimization (§8.4) is left out. An answer that others could give for \
                    the same hash with other features is believed of one session only.",
            }],
            host_features: &[ns::CAPS],
            ..Spec::EMPTY
        }
    }

    fn install(self: Box<Self>, registry: &mut Registry) {
        registry.stream_feature(OwnCapabilities);
        registry.session_events(self.discovery);
    }
}
