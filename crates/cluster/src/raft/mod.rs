//! The group of nodes that agree on the log of the routing table. The library that does it is named here only.
//!
//! * [`log`]: votes and entries on disk;
//! * [`machine`]: entries that are committed change the table; [`snapshot_file`]: snapshots of it;
//! * [`network`]: what this node asks the others; [`service`]: what they ask this one;
//! * [`message`]: the library's values as protobuf, on the wire and on disk.

pub(crate) mod log;
pub(crate) mod machine;
pub(crate) mod message;
pub(crate) mod network;
pub(crate) mod service;
pub(crate) mod snapshot_file;

use std::path::PathBuf;

use bytes::Bytes;
use rookery_routing::Answer;

openraft::declare_raft_types!(
    /// The types of the group.
    pub(crate) Group:
        D = Command,
        R = Option<Answer>,
        NodeId = u64,
        Node = Address,
        SnapshotData = SnapshotFile,
);

/// A command of the routing table, as its bytes: made once by the proposer, and read where it is applied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Command(pub(crate) Bytes);

/// Where a node is reached: `host:port`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Address(pub(crate) String);

/// A table on disk, as frames with their lengths before them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct SnapshotFile(pub(crate) PathBuf);

pub(crate) type LogId = openraft::LogId<u64>;
pub(crate) type Vote = openraft::Vote<u64>;
pub(crate) type Entry = openraft::Entry<Group>;
pub(crate) type Membership = openraft::Membership<u64, Address>;
pub(crate) type StoredMembership = openraft::StoredMembership<u64, Address>;
pub(crate) type SnapshotMeta = openraft::SnapshotMeta<u64, Address>;
pub(crate) type StorageError = openraft::StorageError<u64>;
pub(crate) type Raft = openraft::Raft<Group>;
