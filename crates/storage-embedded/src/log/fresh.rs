//! What has happened to an account's log since the index was last written, so that no read waits for the index.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use rookery_storage::message_log::{Filter, IngressId, Origin, RowId};

use super::entry::{Confirmed, Event, MessageEntry, RowEntry};
use super::frame::Place;
use super::index::{Change, Found};

/// The changes of one account's log that its index does not contain.
#[derive(Debug, Default)]
pub(crate) struct Fresh {
    /// Whether the log was erased: nothing counts that the index has of it.
    pub(crate) erased: bool,
    /// The epoch, if the log was opened.
    pub(crate) epoch: Option<u64>,
    rows: BTreeMap<RowId, FreshRow>,
    /// Rows of the index that are not owed any more.
    confirmed: HashSet<RowId>,
    /// Rows of the index whose records were written again: from where, and to where.
    moved: HashMap<RowId, Vec<(Place, Place)>>,
}

/// A row that the index does not have.
#[derive(Debug)]
pub(crate) struct FreshRow {
    pub(crate) found: Found,
    pub(crate) ingress: IngressId,
    with: String,
    origin: Option<u32>,
}

// === impl Fresh ===

impl Fresh {
    /// What these changes come to for an account whose index contains all that lies before `indexed`.
    pub(crate) fn of(account: &str, changes: &[Arc<Change>], indexed: Option<Place>) -> Self {
        let mut fresh = Self::default();
        let new = |change: &&Arc<Change>| indexed.is_none_or(|indexed| change.place >= indexed);
        for change in changes.iter().filter(new) {
            match &change.event {
                Event::Message(message) => fresh.message(account, change.place, message),
                Event::Confirmed(confirmed) if confirmed.account == account => {
                    fresh.confirm(confirmed);
                }
                Event::Opened(opened) if opened.account == account => {
                    fresh.epoch = Some(opened.epoch);
                }
                Event::Erased(erased) if erased.account == account && erased.before.is_none() => {
                    fresh = Self {
                        erased: true,
                        ..Self::default()
                    };
                }
                _ => {}
            }
        }
        fresh
    }

    fn message(&mut self, account: &str, place: Place, message: &MessageEntry) {
        for row in message.rows.iter().filter(|row| row.account == account) {
            let id = row.id();
            let Some(from) = message.instead.map(Place::from) else {
                self.rows.insert(id, FreshRow::of(place, message, row));
                continue;
            };
            match self.rows.get_mut(&id) {
                Some(row) => row.found.relocate(from, place),
                None => self.moved.entry(id).or_default().push((from, place)),
            }
        }
    }

    fn confirm(&mut self, confirmed: &Confirmed) {
        for id in confirmed.ids() {
            match self.rows.get_mut(&id) {
                Some(row) => row.found.owed = false,
                None => drop(self.confirmed.insert(id)),
            }
        }
    }

    /// The rows that the index does not have, oldest first.
    pub(crate) fn rows(&self) -> impl DoubleEndedIterator<Item = &FreshRow> {
        self.rows.values()
    }

    /// The row of this id, if the index does not have it.
    pub(crate) fn row(&self, id: RowId) -> Option<Found> {
        self.rows.get(&id).map(|row| row.found)
    }

    /// The last id that was given.
    pub(crate) fn last(&self) -> Option<RowId> {
        self.rows.keys().next_back().copied()
    }

    /// The rows that the index may have as owed, and that are not.
    pub(crate) fn confirmed(&self) -> &HashSet<RowId> {
        &self.confirmed
    }

    /// What became of a row of the index.
    pub(crate) fn amend(&self, mut found: Found) -> Found {
        found.owed &= !self.confirmed.contains(&found.id);
        for (from, to) in self.moved.get(&found.id).into_iter().flatten() {
            found.relocate(*from, *to);
        }
        found
    }
}

// === impl FreshRow ===

impl FreshRow {
    fn of(place: Place, message: &MessageEntry, row: &RowEntry) -> Self {
        Self {
            found: Found {
                id: row.id(),
                place,
                archived: row.archived,
                owed: row.owed,
            },
            ingress: IngressId {
                session: message.session,
                count: message.count,
            },
            with: row.with.clone(),
            origin: message.origin,
        }
    }

    /// Whether the row is in the archive and matches.
    pub(crate) fn matches(&self, filter: &Filter) -> bool {
        let orders = filter.first_order()..filter.end_order();
        let with = filter.with.as_ref().is_none_or(|with| {
            if with.is_full() {
                self.with == with.as_str()
            } else {
                self.is_with(with.as_str())
            }
        });
        self.found.archived && with && orders.contains(&self.found.id.order())
    }

    /// Whether it was exchanged with this bare address, from whichever resource.
    pub(crate) fn is_with(&self, bare: &str) -> bool {
        let own = self.with.split_once('/');
        own.map_or(self.with.as_str(), |(own, _)| own) == bare
    }

    /// Whether its message has this origin.
    pub(crate) fn comes_from(&self, origin: Origin) -> bool {
        self.origin == Some(origin.bits())
    }
}
