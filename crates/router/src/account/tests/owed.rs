//! Messages for an account that is away (XEP-0160).

use rookery_delivery::Delivery;
use rookery_stanza::RowId;

use super::world::{World, write};
use crate::config::Config;

const ROMEO: &str = "romeo@example.com/orchard";
const JULIET: &str = "juliet@example.com/balcony";

fn world() -> World {
    let mut world = World::new(&["romeo", "juliet"]);
    world.login(ROMEO);
    world
}

fn send(world: &mut World, body: usize) {
    world.send(ROMEO, &format!(
        "<message to='juliet@example.com' type='chat' id='m{body}'><body>{body}</body></message>"
    ));
}

fn kept(world: &World) -> usize {
    world.owed("juliet@example.com").len()
}

/// The rows among deliveries.
fn rows(deliveries: &[Delivery]) -> Vec<RowId> {
    let rows = deliveries
        .iter()
        .filter_map(|delivery| delivery.custody.row());
    rows.collect()
}

/// The messages among deliveries, as numbers.
fn numbers(deliveries: &[Delivery]) -> Vec<usize> {
    let body = |delivery: &Delivery| {
        let xml = write(&delivery.stanza);
        let (_, after) = xml.split_once("<body>")?;
        after.split_once("</body>")?.0.parse().ok()
    };
    deliveries.iter().filter_map(body).collect()
}

#[test]
fn kept_messages_are_delivered_with_a_delay_stamp() {
    let mut world = world();
    world.now = 1_031_699_305_000;
    send(&mut world, 1);
    world.now += 1_000_000;
    world.connect(JULIET);
    world.send(JULIET, "<presence/>");
    let received = world.received(JULIET);
    assert_eq!(
        received.last().unwrap(),
        &format!(
            "<message from='{ROMEO}' to='juliet@example.com' id='m1' type='chat'><body>1</body>\
         <delay xmlns='urn:xmpp:delay' from='example.com' stamp='2002-09-10T23:08:25Z'/></message>"
        )
    );
}

#[test]
fn the_store_is_asked_for_kept_messages_only_when_there_are_any() {
    let mut world = world();
    world.login(JULIET);
    assert_eq!(world.reads, 0);
    world.disconnect(JULIET, Vec::new());
    world.let_go("juliet@example.com");
    send(&mut world, 1);
    world.let_go("juliet@example.com");
    world.login(JULIET);
    assert!(world.reads > 0);
}

#[test]
fn kept_messages_wait_for_a_priority_that_is_not_negative() {
    let mut world = world();
    send(&mut world, 1);
    world.connect(JULIET);
    world.send(JULIET, "<presence><priority>-1</priority></presence>");
    assert!(numbers(&world.deliveries(JULIET)).is_empty());
    world.send(JULIET, "<presence><priority>0</priority></presence>");
    assert_eq!(numbers(&world.deliveries(JULIET)), [1]);
}

#[test]
fn kept_messages_are_removed_only_when_they_are_confirmed() {
    let mut world = world();
    send(&mut world, 1);
    send(&mut world, 2);
    world.login(JULIET);
    assert_eq!(kept(&world), 2);
    world.disconnect(JULIET, vec![]);
    world.connect(JULIET);
    world.send(JULIET, "<presence/>");
    let deliveries = world.deliveries(JULIET);
    assert_eq!(numbers(&deliveries), [1, 2], "again");
    let [first, second] = rows(&deliveries)[..] else {
        panic!("two rows")
    };
    world.confirm(JULIET, vec![first]);
    assert_eq!(kept(&world), 1);
    world.confirm(JULIET, vec![second]);
    assert_eq!(kept(&world), 0);
}

#[test]
fn a_long_queue_is_handed_over_page_by_page_and_nothing_overtakes_it() {
    let mut world = world();
    for body in 0..150 {
        send(&mut world, body);
    }
    world.connect(JULIET);
    world.send(JULIET, "<presence/>");
    let mut got = Vec::new();
    for round in 0.. {
        let deliveries = world.deliveries(JULIET);
        got.extend(numbers(&deliveries));
        let rows = rows(&deliveries);
        if rows.is_empty() {
            break;
        }
        if round < 2 {
            send(&mut world, 150 + round);
        }
        world.confirm(JULIET, rows);
    }
    assert_eq!(got, (0..152).collect::<Vec<_>>());
    assert_eq!(kept(&world), 0);
    send(&mut world, 152);
    let straight = world.deliveries(JULIET);
    assert_eq!(numbers(&straight), [152], "now they go straight to her");
    assert!(!write(&straight[0].stanza).contains("<delay "));
}

