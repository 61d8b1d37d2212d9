//! Rosters (RFC 6121 §2).

use super::world::World;
use crate::config::Config;

const JULIET: &str = "juliet@example.com/balcony";

fn get(attributes: &str) -> String {
    format!("<iq type='get' id='g'><query xmlns='jabber:iq:roster'{attributes}/></iq>")
}

fn set(item: &str) -> String {
    format!("<iq type='set' id='s'><query xmlns='jabber:iq:roster'>{item}</query></iq>")
}

fn push(number: u64, to: &str, version: u64, item: &str) -> String {
    format!(
        "<iq to='{to}' id='push-{number}' type='set'>\
         <query xmlns='jabber:iq:roster' ver='{version}'>{item}</query></iq>"
    )
}

fn result(id: &str) -> String {
    format!("<iq to='{JULIET}' id='{id}' type='result'/>")
}

fn world() -> World {
    let mut world = World::new(&["juliet", "nurse", "romeo"]);
    world.connect(JULIET);
    world
}

#[test]
fn empty_roster_is_an_empty_query_by_s2_1_4() {
    let mut world = world();
    world.send(JULIET, &get(""));
    assert_eq!(
        world.received(JULIET),
        [format!(
            "<iq to='{JULIET}' id='g' type='result'><query xmlns='jabber:iq:roster' ver='0'/></iq>"
        )]
    );
}

#[test]
fn set_is_pushed_to_interested_resources_and_answered_by_s2_3_2() {
    let mut world = world();
    let chamber = "juliet@example.com/chamber";
    world.connect(chamber);
    world.send(JULIET, &get(""));
    world.forget();
    world.send(
        JULIET,
        &set("<item jid='nurse@example.com' name='Nurse'><group>Servants</group></item>"),
    );
    let item = "<item jid='nurse@example.com' subscription='none' name='Nurse'>\
                <group>Servants</group></item>";
    assert_eq!(
        world.received(JULIET),
        [push(1, JULIET, 1, item), result("s")]
    );
    assert!(
        world.received(chamber).is_empty(),
        "it never asked for the roster"
    );
    world.send(
        JULIET,
        &set("<item jid='nurse@example.com' name='' subscription='both'/>"),
    );
    let item = "<item jid='nurse@example.com' subscription='none'/>";
    assert_eq!(
        world.received(JULIET),
        [push(2, JULIET, 2, item), result("s")]
    );
    world.send(JULIET, "<iq type='result' id='push-1'/>");
    assert!(world.received(JULIET).is_empty());
}

#[test]
fn removal_is_pushed_and_an_unknown_contact_is_not_found_by_s2_5() {
    let mut world = world();
    world.send(JULIET, &get(""));
    world.send(JULIET, &set("<item jid='nurse@example.com'/>"));
    world.forget();
    world.send(
        JULIET,
        &set("<item jid='nurse@example.com' subscription='remove'/>"),
    );
    let item = "<item jid='nurse@example.com' subscription='remove'/>";
    assert_eq!(
        world.received(JULIET),
        [push(2, JULIET, 2, item), result("s")]
    );
    world.send(
        JULIET,
        &set("<item jid='nurse@example.com' subscription='remove'/>"),
    );
    let received = world.received(JULIET);
    assert!(received[0].contains("<item-not-found "), "{received:?}");
}

#[test]
fn bad_sets_are_refused_with_the_condition_of_s2_3_3() {
    let config = Config {
        roster_name_bytes: 10,
        roster_groups: 2,
        ..Config::default()
    };
    let mut world = World::with(&["juliet"], config);
    world.connect(JULIET);
    let long = "x".repeat(11);
    for (item, condition) in [
        (String::new(), "bad-request"),
        (
            "<item jid='a@example.com'/><item jid='b@example.com'/>".to_owned(),
            "bad-request",
        ),
        ("<item name='no jid'/>".to_owned(), "bad-request"),
        (
            "<item jid='a@example.com'><group>g</group><group>g</group></item>".to_owned(),
            "bad-request",
        ),
        ("<item jid='@@'/>".to_owned(), "jid-malformed"),
        (
            format!("<item jid='a@example.com' name='{long}'/>"),
            "not-acceptable",
        ),
        (
            format!("<item jid='a@example.com'><group>{long}</group></item>"),
            "not-acceptable",
        ),
        (
            "<item jid='a@example.com'><group/></item>".to_owned(),
            "not-acceptable",
        ),
        (
            "<item jid='a@example.com'><group>1</group><group>2</group><group>3</group></item>"
                .to_owned(),
            "not-acceptable",
        ),
        ("<item jid='juliet@example.com'/>".to_owned(), "not-allowed"),
    ] {
        world.send(JULIET, &set(&item));
        let received = world.received(JULIET);
        assert_eq!(received.len(), 1, "{item}");
        assert!(
            received[0].contains(&format!("<{condition} ")),
            "{item}: {received:?}"
        );
    }
    world.send(
        JULIET,
        "<iq type='get' id='g'><query xmlns='jabber:iq:roster'><item/></query></iq>",
    );
    assert!(
        world.received(JULIET)[0].contains("<bad-request "),
        "§2.1.3"
    );
}

