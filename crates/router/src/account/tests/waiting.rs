//! Messages that wait, as a feature hears of them that calls clients (XEP-0357).

use std::sync::Arc;

use parking_lot::Mutex;
use rookery_delivery::Delivery;
use rookery_extension::{AccountView, Feature, Order, Registry, Spec, Waiting, WaitingMessage};
use rookery_stanza::{Jid, MessageType, RowId, Stanza, StanzaError};

use super::world::World;

const ROMEO: &str = "romeo@example.com/orchard";
const JULIET: &str = "juliet@example.com/balcony";

/// What a feature heard.
#[derive(Clone, Debug, Default)]
struct Listener(Arc<Mutex<Vec<String>>>);

impl Waiting for Listener {
    fn waits(&self, messages: &[WaitingMessage<'_>], account: AccountView<'_>) -> Vec<Order> {
        let ids = messages.iter().map(|message| message.stanza.id.as_deref());
        let ids: Vec<_> = ids.map(Option::unwrap).collect();
        let count = messages[0].count;
        self.0.lock().push(format!("{} of {count}", ids.join(" ")));
        let mut call = Stanza::message(MessageType::Headline);
        call.from = Some(account.jid.to_jid());
        call.to = Some(Jid::parse("nobody@example.com").unwrap());
        vec![Order::Send(call)]
    }

    fn answered(
        &self,
        from: &Jid,
        id: &str,
        answer: Result<(), &StanzaError>,
        _: AccountView<'_>,
    ) -> Vec<Order> {
        let answer = answer.map_err(|error| error.condition.as_str());
        self.0.lock().push(format!("{from} {id} {answer:?}"));
        Vec::new()
    }
}

impl Feature for Listener {
    fn spec(&self) -> Spec {
        Spec {
            name: "listener",
            ..Spec::EMPTY
        }
    }

