//! One part of the sessions: records one after the other in one block of memory, and an index of where they begin.
//!
//! A record that changes is written again at the end, and its old place is garbage; when an eighth of the block
//! is, what is not is copied into a new one.

use std::hash::BuildHasher;

use hashbrown::HashTable;

use super::Route;
use super::account::{self, Key, Routes};

/// Some accounts and their routes.
#[derive(Clone, Debug, Default)]
pub(crate) struct Shard {
    /// Where in the arena the record of each account begins.
    index: HashTable<u32>,
    arena: Vec<u8>,
    garbage: usize,
}

/// Less garbage than this is not worth the copy.
const WORTH_COPYING: usize = 4096;

// === impl Shard ===

impl Shard {
    /// The routes of an account.
    pub(crate) fn get(&self, hash: u64, key: Key<'_>) -> Option<Routes<'_>> {
        let at = self.index.find(hash, |at| self.record(*at).0 == key)?;
        Some(self.record(*at).1)
    }

    /// Puts these routes in the place of those that the account has, if it has any.
    pub(crate) fn put(
        &mut self,
        hash: u64,
        key: Key<'_>,
        routes: &[Route],
        hasher: &impl BuildHasher,
    ) {
        self.remove(hash, key);
        self.compact();
        if routes.is_empty() {
            return;
        }
        let at = u32::try_from(self.arena.len()).unwrap_or(u32::MAX);
        let mut record = Vec::with_capacity(128);
        account::write(&mut record, key, routes);
        self.append(&record);
        let arena = &self.arena;
        let rehash = |at: &u32| hasher.hash_one(account::read(from(arena, *at)).0);
        self.index.insert_unique(hash, at, rehash);
    }

    /// All accounts and their routes.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (Key<'_>, Routes<'_>)> {
        self.index.iter().map(|at| self.record(*at))
    }

    /// How many accounts there are.
    pub(crate) fn len(&self) -> usize {
        self.index.len()
    }

    /// Bytes that it has asked the allocator for.
    pub(crate) fn bytes(&self) -> usize {
        self.arena.capacity() + self.index.allocation_size()
    }

    fn record(&self, at: u32) -> (Key<'_>, Routes<'_>) {
        account::read(from(&self.arena, at))
    }

    fn remove(&mut self, hash: u64, key: Key<'_>) {
        let arena = &self.arena;
        let is_key = |at: &u32| account::read(from(arena, *at)).0 == key;
        if let Ok(entry) = self.index.find_entry(hash, is_key) {
            let (at, _) = entry.remove();
            self.garbage += account::length(from(arena, at));
        }
    }

    fn compact(&mut self) {
        if self.garbage < WORTH_COPYING.max(self.arena.len() / 8) {
            return;
        }
        let mut arena = Vec::with_capacity(self.arena.len() - self.garbage);
        for at in &mut self.index {
            let record = from(&self.arena, *at);
            let record = record.get(..account::length(record)).unwrap_or(record);
            *at = u32::try_from(arena.len()).unwrap_or(u32::MAX);
            arena.extend_from_slice(record);
        }
        self.arena = arena;
        self.garbage = 0;
    }

    /// Makes room by an eighth in place of doubling: memory is what a session costs here.
    fn append(&mut self, record: &[u8]) {
        if self.arena.capacity() - self.arena.len() < record.len() {
            let more = self.arena.len() / 8;
            self.arena.reserve_exact(record.len().max(more));
        }
        self.arena.extend_from_slice(record);
    }
}

fn from(arena: &[u8], at: u32) -> &[u8] {
    let at = usize::try_from(at).unwrap_or(usize::MAX);
    arena.get(at..).unwrap_or_default()
}
