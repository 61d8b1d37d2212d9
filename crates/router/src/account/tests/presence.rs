//! Presence (RFC 6121 §4).

use super::world::World;

const ROMEO: &str = "romeo@example.com/orchard";
const BALCONY: &str = "juliet@example.com/balcony";
const CHAMBER: &str = "juliet@example.com/chamber";

fn friends() -> World {
    let mut world = World::new(&["romeo", "juliet", "tybalt"]);
    world.login(ROMEO);
    world.login(BALCONY);
    world.befriend(ROMEO, BALCONY);
    world
}

fn presence(from: &str, to: &str, attributes: &str) -> String {
    format!("<presence from='{from}' to='{to}'{attributes}/>")
}

#[test]
fn initial_presence_is_broadcast_and_contacts_are_probed_by_s4_2_2() {
    let mut world = friends();
    world.connect(CHAMBER);
    world.send(CHAMBER, "<presence><show>away</show></presence>");
    let away =
        |to: &str| format!("<presence from='{CHAMBER}' to='{to}'><show>away</show></presence>");
    assert_eq!(world.received(ROMEO), [away("romeo@example.com")]);
    assert_eq!(world.received(BALCONY), [away("juliet@example.com")]);
    assert_eq!(
        world.received(CHAMBER),
        [
            away("juliet@example.com"),
            presence(BALCONY, "juliet@example.com", ""),
            presence(ROMEO, CHAMBER, ""),
        ]
    );
}

#[test]
fn later_presence_is_broadcast_in_full_by_s4_4_2() {
    let mut world = friends();
    world.send(BALCONY, "<presence id='p'><show>dnd</show><c xmlns='http://jabber.org/protocol/caps' ver='v'/></presence>");
    assert_eq!(
        world.received(ROMEO),
        [format!(
            "<presence from='{BALCONY}' to='romeo@example.com' id='p'><show>dnd</show>\
         <c xmlns='http://jabber.org/protocol/caps' ver='v'/></presence>"
        )]
    );
    assert_eq!(world.received(BALCONY).len(), 1, "the echo, and no probes");
}

#[test]
fn unavailable_presence_is_broadcast_in_full_by_s4_5_2() {
    let mut world = friends();
    world.login(CHAMBER);
    world.forget();
    world.send(
        BALCONY,
        "<presence type='unavailable'><status>bye</status></presence>",
    );
    for client in [ROMEO, CHAMBER, BALCONY] {
        let received = world.received(client);
        assert_eq!(received.len(), 1, "{client}");
        assert!(
            received[0].contains("type='unavailable'><status>bye</status>"),
            "{received:?}"
        );
    }
    world.disconnect(BALCONY, vec![]);
    assert!(world.received(ROMEO).is_empty(), "not a second time");
}

#[test]
fn a_session_that_just_ends_is_told_to_contacts_by_s4_5_2() {
    let mut world = friends();
    world.disconnect(BALCONY, vec![]);
    assert_eq!(
        world.received(ROMEO),
        [presence(
            BALCONY,
            "romeo@example.com",
            " type='unavailable'"
        )]
    );
}

#[test]
fn presence_after_unavailable_presence_is_initial_again_by_s4_5_2() {
    let mut world = friends();
    world.send(BALCONY, "<presence type='unavailable'/>");
    world.forget();
    world.send(BALCONY, "<presence/>");
    assert_eq!(world.received(ROMEO).len(), 1);
    assert_eq!(
        world.received(BALCONY),
        [
            presence(BALCONY, "juliet@example.com", ""),
            presence(ROMEO, BALCONY, ""),
        ]
    );
}

#[test]
fn a_priority_that_is_no_number_is_a_bad_request_by_s4_7_2_3() {
    let mut world = friends();
    for bad in ["128", "-129", "high"] {
        world.send(
            BALCONY,
            &format!("<presence><priority>{bad}</priority></presence>"),
        );
        let received = world.received(BALCONY);
        assert!(received[0].contains("<bad-request "), "{received:?}");
        assert!(world.received(ROMEO).is_empty());
    }
    world.send(BALCONY, "<presence><priority> -128 </priority></presence>");
    assert_eq!(world.received(ROMEO).len(), 1);
}

#[test]
fn probe_of_a_stranger_is_answered_with_unsubscribed_by_s4_3_2() {
    let mut world = friends();
    world.login("tybalt@example.com/home");
    for to in ["juliet@example.com", BALCONY, "nobody@example.com"] {
        // Such an answer means nothing to who never subscribed, and is not delivered (table 9).
        world.send(
            "tybalt@example.com/home",
            &format!("<presence to='{to}' type='probe'/>"),
        );
        assert!(world.received("tybalt@example.com/home").is_empty(), "{to}");
    }
}

