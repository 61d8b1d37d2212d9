//! The accounts in memory: found by their address once for each input, and by their place from then on.

use std::collections::HashMap;
use std::time::Instant;

use rookery_stanza::BareJid;

use super::slot::{Slot, Waiting};

/// Where an account is. It is good as long as its input is handled: the place of one that was let go may be given
/// to another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place(u32);

/// The accounts of a shard.
#[derive(Debug, Default)]
pub(super) struct Slots {
    places: HashMap<BareJid, Place>,
    /// Boxed, since places are spare.
    list: Vec<Option<Box<Slot>>>,
    free: Vec<Place>,
    /// Who was found last. A batch is mostly for one account.
    last: Option<Place>,
    /// Those that had something to do since the last [`sweep`](Self::sweep), wait for the store, or have no session.
    /// Nothing lies with any other, and none can be let go: sessions that do nothing are not looked at.
    watched: Vec<Place>,
}

impl Slots {
    /// Where the account is.
    pub(super) fn find(&mut self, account: &BareJid) -> Option<Place> {
        let is_it = |slot: &Slot| slot.account.jid() == account;
        if let Some(place) = self.last
            && self.get(place).is_some_and(is_it)
        {
            return Some(place);
        }
        self.last = self.places.get(account).copied();
        self.last
    }

    /// The account at a place.
    pub(super) fn get(&self, place: Place) -> Option<&Slot> {
        self.list.get(place.0 as usize)?.as_deref()
    }

    /// The account at a place.
    pub(super) fn get_mut(&mut self, place: Place) -> Option<&mut Slot> {
        self.list.get_mut(place.0 as usize)?.as_deref_mut()
    }

    /// The account of this address.
    pub(super) fn of(&mut self, account: &BareJid) -> Option<&mut Slot> {
        let place = self.find(account)?;
        self.get_mut(place)
    }

    pub(super) fn len(&self) -> usize {
        self.places.len()
    }

    /// The accounts with which something may lie.
    pub(super) fn watched(&self) -> impl Iterator<Item = &Slot> {
        self.watched.iter().filter_map(|place| self.get(*place))
    }

    /// Takes out the stanzas that were read before this moment, and still wait.
    pub(super) fn take_overdue(&mut self, before: Instant) -> Vec<Waiting> {
        let mut overdue = Vec::new();
        for place in &self.watched {
            let slot = self.list.get_mut(place.0 as usize);
            if let Some(slot) = slot.and_then(Option::as_deref_mut) {
                overdue.extend(slot.waiting.take_overdue(before));
            }
        }
        overdue
    }

    /// The account has something to do.
    pub(super) fn watch(&mut self, place: Place) {
        let slot = self.list.get_mut(place.0 as usize);
        if let Some(slot) = slot.and_then(Option::as_deref_mut)
            && !std::mem::replace(&mut slot.watched, true)
        {
            self.watched.push(place);
        }
    }

    /// Lets accounts go that have been idle since before `since`.
    pub(super) fn sweep(&mut self, since: u64) {
        let mut watched = std::mem::take(&mut self.watched);
        watched.retain(|place| {
            let Some(slot) = self.get_mut(*place) else {
                self.free.push(*place);
                return false;
            };
            if slot.is_idle() && slot.idle_since <= since {
                slot.watched = false;
                self.remove(*place);
                return false;
            }
            slot.watched = slot.busy.is_some() || slot.account.is_idle();
            slot.watched
        });
        watched.shrink_to(watched.len() * 2);
        self.watched = watched;
        super::give_back(&mut self.places);
    }

    /// Takes up an account that is not there.
    pub(super) fn add(&mut self, slot: Slot) -> Place {
        let account = slot.account.jid().clone();
        let slot = Some(Box::new(slot));
        let place = self.free.pop().unwrap_or_else(|| {
            self.list.push(None);
            Place(u32::try_from(self.list.len() - 1).unwrap_or(u32::MAX))
        });
        if let Some(free) = self.list.get_mut(place.0 as usize) {
            *free = slot;
        }
        self.places.insert(account, place);
        place
    }

    /// Lets an account go.
    pub(super) fn remove(&mut self, place: Place) {
        if let Some(slot) = self.list.get_mut(place.0 as usize).and_then(Option::take) {
            self.places.remove(slot.account.jid());
            // One that is watched is free once that has been seen.
            if !slot.watched {
                self.free.push(place);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn account(name: &str) -> BareJid {
        BareJid::parse(name).unwrap()
    }

    fn slot(name: &str) -> Slot {
        Slot::new(account(name), 1)
    }

    #[test]
    fn an_account_keeps_its_place_until_it_is_let_go() {
        let mut slots = Slots::default();
        let juliet = slots.add(slot("juliet@example.com"));
        let romeo = slots.add(slot("romeo@example.com"));
        for _ in 0..2 {
            assert_eq!(slots.find(&account("juliet@example.com")), Some(juliet));
            assert_eq!(slots.find(&account("romeo@example.com")), Some(romeo));
            assert_eq!(slots.find(&account("nurse@example.com")), None);
        }
        slots.remove(romeo);
        assert_eq!(slots.find(&account("romeo@example.com")), None);
        assert_eq!(slots.add(slot("nurse@example.com")), romeo);
        assert_eq!(slots.find(&account("nurse@example.com")), Some(romeo));
        assert_eq!(slots.find(&account("romeo@example.com")), None);
    }

    #[test]
    fn accounts_that_are_idle_are_let_go_in_time() {
        let mut slots = Slots::default();
        let place = slots.add(slot("juliet@example.com"));
        slots.watch(place);
        slots.get_mut(place).unwrap().idle_since = 100;
        slots.sweep(99);
        assert_eq!((slots.len(), slots.watched().count()), (1, 1));
        slots.sweep(100);
        assert_eq!((slots.len(), slots.watched().count()), (0, 0));
    }

    #[test]
    fn a_place_that_is_watched_is_given_to_nobody_else() {
        let mut slots = Slots::default();
        let place = slots.add(slot("juliet@example.com"));
        slots.watch(place);
        slots.remove(place);
        assert_ne!(slots.add(slot("romeo@example.com")), place);
        slots.sweep(0);
        assert_eq!(slots.add(slot("nurse@example.com")), place);
    }
}
