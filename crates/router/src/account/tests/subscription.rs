//! Subscriptions between two accounts (RFC 6121 §3).

use super::world::World;
use crate::config::Config;

const ROMEO: &str = "romeo@example.com/orchard";
const JULIET: &str = "juliet@example.com/balcony";

fn world() -> World {
    let mut world = World::new(&["romeo", "juliet"]);
    world.login(ROMEO);
    world.login(JULIET);
    world
}

/// What is between `<item ` and the end of the item in a push.
fn item(push: &str) -> &str {
    let (_, item) = push.split_once("<item ").unwrap();
    item.split_once("/></query>").unwrap().0
}

fn presence(kind: &str, from: &str, to: &str) -> String {
    format!("<presence from='{from}' to='{to}' type='{kind}'/>")
}

#[test]
fn request_and_approval_by_s3_1() {
    let mut world = world();
    world.send(
        ROMEO,
        &format!("<presence type='subscribe' to='{JULIET}' id='x'><status>hi</status></presence>"),
    );
    let pushes = world.received(ROMEO);
    assert_eq!(pushes.len(), 1);
    assert_eq!(
        item(&pushes[0]),
        "jid='juliet@example.com' subscription='none' ask='subscribe'"
    );
    assert_eq!(
        world.received(JULIET),
        [
            "<presence from='romeo@example.com' to='juliet@example.com' id='x' type='subscribe'>\
         <status>hi</status></presence>"
        ]
    );
    world.send(
        JULIET,
        "<presence type='subscribed' to='romeo@example.com'/>",
    );
    let received = world.received(JULIET);
    assert_eq!(
        item(&received[0]),
        "jid='romeo@example.com' subscription='from'"
    );
    let received = world.received(ROMEO);
    assert_eq!(
        received[0],
        presence("subscribed", "juliet@example.com", "romeo@example.com")
    );
    assert_eq!(
        item(&received[1]),
        "jid='juliet@example.com' subscription='to'"
    );
    assert_eq!(
        received[2],
        format!("<presence from='{JULIET}' to='romeo@example.com'/>")
    );
    assert_eq!(received.len(), 3);
}

#[test]
fn request_waits_for_the_next_available_resource_and_is_given_once_by_s3_1_3() {
    let mut world = World::new(&["romeo", "juliet"]);
    world.login(ROMEO);
    for status in ["first", "second"] {
        world.send(ROMEO, &format!(
            "<presence type='subscribe' to='juliet@example.com'><status>{status}</status></presence>"
        ));
    }
    world.let_go("juliet@example.com");
    for client in [JULIET, "juliet@example.com/chamber"] {
        world.connect(client);
        world.send(
            client,
            "<iq type='get' id='g'><query xmlns='jabber:iq:roster'/></iq>",
        );
        let received = world.received(client);
        assert!(
            !received[0].contains("<item "),
            "no item before approval: {received:?}"
        );
        world.send(client, "<presence/>");
        let received = world.received(client);
        let requests: Vec<_> = received
            .iter()
            .filter(|xml| xml.contains("'subscribe'"))
            .collect();
        assert_eq!(requests.len(), 1, "{received:?}");
        assert!(
            requests[0].contains("<status>first</status>"),
            "the complete stanza"
        );
    }
    world.forget();
    world.send(
        JULIET,
        "<presence type='unsubscribed' to='romeo@example.com'/>",
    );
    let received = world.received(ROMEO);
    assert_eq!(
        received[0],
        presence("unsubscribed", "juliet@example.com", "romeo@example.com")
    );
    assert_eq!(
        item(&received[1]),
        "jid='juliet@example.com' subscription='none'"
    );
    world.connect("juliet@example.com/later");
    world.send("juliet@example.com/later", "<presence/>");
    let received = world.received("juliet@example.com/later");
    assert!(
        received.iter().all(|xml| !xml.contains("'subscribe'")),
        "answered: {received:?}"
    );
}

#[test]
fn cancellation_by_s3_2() {
    let mut world = world();
    world.befriend(ROMEO, JULIET);
    world.send(
        JULIET,
        "<presence type='unsubscribed' to='romeo@example.com'/>",
    );
    let received = world.received(ROMEO);
    assert_eq!(
        received[0],
        presence("unavailable", JULIET, "romeo@example.com")
    );
    assert_eq!(
        received[1],
        presence("unsubscribed", "juliet@example.com", "romeo@example.com")
    );
    assert_eq!(
        item(&received[2]),
        "jid='juliet@example.com' subscription='from'"
    );
    assert_eq!(received.len(), 3);
    let received = world.received(JULIET);
    assert_eq!(
        item(&received[0]),
        "jid='romeo@example.com' subscription='to'"
    );
    world.send(
        JULIET,
        "<presence type='unsubscribed' to='romeo@example.com'/>",
    );
    assert!(
        world.received(ROMEO).is_empty(),
        "nothing is left to cancel"
    );
}

#[test]
fn unsubscribing_by_s3_3() {
    let mut world = world();
    world.befriend(ROMEO, JULIET);
    world.send(
        ROMEO,
        "<presence type='unsubscribe' to='juliet@example.com'/>",
    );
    let received = world.received(ROMEO);
    assert_eq!(
        item(&received[0]),
        "jid='juliet@example.com' subscription='from'"
    );
    assert_eq!(
        received[1],
        presence("unavailable", JULIET, "romeo@example.com")
    );
    assert_eq!(
        received.len(),
        2,
        "the automatic answer means nothing any more"
    );
    let received = world.received(JULIET);
    assert_eq!(
        received[0],
        presence("unsubscribe", "romeo@example.com", "juliet@example.com")
    );
    assert_eq!(
        item(&received[1]),
        "jid='romeo@example.com' subscription='to'"
    );
}