#[test]
fn probe_of_a_subscriber_is_answered_by_s4_3_2() {
    let mut world = friends();
    world.send(BALCONY, "<presence id='pres1'><show>dnd</show></presence>");
    world.forget();
    world.send(
        ROMEO,
        "<presence to='juliet@example.com' type='probe' id='probe1'/>",
    );
    assert_eq!(
        world.received(ROMEO),
        [format!(
            "<presence from='{BALCONY}' to='{ROMEO}' id='pres1'><show>dnd</show></presence>"
        )]
    );
    world.send(
        ROMEO,
        &format!("<presence to='{BALCONY}' type='probe' id='probe2'/>"),
    );
    assert_eq!(
        world.received(ROMEO),
        [presence(BALCONY, ROMEO, "")],
        "mere availability"
    );
    world.disconnect(BALCONY, vec![]);
    world.forget();
    world.send(
        ROMEO,
        "<presence to='juliet@example.com' type='probe' id='probe3'/>",
    );
    let received = world.received(ROMEO);
    assert!(
        received[0].contains("id='probe3' type='unavailable'><delay "),
        "{received:?}"
    );
}

#[test]
fn probe_after_directed_presence_is_answered_by_s4_6_6() {
    let mut world = friends();
    world.login("tybalt@example.com/home");
    world.send(
        BALCONY,
        "<presence to='tybalt@example.com/home'><show>chat</show></presence>",
    );
    assert_eq!(world.received("tybalt@example.com/home").len(), 1);
    world.send(
        "tybalt@example.com/home",
        &format!("<presence to='{BALCONY}' type='probe'/>"),
    );
    assert_eq!(
        world.received("tybalt@example.com/home"),
        [presence(BALCONY, "tybalt@example.com/home", "")]
    );
}

#[test]
fn presence_for_a_full_jid_reaches_that_resource_only_by_s8_5_3() {
    let mut world = friends();
    world.login(CHAMBER);
    world.forget();
    world.send(ROMEO, &format!("<presence to='{CHAMBER}'/>"));
    assert_eq!(world.received(CHAMBER).len(), 1);
    world.send(ROMEO, "<presence to='juliet@example.com/garden'/>");
    world.send(ROMEO, "<presence to='nobody@example.com'/>");
    for client in [ROMEO, BALCONY, CHAMBER] {
        assert!(world.received(client).is_empty(), "{client}");
    }
    world.send(ROMEO, "<presence to='juliet@example.com'/>");
    assert_eq!(
        world.received(BALCONY).len() + world.received(CHAMBER).len(),
        2
    );
}

#[test]
fn directed_presence_abroad_is_answered_by_rfc6120_s10_4_3() {
    let mut world = friends();
    world.send(ROMEO, "<presence to='room@example.org/romeo'/>");
    let received = world.received(ROMEO);
    assert!(
        received[0].contains("<remote-server-not-found "),
        "{received:?}"
    );
}

#[test]
fn directed_presence_ends_with_the_session_by_s4_6_3() {
    let mut world = friends();
    let tybalt = "tybalt@example.com/home";
    world.login(tybalt);
    world.connect(CHAMBER);
    for to in [tybalt, "tybalt@example.com", ROMEO] {
        world.send(CHAMBER, &format!("<presence to='{to}'/>"));
        world.send(BALCONY, &format!("<presence to='{to}'/>"));
    }
    world.send(
        BALCONY,
        &format!("<presence to='{tybalt}' type='unavailable'/>"),
    );
    world.forget();
    world.send(BALCONY, "<presence type='unavailable'/>");
    let gone = |from: &str, to: &str| presence(from, to, " type='unavailable'");
    assert_eq!(
        world.received(tybalt),
        [gone(BALCONY, "tybalt@example.com")]
    );
    assert_eq!(
        world.received(ROMEO),
        [gone(BALCONY, "romeo@example.com")],
        "once"
    );
    world.disconnect(CHAMBER, vec![]);
    assert_eq!(
        world.received(tybalt),
        [gone(CHAMBER, "tybalt@example.com"), gone(CHAMBER, tybalt)]
    );
    assert_eq!(
        world.received(ROMEO),
        [gone(CHAMBER, ROMEO)],
        "it never sent initial presence"
    );
    world.disconnect(BALCONY, vec![]);
    assert!(world.received(tybalt).is_empty());
}

#[test]
fn a_probe_after_a_request_does_not_tell_whether_there_is_such_an_account() {
    let mut world = World::new(&["romeo", "juliet"]);
    world.login(ROMEO);
    for contact in ["juliet", "nobody"] {
        let to = format!("{contact}@example.com");
        world.send(ROMEO, &format!("<presence type='subscribe' to='{to}'/>"));
        world.forget();
        world.send(ROMEO, &format!("<presence type='probe' to='{to}'/>"));
        assert!(world.received(ROMEO).is_empty(), "{contact}");
    }
}
