//! The nodes of a cluster, and their runs.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

/// A node: the index of the log entry that admitted it. Never used again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MemberId(pub u64);

/// One run of a node's process. The log counts them, in all of the cluster: a later run has a greater number,
/// and none is used again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Incarnation(pub u32);

/// The versions of wire, log and snapshot that a node speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VersionRange {
    /// The oldest.
    pub min: u32,
    /// The newest.
    pub max: u32,
}

/// What a node takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Nothing yet: its process has just started.
    Joining,
    /// Sessions, homes and rooms.
    Serving,
    /// Nothing new: it is about to leave.
    Draining,
}

/// One node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// What the node called itself when it asked to be admitted; the same question gets the same answer.
    pub admission: u64,
    /// Where the others reach it: `host:port`.
    pub address: Arc<str>,
    /// What it speaks.
    pub versions: VersionRange,
    /// What it takes.
    pub standing: Standing,
    /// Its run, while one is alive.
    pub run: Option<Run>,
}

/// A run of a node that is alive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Run {
    /// Its number.
    pub incarnation: Incarnation,
    /// What the process called itself when it registered; the same question gets the same answer.
    pub nonce: u64,
}

/// All nodes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Members {
    pub(crate) all: BTreeMap<MemberId, Member>,
    /// The runs that are alive.
    pub(crate) runs: BTreeMap<Incarnation, MemberId>,
    /// The newest run.
    pub(crate) last: u32,
    /// The version that all of them speak; 0 before the first node registered.
    pub(crate) version: u32,
}

// === impl Members ===

impl Members {
    /// The node, if it belongs to the cluster.
    pub fn get(&self, id: MemberId) -> Option<&Member> {
        self.all.get(&id)
    }

    /// All nodes, the oldest first.
    pub fn iter(&self) -> impl Iterator<Item = (MemberId, &Member)> {
        self.all.iter().map(|(id, member)| (*id, member))
    }

    /// How many nodes there are.
    pub fn len(&self) -> usize {
        self.all.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// Whose run it is, while it is alive.
    pub fn owner(&self, run: Incarnation) -> Option<MemberId> {
        self.runs.get(&run).copied()
    }

    /// Whether the run is alive.
    pub fn is_alive(&self, run: Incarnation) -> bool {
        self.runs.contains_key(&run)
    }

    /// The run of a node that is alive.
    pub fn run(&self, id: MemberId) -> Option<Incarnation> {
        Some(self.all.get(&id)?.run?.incarnation)
    }

    /// The nodes that take what is new: alive, and not draining.
    pub fn serving(&self) -> impl Iterator<Item = MemberId> {
        let serves = |member: &Member| member.run.is_some() && member.standing == Standing::Serving;
        self.iter()
            .filter(move |(_, member)| serves(member))
            .map(|(id, _)| id)
    }

    /// The version that log, wire and snapshots have now; 0 before the first node registered.
    pub fn version(&self) -> u32 {
        self.version
    }

    /// Ends a run; whether it was alive.
    pub(crate) fn end(&mut self, run: Incarnation) -> bool {
        let Some(id) = self.runs.remove(&run) else {
            return false;
        };
        if let Some(member) = self.all.get_mut(&id) {
            member.run = None;
        }
        true
    }
}

// === impl VersionRange ===

impl VersionRange {
    /// Whether the version is one of these.
    pub fn contains(self, version: u32) -> bool {
        (self.min..=self.max).contains(&version)
    }
}

impl fmt::Display for MemberId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Display for Incarnation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
