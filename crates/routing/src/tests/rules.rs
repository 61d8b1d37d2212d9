//! What the table promises, one statement a test.

use std::sync::Arc;

use rookery_delivery::SessionId;

use super::{Cluster, VERSIONS, bind, named, parts};
use crate::{
    Answer, Change, Command, Event, Incarnation, MemberId, OnConflict, Outcome, Place, Refusal,
    Room, Standing, VersionRange,
};

const BALCONY: &str = "juliet@example.com/balcony";

fn place(run: u32, session: u64) -> Place {
    let (run, session) = (Incarnation(run), SessionId(session));
    Place { run, session }
}

#[test]
fn a_session_is_displaced_only_when_its_node_says_that_it_stopped() {
    let mut cluster = Cluster::of(2);
    let (account, resource) = parts(BALCONY);
    assert_eq!(cluster.bind(1, BALCONY, 10), Outcome::Done);
    assert_eq!(cluster.bind(2, BALCONY, 20), Outcome::Pending(place(1, 10)));
    assert_eq!(cluster.owner(BALCONY), Some((1, 10)));
    let (session, by) = (place(1, 10), place(2, 20));
    let displaced = Event::Displaced {
        account: account.clone(),
        resource: resource.clone(),
        session,
        by,
    };
    assert_eq!(cluster.events(), [displaced]);
    assert_eq!(cluster.unbind(1, BALCONY, 10), Outcome::Done);
    assert_eq!(cluster.owner(BALCONY), Some((2, 20)));
    let promoted = Event::Promoted {
        account,
        resource,
        session: by,
    };
    assert_eq!(cluster.events(), [promoted]);
}

#[test]
fn who_waits_for_a_session_of_a_node_that_died_has_what_it_waited_for() {
    let mut cluster = Cluster::of(2);
    cluster.bind(1, BALCONY, 10);
    cluster.bind(2, BALCONY, 20);
    cluster.events();
    cluster.apply(Command::Down(Incarnation(1)));
    assert_eq!(cluster.owner(BALCONY), Some((2, 20)));
    assert_eq!(
        cluster.events(),
        [Event::Down(Incarnation(1)), Event::Members]
    );
}

#[test]
fn at_most_one_waits_for_a_resource_and_that_is_the_last_one() {
    let mut cluster = Cluster::of(3);
    cluster.bind(1, BALCONY, 10);
    cluster.bind(2, BALCONY, 20);
    cluster.events();
    assert_eq!(cluster.bind(3, BALCONY, 30), Outcome::Pending(place(1, 10)));
    let (account, resource) = parts(BALCONY);
    let overtaken = Event::Overtaken {
        account,
        resource,
        session: place(2, 20),
    };
    assert_eq!(cluster.events(), [overtaken]);
    cluster.unbind(1, BALCONY, 10);
    assert_eq!(cluster.owner(BALCONY), Some((3, 30)));
    assert_eq!(cluster.unbind(2, BALCONY, 20), Outcome::Unknown);
}

#[test]
fn who_does_not_insist_on_a_resource_is_told_at_once_that_it_is_taken() {
    let mut cluster = Cluster::of(2);
    cluster.bind(1, BALCONY, 10);
    let yielding = bind(BALCONY, 20, OnConflict::Yield);
    assert_eq!(cluster.change(2, yielding), Outcome::Conflict(place(1, 10)));
    assert_eq!(cluster.owner(BALCONY), Some((1, 10)));
}

#[test]
fn a_late_unbind_harms_nobody() {
    let mut cluster = Cluster::of(2);
    cluster.bind(1, BALCONY, 10);
    cluster.unbind(1, BALCONY, 10);
    cluster.bind(2, BALCONY, 10);
    assert_eq!(
        cluster.unbind(1, BALCONY, 10),
        Outcome::Unknown,
        "another node's"
    );
    assert_eq!(
        cluster.unbind(2, BALCONY, 9),
        Outcome::Unknown,
        "another session's"
    );
    assert_eq!(cluster.owner(BALCONY), Some((2, 10)));
}

