//! Messages in the logs of both sides (XEP-0313 §6.1, XEP-0359), before anybody gets them.

use futures_util::FutureExt;
use rookery_delivery::Delivery;
use rookery_stanza::ns;
use rookery_stanza::payload::stanza_id::StanzaId;
use rookery_storage::message_log::{MessageLog, PageQuery, Paged, Purpose, Row};

use super::world::{World, bare, write};

const ROMEO: &str = "romeo@example.com/orchard";
const JULIET: &str = "juliet@example.com/balcony";
const CHAMBER: &str = "juliet@example.com/chamber";

fn world() -> World {
    let mut world = World::new(&["romeo", "juliet"]);
    world.login(ROMEO);
    world
}

fn chat(to: &str, body: &str) -> String {
    format!("<message to='{to}' type='chat' id='{body}'><body>{body}</body></message>")
}

/// What stands in an account's archive.
fn archive(world: &World, account: &str) -> Vec<Row> {
    let query = PageQuery {
        limit: 1000,
        ..PageQuery::default()
    };
    let account = bare(account);
    let page = world.log.page(&account, query).now_or_never().unwrap();
    match page.unwrap() {
        Paged::Page(page) => page.rows,
        Paged::NoSuchRow(_) => panic!("no row was named"),
    }
}

/// The id that `by` gave a stanza.
fn id(delivery: &Delivery, by: &str) -> Option<String> {
    let children = delivery.stanza.children().unwrap().into_iter();
    let ids = children.filter_map(|child| StanzaId::parse(&child).ok());
    let mut its = ids.filter(|id| id.by.as_str() == by);
    let id = its.next().map(|id| id.id.to_string());
    assert!(its.next().is_none(), "one id");
    id
}

fn messages(world: &mut World, client: &str) -> Vec<Delivery> {
    let deliveries = world.deliveries(client).into_iter();
    let message = |delivery: &Delivery| write(&delivery.stanza).starts_with("<message");
    deliveries.filter(message).collect()
}

#[test]
fn both_sides_have_a_row_with_the_same_ingress_id_and_the_other_address_by_xep0313_s6_1() {
    let mut world = world();
    world.login(JULIET);
    world.send(ROMEO, &chat("juliet@example.com", "1"));
    let (sent, received) = (
        archive(&world, "romeo@example.com"),
        archive(&world, "juliet@example.com"),
    );
    let ([sent], [received]) = (&sent[..], &received[..]) else {
        panic!("a row each")
    };
    assert_eq!(sent.ingress, received.ingress);
    assert_eq!(sent.with.as_str(), "juliet@example.com");
    assert_eq!(received.with.as_str(), ROMEO);
    assert_eq!(sent.purpose, Purpose::Archive);
    assert_eq!(received.purpose, Purpose::Both(vec!["balcony".to_owned()]));
}

#[test]
fn a_message_has_the_id_of_its_row_and_no_forged_one_by_xep0359_s3() {
    let mut world = world();
    world.login(JULIET);
    let forged = |by: &str| format!("<stanza-id xmlns='urn:xmpp:sid:0' id='1' by='{by}'/>");
    world.send(
        ROMEO,
        &format!(
            "<message to='juliet@example.com' type='chat'><body>b</body>{}{}</message>",
            forged("juliet@example.com"),
            forged("romeo@example.com")
        ),
    );
    let [message] = &messages(&mut world, JULIET)[..] else {
        panic!("one message")
    };
    let [row] = &archive(&world, "juliet@example.com")[..] else {
        panic!("one row")
    };
    assert_eq!(message.custody.row(), Some(row.id));
    assert_eq!(id(message, "juliet@example.com"), Some(row.id.to_string()));
    assert_eq!(id(message, "romeo@example.com"), None, "his alone to give");
}

#[test]
fn a_message_that_was_not_confirmed_comes_again_under_the_same_id_and_with_a_delay() {
    let mut world = world();
    world.login(JULIET);
    world.send(ROMEO, &chat("juliet@example.com", "1"));
    let first = messages(&mut world, JULIET);
    // The home is gone, and with it whatever it knew of sessions.
    world.crash("juliet@example.com");
    world.login_and_keep(JULIET);
    let again = messages(&mut world, JULIET);
    let by = "juliet@example.com";
    assert_eq!(id(&first[0], by), id(&again[0], by));
    assert_eq!(again.len(), 1);
    assert!(again[0].stanza.has("delay", ns::DELAY));
    world.confirm(
        JULIET,
        again.iter().filter_map(|d| d.custody.row()).collect(),
    );
    world.crash("juliet@example.com");
    world.login_and_keep(JULIET);
    assert_eq!(messages(&mut world, JULIET).len(), 0, "once is enough");
}

