//! Rosters: contacts, the state of subscriptions, and requests that wait for an answer (RFC 6121 §2, §3).

use async_trait::async_trait;
use rookery_stanza::BareJid;

use crate::error::StoreError;

/// Who receives whose presence (RFC 6121 §2.1.2.5).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Subscription {
    /// Nobody.
    #[default]
    None,
    /// The user receives the contact's.
    To,
    /// The contact receives the user's.
    From,
    /// Both.
    Both,
}

/// One contact, or a request of somebody who is no contact yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RosterItem {
    /// The contact.
    pub jid: BareJid,
    /// The name that the user gave it, if any (RFC 6121 §2.1.2.4).
    pub name: Option<String>,
    /// The groups that it is in, without repeats.
    pub groups: Vec<String>,
    /// The state of the subscription.
    pub subscription: Subscription,
    /// The user has asked to subscribe and waits: `ask='subscribe'` (pending out).
    pub pending_out: bool,
    /// The user has approved a request that is still to come (RFC 6121 §3.4).
    pub approved: bool,
    /// The contact has asked and waits (pending in): its request, as a whole `<presence/>`.
    pub pending_in: Option<Vec<u8>>,
    /// Whether the item is part of the roster that clients see; an item that is only a request is not
    /// (RFC 6121 §3.1.3).
    pub listed: bool,
    /// The roster's version when the item was last changed.
    pub changed: u64,
}

/// A contact that was removed, so that a client with an older version learns of it (RFC 6121 §2.6).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tombstone {
    /// The contact.
    pub jid: BareJid,
    /// The roster's version when it was removed.
    pub removed: u64,
}

/// A whole roster.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Roster {
    /// Rises with each change that clients can see.
    pub version: u64,
    /// Changes since a version below this one cannot be told any more.
    pub floor: u64,
    /// Contacts and requests, in the order of their JIDs.
    pub items: Vec<RosterItem>,
    /// Removed contacts, in the order of their versions.
    pub tombstones: Vec<Tombstone>,
}

/// One change to a roster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RosterWrite {
    /// Puts an item in the place of the one with its JID, if any, and of its tombstone.
    Put(RosterItem),
    /// Removes an item and leaves no tombstone, since no client saw it.
    Forget(BareJid),
    /// Removes an item and leaves a tombstone.
    Remove(Tombstone),
}

/// Changes to one roster, made all or none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RosterUpdate {
    /// Whose roster.
    pub account: BareJid,
    /// The version after the changes.
    pub version: u64,
    /// Tombstones below this version are dropped.
    pub floor: u64,
    /// The changes in order.
    pub writes: Vec<RosterWrite>,
}

/// The rosters of all accounts.
#[async_trait]
pub trait RosterStore: Send + Sync {
    /// Makes the changes. `false` when there is no such account (any more); nothing was changed then.
    async fn update_roster(&self, update: RosterUpdate) -> Result<bool, StoreError>;
}