    fn install(self: Box<Self>, registry: &mut Registry) {
        registry.waiting(*self);
    }
}

impl Listener {
    fn heard(&self) -> Vec<String> {
        std::mem::take(&mut self.0.lock())
    }
}

fn listening() -> (World, Listener) {
    let listener = Listener::default();
    let world = World::new(&["romeo", "juliet"]);
    let mut world = world.with_feature(listener.clone());
    world.login(ROMEO);
    (world, listener)
}

fn message(id: &str) -> String {
    format!("<message to='juliet@example.com' type='chat' id='{id}'><body>?</body></message>")
}

#[test]
fn a_message_for_nobody_who_is_there_is_told_once_with_how_many_wait() {
    let (mut world, listener) = listening();
    world.send(ROMEO, &message("1"));
    world.send(ROMEO, &message("2"));
    assert_eq!(listener.heard(), ["1 of 1", "2 of 2"]);
}

#[test]
fn what_a_client_gets_or_is_about_to_get_is_not_told() {
    let (mut world, listener) = listening();
    world.login(JULIET);
    world.send(ROMEO, &message("1"));
    assert_eq!(world.received(JULIET).len(), 1);
    assert!(listener.heard().is_empty());
}

#[test]
fn what_a_client_did_not_get_before_it_went_is_told() {
    let (mut world, listener) = listening();
    world.login(JULIET);
    world.send(ROMEO, &message("1"));
    let unread = world.deliveries(JULIET);
    world.disconnect(JULIET, unread);
    assert_eq!(listener.heard(), ["1 of 1"]);
}

const CHAMBER: &str = "juliet@example.com/chamber";

fn rows(deliveries: &[Delivery]) -> Vec<RowId> {
    let rows = deliveries.iter().filter_map(|one| one.custody.row());
    rows.collect()
}

/// The client sends a message, and whoever gets it has lost its connection: what its session says then.
fn handed_in_vain(world: &mut World, client: &str, id: &str) {
    world.send(ROMEO, &message(id));
    let handed = world.deliveries(client);
    assert!(!rows(&handed).is_empty(), "{id} is handed to {client}");
    world.detach(client, handed);
}

#[test]
fn what_is_handed_to_a_client_that_is_away_is_told_at_once() {
    let (mut world, listener) = listening();
    world.login(JULIET);
    world.detach(JULIET, vec![]);
    assert!(listener.heard().is_empty(), "nothing waits");
    handed_in_vain(&mut world, JULIET, "1");
    handed_in_vain(&mut world, JULIET, "2");
    assert_eq!(listener.heard(), ["1 of 1", "2 of 2"]);
    world.resume(JULIET);
    world.send(ROMEO, &message("3"));
    assert!(listener.heard().is_empty(), "the client is there");
}

#[test]
fn what_a_client_has_not_confirmed_when_it_loses_its_connection_is_told_together_and_once() {
    let (mut world, listener) = listening();
    world.login(JULIET);
    for id in ["1", "2", "3"] {
        world.send(ROMEO, &message(id));
    }
    let mut handed = world.deliveries(JULIET);
    let read = handed.remove(0);
    world.confirm(JULIET, rows(&[read]));
    world.detach(JULIET, handed.clone());
    assert_eq!(listener.heard(), ["2 3 of 2"]);
    world.resume(JULIET);
    world.detach(JULIET, handed.clone());
    assert!(listener.heard().is_empty(), "told before");
    world.disconnect(JULIET, handed);
    assert!(listener.heard().is_empty(), "also when nobody comes back");
    world.send(ROMEO, &message("4"));
    assert_eq!(listener.heard(), ["4 of 3"]);
}

#[test]
fn what_a_client_that_is_there_has_is_told_only_when_that_loses_its_connection_too() {
    let (mut world, listener) = listening();
    world.login(JULIET);
    world.login(CHAMBER);
    world.detach(CHAMBER, vec![]);
    handed_in_vain(&mut world, CHAMBER, "1");
    assert!(listener.heard().is_empty(), "the balcony has it");
    let read = rows(&world.deliveries(JULIET));
    world.send(ROMEO, &message("2"));
    world.confirm(JULIET, read);
    let unread = world.deliveries(JULIET);
    world.detach(JULIET, unread);
    assert_eq!(listener.heard(), ["2 of 1"], "the first is confirmed");
}

#[test]
fn a_client_that_is_away_keeps_no_other_from_being_called() {
    let (mut world, listener) = listening();
    world.login(JULIET);
    world.login(CHAMBER);
    world.detach(JULIET, vec![]);
    world.detach(CHAMBER, vec![]);
    handed_in_vain(&mut world, CHAMBER, "1");
    assert_eq!(listener.heard(), ["1 of 1"]);
    let waiting = world.deliveries(JULIET);
    world.detach(JULIET, waiting);
    assert!(listener.heard().is_empty(), "each device was called");
}

#[test]
fn what_was_confirmed_before_the_home_heard_of_the_loss_is_not_told() {
    let (mut world, listener) = listening();
    world.login(JULIET);
    world.send(ROMEO, &message("1"));
    let handed = world.deliveries(JULIET);
    world.confirm(JULIET, rows(&handed));
    world.detach(JULIET, handed);
    assert!(listener.heard().is_empty());
}

#[test]
fn what_is_left_goes_to_a_client_that_is_there_rather_than_to_one_that_is_away() {
    let (mut world, listener) = listening();
    world.login(JULIET);
    world.detach(JULIET, vec![]);
    world.login("juliet@example.com/garden");
    world.login(CHAMBER);
    world.send(
        ROMEO,
        &message("1").replace("example.com'", "example.com/chamber'"),
    );
    let unread = world.deliveries(CHAMBER);
    world.disconnect(CHAMBER, unread);
    assert!(rows(&world.deliveries(JULIET)).is_empty());
    assert_eq!(
        rows(&world.deliveries("juliet@example.com/garden")).len(),
        1
    );
    assert!(listener.heard().is_empty());
}

#[test]
fn the_rest_of_what_was_left_goes_on_to_a_client_that_is_there() {
    let (mut world, _) = listening();
    for id in 0..100 {
        world.send(ROMEO, &message(&id.to_string()));
    }
    world.login_and_keep(JULIET);
    let page = rows(&world.deliveries(JULIET));
    world.login_and_keep(CHAMBER);
    assert!(page.len() < 100 && rows(&world.deliveries(CHAMBER)).is_empty());
    world.detach(JULIET, vec![]);
    let mut rest = Vec::new();
    loop {
        let more = rows(&world.deliveries(CHAMBER));
        if more.is_empty() {
            break;
        }
        world.confirm(CHAMBER, more.clone());
        rest.extend(more);
    }
    assert_eq!(page.len() + rest.len(), 100, "each is with one of them");
}

#[test]
fn without_an_archive_what_is_for_a_client_that_is_away_is_kept_and_told() {
    let (mut world, listener) = listening();
    world.promised = false;
    world.login(JULIET);
    let not_stored = "<message to='juliet@example.com' type='chat' id='1'><body>?</body>\
                      <no-permanent-store xmlns='urn:xmpp:hints'/></message>";
    world.send(ROMEO, not_stored);
    assert!(rows(&world.deliveries(JULIET)).is_empty(), "she is there");
    world.detach(JULIET, vec![]);
    world.send(ROMEO, not_stored);
    let handed = world.deliveries(JULIET);
    assert_eq!(rows(&handed).len(), 1);
    world.detach(JULIET, handed);
    assert_eq!(listener.heard(), ["1 of 1"]);
}

#[test]
fn answers_of_others_are_told_and_those_of_clients_are_not() {
    let (mut world, listener) = listening();
    world.login(JULIET);
    let iq =
        |kind: &str, rest: &str| format!("<iq to='juliet@example.com' type='{kind}' id='1'{rest}");
    let error = "><error type='cancel'><item-not-found \
                 xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></iq>";
    world.send(ROMEO, &iq("result", "/>"));
    world.send(ROMEO, &iq("error", error));
    world.send(JULIET, &iq("result", "/>"));
    assert_eq!(
        listener.heard(),
        [
            "romeo@example.com/orchard 1 Ok(())",
            "romeo@example.com/orchard 1 Err(\"item-not-found\")"
        ]
    );
}
