//! Resources (RFC 6120 §7).

use rookery_stanza::{Condition, ErrorType};

use super::world::{World, bare, jid};
use crate::config::{Config, Conflict};

fn with(resource_conflict: Conflict) -> World {
    World::with(
        &["juliet"],
        Config {
            resource_conflict,
            ..Config::default()
        },
    )
}

#[test]
fn server_makes_a_resource_by_s7_6() {
    let mut world = with(Conflict::TerminateOld);
    let session = world.bind("juliet@example.com", None);
    assert_eq!(
        world.bound[&session],
        Ok(jid("juliet@example.com/random-1"))
    );
}

#[test]
fn bad_resource_is_a_bad_request_by_s7_7_2_1() {
    let mut world = with(Conflict::TerminateOld);
    for bad in ["", "\u{0}", &"x".repeat(1024)] {
        let session = world.bind("juliet@example.com", Some(bad));
        let error = world.bound[&session].clone().unwrap_err();
        assert_eq!(error.condition, Condition::BadRequest, "{bad:?}");
    }
}

#[test]
fn conflict_ends_the_old_session_first_by_s7_7_2_2() {
    let mut world = with(Conflict::TerminateOld);
    let old = world.connect("juliet@example.com/balcony");
    let new = world.bind("juliet@example.com", Some("balcony"));
    assert!(world.closed.contains(&old));
    assert_eq!(
        world.bound.get(&new),
        None,
        "not before the old one has gone"
    );
    world.disconnect("juliet@example.com/balcony", vec![]);
    assert_eq!(world.bound[&new], Ok(jid("juliet@example.com/balcony")));
}

#[test]
fn of_two_that_wait_for_a_resource_the_later_gets_it() {
    let mut world = with(Conflict::TerminateOld);
    world.connect("juliet@example.com/balcony");
    let second = world.bind("juliet@example.com", Some("balcony"));
    let third = world.bind("juliet@example.com", Some("balcony"));
    assert_eq!(
        world.bound[&second].clone().unwrap_err().condition,
        Condition::Conflict
    );
    world.disconnect("juliet@example.com/balcony", vec![]);
    assert!(world.bound[&third].is_ok());
}

#[test]
fn conflict_may_deny_the_new_session_by_s7_7_2_2() {
    let mut world = with(Conflict::DenyNew);
    let old = world.connect("juliet@example.com/balcony");
    let new = world.bind("juliet@example.com", Some("balcony"));
    let error = world.bound[&new].clone().unwrap_err();
    assert_eq!(
        (error.condition, error.error_type),
        (Condition::Conflict, ErrorType::Modify)
    );
    assert!(!world.closed.contains(&old));
}

#[test]
fn conflict_may_give_another_resource_by_s7_7_2_2() {
    let mut world = with(Conflict::NewResource);
    world.connect("juliet@example.com/balcony");
    let new = world.bind("juliet@example.com", Some("balcony"));
    assert_eq!(world.bound[&new], Ok(jid("juliet@example.com/random-2")));
}

#[test]
fn a_client_that_lost_its_connection_makes_room_under_each_policy_s7_7_2_2() {
    for policy in [
        Conflict::DenyNew,
        Conflict::NewResource,
        Conflict::TerminateOld,
    ] {
        let mut world = with(policy);
        let old = world.connect("juliet@example.com/balcony");
        world.detach("juliet@example.com/balcony", vec![]);
        let new = world.bind("juliet@example.com", Some("balcony"));
        assert!(world.closed.contains(&old), "{policy:?}");
        assert_eq!(world.bound.get(&new), None, "the old one goes first");
        world.disconnect("juliet@example.com/balcony", vec![]);
        assert_eq!(world.bound[&new], Ok(jid("juliet@example.com/balcony")));
    }
}

#[test]
fn a_client_that_came_back_keeps_its_resource_s7_7_2_2() {
    let mut world = with(Conflict::DenyNew);
    let old = world.connect("juliet@example.com/balcony");
    world.detach("juliet@example.com/balcony", vec![]);
    world.resume("juliet@example.com/balcony");
    let new = world.bind("juliet@example.com", Some("balcony"));
    assert!(world.bound[&new].is_err() && !world.closed.contains(&old));
}

#[test]
fn too_many_resources_are_refused_by_s7_6_2_1() {
    let mut world = World::with(
        &["juliet"],
        Config {
            sessions_per_account: 2,
            ..Config::default()
        },
    );
    world.connect("juliet@example.com/1");
    world.connect("juliet@example.com/2");
    let third = world.bind("juliet@example.com", Some("3"));
    let error = world.bound[&third].clone().unwrap_err();
    assert_eq!(
        (error.condition, error.error_type),
        (Condition::ResourceConstraint, ErrorType::Wait)
    );
    let again = world.bind("juliet@example.com", Some("1"));
    assert_eq!(
        world.bound.get(&again),
        None,
        "one that takes another's place is no third"
    );
}

#[test]
fn nobody_inherits_the_resource_of_an_account_that_was_removed() {
    let mut world = with(Conflict::TerminateOld);
    world.connect("juliet@example.com/balcony");
    let new = world.bind("juliet@example.com", Some("balcony"));
    let account = world.accounts.get_mut(&bare("juliet@example.com"));
    account.unwrap().load(None);
    world.disconnect("juliet@example.com/balcony", vec![]);
    let error = world.bound[&new].clone().unwrap_err();
    assert_eq!(error.condition, Condition::NotAllowed);
}

#[test]
fn nobody_binds_to_an_account_that_does_not_exist() {
    let mut world = with(Conflict::TerminateOld);
    let session = world.bind("nobody@example.com", Some("here"));
    assert_eq!(
        world.bound[&session].clone().unwrap_err().condition,
        Condition::NotAllowed
    );
}

#[test]
fn a_guest_needs_no_account_and_keeps_nothing() {
    let mut world = World::new(&["juliet"]);
    world.login("juliet@example.com/balcony");
    world.login("guest@guests.example.com/here");
    world.send(
        "guest@guests.example.com/here",
        "<message to='juliet@example.com'><body>hi</body></message>",
    );
    assert_eq!(world.received("juliet@example.com/balcony").len(), 1);
    world.send(
        "guest@guests.example.com/here",
        "<iq type='set' id='s'><query xmlns='jabber:iq:roster'><item jid='juliet@example.com'/></query></iq>",
    );
    let received = world.received("guest@guests.example.com/here");
    assert!(received[0].contains("<not-allowed "), "{received:?}");
    world.disconnect("guest@guests.example.com/here", vec![]);
    world.send(
        "juliet@example.com/balcony",
        "<message to='guest@guests.example.com' id='1'><body>?</body></message>",
    );
    let received = world.received("juliet@example.com/balcony");
    assert!(
        received[0].contains("<service-unavailable "),
        "{received:?}"
    );
}
