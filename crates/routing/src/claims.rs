//! Who has which room, and where components are connected.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use parking_lot::RwLock;
use rookery_stanza::BareJid;

use crate::members::{Incarnation, Members};
use crate::sessions::Place;

/// Into how many parts the rooms are divided.
const PARTS: usize = 64;

/// Who has a room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Room {
    /// The run where it lives.
    pub owner: Incarnation,
    /// Who takes it over should that run end.
    pub standby: Option<Incarnation>,
    /// The index of the log entry by which the owner got it: what an earlier owner writes is refused.
    pub epoch: u64,
}

/// All rooms, in parts that a snapshot shares.
#[derive(Debug)]
pub(crate) struct Rooms {
    parts: Box<[RwLock<Arc<Part>>]>,
}

/// Some of the rooms.
pub(crate) type Part = HashMap<Box<str>, Room>;

/// The streams of components by their domains, each in the order in which they connected.
pub type Components = BTreeMap<Box<str>, Vec<Place>>;

// === impl Rooms ===

impl Rooms {
    pub(crate) fn new() -> Self {
        Self {
            parts: (0..PARTS).map(|_| RwLock::default()).collect(),
        }
    }

    /// Who has the room, while that run is alive.
    pub(crate) fn get(&self, room: &BareJid, members: &Members) -> Option<Room> {
        let found = self.part(room).read().get(room.as_str()).copied()?;
        members.is_alive(found.owner).then(|| Room {
            standby: found.standby.filter(|run| members.is_alive(*run)),
            ..found
        })
    }

    pub(crate) fn put(&self, room: &BareJid, owner: Room) {
        let mut part = self.part(room).write();
        Arc::make_mut(&mut part).insert(room.as_str().into(), owner);
    }

    pub(crate) fn remove(&self, room: &BareJid) {
        let mut part = self.part(room).write();
        Arc::make_mut(&mut part).remove(room.as_str());
    }

    /// Forgets the rooms of runs that are over, and says which these were.
    pub(crate) fn sweep(&self, members: &Members) -> Vec<(BareJid, Room)> {
        let mut swept = Vec::new();
        for part in &self.parts {
            let is_dead = |room: &Room| !members.is_alive(room.owner);
            if part.read().values().any(is_dead) {
                let mut part = part.write();
                let dead = Arc::make_mut(&mut part).extract_if(|_, room| is_dead(room));
                swept.extend(dead.map(|(room, owner)| (BareJid::from_prepared(&room), owner)));
            }
        }
        swept
    }

    pub(crate) fn freeze(&self) -> Vec<Arc<Part>> {
        let freeze = |part: &RwLock<Arc<Part>>| Arc::clone(&part.read());
        self.parts.iter().map(freeze).collect()
    }

    #[expect(
        clippy::indexing_slicing,
        reason = "there are PARTS of them, and the remainder is below that"
    )]
    fn part(&self, room: &BareJid) -> &RwLock<Arc<Part>> {
        let step = |sum: usize, byte: u8| sum.wrapping_mul(31).wrapping_add(usize::from(byte));
        &self.parts[room.as_str().bytes().fold(0, step) % PARTS]
    }
}