#[test]
fn removal_ends_both_subscriptions_by_s2_5_2() {
    let mut world = world();
    world.befriend(ROMEO, JULIET);
    world.send(ROMEO, "<iq type='set' id='s'><query xmlns='jabber:iq:roster'><item jid='juliet@example.com' subscription='remove'/></query></iq>");
    let received = world.received(JULIET);
    assert_eq!(
        received[0],
        presence("unsubscribe", "romeo@example.com", "juliet@example.com")
    );
    assert_eq!(
        item(&received[1]),
        "jid='romeo@example.com' subscription='to'"
    );
    assert_eq!(
        received[2],
        presence("unavailable", ROMEO, "juliet@example.com")
    );
    assert_eq!(
        received[3],
        presence("unsubscribed", "romeo@example.com", "juliet@example.com")
    );
    assert_eq!(
        item(&received[4]),
        "jid='romeo@example.com' subscription='none'"
    );
}

#[test]
fn approval_ahead_by_s3_4() {
    let mut world = world();
    world.send(
        JULIET,
        "<presence type='subscribed' to='romeo@example.com'/>",
    );
    assert!(world.received(ROMEO).is_empty());
    let received = world.received(JULIET);
    assert_eq!(
        item(&received[0]),
        "jid='romeo@example.com' subscription='none' approved='true'"
    );
    world.send(
        JULIET,
        "<presence type='subscribed' to='romeo@example.com'/>",
    );
    assert!(world.received(JULIET).is_empty(), "it is approved already");
    world.send(
        ROMEO,
        "<presence type='subscribe' to='juliet@example.com' id='r'/>",
    );
    let received = world.received(JULIET);
    assert_eq!(received.len(), 1, "the request is not delivered");
    assert_eq!(
        item(&received[0]),
        "jid='romeo@example.com' subscription='from' approved='true'"
    );
    let received = world.received(ROMEO);
    assert!(
        received
            .iter()
            .any(|xml| xml.contains("id='r' type='subscribed'")),
        "{received:?}"
    );
    world.send(
        JULIET,
        "<presence type='unsubscribed' to='romeo@example.com'/>",
    );
    let received = world.received(JULIET);
    assert_eq!(
        item(&received[0]),
        "jid='romeo@example.com' subscription='none'"
    );
}

#[test]
fn approval_ahead_can_be_taken_back_by_s3_2_2() {
    let mut world = world();
    world.send(
        JULIET,
        "<presence type='subscribed' to='romeo@example.com'/>",
    );
    world.forget();
    world.send(
        JULIET,
        "<presence type='unsubscribed' to='romeo@example.com'/>",
    );
    assert_eq!(
        item(&world.received(JULIET)[0]),
        "jid='romeo@example.com' subscription='none'"
    );
    assert!(world.received(ROMEO).is_empty());
}

#[test]
fn repeated_request_of_a_subscriber_is_granted_by_s3_1_3() {
    let mut world = world();
    world.befriend(ROMEO, JULIET);
    world.send(
        ROMEO,
        "<presence type='subscribe' to='juliet@example.com'/>",
    );
    assert!(world.received(JULIET).is_empty());
    let received = world.received(ROMEO);
    assert_eq!(
        received,
        [format!(
            "<presence from='{JULIET}' to='romeo@example.com'/>"
        )]
    );
}

#[test]
fn request_for_nobody_stays_open_and_abroad_is_answered() {
    let mut world = world();
    world.send(
        ROMEO,
        "<presence type='subscribe' to='nobody@example.com'/>",
    );
    let received = world.received(ROMEO);
    assert_eq!(
        item(&received[0]),
        "jid='nobody@example.com' subscription='none' ask='subscribe'"
    );
    assert_eq!(received.len(), 1, "§8.5.1: ignored in silence");
    world.send(
        ROMEO,
        "<presence type='subscribe' to='tybalt@example.org'/>",
    );
    let received = world.received(ROMEO);
    assert!(
        received[0].contains("<remote-server-not-found "),
        "{received:?}"
    );
    assert_eq!(received.len(), 1, "§3.1.2: no push");
}

#[test]
fn too_many_requests_are_refused() {
    let config = Config {
        subscription_requests: 1,
        ..Config::default()
    };
    let mut world = World::with(&["romeo", "paris", "juliet"], config);
    world.login(ROMEO);
    world.login("paris@example.com/square");
    world.send(
        ROMEO,
        "<presence type='subscribe' to='juliet@example.com'/>",
    );
    world.forget();
    world.send(
        "paris@example.com/square",
        "<presence type='subscribe' to='juliet@example.com'/>",
    );
    let received = world.received("paris@example.com/square");
    assert!(
        received
            .iter()
            .any(|xml| xml.contains("<resource-constraint ")),
        "{received:?}"
    );
}

#[test]
fn a_request_that_was_lost_on_its_way_is_sent_again_at_the_next_login() {
    let mut world = World::new(&["romeo", "juliet"]);
    world.login(ROMEO);
    world.send(
        ROMEO,
        "<presence type='subscribe' to='nobody@example.com'/>",
    );
    world.send(
        ROMEO,
        "<presence type='subscribe' to='juliet@example.com'/>",
    );
    world.login(JULIET);
    world.disconnect(ROMEO, vec![]);
    world.login(ROMEO);
    assert!(world.received(JULIET).is_empty(), "she has it already");
}
