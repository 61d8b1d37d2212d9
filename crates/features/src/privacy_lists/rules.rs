//! All lists of an account, and how they go together with its block list (XEP-0191 §5).
//!
//! The block list is the beginning of the default list: there is one store for both. While a list is the default
//! one, the addresses that it denies everything are kept as the block list, and the rest of it as the list. An
//! account that blocks somebody without having made a list has a default list that holds nothing else.

use std::collections::BTreeMap;

use rookery_extension::{AccountData, AccountView, Kept, SessionData, SessionView};
use rookery_stanza::Jid;
use rookery_storage::record::Record;
use rookery_storage::{DataWrite, Datum, StoreError};
use rookery_xml::Element;

use super::NAMESPACE;
use super::list::{Action, List, Traffic};
use crate::account_records::StoredElement;
use crate::blocking::{self, BlockList};

/// The kind of the records: one for each list, and one that names the default list.
const KIND: &str = "privacy";

/// The name of the record that names the default list.
const DEFAULT: &str = "default";

/// What stands before the name of a list in that of its record.
const LIST: &str = "list/";

/// The name of the default list of an account that has made none, but blocks somebody.
const BLOCKED: &str = "blocked";

/// The lists as they are kept: the default one without what the block list says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Lists {
    lists: BTreeMap<String, List>,
    default: Option<String>,
}

/// The name of the list that is active in a session.
#[derive(Debug)]
pub(super) struct Active(pub(super) String);

/// All that decides what passes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Rules {
    lists: Lists,
    blocked: BlockList,
}

impl SessionData for Active {}

/// The list that is active in a session.
pub(crate) fn active<'a>(session: &SessionView<'a>) -> Option<&'a str> {
    let active = session.kept.get::<Active>();
    active.map(|Active(name)| name.as_str())
}

// === impl Lists ===

impl Lists {
    pub(super) fn get(&self, name: &str) -> Option<&List> {
        self.lists.get(name)
    }

    /// The list that decides for a session in which this one is active: that, or the default one, which is
    /// without what the block list says (§2.2, rules 1 and 2).
    pub(super) fn applying(&self, active: Option<&str>) -> Option<&List> {
        let active = active.and_then(|name| self.get(name));
        active.or_else(|| self.get(self.default.as_deref()?))
    }
}

impl AccountData for Lists {
    const KIND: &'static str = KIND;

    fn read(records: &[Datum]) -> Result<Option<Self>, StoreError> {
        let mut read = Self::default();
        for datum in records {
            let corrupt = || StoreError::Corrupt("a privacy list makes no sense".to_owned());
            let StoredElement(element) = StoredElement::from_record(&datum.value)?;
            match datum.name.strip_prefix(LIST) {
                Some(name) => {
                    let list = List::parse(&element).map_err(|_| corrupt())?;
                    read.lists.insert(name.to_owned(), list);
                }
                None => read.default = element.attribute("name").map(str::to_owned),
            }
        }
        Ok(Some(read))
    }
}

// === impl Rules ===

impl Rules {
    pub(super) fn of(kept: &Kept) -> Self {
        Self {
            lists: kept.get().cloned().unwrap_or_default(),
            blocked: kept.get().cloned().unwrap_or_default(),
        }
    }

    /// With another block list.
    pub(super) fn with_blocked(self, blocked: BlockList) -> Self {
        Self { blocked, ..self }
    }

    /// What is kept of it from now on.
    pub(super) fn into_kept(self) -> (Option<Lists>, Option<BlockList>) {
        let lists = (self.lists != Lists::default()).then_some(self.lists);
        (lists, (!self.blocked.is_empty()).then_some(self.blocked))
    }

    /// The name of the default list.
    pub(super) fn default_name(&self) -> Option<String> {
        let virtual_name = || {
            let numbered = (2..).map(|number| format!("{BLOCKED} {number}"));
            let mut names = std::iter::once(BLOCKED.to_owned()).chain(numbered);
            names.find(|name| self.lists.get(name).is_none())
        };
        match &self.lists.default {
            Some(name) => Some(name.clone()),
            None if self.blocked.is_empty() => None,
            None => virtual_name(),
        }
    }

    /// The names of all lists.
    pub(super) fn names(&self) -> Vec<String> {
        let mut names: Vec<String> = self.lists.lists.keys().cloned().collect();
        names.extend(self.default_name());
        names.sort_unstable();
        names.dedup();
        names
    }

    /// A list as clients know it.
    pub(super) fn list(&self, name: &str) -> Option<List> {
        let kept = self.lists.get(name);
        if self.default_name().as_deref() == Some(name) {
            let rest = kept.cloned().unwrap_or_default();
            return Some(rest.behind(self.blocked.iter().cloned()));
        }
        kept.cloned()
    }