#[test]
fn a_full_roster_takes_no_further_contact() {
    let mut world = World::with(
        &["juliet", "romeo"],
        Config {
            roster_items: 1,
            ..Config::default()
        },
    );
    world.connect(JULIET);
    world.send(JULIET, &set("<item jid='nurse@example.com'/>"));
    world.send(JULIET, &set("<item jid='nurse@example.com' name='Nurse'/>"));
    world.forget();
    world.send(JULIET, &set("<item jid='romeo@example.com'/>"));
    assert!(world.received(JULIET)[0].contains("<resource-constraint "));
    world.send(
        JULIET,
        "<presence type='subscribe' to='romeo@example.com'/>",
    );
    assert!(world.received(JULIET)[0].contains("<resource-constraint "));
}

#[test]
fn names_and_groups_have_a_bound_over_the_whole_roster() {
    let mut world = World::with(
        &["juliet", "romeo"],
        Config {
            roster_bytes: 10,
            ..Config::default()
        },
    );
    world.connect(JULIET);
    world.send(
        JULIET,
        &set("<item jid='nurse@example.com' name='Nurse'><group>Home</group></item>"),
    );
    world.forget();
    world.send(JULIET, &set("<item jid='romeo@example.com' name='Ro'/>"));
    assert!(world.received(JULIET)[0].contains("<resource-constraint "));
    // An item is counted once, however often it is changed.
    world.send(
        JULIET,
        &set("<item jid='nurse@example.com' name='1234567890'/>"),
    );
    assert!(
        world
            .received(JULIET)
            .iter()
            .any(|stanza| stanza.contains("type='result'"))
    );
}

#[test]
fn versions_bring_only_what_changed_in_order_by_s2_6_3() {
    let mut world = world();
    for name in ["a", "b", "c", "d"] {
        world.send(JULIET, &set(&format!("<item jid='{name}@example.com'/>")));
    }
    world.send(JULIET, &set("<item jid='a@example.com' name='A'/>"));
    world.send(
        JULIET,
        &set("<item jid='b@example.com' subscription='remove'/>"),
    );
    world.forget();
    world.send(JULIET, &get(" ver='6'"));
    assert_eq!(world.received(JULIET), [result("g")], "nothing is new");
    world.send(JULIET, &get(" ver='4'"));
    assert_eq!(
        world.received(JULIET),
        [
            result("g"),
            push(
                1,
                JULIET,
                5,
                "<item jid='a@example.com' subscription='none' name='A'/>"
            ),
            push(
                2,
                JULIET,
                6,
                "<item jid='b@example.com' subscription='remove'/>"
            ),
        ]
    );
    for whole in ["", "0", "7", "ver14"] {
        world.send(JULIET, &get(&format!(" ver='{whole}'")));
        let received = world.received(JULIET);
        assert_eq!(received.len(), 1);
        assert_eq!(
            received[0].matches("<item ").count(),
            3,
            "{whole}: {received:?}"
        );
    }
}

#[test]
fn versions_older_than_the_oldest_tombstone_bring_the_whole_roster() {
    let mut world = world();
    for name in 0..200 {
        world.send(
            JULIET,
            &set(&format!("<item jid='keep-{name}@example.com'/>")),
        );
    }
    for name in 0..101 {
        world.send(
            JULIET,
            &set(&format!("<item jid='gone-{name}@example.com'/>")),
        );
        world.send(
            JULIET,
            &set(&format!(
                "<item jid='gone-{name}@example.com' subscription='remove'/>"
            )),
        );
    }
    world.forget();
    world.send(JULIET, &get(" ver='201'"));
    assert_eq!(
        world.received(JULIET).len(),
        1,
        "the first removal is forgotten"
    );
    world.send(JULIET, &get(" ver='204'"));
    assert_eq!(world.received(JULIET).len(), 100, "the others are not");
}

#[test]
fn a_store_that_fails_changes_nothing() {
    let mut world = world();
    world.send(JULIET, &get(""));
    world.forget();
    world.fail_store(true);
    world.send(JULIET, &set("<item jid='nurse@example.com'/>"));
    let received = world.received(JULIET);
    assert_eq!(received.len(), 1, "no push: {received:?}");
    assert!(
        received[0].contains("<error type='wait'><resource-constraint "),
        "{received:?}"
    );
    world.fail_store(false);
    world.send(JULIET, &get(""));
    assert!(!world.received(JULIET)[0].contains("<item "));
}
