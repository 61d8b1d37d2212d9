//! Clients that read from the archive what they missed (XEP-0386 §"Performing the bind").

use rookery_delivery::BindTerms;
use rookery_stanza::payload::archive::{Extent, Metadata};

use super::world::{World, jid, write};

const ROMEO: &str = "romeo@example.com/orchard";
const JULIET: &str = "juliet@example.com";
const BALCONY: &str = "juliet@example.com/balcony";
const CHAMBER: &str = "juliet@example.com/chamber";

const BIND2: BindTerms = BindTerms {
    client: None,
    carbons: false,
    archive: true,
};

fn world() -> World {
    let mut world = World::new(&["romeo", "juliet"]);
    world.login(ROMEO);
    world
}

fn send(world: &mut World, body: &str, hint: &str) {
    world.send(
        ROMEO,
        &format!(
            "<message to='{JULIET}' type='chat' id='{body}'><body>{body}</body>{hint}</message>"
        ),
    );
}

/// A message that is owed, and in no archive (XEP-0334 §4.3).
fn send_for_once(world: &mut World, body: &str) {
    send(world, body, "<no-permanent-store xmlns='urn:xmpp:hints'/>");
}

/// Binds a resource by XEP-0386; what its client is told of the archive.
fn bind(world: &mut World, resource: &str) -> Option<Metadata> {
    let session = world.bind_with(JULIET, Some(resource), BIND2);
    assert!(world.bound[&session].is_ok());
    world.archives.remove(&session)
}

/// The ids of the messages that the client of a resource got.
fn got(world: &mut World, client: &str) -> Vec<String> {
    let received = world.deliveries(client).into_iter();
    let messages = received.filter(|one| write(&one.stanza).starts_with("<message"));
    messages
        .filter_map(|one| one.stanza.id.as_deref().map(str::to_owned))
        .collect()
}

#[test]
fn what_the_archive_has_is_owed_no_longer_and_the_rest_is_sent_by_xep0386() {
    let mut world = world();
    send(&mut world, "1", "");
    send_for_once(&mut world, "2");
    send(&mut world, "3", "");
    assert_eq!(world.owed(JULIET).len(), 3);
    let known = bind(&mut world, "balcony");
    assert_eq!(world.owed(JULIET).len(), 1);
    world.send(BALCONY, "<presence/>");
    assert_eq!(got(&mut world, BALCONY), ["2"]);
    let Some(Metadata {
        extent: Some(Extent { start, end }),
    }) = known
    else {
        panic!("an archive with two messages: {known:?}")
    };
    assert!(start.id < end.id, "the ends of the archive");
}

#[test]
fn what_comes_after_the_resource_is_bound_is_sent_by_xep0386() {
    let mut world = world();
    send(&mut world, "1", "");
    bind(&mut world, "balcony");
    send(&mut world, "2", "");
    world.send(BALCONY, "<presence/>");
    assert_eq!(got(&mut world, BALCONY), ["2"]);
}

#[test]
fn a_client_that_binds_by_rfc6120_gets_everything() {
    let mut world = world();
    send(&mut world, "1", "");
    world.login_and_keep(BALCONY);
    assert_eq!(got(&mut world, BALCONY), ["1"]);
}

#[test]
fn what_another_session_has_stays_with_it() {
    let mut world = world();
    send(&mut world, "1", "");
    world.login_and_keep(CHAMBER);
    bind(&mut world, "balcony");
    world.send(BALCONY, "<presence/>");
    assert_eq!(got(&mut world, CHAMBER), ["1"]);
    assert_eq!(world.owed(JULIET).len(), 1, "until its client confirms it");
    assert!(got(&mut world, BALCONY).is_empty());
}

#[test]
fn an_empty_archive_has_no_ends_by_xep0313_s5() {
    let mut world = world();
    assert_eq!(bind(&mut world, "balcony"), Some(Metadata::default()));
}

#[test]
fn a_log_that_cannot_be_read_costs_no_login_and_no_message() {
    let mut world = world();
    send(&mut world, "1", "");
    world.fail_store(true);
    assert_eq!(bind(&mut world, "balcony"), None);
    world.fail_store(false);
    world.send(BALCONY, "<presence/>");
    assert_eq!(got(&mut world, BALCONY), ["1"]);
}

#[test]
fn a_guest_has_no_archive() {
    let mut world = world();
    let session = world.bind_with("guest@guests.example.com", Some("here"), BIND2);
    let bound = Ok(jid("guest@guests.example.com/here"));
    assert_eq!(
        (world.bound.get(&session), world.archives.get(&session)),
        (Some(&bound), None)
    );
}