#[test]
fn a_change_that_is_proposed_twice_is_made_once() {
    let mut cluster = Cluster::of(2);
    cluster.bind(1, BALCONY, 10);
    assert_eq!(cluster.bind(1, BALCONY, 10), Outcome::Done);
    cluster.bind(2, BALCONY, 20);
    assert_eq!(cluster.bind(2, BALCONY, 20), Outcome::Pending(place(1, 10)));
    let (account, _) = parts(BALCONY);
    assert_eq!(cluster.table.routes(&account).len(), 2);
}

#[test]
fn a_run_that_is_over_has_nothing_and_changes_nothing() {
    let mut cluster = Cluster::of(2);
    cluster.bind(1, BALCONY, 10);
    cluster.apply(Command::Down(Incarnation(1)));
    assert_eq!(cluster.owner(BALCONY), None);
    let late = Command::Batch {
        by: Incarnation(1),
        changes: vec![],
    };
    assert_eq!(cluster.apply(late), Answer::Refused(Refusal::NoRun));
    let swept: Vec<_> = (0..crate::Table::PARTS)
        .flat_map(|part| cluster.table.sweep(part))
        .map(|(account, route)| (account.to_string(), route.place))
        .collect();
    assert_eq!(swept, [("juliet@example.com".to_owned(), place(1, 10))]);
    assert_eq!(cluster.table.sweep(0), []);
}

#[test]
fn a_process_that_starts_again_ends_its_earlier_run() {
    let mut cluster = Cluster::of(2);
    cluster.bind(1, BALCONY, 10);
    let address: Arc<str> = "node-0:7001".into();
    let again = |nonce| Command::Register {
        member: MemberId(1),
        nonce,
        address: Arc::clone(&address),
        versions: VERSIONS,
    };
    assert_eq!(cluster.apply(again(77)), Answer::Registered(Incarnation(3)));
    assert_eq!(
        cluster.apply(again(77)),
        Answer::Registered(Incarnation(3)),
        "asked again"
    );
    assert_eq!(cluster.owner(BALCONY), None);
    let members = cluster.table.members();
    let member = members.get(MemberId(1)).unwrap();
    assert_eq!(
        (&*member.address, member.standing),
        ("node-0:7001", Standing::Joining)
    );
}

#[test]
fn the_home_is_where_the_oldest_session_is_and_else_the_same_for_all() {
    let mut cluster = Cluster::of(3);
    let (account, _) = parts(BALCONY);
    let members = [1, 4, 7].map(MemberId);
    let away = cluster.table.home(&account).unwrap();
    assert!(members.contains(&away));
    cluster.bind(3, BALCONY, 30);
    cluster.bind(1, "juliet@example.com/chamber", 10);
    assert_eq!(cluster.table.home(&account), Some(members[2]));
    cluster.unbind(3, BALCONY, 30);
    assert_eq!(cluster.table.home(&account), Some(members[0]));
    cluster.unbind(1, "juliet@example.com/chamber", 10);
    assert_eq!(cluster.table.home(&account), Some(away));
    cluster.apply(Command::Drain(away));
    let next = cluster.table.home(&account).unwrap();
    assert!(next != away && members.contains(&next));
}

#[test]
fn a_session_that_is_written_down_is_looked_after_by_its_custodian() {
    let mut cluster = Cluster::of(3);
    cluster.bind(1, BALCONY, 10);
    let entrust = Change::Entrust(named(BALCONY, 10), Incarnation(2));
    assert_eq!(cluster.change(1, entrust), Outcome::Done);
    cluster.apply(Command::Down(Incarnation(1)));
    assert_eq!(
        cluster.owner(BALCONY),
        Some((2, 10)),
        "it outlives its node"
    );
    assert_eq!(cluster.bind(3, BALCONY, 30), Outcome::Pending(place(1, 10)));
    assert_eq!(cluster.unbind(2, BALCONY, 10), Outcome::Done);
    assert_eq!(cluster.owner(BALCONY), Some((3, 30)));
}

