//! The roster in memory (RFC 6121 §2): contacts, requests that wait, and what was removed.
//!
//! Changes are prepared as a [`RosterUpdate`], made durable by somebody else, and only then applied, so
//! that memory never runs ahead of the store.

mod contacts;
mod item;
mod request;

use rookery_stanza::{BareJid, Jid, Stanza};
use rookery_storage::{RosterItem, RosterUpdate, RosterWrite, Subscription, Tombstone};

use super::durable;
use contacts::{Contact, Contacts};

/// Removed contacts that are remembered for clients with an older version (§2.6).
const TOMBSTONES: usize = 100;

/// The roster of one account.
#[derive(Debug, Default)]
pub(super) struct Roster {
    version: u64,
    floor: u64,
    contacts: Contacts,
    /// In the order of their versions.
    tombstones: Vec<Tombstone>,
}

/// Something that changed since a version (§2.6.3).
enum Changed<'a> {
    Put(Contact<'a>),
    Removed(&'a Tombstone),
}

// === impl Roster ===

impl rookery_extension::Roster for Roster {
    fn lists(&self, jid: &Jid) -> bool {
        self.contact(jid).is_some_and(Contact::is_listed)
    }

    fn subscription(&self, jid: &Jid) -> Subscription {
        self.contact(jid)
            .map_or(Subscription::None, Contact::subscription)
    }

    fn is_in_group(&self, jid: Option<&Jid>, group: &str) -> bool {
        let is_in = |contact: Contact<'_>| contact.groups().any(|of_contact| of_contact == group);
        match jid {
            Some(jid) => self.contact(jid).is_some_and(is_in),
            None => self.all_listed().any(is_in),
        }
    }

    fn subscribers(&self) -> Vec<Jid> {
        self.subscribers().collect()
    }

    fn subscriptions(&self) -> Vec<Jid> {
        self.subscriptions().collect()
    }
}

impl Roster {
    pub(super) fn get(&self, contact: &BareJid) -> Option<RosterItem> {
        self.contacts.get(contact.as_str()).map(Contact::to_item)
    }

    /// The contact that clients see.
    fn listed(&self, contact: &BareJid) -> Option<RosterItem> {
        self.get(contact).filter(|item| item.listed)
    }

    /// The contacts that clients see.
    fn all_listed(&self) -> impl Iterator<Item = Contact<'_>> {
        self.contacts.iter().filter(|contact| contact.is_listed())
    }

    /// How many contacts clients see.
    pub(super) fn listed_count(&self) -> usize {
        self.all_listed().count()
    }

    /// How many requests wait for an answer.
    pub(super) fn request_count(&self) -> usize {
        self.contacts.requests().len()
    }

    /// The contact with this address, full or bare.
    fn contact(&self, jid: &Jid) -> Option<Contact<'_>> {
        self.contacts.get(jid.bare_str())
    }

    /// Whether `jid` may see the account's presence.
    pub(super) fn is_subscriber(&self, jid: &Jid) -> bool {
        self.contact(jid)
            .is_some_and(|contact| has_from(contact.subscription()))
    }

    /// Whether `jid` has asked for the account's presence and waits for an answer.
    pub(super) fn waits_for_answer(&self, jid: &Jid) -> bool {
        self.contact(jid)
            .is_some_and(|contact| contact.request().is_some())
    }

    /// Whether the account has asked for the presence of `jid` and waits for an answer.
    pub(super) fn waits_for(&self, jid: &Jid) -> bool {
        self.contact(jid).is_some_and(Contact::is_pending_out)
    }

    /// Bytes of the names and groups of all contacts but `except`.
    pub(super) fn text_bytes(&self, except: &BareJid) -> usize {
        let others = self
            .contacts
            .iter()
            .filter(|contact| contact.jid() != except.as_str());
        others.flat_map(Contact::labels).map(str::len).sum()
    }

    /// Everybody who receives the account's presence.
    pub(super) fn subscribers(&self) -> impl Iterator<Item = Jid> {
        self.those(|contact| has_from(contact.subscription()))
    }

    /// Everybody whose presence the account receives.
    pub(super) fn subscriptions(&self) -> impl Iterator<Item = Jid> {
        self.those(|contact| has_to(contact.subscription()))
    }

    /// Everybody who was asked for a subscription and has not answered.
    pub(super) fn unanswered(&self) -> impl Iterator<Item = Jid> {
        self.those(Contact::is_pending_out)
    }

    fn those<'a>(&'a self, wanted: impl Fn(Contact<'a>) -> bool) -> impl Iterator<Item = Jid> {
        let wanted = self.contacts.iter().filter(move |contact| wanted(*contact));
        wanted.map(|contact| contact.to_bare_jid().into())
    }

    /// The requests that wait for an answer of the account (§3.1.3).
    pub(super) fn requests(&self) -> impl Iterator<Item = Stanza> {
        let stored = self.contacts.requests();
        stored.filter_map(|xml| match durable::read(xml.clone()) {
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
                    self.contacts.put(item);
                }
                RosterWrite::Forget(jid) => {
                    self.contacts.remove(&jid);
                }
                RosterWrite::Remove(tombstone) => {
                    self.contacts.remove(&tombstone.jid);
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
            .all_listed()
            .filter(|contact| contact.changed() > version);
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
            contacts: stored.items.into(),
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
            items: self.contacts.iter().map(Contact::to_item).collect(),
            tombstones: self.tombstones.clone(),
        }
    }
}

// === impl Changed ===

impl Changed<'_> {
    fn version(&self) -> u64 {
        match self {
            Self::Put(contact) => contact.changed(),
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
