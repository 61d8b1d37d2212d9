//! Delivery of messages (RFC 6121 §8.5).

use rookery_delivery::Refusal;

use super::world::World;

const ROMEO: &str = "romeo@example.com/orchard";
const BALCONY: &str = "juliet@example.com/balcony";
const CHAMBER: &str = "juliet@example.com/chamber";

fn message(to: &str, kind: &str) -> String {
    format!("<message to='{to}' type='{kind}' id='1'><body>hi</body></message>")
}

fn delivered(to: &str, kind: &str) -> Vec<String> {
    let kind = if kind == "normal" {
        String::new()
    } else {
        format!(" type='{kind}'")
    };
    vec![format!(
        "<message from='{ROMEO}' to='{to}' id='1'{kind}><body>hi</body></message>"
    )]
}

fn service_unavailable(from: &str) -> Vec<String> {
    vec![format!(
        "<message from='{from}' to='{ROMEO}' id='1' type='error'><error type='cancel'>\
         <service-unavailable xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></message>"
    )]
}

fn world() -> World {
    let mut world = World::new(&["romeo", "juliet"]);
    world.login(ROMEO);
    world
}

/// Sends a message and looks who got what: Romeo, the balcony, the chamber.
fn send(world: &mut World, to: &str, kind: &str) -> [Vec<String>; 3] {
    world.forget();
    world.send(ROMEO, &message(to, kind));
    [ROMEO, BALCONY, CHAMBER].map(|client| world.received(client))
}

const NOTHING: Vec<String> = Vec::new();

#[test]
fn message_to_nobody_is_answered_or_ignored_by_s8_5_1() {
    let mut world = world();
    for to in ["nobody@example.com", "nobody@example.com/there"] {
        for kind in ["normal", "chat", "groupchat"] {
            assert_eq!(
                send(&mut world, to, kind)[0],
                service_unavailable(to),
                "{to} {kind}"
            );
        }
        for kind in ["headline", "error"] {
            assert_eq!(send(&mut world, to, kind)[0], NOTHING, "{to} {kind}");
        }
    }
}

#[test]
fn message_to_an_account_without_resources_by_s8_5_2_2_1() {
    let mut world = world();
    let bare = "juliet@example.com";
    assert_eq!(send(&mut world, bare, "normal")[0], NOTHING);
    assert_eq!(send(&mut world, bare, "chat")[0], NOTHING);
    assert_eq!(send(&mut world, BALCONY, "chat")[0], NOTHING);
    assert_eq!(
        world.ledger.settled.get("offline"),
        Some(&3),
        "three are kept"
    );
    assert_eq!(
        send(&mut world, bare, "groupchat")[0],
        service_unavailable(bare)
    );
    assert_eq!(send(&mut world, bare, "headline")[0], NOTHING);
    assert_eq!(
        send(&mut world, BALCONY, "normal")[0],
        service_unavailable(BALCONY)
    );
    assert_eq!(send(&mut world, BALCONY, "headline")[0], NOTHING);
    assert_eq!(world.ledger.settled.get("offline"), Some(&3));
}

#[test]
fn message_to_negative_resources_only_by_s8_5_4() {
    let mut world = world();
    world.connect(BALCONY);
    world.send(BALCONY, "<presence><priority>-1</priority></presence>");
    let bare = "juliet@example.com";
    assert_eq!(
        send(&mut world, bare, "normal"),
        [NOTHING, NOTHING, NOTHING]
    );
    assert_eq!(
        send(&mut world, bare, "headline"),
        [NOTHING, NOTHING, NOTHING]
    );
    assert_eq!(
        send(&mut world, bare, "groupchat")[0],
        service_unavailable(bare)
    );
    for kind in ["normal", "chat", "groupchat", "headline", "error"] {
        assert_eq!(
            send(&mut world, BALCONY, kind)[1],
            delivered(BALCONY, kind),
            "{kind}"
        );
    }
    assert_eq!(send(&mut world, CHAMBER, "chat")[1], NOTHING, "kept");
    assert_eq!(world.ledger.settled.get("offline"), Some(&2));
}

