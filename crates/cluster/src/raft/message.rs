//! The library's values as protobuf: its own form of them is no contract, this one is.

use std::collections::{BTreeMap, BTreeSet};

use openraft::{CommittedLeaderId, EntryPayload, LeaderId};
use rookery_wire::raft as wire;

use super::{Address, Command, Entry, LogId, Membership, Vote};

/// A message lacks what it has to have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the message has no {0}")]
pub(crate) struct Missing(pub(crate) &'static str);

pub(crate) fn vote(vote: &Vote) -> wire::Vote {
    wire::Vote {
        term: vote.leader_id.term,
        node: vote.leader_id.node_id,
        committed: vote.committed,
    }
}

pub(crate) fn read_vote(vote: Option<wire::Vote>) -> Result<Vote, Missing> {
    let wire::Vote {
        term,
        node,
        committed,
    } = vote.ok_or(Missing("vote"))?;
    Ok(Vote {
        leader_id: LeaderId::new(term, node),
        committed,
    })
}

pub(crate) fn log_id(id: &LogId) -> wire::LogId {
    wire::LogId {
        term: id.leader_id.term,
        node: id.leader_id.node_id,
        index: id.index,
    }
}

pub(crate) fn read_log_id(id: wire::LogId) -> LogId {
    let wire::LogId { term, node, index } = id;
    LogId::new(CommittedLeaderId::new(term, node), index)
}

pub(crate) fn membership(membership: &Membership) -> wire::Membership {
    let voters = membership.get_joint_config().iter();
    let nodes = membership.nodes();
    wire::Membership {
        voters: voters
            .map(|ids| wire::Voters {
                ids: ids.iter().copied().collect(),
            })
            .collect(),
        nodes: nodes
            .map(|(id, Address(address))| (*id, address.clone()))
            .collect(),
    }
}

pub(crate) fn read_membership(membership: wire::Membership) -> Membership {
    let voters = membership.voters.into_iter();
    let voters: Vec<BTreeSet<u64>> = voters.map(|set| set.ids.into_iter().collect()).collect();
    let nodes = membership.nodes.into_iter();
    let nodes: BTreeMap<u64, Address> = nodes.map(|(id, at)| (id, Address(at))).collect();
    Membership::new(voters, nodes)
}

pub(crate) fn entry(entry: &Entry) -> wire::Entry {
    let payload = match &entry.payload {
        EntryPayload::Blank => None,
        EntryPayload::Normal(Command(bytes)) => Some(wire::entry::Payload::Command(bytes.clone())),
        EntryPayload::Membership(group) => {
            Some(wire::entry::Payload::Membership(membership(group)))
        }
    };
    wire::Entry {
        id: Some(log_id(&entry.log_id)),
        payload,
    }
}

pub(crate) fn read_entry(entry: wire::Entry) -> Result<Entry, Missing> {
    let payload = match entry.payload {
        None => EntryPayload::Blank,
        Some(wire::entry::Payload::Command(bytes)) => EntryPayload::Normal(Command(bytes)),
        Some(wire::entry::Payload::Membership(group)) => {
            EntryPayload::Membership(read_membership(group))
        }
    };
    Ok(Entry {
        log_id: read_log_id(entry.id.ok_or(Missing("id"))?),
        payload,
    })
}
