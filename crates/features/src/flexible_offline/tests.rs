//! Offline messages as a client of juliet's sees them.

use futures_util::FutureExt;
use rookery_extension::{Order, Relation};
use rookery_stanza::{Condition, RowId, Stanza, ns};
use rookery_storage::StoreError;
use rookery_storage::message_log::{
    Appended, IngressId, MessageLog, NewMessage, NewRow, Purpose, Row,
};
use rookery_xml::Element;

use super::request::OfflineRequest;
use crate::fixture::{Got, Scene, juliet};
use rookery_extension::{IqMethod, IqRequest};

const INFO: &str = "<query xmlns='http://jabber.org/protocol/disco#info' node='http://jabber.org/protocol/offline'/>";
const ITEMS: &str = "<query xmlns='http://jabber.org/protocol/disco#items' node='http://jabber.org/protocol/offline'/>";

/// So many messages wait for juliet; one that does not wait lies between them.
fn scene(messages: u64) -> (Scene, Vec<RowId>) {
    let scene = Scene::new();
    let append = |count: u64, purpose| {
        let message = NewMessage {
            ingress: IngressId { session: 1, count },
            received: 1_700_000_000_000 + count * 1000,
            origin: None,
            payload: format!(
                "<message from='mercutio@shakespeare.lit/pda' to='juliet@montague.lit'><body>{count}</body></message>"
            )
            .into(),
            rows: vec![NewRow {
                account: juliet(),
                epoch: 0,
                with: "mercutio@shakespeare.lit/pda".parse().unwrap(),
                purpose,
            }],
        };
        match scene
            .log
            .append(vec![message])
            .now_or_never()
            .unwrap()
            .unwrap()[..]
        {
            [Appended::At(id)] => id,
            ref other => panic!("{other:?}"),
        }
    };
    append(0, Purpose::Archive);
    let owed = |count| append(count, Purpose::Both(Vec::new()));
    let ids = (1..=messages).map(owed).collect();
    (scene, ids)
}

fn offline(content: &str) -> String {
    format!("<offline xmlns='http://jabber.org/protocol/offline'>{content}</offline>")
}

fn items(action: &str, ids: &[RowId]) -> String {
    let item = |id: &RowId| format!("<item action='{action}' node='{id}'/>");
    offline(&ids.iter().map(item).collect::<Vec<_>>().concat())
}

fn element(got: Got) -> Element {
    got.expect("an answer")
        .expect("no error")
        .expect("a payload")
}

fn condition(got: Got) -> Condition {
    got.expect("an answer").unwrap_err().condition
}

/// The node of each message, by which the client recognises it.
fn nodes(results: &[Stanza]) -> Vec<String> {
    let node = |stanza: &Stanza| {
        let offline = stanza
            .child("offline", ns::FLEXIBLE_OFFLINE)
            .unwrap()
            .unwrap();
        let item = offline.child("item", ns::FLEXIBLE_OFFLINE).unwrap();
        item.attribute("node").unwrap().to_owned()
    };
    results.iter().map(node).collect()
}

fn texts(ids: &[RowId]) -> Vec<String> {
    ids.iter().map(ToString::to_string).collect()
}

fn owed(scene: &Scene) -> Vec<Row> {
    let account = juliet();
    let owed = scene.log.read_owed(&account, None, 1000);
    owed.now_or_never().unwrap().unwrap()
}

fn withholds(order: &Order) -> bool {
    matches!(order, Order::Follow(ns::FLEXIBLE_OFFLINE))
}

#[test]
fn messages_are_counted_and_nothing_comes_by_itself_then_s2_2() {
    let (scene, _) = scene(3);
    assert!(scene.host_announces("http://jabber.org/protocol/offline"));
    let info = element(scene.ask_own_account(INFO));
    assert_eq!(
        String::from_utf8(info.to_bytes("").to_vec()).unwrap(),
        "<query xmlns='http://jabber.org/protocol/disco#info' node='http://jabber.org/protocol/offline'>\
         <identity category='automation' type='message-list'/><feature var='http://jabber.org/protocol/offline'/>\
         <x xmlns='jabber:x:data' type='result'><field var='FORM_TYPE' type='hidden'>\
         <value>http://jabber.org/protocol/offline</value></field>\
         <field var='number_of_messages'><value>3</value></field></x></query>"
    );
    assert!(scene.orders().iter().all(withholds));
}

#[test]
fn headers_name_the_sender_and_the_node_of_each_message_s2_3() {
    let (scene, ids) = scene(150);
    let items = element(scene.ask_own_account(ITEMS));
    let nodes: Vec<&str> = items
        .children()
        .filter_map(|item| item.attribute("node"))
        .collect();
    assert_eq!(nodes, texts(&ids));
    assert!(nodes.is_sorted());
    let first = items.children().next().unwrap();
    assert_eq!(first.attribute("jid"), Some("juliet@montague.lit"));
    assert_eq!(
        first.attribute("name"),
        Some("mercutio@shakespeare.lit/pda")
    );
    assert!(scene.orders().iter().any(withholds));
    let (empty, _) = self::scene(0);
    assert_eq!(element(empty.ask_own_account(ITEMS)).children().count(), 0);
}

