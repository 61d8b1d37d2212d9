//! `[router]`: limits and policies of accounts.

use rookery_storage::OfflineLimit;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// `[router]`: what one account may have and keep.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Resources that one account may have connected at once. A further one is refused with
    /// `resource-constraint` (RFC 6120 §7.6.2.1).
    pub sessions_per_account: usize,
    /// What happens when a client asks for a resource that another session has (RFC 6120 §7.7.2.2). A session whose
    /// client has lost its connection ends in any case, and the new one gets the resource.
    pub resource_conflict: Conflict,
    /// What happens to requests to a resource from somebody who does not know that it is online
    /// (RFC 6121 §8.5.3.1).
    pub iq_from_strangers: StrangersRequests,
    /// Contacts in one roster.
    pub roster_items: usize,
    /// Groups of one contact.
    pub roster_groups: usize,
    /// Bytes of a contact's name, and of a group's name.
    pub roster_name_bytes: usize,
    /// Bytes of all names and groups of one roster. A change that would exceed this is answered with
    /// `resource-constraint`, as one that exceeds `roster_items` is.
    pub roster_bytes: usize,
    /// Subscription requests that may wait for an answer in one account (RFC 6121 §3.1.3).
    pub subscription_requests: usize,
    /// Messages kept for one account that is away. A further one is answered with
    /// `service-unavailable` (XEP-0160).
    pub offline_messages: usize,
    /// Bytes of the messages kept for one account that is away. A message that would exceed this is
    /// answered as one that exceeds `offline_messages` is.
    pub offline_bytes: u64,
    /// Stanzas that wait for one account while its data is read or written. Further ones are answered
    /// with `resource-constraint`.
    pub waiting_stanzas: usize,
    /// Bytes of the stanzas that wait for one account while its data is read or written. Further ones are
    /// answered with `resource-constraint`.
    pub waiting_bytes: usize,
    /// Bytes of presence, answers and errors that wait at one arbiter for another one whose queue is full.
    /// What would exceed this is dropped, and counted; messages and requests never wait there, but are
    /// answered with `resource-constraint`.
    pub waiting_parcel_bytes: usize,
    /// Accounts without a session that each arbiter keeps in memory.
    pub idle_accounts: usize,
}

/// What happens when a client asks for a resource that another session has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Conflict {
    /// The old session ends with the stream error `conflict`, and the new one gets the resource.
    TerminateOld,
    /// The new session gets the stanza error `conflict`, and the old one stays.
    DenyNew,
    /// The new session gets another resource, made by the server.
    NewResource,
}

/// What happens to requests to a resource from somebody who neither subscribes to its presence nor got
/// directed presence from it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum StrangersRequests {
    /// The resource gets them, and answers as it likes: clients rely on it in rooms, file transfers and
    /// calls.
    Deliver,
    /// They are answered with `service-unavailable`, as if the resource were not there.
    Refuse,
}

// === impl Config ===

impl Config {
    /// What may be kept for one account that is away.
    pub(crate) fn offline_limit(&self) -> OfflineLimit {
        OfflineLimit {
            messages: self.offline_messages,
            bytes: self.offline_bytes,
        }
    }
}

impl Default for Config {
    fn default() -> Self {
        Self {
            sessions_per_account: 100,
            resource_conflict: Conflict::TerminateOld,
            iq_from_strangers: StrangersRequests::Deliver,
            roster_items: 1000,
            roster_groups: 50,
            roster_name_bytes: 1023,
            roster_bytes: 512 * 1024,
            subscription_requests: 200,
            offline_messages: 1000,
            offline_bytes: 4 * 1024 * 1024,
            waiting_stanzas: 1000,
            waiting_bytes: 2 * 1024 * 1024,
            waiting_parcel_bytes: 64 * 1024 * 1024,
            idle_accounts: 10_000,
        }
    }
}