#[test]
fn a_room_has_one_owner_and_each_owner_a_greater_epoch() {
    let mut cluster = Cluster::of(3);
    let room = parts("balcony@rooms.example.com").0;
    let claim = || Change::ClaimRoom { room: room.clone() };
    let Outcome::Claimed { epoch } = cluster.change(1, claim()) else {
        panic!("not claimed");
    };
    assert_eq!(cluster.change(1, claim()), Outcome::Claimed { epoch });
    let owner = Incarnation(1);
    assert_eq!(
        cluster.change(2, claim()),
        Outcome::Elsewhere { owner, epoch }
    );
    let standby = Some(Incarnation(2));
    cluster.change(
        1,
        Change::SetStandby {
            room: room.clone(),
            standby,
        },
    );
    assert_eq!(
        cluster.table.room(&room),
        Some(Room {
            owner,
            standby,
            epoch
        })
    );
    cluster.apply(Command::Down(owner));
    assert_eq!(cluster.table.room(&room), None);
    let Outcome::Claimed { epoch: next } = cluster.change(2, claim()) else {
        panic!("not claimed");
    };
    assert!(next > epoch);
    let to = Some(Incarnation(3));
    let release = |epoch| Change::ReleaseRoom {
        room: room.clone(),
        epoch,
        to,
    };
    assert_eq!(
        cluster.change(2, release(epoch)),
        Outcome::Unknown,
        "an old epoch"
    );
    assert_eq!(cluster.change(2, release(next)), Outcome::Done);
    let given = cluster.table.room(&room).unwrap();
    assert_eq!(given.owner, Incarnation(3));
    assert!(given.epoch > next);
}

#[test]
fn streams_of_a_component_end_with_their_node() {
    let mut cluster = Cluster::of(2);
    let attach = |stream| Change::Attach {
        domain: "push.example.com".into(),
        stream: SessionId(stream),
    };
    cluster.change(1, attach(5));
    cluster.change(2, attach(6));
    assert_eq!(
        cluster.table.component("push.example.com"),
        [place(1, 5), place(2, 6)]
    );
    cluster.apply(Command::Down(Incarnation(1)));
    assert_eq!(cluster.table.component("push.example.com"), [place(2, 6)]);
    let (domain, stream) = ("push.example.com".into(), SessionId(6));
    cluster.change(2, Change::Detach { domain, stream });
    assert_eq!(cluster.table.component("push.example.com"), []);
}

#[test]
fn a_version_that_one_node_does_not_speak_is_not_spoken_and_one_that_was_is() {
    let mut cluster = Cluster::of(2);
    assert_eq!(cluster.table.members().version(), 2);
    let admit = |versions| Command::Admit {
        admission: 9,
        address: "old:1".into(),
        versions,
    };
    let old = VersionRange { min: 1, max: 1 };
    let refused = Refusal::Version {
        active: 2,
        min: 1,
        max: 1,
    };
    assert_eq!(cluster.apply(admit(old)), Answer::Refused(refused));
    let new = VersionRange { min: 2, max: 3 };
    assert_eq!(
        cluster.apply(admit(new)),
        Answer::Admitted(MemberId(cluster.log.len() as u64))
    );
    let refused = Refusal::Version {
        active: 2,
        min: 1,
        max: 2,
    };
    assert_eq!(
        cluster.apply(Command::Finalize(3)),
        Answer::Refused(refused)
    );
    assert_eq!(cluster.apply(Command::Finalize(2)), Answer::Done);
}

#[test]
fn a_node_that_runs_is_not_removed_and_one_that_was_is_unknown() {
    let mut cluster = Cluster::of(2);
    let first = MemberId(1);
    assert_eq!(
        cluster.apply(Command::Remove(first)),
        Answer::Refused(Refusal::Running)
    );
    cluster.apply(Command::Down(Incarnation(1)));
    assert_eq!(cluster.apply(Command::Remove(first)), Answer::Done);
    let (nonce, address) = (5, "node-0:7000".into());
    let register = Command::Register {
        member: first,
        nonce,
        address,
        versions: VERSIONS,
    };
    assert_eq!(cluster.apply(register), Answer::Refused(Refusal::NoMember));
}

#[test]
fn a_cluster_is_founded_once() {
    let mut cluster = Cluster::default();
    let found = |admission| Command::Found {
        admission,
        address: "first:1".into(),
        versions: VERSIONS,
    };
    assert_eq!(cluster.apply(found(5)), Answer::Admitted(MemberId(1)));
    assert_eq!(
        cluster.apply(found(5)),
        Answer::Admitted(MemberId(1)),
        "asked again"
    );
    assert_eq!(cluster.apply(found(6)), Answer::Refused(Refusal::Founded));
}
