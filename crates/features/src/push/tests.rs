//! XEP-0357: what is enabled, and what services are told.

use rookery_extension::{Order, Relation};
use rookery_stanza::{Condition, ErrorType, Jid, RowId, Stanza, StanzaError};
use rookery_xml::Element;

use crate::Config as FeaturesConfig;
use crate::fixture::Scene;

const ENABLE: &str = "<enable xmlns='urn:xmpp:push:0' jid='push.example.net' node='n1'/>";
const DISABLE: &str = "<disable xmlns='urn:xmpp:push:0' jid='push.example.net'/>";
const MESSAGE: &str = "<message from='romeo@montague.lit/orchard' to='juliet@montague.lit' type='chat'>\
    <body>Wherefore art thou?</body></message>";

fn row(number: u64) -> RowId {
    RowId::from_halves(number, 7)
}

fn service() -> Jid {
    Jid::parse("push.example.net").unwrap()
}

/// The notifications that were sent since this was asked last.
fn sent(scene: &Scene) -> Vec<Stanza> {
    let sent = |order| match order {
        Order::Send(stanza) => Some(stanza),
        _ => None,
    };
    scene.orders().into_iter().filter_map(sent).collect()
}

/// The nodes that a message calls.
fn called(scene: &Scene, number: u64) -> Vec<String> {
    scene.waits(MESSAGE, row(number), 1);
    let node = |stanza: Stanza| {
        let pubsub = stanza.children().unwrap().remove(0);
        let publish = pubsub.children().next().unwrap();
        publish.attribute("node").unwrap_or_default().to_owned()
    };
    sent(scene).into_iter().map(node).collect()
}

fn told(scene: &Scene, payload: &str) -> Option<Result<Option<Element>, Condition>> {
    let got = scene.tell_own_account(payload);
    got.map(|answer| answer.map_err(|error| error.condition))
}

#[test]
fn account_announces_it_and_the_host_does_not_by_s4_1() {
    let scene = Scene::new();
    assert!(scene.account_announces("urn:xmpp:push:0"));
    assert!(!scene.host_announces("urn:xmpp:push:0"));
}

#[test]
fn a_message_that_waits_is_published_to_the_node_by_s7() {
    let scene = Scene::new();
    assert_eq!(told(&scene, ENABLE), Some(Ok(None)));
    scene.waits(MESSAGE, row(1), 3);
    let published = sent(&scene);
    let mut written = Vec::new();
    published[0].write(&mut written);
    let written = String::from_utf8(written).unwrap();
    let id = published[0].id.as_deref().unwrap();
    assert_eq!(
        written,
        format!(
            "<iq from='juliet@montague.lit' to='push.example.net' id='{id}' type='set'>\
             <pubsub xmlns='http://jabber.org/protocol/pubsub'><publish node='n1'><item>\
             <notification xmlns='urn:xmpp:push:0'><x xmlns='jabber:x:data' type='submit'>\
             <field var='FORM_TYPE' type='hidden'><value>urn:xmpp:push:summary</value></field>\
             <field var='message-count'><value>3</value></field></x></notification>\
             </item></publish></pubsub></iq>"
        )
    );
    assert_eq!(published.len(), 1);
}

#[test]
fn what_is_not_worth_it_calls_nobody() {
    let scene = Scene::new();
    told(&scene, ENABLE);
    for payload in [
        "<composing xmlns='http://jabber.org/protocol/chatstates'/>",
        "<received xmlns='urn:xmpp:receipts' id='1'/>",
        "<proceed xmlns='urn:xmpp:jingle-message:0' id='1'/>",
    ] {
        let from = "from='romeo@montague.lit/orchard' to='juliet@montague.lit'";
        scene.waits(
            &format!("<message {from} type='chat'>{payload}</message>"),
            row(1),
            1,
        );
        assert!(sent(&scene).is_empty(), "{payload}");
    }
}

#[test]
fn options_are_published_and_the_last_ones_count_by_s5() {
    let scene = Scene::new();
    let enable = |secret: &str| {
        format!(
            "<enable xmlns='urn:xmpp:push:0' jid='push.example.net' node='n1'>\
             <x xmlns='jabber:x:data' type='submit'><field var='FORM_TYPE'>\
             <value>http://jabber.org/protocol/pubsub#publish-options</value></field>\
             <field var='secret'><value>{secret}</value></field></x></enable>"
        )
    };
    assert_eq!(told(&scene, &enable("first")), Some(Ok(None)));
    assert_eq!(told(&scene, &enable("second")), Some(Ok(None)));
    scene.load_again();
    scene.waits(MESSAGE, row(1), 1);
    let published = sent(&scene);
    assert_eq!(published.len(), 1);
    let mut written = Vec::new();
    published[0].write(&mut written);
    let written = String::from_utf8(written).unwrap();
    assert!(written.contains("<publish-options><x xmlns='jabber:x:data'"));
    assert!(written.contains("<value>second</value>") && !written.contains("first"));
}