#[test]
fn messages_are_viewed_with_their_node_and_stay_s2_4() {
    let (scene, ids) = scene(5);
    let asked = items("view", &[ids[3], ids[1], ids[3]]);
    assert_eq!(scene.ask_own_account(&asked), Some(Ok(None)));
    let results = scene.results();
    assert_eq!(nodes(&results), texts(&[ids[1], ids[3]]));
    let mut written = Vec::new();
    results[0].write(&mut written);
    assert_eq!(
        String::from_utf8(written).unwrap(),
        format!(
            "<message from='mercutio@shakespeare.lit/pda' to='juliet@montague.lit'><body>2</body>\
             <stanza-id xmlns='urn:xmpp:sid:0' id='{id}' by='juliet@montague.lit'/>\
             <delay xmlns='urn:xmpp:delay' from='montague.lit' stamp='2023-11-14T22:13:22Z'/>\
             <offline xmlns='http://jabber.org/protocol/offline'><item node='{id}'/></offline></message>",
            id = ids[1]
        )
    );
    assert_eq!(owed(&scene).len(), 5);
    assert!(scene.orders().iter().any(withholds));
}

#[test]
fn all_messages_are_fetched_and_stay_s2_6() {
    let (scene, ids) = scene(250);
    assert_eq!(scene.ask_own_account(&offline("<fetch/>")), Some(Ok(None)));
    assert_eq!(nodes(&scene.results()), texts(&ids));
    assert_eq!(owed(&scene).len(), 250);
    assert!(scene.orders().iter().any(withholds));
}

/// What the home was told about rows that were removed.
fn removed(scene: &Scene) -> Vec<RowId> {
    let removed = scene.orders().into_iter().filter_map(|order| match order {
        Order::Removed(rows) => Some(rows),
        _ => None,
    });
    removed.flatten().collect()
}

#[test]
fn messages_are_removed_one_by_one_or_all_s2_5_s2_7() {
    let (scene, ids) = scene(130);
    let some = [ids[0], ids[1], ids[77]];
    assert_eq!(
        scene.tell_own_account(&items("remove", &some)),
        Some(Ok(None))
    );
    assert_eq!(removed(&scene), some);
    assert_eq!(owed(&scene).len(), 127);
    assert_eq!(scene.tell_own_account(&offline("<purge/>")), Some(Ok(None)));
    assert_eq!(removed(&scene).len(), 127);
    assert!(owed(&scene).is_empty());
}

#[test]
fn a_node_that_is_not_there_is_item_not_found_and_nothing_is_done_s2_4_s2_5() {
    let (scene, ids) = scene(2);
    let archived = RowId::from_halves(RowId::order_at(1_700_000_000_000), 0);
    for unknown in [archived.to_string(), "2003-02-27T22:49:17.008Z".to_owned()] {
        let item = |action: &str| {
            offline(&format!(
                "<item action='{action}' node='{}'/><item action='{action}' node='{unknown}'/>",
                ids[0]
            ))
        };
        assert_eq!(
            condition(scene.ask_own_account(&item("view"))),
            Condition::ItemNotFound
        );
        assert_eq!(
            condition(scene.tell_own_account(&item("remove"))),
            Condition::ItemNotFound
        );
    }
    assert!(scene.results().is_empty());
    assert!(removed(&scene).is_empty());
    assert_eq!(owed(&scene).len(), 2);
}

#[test]
fn nobody_else_is_answered_s2_4() {
    let (scene, ids) = scene(1);
    for relation in [Relation::Subscriber, Relation::Stranger] {
        let view = scene.ask_account(&items("view", &ids), relation);
        assert_eq!(condition(view), Condition::Forbidden);
        let purge = scene.tell_account(&offline("<purge/>"), relation);
        assert_eq!(condition(purge), Condition::Forbidden);
    }
    assert_eq!(
        condition(scene.ask_account(INFO, Relation::Subscriber)),
        Condition::Forbidden
    );
    assert_eq!(scene.ask_account(ITEMS, Relation::Stranger), None);
}

#[test]
fn requests_that_make_no_sense_are_refused() {
    let parse = |method, content: &str| {
        OfflineRequest::parse(method, &Element::parse_str(&offline(content)).unwrap())
    };
    let (_, ids) = scene(1);
    let node = format!("<item node='{}'/>", ids[0]);
    assert_eq!(
        parse(IqMethod::Get, &node),
        Ok(OfflineRequest::View(ids.iter().copied().collect()))
    );
    assert_eq!(
        parse(IqMethod::Set, &node),
        Ok(OfflineRequest::Remove(ids.iter().copied().collect()))
    );
    assert_eq!(parse(IqMethod::Get, "<fetch/>"), Ok(OfflineRequest::Fetch));
    assert_eq!(parse(IqMethod::Set, "<fetch/>"), Ok(OfflineRequest::Fetch));
    let ids: Vec<RowId> = (0..1001)
        .map(|order| RowId::from_halves(order, 0))
        .collect();
    let item = |id: &RowId| format!("<item node='{id}'/>");
    let many = ids.iter().map(item).collect::<Vec<_>>().concat();
    for (method, content, expected) in [
        (IqMethod::Get, "", Condition::BadRequest),
        (IqMethod::Get, "<purge/>", Condition::BadRequest),
        (
            IqMethod::Set,
            "<item action='view' node='1'/>",
            Condition::BadRequest,
        ),
        (
            IqMethod::Get,
            "<item action='read' node='1'/>",
            Condition::BadRequest,
        ),
        (
            IqMethod::Get,
            "<item action='view'/>",
            Condition::BadRequest,
        ),
        (IqMethod::Get, &many, Condition::NotAcceptable),
    ] {
        let refused = parse(method, content).unwrap_err();
        assert_eq!(refused.condition, expected, "{content}");
    }
}

#[test]
fn a_log_that_fails_is_told_to_whoever_asks() {
    let (scene, ids) = scene(1);
    scene
        .log
        .fail(Some(StoreError::Unavailable("the test says so".into())));
    for asked in [INFO, ITEMS, &items("view", &ids), &offline("<fetch/>")] {
        assert_eq!(
            condition(scene.ask_own_account(asked)),
            Condition::ResourceConstraint
        );
    }
}