    /// Puts a list in the place of the one with its name, if any.
    pub(super) fn put(&mut self, name: &str, mut list: List) {
        if self.default_name().as_deref() == Some(name) {
            self.blocked = list.take_blocked().into_iter().collect();
            self.lists.default = Some(name.to_owned());
        }
        self.lists.lists.insert(name.to_owned(), list);
    }

    /// Removes a list.
    pub(super) fn remove(&mut self, name: &str) {
        if self.default_name().as_deref() == Some(name) {
            self.blocked = BlockList::default();
            self.lists.default = None;
        }
        self.lists.lists.remove(name);
    }

    /// Makes a list that is there the default one, or none. The one that was it is a list of its own again.
    pub(super) fn set_default(&mut self, name: Option<&str>) {
        if let Some(before) = self.default_name()
            && let Some(list) = self.list(&before)
        {
            self.lists.lists.insert(before, list);
        }
        self.blocked = BlockList::default();
        self.lists.default = name.map(str::to_owned);
        if let Some(list) = name.and_then(|name| self.lists.lists.get_mut(name)) {
            self.blocked = list.take_blocked().into_iter().collect();
        }
    }

    /// Whether presence passes, in this direction, between a contact and a session in which this list is active.
    pub(super) fn passes(
        &self,
        presence: Traffic,
        active: Option<&str>,
        contact: &Jid,
        account: AccountView<'_>,
    ) -> bool {
        let is_active = active.is_some_and(|name| self.lists.get(name).is_some());
        if blocking::is_own(account.jid, contact) {
            return true;
        }
        if !is_active && self.blocked.blocks(contact) {
            return false;
        }
        let list = self.lists.applying(active);
        list.is_none_or(|list| list.decide(presence, contact, account.roster) == Action::Allow)
    }

    /// What is written to the store when these rules take the place of others.
    pub(super) fn writes(&self, before: &Self) -> Vec<DataWrite> {
        let mut writes = Vec::new();
        for (name, list) in &self.lists.lists {
            if before.lists.get(name) != Some(list) {
                writes.push(put(format!("{LIST}{name}"), list.to_element(name)));
            }
        }
        for name in before.lists.lists.keys() {
            if self.lists.get(name).is_none() {
                let (kind, name) = (KIND, format!("{LIST}{name}"));
                writes.push(DataWrite::Remove { kind, name });
            }
        }
        if self.lists.default != before.lists.default {
            writes.push(match &self.lists.default {
                Some(name) => {
                    let element = Element::new(DEFAULT, NAMESPACE);
                    put(
                        DEFAULT.to_owned(),
                        element.with_attribute("name", name.clone()),
                    )
                }
                None => DataWrite::Remove {
                    kind: KIND,
                    name: DEFAULT.to_owned(),
                },
            });
        }
        let (blocked, unblocked) = self.blocked_since(before);
        writes.extend(blocked.iter().map(blocking::put));
        writes.extend(unblocked.iter().map(blocking::remove));
        writes
    }

    /// Whom the block list names that it did not before, and whom it does not any more.
    pub(super) fn blocked_since(&self, before: &Self) -> (Vec<Jid>, Vec<Jid>) {
        let only_in = |one: &BlockList, other: &BlockList| {
            let jids = one.iter().filter(|jid| !other.contains(jid));
            jids.cloned().collect()
        };
        (
            only_in(&self.blocked, &before.blocked),
            only_in(&before.blocked, &self.blocked),
        )
    }
}

fn put(name: String, element: Element) -> DataWrite {
    DataWrite::Put {
        kind: KIND,
        name,
        value: StoredElement(element).to_record(),
        terms: Vec::new(),
    }
}

/// Whether the block list of an account does not count for a session, since a list is active there (§2.2,
/// rule 1).
pub(crate) fn replaces_block_list(account: AccountView<'_>, session: &Jid) -> bool {
    let lists = account.kept.get::<Lists>();
    lists.is_some()
        && account
            .session(session)
            .is_some_and(|session| active(&session).is_some())
}

/// What an account's rules say about traffic of a session, or of the account as a whole. What its block list says
/// is decided elsewhere.
pub(super) fn decide(
    traffic: Traffic,
    with: &Jid,
    session: Option<&Jid>,
    account: AccountView<'_>,
) -> Action {
    let Some(lists) = account.kept.get::<Lists>() else {
        return Action::Allow;
    };
    if blocking::is_own(account.jid, with) {
        return Action::Allow;
    }
    let session = session.and_then(|jid| account.session(jid));
    let list = lists.applying(session.as_ref().and_then(active));
    list.map_or(Action::Allow, |list| {
        list.decide(traffic, with, account.roster)
    })
}