#[test]
fn a_service_has_several_nodes_and_loses_one_or_all_by_s6() {
    let scene = Scene::new();
    told(&scene, ENABLE);
    told(&scene, &ENABLE.replace("n1", "n2"));
    told(&scene, &ENABLE.replace("n1", "n3"));
    assert_eq!(called(&scene, 1), ["n1", "n2", "n3"]);
    let one = DISABLE.replace("/>", " node='n2'/>");
    assert_eq!(told(&scene, &one), Some(Ok(None)));
    assert_eq!(told(&scene, &one), Some(Ok(None)), "it is no error");
    assert_eq!(called(&scene, 2), ["n1", "n3"]);
    told(&scene, DISABLE);
    assert!(called(&scene, 3).is_empty());
    scene.load_again();
    assert!(called(&scene, 4).is_empty());
}

#[test]
fn requests_that_cannot_be_served_have_their_errors() {
    let scene = Scene::new();
    let enable = "<enable xmlns='urn:xmpp:push:0'/>";
    assert_eq!(told(&scene, enable), Some(Err(Condition::BadRequest)));
    let malformed = ENABLE.replace("push.example.net", "@");
    assert_eq!(told(&scene, &malformed), Some(Err(Condition::JidMalformed)));
    let form = ENABLE.replace("/>", "><x xmlns='jabber:x:data' type='submit'/></enable>");
    assert_eq!(told(&scene, &form), Some(Err(Condition::BadRequest)));
    let long = ENABLE.replace("n1", &"n".repeat(5000));
    assert_eq!(told(&scene, &long), Some(Err(Condition::NotAcceptable)));
    for node in 0..16 {
        told(&scene, &ENABLE.replace("n1", &node.to_string()));
    }
    assert_eq!(
        told(&scene, ENABLE),
        Some(Err(Condition::ResourceConstraint))
    );
    assert_eq!(scene.tell_account(ENABLE, Relation::Stranger), None);
}

#[test]
fn an_error_disables_the_node_unless_it_passes_by_s7_1() {
    let scene = Scene::new();
    told(&scene, ENABLE);
    told(&scene, &ENABLE.replace("n1", "n2"));
    scene.waits(MESSAGE, row(1), 1);
    let ids: Vec<_> = sent(&scene).into_iter().map(|it| it.id.unwrap()).collect();
    let busy = StanzaError::new(Condition::ServiceUnavailable).with_type(ErrorType::Wait);
    let gone = StanzaError::new(Condition::ItemNotFound);
    scene.answered_from_outside(&service(), &ids[0], Err(&busy));
    let stranger = Jid::parse("push.example.org").unwrap();
    scene.answered_from_outside(&stranger, &ids[1], Err(&gone));
    assert_eq!(called(&scene, 2), ["n1", "n2"]);
    scene.answered_from_outside(&service(), &ids[1], Err(&gone));
    assert_eq!(called(&scene, 3), ["n1"]);
    scene.load_again();
    assert_eq!(called(&scene, 4), ["n1"], "for good");
    let text = scene.metrics.render();
    for line in [
        "rookery_push_notifications_total{outcome=\"deferred\"} 1\n",
        "rookery_push_notifications_total{outcome=\"disabled\"} 1\n",
    ] {
        assert!(text.contains(line), "{line} is not in {text}");
    }
}

#[test]
fn sender_and_body_are_told_where_the_operator_allows_it_by_s9() {
    let mut config = FeaturesConfig::default();
    (config.push.tell_sender, config.push.tell_body) = (true, true);
    let scene = Scene::with_config(&config);
    told(&scene, ENABLE);
    let written = |message: &str| {
        scene.waits(message, row(1), 1);
        let mut written = Vec::new();
        sent(&scene)[0].write(&mut written);
        String::from_utf8(written).unwrap()
    };
    let plain = written(MESSAGE);
    assert!(plain.contains("<value>romeo@montague.lit/orchard</value>"));
    assert!(plain.contains("<value>Wherefore art thou?</value>"));
    let secret = MESSAGE.replace("</body>", "</body><encrypted xmlns='urn:xmpp:omemo:2'/>");
    assert!(!written(&secret).contains("Wherefore"));
}
