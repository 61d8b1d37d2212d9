//! What changes the table, what the proposer is answered, and what others have to know of it.

use std::sync::Arc;

use rookery_delivery::SessionId;
use rookery_stanza::BareJid;

use crate::members::{Incarnation, MemberId, VersionRange};
use crate::sessions::Place;

/// One entry of the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// The first node of a new cluster: it is member 1. Whoever comes second is refused.
    Found {
        /// A number that the node made up and wrote down.
        admission: u64,
        /// Where the others reach it.
        address: Arc<str>,
        /// What it speaks.
        versions: VersionRange,
    },
    /// A node without identity asks for one. Asked again with the same `admission`, it gets the same.
    Admit {
        /// A number that the node made up and wrote down.
        admission: u64,
        /// Where the others reach it.
        address: Arc<str>,
        /// What it speaks.
        versions: VersionRange,
    },
    /// A process of a node has started: its earlier run is over. Asked again with the same `nonce`, it gets the
    /// same run.
    Register {
        /// The node.
        member: MemberId,
        /// A number that the process made up.
        nonce: u64,
        /// Where the others reach it.
        address: Arc<str>,
        /// What it speaks.
        versions: VersionRange,
    },
    /// The node takes what is new.
    Serve(MemberId),
    /// The node takes nothing new any more.
    Drain(MemberId),
    /// The run is over: all that it had is free.
    Down(Incarnation),
    /// The node does not belong to the cluster any more.
    Remove(MemberId),
    /// Log, wire and snapshots have this version from now on.
    Finalize(u32),
    /// What a run asks for, in its order.
    Batch {
        /// The run.
        by: Incarnation,
        /// What it asks for.
        changes: Vec<Change>,
    },
}

/// One thing that a run asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// A session wants its resource.
    Bind(Named, OnConflict),
    /// A session has stopped, or gives up its claim.
    Unbind(Named),
    /// A session became available with a priority, or unavailable (RFC 6121 §4).
    Presence(Named, Option<i8>),
    /// A session without a connection is written down in the store, and this run looks after its end.
    Entrust(Named, Incarnation),
    /// A room wants to live here. Claimed again by the run that has it, it keeps its epoch.
    ClaimRoom {
        /// The room.
        room: BareJid,
    },
    /// Another run stands by for a room of this one.
    SetStandby {
        /// The room.
        room: BareJid,
        /// Who stands by, if anybody.
        standby: Option<Incarnation>,
    },
    /// A room is not needed any more, or goes to another run.
    ReleaseRoom {
        /// The room.
        room: BareJid,
        /// The epoch in which this run had it.
        epoch: u64,
        /// Who has it next, with a new epoch.
        to: Option<Incarnation>,
    },
    /// A component has connected here.
    Attach {
        /// Its domain.
        domain: Box<str>,
        /// Its stream.
        stream: SessionId,
    },
    /// A component is gone from here.
    Detach {
        /// Its domain.
        domain: Box<str>,
        /// Its stream.
        stream: SessionId,
    },
}

/// A session of the proposer, or one that is entrusted to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Named {
    /// Its account.
    pub account: BareJid,
    /// Its resource, prepared.
    pub resource: Box<str>,
    /// Which of the sessions that may have borne this address.
    pub session: SessionId,
}

/// What a session wants when another has the resource (RFC 6120 §7.7.2.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnConflict {
    /// The other one ends: the resource is this one's as soon as it has stopped.
    Displace,
    /// The other one stays.
    Yield,
}

/// What the proposer of a command is answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// The node is this one.
    Admitted(MemberId),
    /// The run is this one.
    Registered(Incarnation),
    /// It is done, or was so before.
    Done,
    /// The answers to the changes of a batch, in their order.
    Changed(Vec<Outcome>),
    /// Nothing has changed.
    Refused(Refusal),
}

/// Why a command changed nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The node does not belong to the cluster: it never did, or was removed.
    #[error("the node does not belong to this cluster")]
    NoMember,
    /// The run is over: another one of the same node has registered, or the others have given it up.
    #[error("this run of the node was declared down")]
    NoRun,
    /// The node does not speak what the cluster speaks.
    #[error("the cluster speaks version {active}, the node {min} to {max}")]
    Version {
        /// What the cluster speaks.
        active: u32,
        /// The oldest that the node speaks.
        min: u32,
        /// The newest that the node speaks.
        max: u32,
    },
    /// The cluster was founded before.
    #[error("the cluster was founded before")]
    Founded,
    /// A run of the node is alive: it has to end first.
    #[error("the node is still running")]
    Running,
}

/// What became of one change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It is done, or was so before.
    Done,
    /// The resource is the session's once this one, which has it now, has stopped.
    Pending(Place),
    /// This one has it, and keeps it.
    Conflict(Place),
    /// The account has as many sessions as one may have.
    Full,
    /// There is no such session, room or stream of this run: an answer that came too late.
    Unknown,
    /// The room is here, in this epoch.
    Claimed {
        /// Greater than that of any earlier owner.
        epoch: u64,
    },
    /// The room is somewhere else.
    Elsewhere {
        /// Where.
        owner: Incarnation,
        /// Since which entry of the log.
        epoch: u64,
    },
}

/// What somebody else than the proposer has to know of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// A session has to stop, and to say so with an `Unbind`: another one wants its resource.
    Displaced {
        /// Whose session it is.
        account: BareJid,
        /// The resource.
        resource: Box<str>,
        /// The one that has to stop.
        session: Place,
        /// The one that waits for it.
        by: Place,
    },
    /// A session that waited has the resource now.
    Promoted {
        /// Whose session it is.
        account: BareJid,
        /// The resource.
        resource: Box<str>,
        /// The session.
        session: Place,
    },
    /// A session waited for a resource and will not get it: another one asked later.
    Overtaken {
        /// Whose session it is.
        account: BareJid,
        /// The resource.
        resource: Box<str>,
        /// The session.
        session: Place,
    },
    /// A run has registered.
    Up(Incarnation),
    /// A run is over. Sessions that waited for one of its sessions have what they waited for.
    Down(Incarnation),
    /// The nodes, or what they take, are not what they were: what has no place may belong elsewhere now.
    Members,
    /// A room was given to this run.
    Given {
        /// The room.
        room: BareJid,
        /// To whom.
        owner: Incarnation,
        /// From which epoch on.
        epoch: u64,
    },
}