#[test]
fn message_to_non_negative_resources_by_s8_5_4() {
    let mut world = world();
    world.login(BALCONY);
    world.login(CHAMBER);
    world.send(CHAMBER, "<presence><priority>5</priority></presence>");
    let bare = "juliet@example.com";
    for kind in ["normal", "chat"] {
        let [_, balcony, chamber] = send(&mut world, bare, kind);
        assert_eq!(
            (balcony, chamber),
            (NOTHING, delivered(bare, kind)),
            "the most available"
        );
    }
    let [_, balcony, chamber] = send(&mut world, bare, "headline");
    assert_eq!(
        (balcony, chamber),
        (delivered(bare, "headline"), delivered(bare, "headline"))
    );
    assert_eq!(
        send(&mut world, bare, "groupchat")[0],
        service_unavailable(bare)
    );
    assert_eq!(send(&mut world, bare, "error"), [NOTHING, NOTHING, NOTHING]);
    assert_eq!(
        send(&mut world, BALCONY, "chat")[1],
        delivered(BALCONY, "chat")
    );
    let absent = "juliet@example.com/garden";
    assert_eq!(
        send(&mut world, absent, "chat")[2],
        delivered(absent, "chat")
    );
    assert_eq!(
        send(&mut world, absent, "normal")[0],
        service_unavailable(absent)
    );
    assert_eq!(
        send(&mut world, absent, "groupchat")[0],
        service_unavailable(absent)
    );
    assert_eq!(
        send(&mut world, absent, "headline"),
        [NOTHING, NOTHING, NOTHING]
    );
}

#[test]
fn resources_that_share_the_highest_priority_all_get_the_message() {
    let mut world = world();
    world.login(BALCONY);
    world.login(CHAMBER);
    let bare = "juliet@example.com";
    let [_, balcony, chamber] = send(&mut world, bare, "chat");
    assert_eq!(
        (balcony, chamber),
        (delivered(bare, "chat"), delivered(bare, "chat"))
    );
}

#[test]
fn message_without_to_is_for_the_own_account_by_rfc6120_s10_3_1() {
    let mut world = world();
    world.send(ROMEO, "<message type='chat'><body>note</body></message>");
    assert_eq!(
        world.received(ROMEO),
        [format!(
            "<message from='{ROMEO}' to='romeo@example.com' type='chat'><body>note</body></message>"
        )]
    );
}

#[test]
fn message_to_the_own_account_is_decided_before_the_next_stanza_by_rfc6120_s10_1() {
    let mut world = world();
    let balcony = "romeo@example.com/balcony";
    world.login(balcony);
    let away = "<presence type='unavailable'/>";
    for note in [
        "<message type='headline'><body>note</body></message>",
        "<message type='headline' to='romeo@example.com'><body>note</body></message>",
    ] {
        world.forget();
        world.send_at_once(ROMEO, &[note, away]);
        for client in [ROMEO, balcony] {
            let received = world.received(client);
            let [first, second] = received.as_slice() else {
                panic!("{received:?}")
            };
            assert!(first.contains("<body>note</body>"), "{first}");
            assert!(second.contains("type='unavailable'"), "{second}");
        }
        world.send(ROMEO, "<presence/>");
    }
}

#[test]
fn message_to_another_server_is_answered_by_rfc6120_s10_4_3() {
    let mut world = world();
    world.send(ROMEO, &message("tybalt@example.org", "chat"));
    let [error] = &world.received(ROMEO)[..] else {
        panic!("one answer")
    };
    assert!(error.contains("<remote-server-not-found "), "{error}");
    world.send(ROMEO, &message("tybalt@example.org", "error"));
    assert_eq!(
        world.received(ROMEO),
        NOTHING,
        "an error is never answered with an error"
    );
}

#[test]
fn delay_notes_in_the_name_of_the_server_are_removed() {
    let mut world = world();
    world.login(BALCONY);
    world.send(
        ROMEO,
        &format!(
            "<message to='{BALCONY}'><delay xmlns='urn:xmpp:delay' from='example.com' \
         stamp='2002-09-10T23:08:25Z'/><body>hi</body><delay xmlns='urn:xmpp:delay' \
         from='room@example.org' stamp='2002-09-10T23:08:25Z'/></message>"
        ),
    );
    let [message] = &world.received(BALCONY)[..] else {
        panic!("one message")
    };
    assert!(!message.contains("'example.com'"), "{message}");
    assert!(message.contains("'room@example.org'"), "{message}");
}

