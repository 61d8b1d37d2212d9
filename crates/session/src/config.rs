//! `[session]`: how much may wait for, and how much may be in flight from, one client.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// `[session]`: bounds on one client's session.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// The most bytes that wait for a client which reads too slowly. A client that lets more pile up
    /// is disconnected with `policy-violation`; messages that it did not get go to its other sessions or
    /// are kept for later.
    pub max_outgoing_bytes: usize,
    /// The most stanzas of one client that are on their way inside the server. While there are as many,
    /// nothing more is read from the client.
    pub max_in_flight_stanzas: usize,
    /// The most bytes of stanzas of one client that are on their way inside the server. While there are as
    /// many, nothing more is read from the client.
    pub max_in_flight_bytes: usize,
}

// === impl Config ===

impl Default for Config {
    fn default() -> Self {
        Self {
            max_outgoing_bytes: 4 * 1024 * 1024,
            max_in_flight_stanzas: 512,
            max_in_flight_bytes: 4 * 1024 * 1024,
        }
    }
}
