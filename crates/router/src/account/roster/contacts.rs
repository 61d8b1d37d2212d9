//! The contacts of a roster in memory, as small as they can be: an account that does nothing is mostly these.

use std::collections::BTreeMap;

use rookery_stanza::BareJid;
use rookery_storage::{RosterItem, Subscription};

/// Ends a text. XML has no such character (XML 1.0 §2.2), so no text has it.
const END: char = '\0';

/// Contacts and requests, in the order of their addresses.
#[derive(Debug, Default)]
pub(super) struct Contacts {
    entries: Vec<Entry>,
    /// Of each contact the address, the name and the groups, each with its end, and one more end. No name is
    /// an empty one (RFC 6121 §2.4.1), and no group is empty (§2.3.3).
    texts: String,
    /// The requests that wait for an answer, and whose they are.
    requests: BTreeMap<BareJid, Vec<u8>>,
}

/// What is known of a contact besides its texts.
#[derive(Debug)]
struct Entry {
    /// Where its texts begin.
    start: u32,
    subscription: Subscription,
    pending_out: bool,
    approved: bool,
    listed: bool,
    changed: u64,
}

/// One contact; its properties are those of a [`RosterItem`].
#[derive(Clone, Copy)]
pub(super) struct Contact<'a> {
    entry: &'a Entry,
    /// Its texts, and those of all that follow.
    texts: &'a str,
    requests: &'a BTreeMap<BareJid, Vec<u8>>,
}

// === impl Contacts ===

impl Contacts {
    /// The contact of this address.
    pub(super) fn get(&self, jid: &str) -> Option<Contact<'_>> {
        let at = self.find(jid).ok()?;
        self.entries.get(at).map(|entry| self.view(entry))
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = Contact<'_>> {
        self.entries.iter().map(|entry| self.view(entry))
    }

    /// The requests that wait for an answer.
    pub(super) fn requests(&self) -> impl ExactSizeIterator<Item = &Vec<u8>> {
        self.requests.values()
    }

    /// Puts an item in the place of the one with its address, if any.
    pub(super) fn put(&mut self, item: RosterItem) {
        self.remove(&item.jid);
        self.add(item);
        self.shrink();
    }

    /// Removes an item, if it is there.
    pub(super) fn remove(&mut self, jid: &BareJid) {
        let Ok(at) = self.find(jid.as_str()) else {
            return;
        };
        let (start, end) = (self.start(at), self.start(at + 1));
        self.entries.remove(at);
        self.texts.replace_range(start..end, "");
        self.requests.remove(jid);
        for entry in self.entries.iter_mut().skip(at) {
            entry.start -= offset(end - start);
        }
    }

    /// Adds an item that is not there.
    fn add(&mut self, item: RosterItem) {
        let (Ok(at) | Err(at)) = self.find(item.jid.as_str());
        let (start, texts) = (self.start(at), texts(&item));
        self.texts.insert_str(start, &texts);
        for entry in self.entries.iter_mut().skip(at) {
            entry.start += offset(texts.len());
        }
        let entry = Entry {
            start: offset(start),
            subscription: item.subscription,
            pending_out: item.pending_out,
            approved: item.approved,
            listed: item.listed,
            changed: item.changed,
        };
        self.entries.insert(at, entry);
        if let Some(request) = item.pending_in {
            self.requests.insert(item.jid, request);
        }
    }

    fn shrink(&mut self) {
        self.entries.shrink_to_fit();
        self.texts.shrink_to_fit();
    }

    /// Where the contact of this address is, or would be.
    fn find(&self, jid: &str) -> Result<usize, usize> {
        self.entries
            .binary_search_by(|entry| self.view(entry).jid().cmp(jid))
    }

    /// Where the texts of the contact at this place begin, or would begin.
    fn start(&self, at: usize) -> usize {
        let entry = self.entries.get(at);
        entry.map_or(self.texts.len(), Entry::start)
    }

    fn view<'a>(&'a self, entry: &'a Entry) -> Contact<'a> {
        Contact {
            entry,
            texts: self.texts.get(entry.start()..).unwrap_or_default(),
            requests: &self.requests,
        }
    }
}

impl From<Vec<RosterItem>> for Contacts {
    fn from(items: Vec<RosterItem>) -> Self {
        let mut contacts = Self::default();
        for item in items {
            contacts.add(item);
        }
        contacts.shrink();
        contacts
    }
}

/// The texts of an item as they are kept.
fn texts(item: &RosterItem) -> String {
    let name = item.name.as_deref().unwrap_or_default();
    let groups = item.groups.iter().map(String::as_str);
    let groups = groups.filter(|group| !group.is_empty());
    let mut texts = String::new();
    for text in [item.jid.as_str(), name].into_iter().chain(groups) {
        texts.push_str(text);
        texts.push(END);
    }
    texts.push(END);
    texts
}

