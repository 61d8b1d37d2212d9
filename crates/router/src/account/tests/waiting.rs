//! Messages that wait, as a feature hears of them that calls clients (XEP-0357).

use std::sync::Arc;

use parking_lot::Mutex;
use rookery_extension::{AccountView, Feature, Order, Registry, Spec, Waiting, WaitingMessage};
use rookery_stanza::{Jid, StanzaError};

use super::world::World;

const ROMEO: &str = "romeo@example.com/orchard";
const JULIET: &str = "juliet@example.com/balcony";

/// What a feature heard.
#[derive(Clone, Debug, Default)]
struct Listener(Arc<Mutex<Vec<String>>>);

impl Waiting for Listener {
    fn waits(&self, message: WaitingMessage<'_>, _: AccountView<'_>) -> Vec<Order> {
        let id = message.stanza.id.as_deref().unwrap_or_default();
        self.0.lock().push(format!("{id} of {}", message.count));
        Vec::new()
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
