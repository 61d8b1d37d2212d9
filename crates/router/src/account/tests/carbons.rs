//! Copies for the account's other clients (XEP-0280).

use rookery_delivery::{Custody, Delivery, Refusal};
use rookery_stanza::ns;
use rookery_stanza::payload::carbon::{Carbon, Direction};

use super::world::{World, write};

const ROMEO: &str = "romeo@example.com/orchard";
const GARDEN: &str = "romeo@example.com/garden";
const JULIET: &str = "juliet@example.com/balcony";
const CHAMBER: &str = "juliet@example.com/chamber";

/// A world in which the garden and the chamber have enabled carbons and get no messages to their bare JID.
fn world() -> World {
    let mut world = World::new(&["romeo", "juliet"]);
    for client in [ROMEO, GARDEN, JULIET, CHAMBER] {
        world.login(client);
    }
    for client in [GARDEN, CHAMBER] {
        world.follow(client, ns::CARBONS);
        world.send(client, "<presence><priority>-1</priority></presence>");
    }
    world.forget();
    world
}

fn chat(to: &str, payload: &str) -> String {
    format!("<message to='{to}' type='chat' id='1'>{payload}</message>")
}

/// The copies that a client got: which way the message went, and the message.
fn copies(world: &mut World, client: &str) -> Vec<(Direction, String)> {
    let deliveries = world.deliveries(client);
    let copy = |delivery: &Delivery| {
        let child = delivery.stanza.children().unwrap().into_iter().next()?;
        let copy = Carbon::parse(&child).ok()?;
        assert_eq!(delivery.custody, Custody::Copy, "nobody misses it");
        assert_eq!(delivery.stanza.to.as_ref().unwrap().as_str(), client);
        let from = delivery.stanza.from.as_ref().unwrap();
        assert!(
            from.is_bare() && client.starts_with(from.as_str()),
            "{from}"
        );
        Some((copy.direction, write(&copy.message.stanza().unwrap())))
    };
    deliveries.iter().filter_map(copy).collect()
}

fn is_copied(world: &mut World, message: &str) -> (bool, bool) {
    world.send(ROMEO, message);
    let sent = copies(world, GARDEN);
    let received = copies(world, CHAMBER);
    world.forget();
    let only = |copies: &[(Direction, String)], wanted| {
        assert!(copies.len() < 2);
        copies.iter().all(|(direction, _)| *direction == wanted)
    };
    assert!(only(&sent, Direction::Sent) && only(&received, Direction::Received));
    (!sent.is_empty(), !received.is_empty())
}

#[test]
fn other_clients_get_what_was_sent_and_received_with_the_ids_of_their_accounts_s7_s8() {
    let mut world = world();
    world.send(ROMEO, &chat("juliet@example.com", "<body>b</body>"));
    let [(Direction::Sent, sent)] = &copies(&mut world, GARDEN)[..] else {
        panic!("one copy")
    };
    assert!(sent.contains("by='romeo@example.com'") && sent.contains("<body>b</body>"));
    let [(Direction::Received, received)] = &copies(&mut world, CHAMBER)[..] else {
        panic!("one copy")
    };
    assert!(received.contains("by='juliet@example.com'"), "{received}");
    assert!(!received.contains("by='romeo@example.com'"), "{received}");
}

#[test]
fn whoever_sent_or_received_a_message_gets_no_copy_of_it_s7_s8() {
    let mut world = world();
    world.follow(ROMEO, ns::CARBONS);
    world.follow(JULIET, ns::CARBONS);
    for to in ["juliet@example.com", JULIET] {
        world.send(ROMEO, &chat(to, "<body>b</body>"));
        assert_eq!(copies(&mut world, ROMEO), []);
        assert_eq!(copies(&mut world, JULIET), []);
    }
    world.send(ROMEO, &chat("romeo@example.com", "<body>note</body>"));
    assert_eq!(copies(&mut world, ROMEO), []);
    assert_eq!(copies(&mut world, GARDEN).len(), 3);
}

#[test]
fn each_message_is_copied_or_not_as_s6_1_and_s9_say() {
    let mut world = world();
    let private =
        "<body>b</body><private xmlns='urn:xmpp:carbons:2'/><no-copy xmlns='urn:xmpp:hints'/>";
    let state = "<composing xmlns='http://jabber.org/protocol/chatstates'/>";
    for (message, expected) in [
        (chat(JULIET, "<body>b</body>"), (true, true)),
        (chat(JULIET, state), (true, true)),
        (chat(JULIET, private), (false, false)),
        (
            chat(JULIET, "<body>b</body><no-copy xmlns='urn:xmpp:hints'/>"),
            (false, false),
        ),
        (
            format!("<message to='{JULIET}' type='groupchat'><body>b</body></message>"),
            (false, false),
        ),
        (
            format!("<message to='{JULIET}'><x xmlns='test'/></message>"),
            (false, false),
        ),
    ] {
        assert_eq!(is_copied(&mut world, &message), expected, "{message}");
    }
}

#[test]
fn an_error_is_copied_if_the_message_was_that_it_answers_s6_1() {
    let mut world = world();
    world.send(ROMEO, &chat("nobody@example.com", "<body>b</body>"));
    let copied = copies(&mut world, GARDEN);
    let [(Direction::Sent, _), (Direction::Received, error)] = &copied[..] else {
        panic!("{copied:?}")
    };
    assert!(error.contains("type='error'"), "{error}");
}

#[test]
fn what_cannot_be_kept_is_not_copied_either() {
    let mut world = world();
    world.fail_store(true);
    world.send(ROMEO, &chat(JULIET, "<body>b</body>"));
    world.fail_store(false);
    assert_eq!(copies(&mut world, GARDEN), []);
    assert_eq!(copies(&mut world, CHAMBER), []);
}

#[test]
fn a_copy_that_nobody_takes_is_missed_by_nobody_s10_3() {
    let mut world = world();
    world.refuse(CHAMBER, Refusal::Busy);
    world.send(ROMEO, &chat(JULIET, "<body>b</body>"));
    world.disconnect(CHAMBER, vec![]);
    let errors = world.received(ROMEO);
    assert!(
        errors.iter().all(|xml| !xml.contains("<error")),
        "{errors:?}"
    );
    let got = world.received(JULIET).into_iter();
    let messages = got.filter(|xml| xml.starts_with("<message"));
    assert_eq!(messages.count(), 1);
}
