//! Who votes: the leader makes the group what the routing table says, one step at a time.
//!
//! Members of the table listen first (*learners*). One that has caught up, by its own word, votes if fewer than the
//! bound do. A member that is removed from the table leaves the group.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use openraft::ChangeMembers;
use rookery_wire::raft as wire;
use rookery_wire::raft::directory_client::DirectoryClient;

use crate::member::Member;
use crate::peers;
use crate::raft::Address;

/// How often the leader looks.
const PERIOD: Duration = Duration::from_millis(250);

/// A learner that lacks more entries than this has not caught up.
const LAG: u64 = 16;

/// What the group is, as far as it matters here.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Group {
    voters: BTreeSet<u64>,
    nodes: BTreeMap<u64, String>,
}

/// What to do next.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Step {
    /// These listen from now on.
    Listen(BTreeMap<u64, String>),
    /// These are reached elsewhere.
    Move(BTreeMap<u64, String>),
    /// These vote from now on, if they have caught up; the first that has.
    Promote(Vec<u64>),
    /// This one votes no more.
    Demote(u64),
    /// These are not members any more.
    Forget(BTreeSet<u64>),
}

/// Looks after the group for as long as the node lives.
pub(crate) async fn run(member: Arc<Member>, max_voters: usize) {
    let mut ticks = tokio::time::interval(PERIOD);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    while member.raft.metrics().borrow().running_state.is_ok() {
        ticks.tick().await;
        let metrics = member.raft.metrics().borrow().clone();
        if metrics.current_leader != Some(member.identity.member) {
            continue;
        }
        let known = metrics.membership_config.membership();
        let group = Group {
            voters: known.voter_ids().collect(),
            nodes: known
                .nodes()
                .map(|(id, Address(address))| (*id, address.clone()))
                .collect(),
        };
        let wanted: BTreeMap<u64, String> = member
            .table
            .members()
            .iter()
            .map(|(id, member)| (id.0, member.address.to_string()))
            .collect();
        if let Some(step) = next(&group, &wanted, max_voters) {
            take(
                &member,
                &wanted,
                metrics.last_log_index.unwrap_or_default(),
                step,
            )
            .await;
        }
    }
}

/// The next step towards what the table says.
fn next(group: &Group, wanted: &BTreeMap<u64, String>, max_voters: usize) -> Option<Step> {
    let part = |keep: &dyn Fn(&u64, &String) -> bool| -> BTreeMap<u64, String> {
        let kept = wanted.iter().filter(|(id, address)| keep(id, address));
        kept.map(|(id, address)| (*id, address.clone())).collect()
    };
    let new = part(&|id, _| !group.nodes.contains_key(id));
    if !new.is_empty() {
        return Some(Step::Listen(new));
    }
    let moved = part(&|id, address| group.nodes.get(id) != Some(address));
    if !moved.is_empty() {
        return Some(Step::Move(moved));
    }
    let gone: BTreeSet<u64> = group
        .nodes
        .keys()
        .filter(|id| !wanted.contains_key(id))
        .copied()
        .collect();
    if let Some(voter) = gone.intersection(&group.voters).next() {
        return Some(Step::Demote(*voter));
    }
    if !gone.is_empty() {
        return Some(Step::Forget(gone));
    }
    let learners = wanted.keys().filter(|id| !group.voters.contains(id));
    let learners: Vec<u64> = learners.copied().collect();
    let room = group.voters.len() < max_voters;
    (room && !learners.is_empty()).then_some(Step::Promote(learners))
}

async fn take(member: &Member, wanted: &BTreeMap<u64, String>, last: u64, step: Step) {
    let addresses = |nodes: BTreeMap<u64, String>| -> BTreeMap<u64, Address> {
        nodes
            .into_iter()
            .map(|(id, address)| (id, Address(address)))
            .collect()
    };
    let change = match step.clone() {
        Step::Listen(nodes) => ChangeMembers::AddNodes(addresses(nodes)),
        Step::Move(nodes) => ChangeMembers::SetNodes(addresses(nodes)),
        Step::Demote(voter) => ChangeMembers::RemoveVoters(BTreeSet::from([voter])),
        Step::Forget(nodes) => ChangeMembers::RemoveNodes(nodes),
        Step::Promote(learners) => match caught_up(learners, wanted, last).await {
            Some(learner) => ChangeMembers::AddVoterIds(BTreeSet::from([learner])),
            None => return,
        },
    };
    match member.raft.change_membership(change, true).await {
        Ok(_) => tracing::info!(?step, "the group of voters has changed"),
        Err(error) => tracing::warn!(?step, %error, "the group of voters did not change"),
    }
}

/// The first of these that says that its table has what the log has.
async fn caught_up(
    learners: Vec<u64>,
    addresses: &BTreeMap<u64, String>,
    last: u64,
) -> Option<u64> {
    for learner in learners {
        let address = addresses.get(&learner)?;
        let mut client = DirectoryClient::new(peers::channel(address));
        let status = client.status(wire::StatusRequest {}).await;
        let status = status.map(tonic::Response::into_inner).ok();
        let has = status.filter(|status| status.member == learner && status.last + LAG >= last);
        if has.is_some_and(|status| status.applied + LAG >= last) {
            return Some(learner);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nodes(ids: &[u64]) -> BTreeMap<u64, String> {
        ids.iter().map(|id| (*id, format!("node-{id}:1"))).collect()
    }

    fn group(voters: &[u64], ids: &[u64]) -> Group {
        Group {
            voters: voters.iter().copied().collect(),
            nodes: nodes(ids),
        }
    }

    #[test]
    fn a_new_member_listens_before_it_votes() {
        let wanted = nodes(&[1, 5]);
        let step = next(&group(&[1], &[1]), &wanted, 5);
        assert_eq!(step, Some(Step::Listen(nodes(&[5]))));
        let step = next(&group(&[1], &[1, 5]), &wanted, 5);
        assert_eq!(step, Some(Step::Promote(vec![5])));
        assert_eq!(next(&group(&[1, 5], &[1, 5]), &wanted, 5), None);
    }

    #[test]
    fn no_more_vote_than_may() {
        let wanted = nodes(&[1, 5, 9, 12]);
        assert_eq!(next(&group(&[1, 5, 9], &[1, 5, 9, 12]), &wanted, 3), None);
    }

    #[test]
    fn a_member_that_was_removed_stops_voting_and_is_forgotten() {
        let wanted = nodes(&[1, 9]);
        let step = next(&group(&[1, 5, 9], &[1, 5, 9]), &wanted, 3);
        assert_eq!(step, Some(Step::Demote(5)));
        let step = next(&group(&[1, 9], &[1, 5, 9]), &wanted, 3);
        assert_eq!(step, Some(Step::Forget(BTreeSet::from([5]))));
    }

    #[test]
    fn a_member_that_moved_is_reached_where_it_is() {
        let mut wanted = nodes(&[1, 5]);
        wanted.insert(5, "elsewhere:1".to_owned());
        let step = next(&group(&[1, 5], &[1, 5]), &wanted, 3);
        let moved = BTreeMap::from([(5, "elsewhere:1".to_owned())]);
        assert_eq!(step, Some(Step::Move(moved)));
    }
}
