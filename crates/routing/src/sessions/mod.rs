//! Who has which resource, and where.
//!
//! Accounts are spread over many shards, each behind a lock of its own and behind an `Arc`: a snapshot
//! takes the `Arc`s, and a writer copies a shard only when it changes one that a snapshot still has. A copy is
//! two blocks of memory, whatever lies in them.

mod account;
mod shard;

use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;

use parking_lot::RwLock;
use rookery_delivery::SessionId;
use rookery_stanza::BareJid;
use smallvec::SmallVec;

use account::Key;
pub(crate) use account::Routes;
pub(crate) use shard::Shard;

use crate::members::{Incarnation, Members};

/// Into how many parts the sessions are divided. It is no part of any format.
pub(crate) const SHARDS: usize = 1024;

/// As many sessions an account may have in the table, over all nodes. Homes have a bound of their own, which is
/// lower.
pub const MAX_SESSIONS_OF_ACCOUNT: usize = 1000;

/// A session, and whose it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Place {
    /// The run where the session lives, or lived before it was written down.
    pub run: Incarnation,
    /// The session.
    pub session: SessionId,
}

/// A session that has a resource, or waits for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Route {
    /// The resource.
    pub resource: Box<str>,
    /// The session.
    pub place: Place,
    /// Its priority, if it is available.
    pub priority: Option<i8>,
    /// Who looks after it, if it is written down and has no node of its own.
    pub custodian: Option<Incarnation>,
}

/// All sessions.
#[derive(Debug)]
pub(crate) struct Sessions {
    shards: Box<[RwLock<Arc<Shard>>]>,
    domains: RwLock<Domains>,
    hasher: RandomState,
}

/// The hosts that have accounts, by their numbers in the records. They are few, and never forgotten.
pub(crate) type Domains = Arc<[Box<str>]>;

/// The routes of one account, when they are read to be changed.
pub(crate) type RouteList = SmallVec<[Route; 4]>;

// === impl Route ===

impl Route {
    /// The run that acts for the session.
    pub fn acting(&self) -> Incarnation {
        self.custodian.unwrap_or(self.place.run)
    }
}

// === impl Sessions ===

impl Sessions {
    pub(crate) fn new() -> Self {
        Self {
            shards: (0..SHARDS).map(|_| RwLock::default()).collect(),
            domains: RwLock::default(),
            hasher: RandomState::new(),
        }
    }

    /// Reads all routes of an account, also those of runs that are over, in the order in which they were bound.
    pub(crate) fn read<T>(
        &self,
        account: &BareJid,
        read: impl FnOnce(Routes<'_>) -> T,
    ) -> Option<T> {
        let domain = number(&self.domains.read(), account.domain())?;
        let key = Key::new(domain, account.local());
        let hash = self.hasher.hash_one(key);
        let shard = self.shard(hash).read();
        Some(read(shard.get(hash, key)?))
    }

    /// Changes the routes of an account of runs that are alive, which stay in the order in which they were bound.
    pub(crate) fn change<T>(
        &self,
        account: &BareJid,
        members: &Members,
        change: impl FnOnce(&mut RouteList) -> T,
    ) -> T {
        let key = Key::new(self.number(account.domain()), account.local());
        let hash = self.hasher.hash_one(key);
        let shard = self.shard(hash);
        let before: RouteList = shard.read().get(hash, key).into_iter().flatten().collect();
        let is_alive = |route: &Route| members.is_alive(route.acting());
        let (mut live, mut after): (RouteList, RouteList) =
            before.iter().cloned().partition(is_alive);
        let answer = change(&mut live);
        after.append(&mut live);
        if after != before {
            Arc::make_mut(&mut shard.write()).put(hash, key, &after, &self.hasher);
        }
        answer
    }

    /// Removes the routes of runs that are over from one part of the table, and says whose they were.
    pub(crate) fn sweep(&self, part: usize, members: &Members) -> Vec<(BareJid, Route)> {
        let Some(shard) = self.shards.get(part) else {
            return Vec::new();
        };
        let frozen = Arc::clone(&shard.read());
        let is_dead = |route: &Route| !members.is_alive(route.acting());
        let mut swept = Vec::new();
        for (key, routes) in frozen.iter() {
            let (dead, live): (RouteList, RouteList) = routes.partition(is_dead);
            let Some(account) = key.account(&self.domains.read()) else {
                continue;
            };
            if !dead.is_empty() {
                let hash = self.hasher.hash_one(key);
                Arc::make_mut(&mut shard.write()).put(hash, key, &live, &self.hasher);
                swept.extend(dead.into_iter().map(|route| (account.clone(), route)));
            }
        }
        swept
    }

    /// Adds an account that is not there yet.
    pub(crate) fn restore(&self, account: &BareJid, routes: &[Route]) {
        let key = Key::new(self.number(account.domain()), account.local());
        let hash = self.hasher.hash_one(key);
        Arc::make_mut(&mut self.shard(hash).write()).put(hash, key, routes, &self.hasher);
    }

    /// The parts of the table as they are now, and the names of the hosts in them.
    pub(crate) fn freeze(&self) -> (Vec<Arc<Shard>>, Domains) {
        let freeze = |shard: &RwLock<Arc<Shard>>| Arc::clone(&shard.read());
        let shards = self.shards.iter().map(freeze).collect();
        (shards, Arc::clone(&self.domains.read()))
    }

    /// Bytes that the table has asked the allocator for.
    pub(crate) fn bytes(&self) -> usize {
        self.shards.iter().map(|shard| shard.read().bytes()).sum()
    }

    #[expect(
        clippy::indexing_slicing,
        reason = "there are SHARDS of them, and the remainder is below that"
    )]
    fn shard(&self, hash: u64) -> &RwLock<Arc<Shard>> {
        // Bits that neither the buckets nor the tags of the table inside of a shard are made of.
        let bits = usize::try_from((hash >> 36) & 0xffff).unwrap_or_default();
        &self.shards[bits % SHARDS]
    }

    /// The number of a host, which gets one if it has none.
    fn number(&self, domain: &str) -> u32 {
        if let Some(number) = number(&self.domains.read(), domain) {
            return number;
        }
        let mut domains = self.domains.write();
        *domains = domains.iter().cloned().chain([domain.into()]).collect();
        number(&domains, domain).unwrap_or(u32::MAX)
    }
}

fn number(domains: &Domains, name: &str) -> Option<u32> {
    let at = domains.iter().position(|domain| **domain == *name)?;
    u32::try_from(at).ok()
}
