//! `[session.client_state]`: what waits for a client that nobody looks at.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// `[session.client_state]`: what waits until a client that said that it is inactive (XEP-0352) is active again,
/// or something important takes it along.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Whether presence waits. Of each sender only the last is sent; of rooms, all.
    pub hold_presence: bool,
    /// Whether chat states (somebody is typing) wait. Of each sender only the last is sent.
    pub hold_chat_states: bool,
    /// The most stanzas that wait for one client; with one more, all of them are sent.
    pub max_stanzas: usize,
    /// The most bytes of stanzas that wait for one client; with more, all of them are sent. They count as unread
    /// bytes of the client too, so that no more than half of `session.max_outgoing_bytes` is taken, whatever stands
    /// here.
    pub max_bytes: usize,
}

// === impl Config ===

impl Default for Config {
    fn default() -> Self {
        Self {
            hold_presence: true,
            hold_chat_states: true,
            max_stanzas: 500,
            max_bytes: 256 * 1024,
        }
    }
}
