//! The roster in memory (RFC 6121 §2): contacts, requests that wait, and what was removed.
//!
//! Changes are prepared as a [`RosterUpdate`], made durable by somebody else, and only then applied, so
//! that memory never runs ahead of the store.

mod item;
mod request;

use std::collections::BTreeMap;

use rookery_stanza::{BareJid, Jid, Stanza};
use rookery_storage::{RosterItem, RosterUpdate, RosterWrite, Subscription, Tombstone};

use super::durable;

/// Removed contacts that are remembered for clients with an older version (§2.6).
const TOMBSTONES: usize = 100;

/// The roster of one account.
#[derive(Debug, Default)]
pub(super) struct Roster {
    version: u64,
    floor: u64,
    items: BTreeMap<BareJid, RosterItem>,
    /// In the order of their versions.
    tombstones: Vec<Tombstone>,
}

/// Something that changed since a version (§2.6.3).
enum Changed<'a> {
    Put(&'a RosterItem),
    Removed(&'a Tombstone),
}

// === impl Roster ===

impl Roster {
    pub(super) fn get(&self, contact: &BareJid) -> Option<&RosterItem> {
        self.items.get(contact)
    }

    /// The contact that clients see.
    fn listed(&self, contact: &BareJid) -> Option<&RosterItem> {
        self.items.get(contact).filter(|item| item.listed)
    }

    /// How many contacts clients see.
    pub(super) fn listed_count(&self) -> usize {
        self.items.values().filter(|item| item.listed).count()
    }

    /// How many requests wait for an answer.
    pub(super) fn request_count(&self) -> usize {
        self.items
            .values()
            .filter(|item| item.pending_in.is_some())
            .count()
    }

    /// Whether `jid` may see the account's presence.
    pub(super) fn is_subscriber(&self, jid: &Jid) -> bool {
        self.items
            .get(jid.bare_str())
            .is_some_and(|item| has_from(item.subscription))
    }

    /// Whether `jid` has asked for the account's presence and waits for an answer.
    pub(super) fn waits_for_answer(&self, jid: &Jid) -> bool {
        self.items
            .get(jid.bare_str())
            .is_some_and(|item| item.pending_in.is_some())
    }

    /// Whether the account has asked for the presence of `jid` and waits for an answer.
    pub(super) fn waits_for(&self, jid: &Jid) -> bool {
        self.items
            .get(jid.bare_str())
            .is_some_and(|item| item.pending_out)
    }

    /// Bytes of the names and groups of all contacts but `except`.
    pub(super) fn text_bytes(&self, except: &BareJid) -> usize {
        let others = self.items.values().filter(|item| item.jid != *except);
        others.map(item::text_bytes).sum()
    }

    /// Everybody who receives the account's presence.
    pub(super) fn subscribers(&self) -> impl Iterator<Item = Jid> {
        self.items
            .values()
            .filter(|item| has_from(item.subscription))
            .map(|item| item.jid.to_jid())
    }

    /// Everybody whose presence the account receives.
    pub(super) fn subscriptions(&self) -> impl Iterator<Item = Jid> {
        self.items
            .values()
            .filter(|item| has_to(item.subscription))
            .map(|item| item.jid.to_jid())
    }

    /// Everybody who was asked for a subscription and has not answered.
    pub(super) fn unanswered(&self) -> impl Iterator<Item = Jid> {
        self.items
            .values()
            .filter(|item| item.pending_out)
            .map(|item| item.jid.to_jid())
    }

    /// The requests that wait for an answer of the account (§3.1.3).
    pub(super) fn requests(&self) -> impl Iterator<Item = Stanza> {
        let stored = self
            .items
            .values()
            .filter_map(|item| item.pending_in.clone());
        stored.filter_map(|xml| match durable::read(xml) {
            Ok(stanza) => Some(stanza),
            Err(error) => {
                tracing::error!(%error, "a stored subscription request cannot be read");
                None
            }
        })
    }

    /// The update that puts `item` in its place. A change that clients can see gets a new version.
    pub(super) fn put(
        &self,
        account: &BareJid,
        mut item: RosterItem,
        visible: bool,
    ) -> RosterUpdate {
        let version = self.version + u64::from(visible);
        if visible {
            item.changed = version;
        }
        self.update(account, version, RosterWrite::Put(item))
    }

    /// The update that removes an item that no client saw.
    pub(super) fn forget(&self, account: &BareJid, contact: &BareJid) -> RosterUpdate {
        self.update(account, self.version, RosterWrite::Forget(contact.clone()))
    }

    /// The update that removes a contact.
    fn remove(&self, account: &BareJid, contact: &BareJid) -> RosterUpdate {
        let version = self.version + 1;
        let tombstone = Tombstone {
            jid: contact.clone(),
            removed: version,
        };
        let mut update = self.update(account, version, RosterWrite::Remove(tombstone));
        let surplus = (self.tombstones.len() + 1).saturating_sub(TOMBSTONES);
        if let Some(last) = surplus
            .checked_sub(1)
            .and_then(|at| self.tombstones.get(at))
        {
            update.floor = last.removed + 1;
        }
        update
    }

    fn update(&self, account: &BareJid, version: u64, write: RosterWrite) -> RosterUpdate {
        RosterUpdate {
            account: account.clone(),
            version,
            floor: self.floor,
            writes: vec![write],
        }
    }

    /// Makes an update that the store has made.
    pub(super) fn apply(&mut self, update: RosterUpdate) {
        self.version = update.version;
        self.floor = update.floor;
        for write in update.writes {
            match write {
                RosterWrite::Put(item) => {
                    self.tombstones
                        .retain(|tombstone| tombstone.jid != item.jid);
                    self.items.insert(item.jid.clone(), item);
                }
                RosterWrite::Forget(jid) => {
                    self.items.remove(&jid);
                }
                RosterWrite::Remove(tombstone) => {
                    self.items.remove(&tombstone.jid);
                    self.tombstones.retain(|other| other.jid != tombstone.jid);
                    self.tombstones.push(tombstone);
                }
            }
        }
        let floor = self.floor;
        self.tombstones
            .retain(|tombstone| tombstone.removed >= floor);
    }

    /// What changed since the version that a client names, in order; `None` when that cannot be told, or
    /// when the whole roster is not longer (§2.6.3).
    fn since(&self, version: &str) -> Option<Vec<Changed<'_>>> {
        let version: u64 = version.parse().ok()?;
        if version < self.floor || version > self.version {
            return None;
        }
        let put = self
            .items
            .values()
            .filter(|item| item.listed && item.changed > version);
        let removed = self
            .tombstones
            .iter()
            .filter(|tombstone| tombstone.removed > version);
        let mut changes: Vec<_> = put
            .map(Changed::Put)
            .chain(removed.map(Changed::Removed))
            .collect();
        changes.sort_by_key(Changed::version);
        let shorter = changes.is_empty() || changes.len() < self.listed_count();
        shorter.then_some(changes)
    }
}