#[test]
fn what_an_ended_session_returns_goes_to_another_resource_with_a_delay() {
    let mut world = world();
    world.login(BALCONY);
    world.send(ROMEO, &message(BALCONY, "chat"));
    let undelivered = world.deliveries(BALCONY);
    world.login(CHAMBER);
    world.disconnect(BALCONY, undelivered);
    let received = world.received(CHAMBER);
    let message = received
        .iter()
        .find(|xml| xml.starts_with("<message"))
        .unwrap();
    assert!(
        message.contains("<body>hi</body><delay xmlns='urn:xmpp:delay'"),
        "{message}"
    );
}

#[test]
fn what_another_resource_has_had_is_not_given_to_it_twice() {
    let mut world = world();
    world.login(CHAMBER);
    world.login(BALCONY);
    world.send(ROMEO, &message("juliet@example.com", "chat"));
    assert_eq!(world.received(CHAMBER).len(), 1);
    let undelivered = world.deliveries(BALCONY);
    assert_eq!(undelivered.len(), 1);
    world.disconnect(BALCONY, undelivered);
    let received = world.received(CHAMBER);
    assert!(
        received.iter().all(|xml| xml.starts_with("<presence")),
        "{received:?}"
    );
}

#[test]
fn what_the_last_session_returns_is_kept_in_order_with_what_came_after() {
    let mut world = world();
    world.login(BALCONY);
    let first = format!("<message to='{BALCONY}' type='chat'><body>1</body></message>");
    world.send(ROMEO, &first);
    let undelivered = world.deliveries(BALCONY);
    world.refuse(BALCONY, Refusal::Busy);
    for body in ["2", "3"] {
        world.send(
            ROMEO,
            &format!("<message to='{BALCONY}' type='chat'><body>{body}</body></message>"),
        );
    }
    world.disconnect(BALCONY, undelivered);
    world.login("juliet@example.com/later");
    world.send(
        ROMEO,
        "<message to='juliet@example.com' type='chat'><body>4</body></message>",
    );
    world.disconnect("juliet@example.com/later", vec![]);
    world.connect(CHAMBER);
    world.send(CHAMBER, "<presence/>");
    let received = world.received(CHAMBER).join("");
    let at = |body: &str| received.find(&format!("<body>{body}</body>"));
    assert!(
        at("1").is_some() && at("1") < at("2") && at("2") < at("3"),
        "{received}"
    );
}

#[test]
fn the_bytes_that_wait_for_a_session_to_unbind_are_bounded_and_none_is_lost() {
    let mut world = world();
    world.login(BALCONY);
    world.refuse(BALCONY, Refusal::Busy);
    let body = "x".repeat(100_000);
    for _ in 0..15 {
        world.send(
            ROMEO,
            &format!(
                "<message to='{BALCONY}' type='chat'><body>{body}</body>\
                 <no-store xmlns='urn:xmpp:hints'/></message>"
            ),
        );
    }
    let refused = world.received(ROMEO);
    assert_eq!(refused.len(), 5, "a mebibyte waits");
    assert!(refused[0].contains("<resource-constraint "));
    world.login(CHAMBER);
    world.disconnect(BALCONY, vec![]);
    let received = world.received(CHAMBER).join("");
    assert!(received.contains(&body));
}

#[test]
fn a_request_that_was_not_delivered_is_answered() {
    let mut world = world();
    world.login(BALCONY);
    world.befriend(ROMEO, BALCONY);
    world.send(
        ROMEO,
        &format!("<iq to='{BALCONY}' type='get' id='q'><x xmlns='y'/></iq>"),
    );
    let undelivered = world.deliveries(BALCONY);
    assert_eq!(undelivered.len(), 1);
    world.disconnect(BALCONY, undelivered);
    let received = world.received(ROMEO);
    let answers: Vec<_> = received
        .iter()
        .filter(|xml| xml.starts_with("<iq"))
        .collect();
    assert_eq!(answers.len(), 1, "{received:?}");
    assert!(answers[0].contains("<service-unavailable "), "{answers:?}");
}