#[test]
fn one_of_several_resources_confirms_for_all() {
    let mut world = world();
    world.login(JULIET);
    world.login(CHAMBER);
    world.send(ROMEO, &chat("juliet@example.com", "1"));
    let (one, other) = (messages(&mut world, JULIET), messages(&mut world, CHAMBER));
    assert_eq!((one.len(), other.len()), (1, 1));
    world.confirm(CHAMBER, vec![other[0].custody.row().unwrap()]);
    assert_eq!(world.owed("juliet@example.com").len(), 0);
    world.disconnect(JULIET, one);
    assert_eq!(messages(&mut world, CHAMBER).len(), 0, "she has it");
}

#[test]
fn what_one_resource_still_has_is_not_given_to_another() {
    let mut world = world();
    world.login(JULIET);
    world.login(CHAMBER);
    world.send(ROMEO, &chat("juliet@example.com", "1"));
    let one = messages(&mut world, JULIET);
    world.disconnect(JULIET, one);
    assert_eq!(messages(&mut world, CHAMBER).len(), 1);
    world.disconnect(CHAMBER, vec![]);
    assert_eq!(world.owed("juliet@example.com").len(), 1);
}

#[test]
fn a_message_whose_sender_has_no_row_of_it_goes_nowhere() {
    let mut world = world();
    world.login(JULIET);
    world.fail_store(true);
    world.send(ROMEO, &chat(JULIET, "1"));
    world.fail_store(false);
    let error = &world.received(ROMEO)[0];
    assert!(error.contains("<resource-constraint "), "{error}");
    assert_eq!(messages(&mut world, JULIET).len(), 0);
}

#[test]
fn a_message_to_oneself_has_one_row() {
    let mut world = world();
    world.send(ROMEO, &chat("romeo@example.com", "1"));
    assert_eq!(archive(&world, "romeo@example.com").len(), 1);
    assert_eq!(messages(&mut world, ROMEO).len(), 1);
}

#[test]
fn what_must_not_be_stored_has_no_row_by_xep0334_s4_2() {
    let mut world = world();
    world.login(JULIET);
    world.send(
        ROMEO,
        "<message to='juliet@example.com' type='chat'><body>b</body><no-store xmlns='urn:xmpp:hints'/></message>",
    );
    assert_eq!(archive(&world, "romeo@example.com").len(), 0);
    assert_eq!(world.owed("juliet@example.com").len(), 0);
    let [message] = &messages(&mut world, JULIET)[..] else {
        panic!("one message")
    };
    assert_eq!(id(message, "juliet@example.com"), None);
}

#[test]
fn new_messages_come_behind_those_that_are_left_and_to_others_at_once() {
    let mut world = world();
    for body in 0..100 {
        world.send(ROMEO, &chat("juliet@example.com", &body.to_string()));
    }
    world.login_and_keep(JULIET);
    world.login_and_keep(CHAMBER);
    world.send(ROMEO, &chat("juliet@example.com", "new"));
    let got = messages(&mut world, JULIET);
    assert_eq!(got.len(), 64, "a page");
    let other = messages(&mut world, CHAMBER);
    assert_eq!(other.len(), 1);
    let rows = |got: &[Delivery]| got.iter().filter_map(|d| d.custody.row()).collect();
    world.confirm(CHAMBER, rows(&other));
    assert_eq!(
        world.owed("juliet@example.com").len(),
        101,
        "it is still to come to the balcony"
    );
    world.confirm(JULIET, rows(&got));
    let rest = messages(&mut world, JULIET);
    assert_eq!(rest.len(), 37);
    assert!(write(&rest[36].stanza).contains("<body>new</body>"));
    world.confirm(JULIET, rows(&rest));
    assert_eq!(world.owed("juliet@example.com").len(), 0);
}