/// A place among the texts; the limits on rosters keep them far below 4 GiB.
fn offset(bytes: usize) -> u32 {
    u32::try_from(bytes).unwrap_or(u32::MAX)
}

// === impl Entry ===

impl Entry {
    fn start(&self) -> usize {
        usize::try_from(self.start).unwrap_or(usize::MAX)
    }
}

// === impl Contact ===

impl<'a> Contact<'a> {
    pub(super) fn jid(self) -> &'a str {
        self.texts().next().unwrap_or_default()
    }

    pub(super) fn to_bare_jid(self) -> BareJid {
        BareJid::from_prepared(self.jid())
    }

    pub(super) fn subscription(self) -> Subscription {
        self.entry.subscription
    }

    pub(super) fn is_pending_out(self) -> bool {
        self.entry.pending_out
    }

    pub(super) fn is_listed(self) -> bool {
        self.entry.listed
    }

    pub(super) fn changed(self) -> u64 {
        self.entry.changed
    }

    pub(super) fn request(self) -> Option<&'a Vec<u8>> {
        self.requests.get(self.jid())
    }

    /// The name, which may be empty, and the groups.
    pub(super) fn labels(self) -> impl Iterator<Item = &'a str> {
        let mut texts = self.texts().skip(1);
        let name = texts.next();
        name.into_iter()
            .chain(texts.take_while(|group| !group.is_empty()))
    }

    pub(super) fn groups(self) -> impl Iterator<Item = &'a str> {
        self.labels().skip(1)
    }

    pub(super) fn to_item(self) -> RosterItem {
        let mut labels = self.labels().map(str::to_owned);
        RosterItem {
            jid: self.to_bare_jid(),
            name: labels.next().filter(|name| !name.is_empty()),
            groups: labels.collect(),
            subscription: self.entry.subscription,
            pending_out: self.entry.pending_out,
            approved: self.entry.approved,
            pending_in: self.request().cloned(),
            listed: self.entry.listed,
            changed: self.entry.changed,
        }
    }

    fn texts(self) -> impl Iterator<Item = &'a str> {
        self.texts.split(END)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn item() -> impl Strategy<Value = RosterItem> {
        let jid = "[a-c]{1,2}@(a|b)\\.example";
        let name = proptest::option::of("[a-zé ]{1,4}");
        let groups = proptest::collection::vec("[a-zé ]{1,4}", 0..3);
        let request = proptest::option::of(proptest::collection::vec(any::<u8>(), 0..3));
        let subscription = prop_oneof![
            Just(Subscription::None),
            Just(Subscription::To),
            Just(Subscription::From),
            Just(Subscription::Both)
        ];
        let told = any::<(bool, bool, bool, u64)>();
        (jid, name, groups, request, subscription, told).prop_map(
            |(jid, name, groups, pending_in, subscription, told)| RosterItem {
                jid: jid.parse().unwrap(),
                name,
                groups,
                subscription,
                pending_out: told.0,
                approved: told.1,
                pending_in,
                listed: told.2,
                changed: told.3,
            },
        )
    }

    fn all(contacts: &Contacts) -> Vec<RosterItem> {
        contacts.iter().map(Contact::to_item).collect()
    }

    proptest! {
        #[test]
        fn what_was_put_and_not_removed_is_there_in_the_order_of_the_addresses(
            changes in proptest::collection::vec((item(), any::<bool>()), 0..40)
        ) {
            let mut contacts = Contacts::default();
            let mut model = BTreeMap::new();
            for (item, put) in changes {
                let jid = item.jid.clone();
                if put {
                    contacts.put(item.clone());
                    model.insert(item.jid.clone(), item);
                } else {
                    contacts.remove(&jid);
                    model.remove(&jid);
                }
                let found = contacts.get(jid.as_str()).map(Contact::to_item);
                prop_assert_eq!(found.as_ref(), model.get(&jid));
            }
            let items: Vec<RosterItem> = model.into_values().collect();
            prop_assert_eq!(&all(&contacts), &items);
            let requests = items.iter().filter_map(|item| item.pending_in.as_ref());
            prop_assert!(contacts.requests().eq(requests));
            prop_assert_eq!(all(&Contacts::from(items.clone())), items);
        }
    }

    #[test]
    fn twenty_contacts_take_less_than_a_kibibyte() {
        let item = |number: usize| RosterItem {
            jid: format!("user{number:04}@example.com").parse().unwrap(),
            ..crate::account::roster::blank("nobody@example.com".parse().unwrap())
        };
        let contacts = Contacts::from((0..20).map(item).collect::<Vec<_>>());
        let bytes = contacts.texts.capacity() + contacts.entries.capacity() * size_of::<Entry>();
        assert!(bytes < 1024, "{bytes} bytes");
    }
}