impl From<rookery_storage::Roster> for Roster {
    fn from(stored: rookery_storage::Roster) -> Self {
        Self {
            version: stored.version,
            floor: stored.floor,
            items: stored
                .items
                .into_iter()
                .map(|item| (item.jid.clone(), item))
                .collect(),
            tombstones: stored.tombstones,
        }
    }
}

#[cfg(test)]
impl Roster {
    /// The roster as the store would return it.
    pub(super) fn to_stored(&self) -> rookery_storage::Roster {
        rookery_storage::Roster {
            version: self.version,
            floor: self.floor,
            items: self.items.values().cloned().collect(),
            tombstones: self.tombstones.clone(),
        }
    }
}

// === impl Changed ===

impl Changed<'_> {
    fn version(&self) -> u64 {
        match self {
            Self::Put(item) => item.changed,
            Self::Removed(tombstone) => tombstone.removed,
        }
    }
}

/// Whether the contact receives the account's presence.
pub(super) fn has_from(subscription: Subscription) -> bool {
    matches!(subscription, Subscription::From | Subscription::Both)
}

/// Whether the account receives the contact's presence.
pub(super) fn has_to(subscription: Subscription) -> bool {
    matches!(subscription, Subscription::To | Subscription::Both)
}

/// An item about which nothing is said yet.
pub(super) fn blank(jid: BareJid) -> RosterItem {
    RosterItem {
        jid,
        name: None,
        groups: Vec::new(),
        subscription: Subscription::None,
        pending_out: false,
        approved: false,
        pending_in: None,
        listed: false,
        changed: 0,
    }
}