#[test]
fn what_others_have_comes_to_them_once_when_the_one_that_it_is_still_to_come_to_goes() {
    for has_it in [true, false] {
        let mut world = world();
        for body in 0..100 {
            world.send(ROMEO, &chat("juliet@example.com", &body.to_string()));
        }
        world.login_and_keep(JULIET);
        world.login_and_keep(CHAMBER);
        world.send(ROMEO, &chat("juliet@example.com", "new"));
        let [new] = &messages(&mut world, CHAMBER)[..] else {
            panic!("one message")
        };
        let row = new.custody.row().unwrap();
        if has_it {
            world.confirm(CHAMBER, vec![row]);
        }
        let page = messages(&mut world, JULIET);
        world.disconnect(JULIET, page);
        let mut count = 0;
        loop {
            let page = messages(&mut world, CHAMBER);
            if page.is_empty() {
                break;
            }
            let rows: Vec<_> = page.iter().filter_map(|one| one.custody.row()).collect();
            assert!(!rows.contains(&row), "once more");
            count += rows.len();
            world.confirm(CHAMBER, rows);
        }
        assert_eq!(count, 100);
        let left = usize::from(!has_it);
        assert_eq!(world.owed("juliet@example.com").len(), left);
    }
}

#[test]
fn what_a_session_had_that_ends_comes_before_what_came_for_it_since_by_rfc6120_s10_1() {
    let mut world = world();
    world.connect(CHAMBER);
    world.send(CHAMBER, "<presence/>");
    world.connect(JULIET);
    world.send(JULIET, "<presence><priority>5</priority></presence>");
    world.send(ROMEO, &chat("juliet@example.com", "1"));
    let had = messages(&mut world, JULIET);
    assert_eq!(had.len(), 1);
    world.bind("juliet@example.com", Some("balcony"));
    world.send(ROMEO, &chat("juliet@example.com", "2"));
    assert_eq!(
        messages(&mut world, CHAMBER).len(),
        0,
        "not before the first"
    );
    world.disconnect(JULIET, had);
    let got = messages(&mut world, CHAMBER);
    assert_eq!(got.len(), 2);
    assert!(write(&got[0].stanza).contains("<body>1</body>"));
}

#[test]
fn what_a_client_has_and_the_log_could_not_note_is_not_handed_over_again() {
    let mut world = world();
    world.login(JULIET);
    world.send(ROMEO, &chat("juliet@example.com", "1"));
    world.send(ROMEO, &chat("juliet@example.com", "2"));
    let got = messages(&mut world, JULIET);
    let rows: Vec<_> = got.iter().filter_map(|one| one.custody.row()).collect();
    let juliet = bare("juliet@example.com");
    let account = world.accounts.get_mut(&juliet).unwrap();
    account.not_noted(vec![rows[0]]);
    assert_eq!(account.unnoted(), [rows[0]], "it is asked again");
    world.disconnect(JULIET, vec![got[1].clone()]);
    world.login_and_keep(JULIET);
    let again = messages(&mut world, JULIET);
    assert_eq!(again.len(), 1);
    assert_eq!(again[0].custody.row(), Some(rows[1]));
    let account = world.accounts.get_mut(&juliet).unwrap();
    account.noted(&rows);
    assert!(!account.has_unnoted());
}

#[test]
fn what_is_neither_archived_nor_promised_is_kept_only_while_nobody_is_there() {
    let unarchived = format!(
        "<message to='{JULIET}' type='chat'><body>1</body>\
         <no-permanent-store xmlns='urn:xmpp:hints'/></message>"
    );
    for promised in [true, false] {
        let mut world = world();
        world.promised = promised;
        world.login(JULIET);
        world.send(ROMEO, &unarchived);
        let [got] = &messages(&mut world, JULIET)[..] else {
            panic!("one message")
        };
        assert_eq!(got.custody.row().is_some(), promised);
        let returned = vec![got.clone()];
        world.disconnect(JULIET, returned);
        let juliet = bare("juliet@example.com");
        let tail = world.log.tail(&juliet).now_or_never().unwrap().unwrap();
        assert_eq!(tail.owed, 1, "its client did not get it");
        world.send(ROMEO, &unarchived);
        world.connect(JULIET);
        world.send(JULIET, "<presence/>");
        assert_eq!(messages(&mut world, JULIET).len(), 2);
    }
}
