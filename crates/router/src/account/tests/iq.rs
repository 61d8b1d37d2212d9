//! Requests and answers (RFC 6120 §8.2.3, §10.3.3; RFC 6121 §8.5).

use super::world::World;
use crate::config::StrangersRequests;

const ROMEO: &str = "romeo@example.com/orchard";
const JULIET: &str = "juliet@example.com/balcony";

fn world() -> World {
    let mut world = World::new(&["romeo", "juliet"]);
    world.login(ROMEO);
    world.login(JULIET);
    world
}

fn ask(to: Option<&str>) -> String {
    let to = to.map(|to| format!(" to='{to}'")).unwrap_or_default();
    format!("<iq type='get' id='q'{to}><ask xmlns='test'/></iq>")
}

/// The one answer that Romeo gets.
fn answer(world: &mut World, xml: &str) -> String {
    world.forget();
    world.send(ROMEO, xml);
    let received = world.received(ROMEO);
    assert_eq!(received.len(), 1, "{xml} gets one answer: {received:?}");
    received.into_iter().next().unwrap()
}

#[test]
fn request_without_to_is_answered_for_the_account_by_rfc6120_s10_3_3() {
    let mut world = world();
    let own = answer(&mut world, &ask(None));
    assert_eq!(
        own,
        format!("<iq to='{ROMEO}' id='q' type='result'><own xmlns='test'/></iq>")
    );
    let unknown = answer(
        &mut world,
        "<iq type='get' id='q'><x xmlns='unknown'/></iq>",
    );
    assert!(unknown.contains("<service-unavailable "), "{unknown}");
}

#[test]
fn request_to_a_bare_jid_is_answered_by_the_server_by_s8_5_2_1_3() {
    let mut world = world();
    let stranger = answer(&mut world, &ask(Some("juliet@example.com")));
    let nobody = answer(&mut world, &ask(Some("nobody@example.com")));
    assert!(stranger.contains("<service-unavailable "), "{stranger}");
    assert_eq!(
        stranger.replace("juliet", "nobody"),
        nobody,
        "nobody learns who exists"
    );
    world.befriend(ROMEO, JULIET);
    let friend = answer(&mut world, &ask(Some("juliet@example.com")));
    assert!(friend.contains("<subscriber "), "{friend}");
    let unknown = "<iq type='set' id='q' to='juliet@example.com'><x xmlns='unknown'/></iq>";
    assert!(answer(&mut world, unknown).contains("<service-unavailable "));
    assert!(
        world.received(JULIET).is_empty(),
        "no resource sees any of this"
    );
}

#[test]
fn request_to_the_host_is_answered_by_rfc6120_s10_5_1() {
    let mut world = world();
    let host = answer(&mut world, &ask(Some("example.com")));
    assert_eq!(
        host,
        format!(
            "<iq from='example.com' to='{ROMEO}' id='q' type='result'><host xmlns='test'/></iq>"
        )
    );
    let resource = answer(&mut world, &ask(Some("example.com/x")));
    assert!(resource.contains("<service-unavailable "), "{resource}");
}

#[test]
fn request_of_a_stranger_reaches_the_resource_unless_refused_by_s8_5_3_1() {
    let mut world = world();
    world.send(ROMEO, &ask(Some(JULIET)));
    assert_eq!(
        world.received(JULIET),
        [format!(
            "<iq from='{ROMEO}' to='{JULIET}' id='q' type='get'><ask xmlns='test'/></iq>"
        )]
    );
    assert!(world.received(ROMEO).is_empty());
    let absent = answer(&mut world, &ask(Some("juliet@example.com/garden")));
    assert!(absent.contains("<service-unavailable "), "{absent}");
}

#[test]
fn request_that_strangers_may_not_send_needs_shared_presence_by_s8_5_3_1() {
    let mut world = world();
    world.rules.config.iq_from_strangers = StrangersRequests::Refuse;
    let stranger = answer(&mut world, &ask(Some(JULIET)));
    assert!(stranger.contains("<service-unavailable "), "{stranger}");
    assert!(world.received(JULIET).is_empty());
    world.send(JULIET, &format!("<presence to='{ROMEO}'/>"));
    world.forget();
    world.send(ROMEO, &ask(Some(JULIET)));
    assert_eq!(
        world.received(JULIET).len(),
        1,
        "directed presence is enough"
    );
    world.send(
        JULIET,
        &format!("<presence to='{ROMEO}' type='unavailable'/>"),
    );
    assert!(answer(&mut world, &ask(Some(JULIET))).contains("<service-unavailable "));
    world.befriend(ROMEO, JULIET);
    world.send(ROMEO, &ask(Some(JULIET)));
    assert_eq!(
        world.received(JULIET),
        [format!(
            "<iq from='{ROMEO}' to='{JULIET}' id='q' type='get'><ask xmlns='test'/></iq>"
        )]
    );
    let absent = answer(&mut world, &ask(Some("juliet@example.com/garden")));
    assert!(absent.contains("<service-unavailable "), "{absent}");
}

#[test]
fn results_and_errors_reach_the_resource_and_are_never_answered() {
    let mut world = world();
    for kind in ["result", "error"] {
        world.send(ROMEO, &format!("<iq to='{JULIET}' id='q' type='{kind}'/>"));
        assert_eq!(world.received(JULIET).len(), 1, "{kind}");
        for to in [
            "juliet@example.com/garden",
            "juliet@example.com",
            "example.com",
            "example.org",
        ] {
            world.send(ROMEO, &format!("<iq to='{to}' id='q' type='{kind}'/>"));
            assert!(world.received(ROMEO).is_empty(), "{kind} to {to}");
        }
        world.send(ROMEO, &format!("<iq id='q' type='{kind}'/>"));
        assert!(world.received(ROMEO).is_empty(), "{kind} to nobody");
    }
    assert!(world.received(JULIET).is_empty());
}

#[test]
fn roster_of_somebody_else_is_forbidden_by_s2_3_3() {
    let mut world = world();
    let query = "<query xmlns='jabber:iq:roster'><item jid='nurse@example.com'/></query>";
    for to in ["juliet@example.com", "nobody@example.com"] {
        let answer = answer(
            &mut world,
            &format!("<iq to='{to}' type='set' id='q'>{query}</iq>"),
        );
        assert!(answer.contains("<forbidden "), "{answer}");
    }
}
