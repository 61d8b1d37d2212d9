//! The table: commands in, answers and events out.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::{Mutex, RwLock};
use rookery_stanza::BareJid;

use crate::administration;
use crate::applying::Applying;
use crate::claims::{Components, Room, Rooms};
use crate::command::{Answer, Change, Command, Event, Refusal};
use crate::members::{Incarnation, MemberId, Members};
use crate::rendezvous;
use crate::sessions::{Place, Route, SHARDS, Sessions};

/// The whole table. One thread changes it; any may read it meanwhile, and sees each change whole.
#[derive(Debug)]
pub struct Table {
    pub(crate) sessions: RwLock<Arc<Sessions>>,
    pub(crate) rooms: RwLock<Arc<Rooms>>,
    pub(crate) members: RwLock<Arc<Members>>,
    pub(crate) components: RwLock<Arc<Components>>,
    /// The index of the entry that was applied last.
    pub(crate) applied: AtomicU64,
    /// Held by whoever changes the table.
    pub(crate) writing: Mutex<()>,
}

impl Default for Table {
    fn default() -> Self {
        Self::new()
    }
}

// === impl Table: reading ===

impl Table {
    /// An empty table, to which nothing was applied.
    pub fn new() -> Self {
        Self {
            sessions: RwLock::new(Arc::new(Sessions::new())),
            rooms: RwLock::new(Arc::new(Rooms::new())),
            members: RwLock::default(),
            components: RwLock::default(),
            applied: AtomicU64::new(0),
            writing: Mutex::default(),
        }
    }

    /// The index of the entry that was applied last. What was decided after reading it was decided on a table at
    /// least as new.
    pub fn applied(&self) -> u64 {
        self.applied.load(Ordering::Acquire)
    }

    /// The nodes.
    pub fn members(&self) -> Arc<Members> {
        Arc::clone(&self.members.read())
    }

    /// The sessions of an account, in the order in which they were bound: the ones that have their resources, and
    /// the ones that wait for them, which come later.
    pub fn routes(&self, account: &BareJid) -> Vec<Route> {
        let members = self.members();
        let is_alive = |route: &Route| members.is_alive(route.acting());
        let read = self.sessions.read();
        read.read(account, |routes| routes.filter(is_alive).collect())
            .unwrap_or_default()
    }

    /// The session that has a resource, and the run that acts for it.
    pub fn session(&self, account: &BareJid, resource: &str) -> Option<(Place, Incarnation)> {
        self.first(account, |found| found == resource)
    }

    /// The home of an account: the node of its oldest session that has its resource, else the serving node that
    /// its address belongs to. `None` when no node serves.
    pub fn home(&self, account: &BareJid) -> Option<MemberId> {
        match self.first(account, |_| true) {
            Some((_, acting)) => self.members.read().owner(acting),
            None => rendezvous::place(account.as_str(), self.members.read().serving()),
        }
    }

    /// Who has a room.
    pub fn room(&self, room: &BareJid) -> Option<Room> {
        let members = self.members();
        self.rooms.read().get(room, &members)
    }

    /// The streams of a component that are alive, in the order in which they connected.
    pub fn component(&self, domain: &str) -> Vec<Place> {
        let members = self.members();
        let streams = self.components.read();
        let alive = |place: &&Place| members.is_alive(place.run);
        streams
            .get(domain)
            .map(|places| places.iter().filter(alive).copied().collect())
            .unwrap_or_default()
    }

    /// Bytes of memory that the sessions take.
    pub fn session_bytes(&self) -> usize {
        self.sessions.read().bytes()
    }

    /// Into how many parts the table is divided for [`sweep`](Self::sweep).
    pub const PARTS: usize = SHARDS;

    fn first(
        &self,
        account: &BareJid,
        wanted: impl Fn(&str) -> bool,
    ) -> Option<(Place, Incarnation)> {
        let members = self.members.read();
        let read = self.sessions.read();
        read.read(account, |mut routes| {
            std::iter::from_fn(|| routes.next_route())
                .filter(|(resource, _)| wanted(resource))
                .map(|(_, route)| (route.place, route.acting()))
                .find(|(_, acting)| members.is_alive(*acting))
        })?
    }
}

// === impl Table: changing ===

impl Table {
    /// Applies the entry at `index` of the log. What others than the proposer have to know is added to `events`.
    pub fn apply(&self, index: u64, command: Command, events: &mut Vec<Event>) -> Answer {
        let _writing = self.writing.lock();
        let mut members = self.members();
        let answer = match command {
            Command::Batch { by, changes } => self.batch(index, by, changes, events),
            other => {
                let known = Arc::make_mut(&mut members);
                let answer = administration::carry_out(known, index, other, events);
                *self.members.write() = members;
                answer
            }
        };
        self.applied.store(index, Ordering::Release);
        answer
    }

    /// Frees what runs that are over had in one part of the table, below [`PARTS`](Self::PARTS), and says what
    /// that was. Nobody can see that it is gone: it was not there for any reader before.
    pub fn sweep(&self, part: usize) -> Vec<(BareJid, Route)> {
        let _writing = self.writing.lock();
        let members = self.members();
        self.sessions.read().sweep(part, &members)
    }

    /// Frees the rooms of runs that are over, and says which these were.
    pub fn sweep_rooms(&self) -> Vec<(BareJid, Room)> {
        let _writing = self.writing.lock();
        let members = self.members();
        self.rooms.read().sweep(&members)
    }

    fn batch(
        &self,
        index: u64,
        by: Incarnation,
        changes: Vec<Change>,
        events: &mut Vec<Event>,
    ) -> Answer {
        let members = self.members();
        if !members.is_alive(by) {
            return Answer::Refused(Refusal::NoRun);
        }
        let mut applying = Applying::new(self, &members, (index, by), events);
        let changed = changes.into_iter().map(|change| applying.change(change));
        Answer::Changed(changed.collect())
    }
}