#[test]
fn another_resource_takes_over_when_the_first_one_goes() {
    let mut world = world();
    send(&mut world, 1);
    world.login(JULIET);
    world.login("juliet@example.com/chamber");
    world.disconnect(JULIET, vec![]);
    assert_eq!(
        numbers(&world.deliveries("juliet@example.com/chamber")),
        [1]
    );
}

#[test]
fn chat_states_alone_are_not_kept() {
    let mut world = world();
    let state = "<composing xmlns='http://jabber.org/protocol/chatstates'/>";
    world.send(
        ROMEO,
        &format!("<message to='juliet@example.com' type='chat'>{state}</message>"),
    );
    world.send(
        ROMEO,
        &format!(
            "<message to='juliet@example.com' type='chat'>{state}<thread>t</thread></message>"
        ),
    );
    assert_eq!(kept(&world), 0);
    world.send(
        ROMEO,
        &format!("<message to='juliet@example.com' type='chat'>{state}<body>b</body></message>"),
    );
    assert_eq!(kept(&world), 1);
}

#[test]
fn a_full_queue_is_told_to_the_sender_by_step_3() {
    let config = Config {
        offline_messages: 1,
        ..Config::default()
    };
    let mut world = World::with(&["romeo", "juliet"], config);
    world.login(ROMEO);
    send(&mut world, 1);
    assert!(world.received(ROMEO).is_empty());
    send(&mut world, 2);
    let received = world.received(ROMEO);
    assert!(
        received[0].contains("<service-unavailable "),
        "{received:?}"
    );
}

#[test]
fn a_queue_that_is_full_by_bytes_is_told_to_the_sender_by_step_3() {
    let config = Config {
        offline_bytes: 300,
        ..Config::default()
    };
    let mut world = World::with(&["romeo", "juliet"], config);
    world.login(ROMEO);
    send(&mut world, 1);
    assert!(world.received(ROMEO).is_empty());
    let body = "x".repeat(300);
    world.send(
        ROMEO,
        &format!("<message to='juliet@example.com' type='chat'><body>{body}</body></message>"),
    );
    let received = world.received(ROMEO);
    assert!(
        received[0].contains("<service-unavailable "),
        "{received:?}"
    );
}

#[test]
fn a_store_that_fails_is_told_to_the_sender() {
    let mut world = world();
    send(&mut world, 1);
    world.fail_store(true);
    send(&mut world, 2);
    let received = world.received(ROMEO);
    assert!(
        received[0].contains("<error type='wait'><resource-constraint "),
        "{received:?}"
    );
}

#[test]
fn a_message_with_its_own_delay_note_gets_no_second_one() {
    let mut world = world();
    world.login(JULIET);
    send(&mut world, 1);
    let undelivered = world.deliveries(JULIET);
    world.disconnect(JULIET, undelivered);
    world.login("juliet@example.com/chamber");
    world.disconnect("juliet@example.com/chamber", vec![]);
    world.connect(JULIET);
    world.send(JULIET, "<presence/>");
    let received = world.received(JULIET);
    assert_eq!(
        received.last().unwrap().matches("<delay ").count(),
        1,
        "{received:?}"
    );
}

#[test]
fn a_message_with_as_many_attributes_as_there_may_be_is_kept_and_read() {
    let mut world = world();
    let attributes: Vec<_> = (0..62).map(|at| format!("a{at}=''")).collect();
    let attributes = attributes.join(" ");
    world.send(
        ROMEO,
        &format!(
            "<message to='juliet@example.com' type='chat' {attributes}><body>1</body></message>"
        ),
    );
    assert_eq!(kept(&world), 1);
    world.connect(JULIET);
    world.send(JULIET, "<presence/>");
    assert_eq!(numbers(&world.deliveries(JULIET)), [1]);
}

#[test]
fn what_a_resource_no_longer_wants_goes_on_to_another() {
    const CHAMBER: &str = "juliet@example.com/chamber";
    let mut world = world();
    for body in 0..100 {
        send(&mut world, body);
    }
    world.connect(JULIET);
    world.send(JULIET, "<presence/>");
    let page = world.deliveries(JULIET);
    world.login(CHAMBER);
    world.send(JULIET, "<presence><priority>-1</priority></presence>");
    world.confirm(JULIET, rows(&page));
    let rest = numbers(&world.deliveries(CHAMBER));
    assert_eq!(
        [numbers(&page), rest].concat(),
        (0..100).collect::<Vec<_>>()
    );
}
