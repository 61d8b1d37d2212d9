//! XEP-0030: what is answered to whom.

use std::collections::BTreeSet;

use rookery_extension::{Host, Relation};
use rookery_stanza::{Condition, StanzaError, ns};
use rookery_xml::Element;

use crate::fixture::{Scene, montague};

const INFO: &str = "<query xmlns='http://jabber.org/protocol/disco#info'/>";
const ITEMS: &str = "<query xmlns='http://jabber.org/protocol/disco#items'/>";
const INFO_NODE: &str = "<query xmlns='http://jabber.org/protocol/disco#info' node='nowhere'/>";
const ITEMS_NODE: &str = "<query xmlns='http://jabber.org/protocol/disco#items' node='nowhere'/>";

/// Category and type, which §3.1 requires.
fn identities(info: &Element) -> Vec<(String, String)> {
    let identities = info
        .children()
        .filter(|child| child.is("identity", ns::DISCO_INFO));
    let required = |identity: &Element, name| identity.attribute(name).unwrap().to_owned();
    identities
        .map(|identity| (required(identity, "category"), required(identity, "type")))
        .collect()
}

fn features(info: &Element) -> Vec<&str> {
    let features = info
        .children()
        .filter(|child| child.is("feature", ns::DISCO_INFO));
    features
        .map(|feature| feature.attribute("var").unwrap())
        .collect()
}

fn not_found() -> StanzaError {
    Condition::ItemNotFound.into()
}

#[test]
fn host_is_a_server_with_at_least_disco_info_by_s3_1() {
    let info = Scene::new().host_says(INFO);
    assert!(info.is("query", ns::DISCO_INFO));
    assert_eq!(identities(&info), [("server".to_owned(), "im".to_owned())]);
    assert!(features(&info).contains(&"http://jabber.org/protocol/disco#info"));
    assert!(features(&info).contains(&"http://jabber.org/protocol/disco#items"));
}

#[test]
fn account_is_registered_by_s3_1() {
    for relation in [Relation::Own, Relation::Subscriber] {
        let info = Scene::new().account_says(INFO, relation);
        assert_eq!(
            identities(&info),
            [("account".to_owned(), "registered".to_owned())]
        );
        assert!(features(&info).contains(&"http://jabber.org/protocol/disco#info"));
    }
}

#[test]
fn features_come_from_the_specs_and_each_once() {
    let scene = Scene::new();
    let info = scene.host_says(INFO);
    let declared: BTreeSet<&str> = scene
        .features
        .specs()
        .iter()
        .flat_map(|spec| spec.host_features.iter().copied())
        .collect();
    assert_eq!(features(&info), declared.into_iter().collect::<Vec<_>>());
}

#[test]
fn host_without_items_gives_an_empty_answer_by_s4_1() {
    let items = Scene::new().host_says(ITEMS);
    assert_eq!(items, Element::new("query", ns::DISCO_ITEMS));
}

#[test]
fn host_lists_its_components_by_s4_1() {
    let scene = Scene::with_host(Host {
        components: vec!["irc.montague.example".to_owned()],
        ..montague()
    });
    let items = scene.host_says(ITEMS);
    let listed = items.children().filter_map(|item| item.attribute("jid"));
    assert_eq!(listed.collect::<Vec<_>>(), ["irc.montague.example"]);
    let own = scene.account_says(ITEMS, Relation::Own);
    assert_eq!(own, Element::new("query", ns::DISCO_ITEMS));
}

#[test]
fn account_without_items_gives_an_empty_answer_by_s4_1() {
    for relation in [Relation::Own, Relation::Subscriber] {
        let items = Scene::new().account_says(ITEMS, relation);
        assert_eq!(items, Element::new("query", ns::DISCO_ITEMS));
    }
}

#[test]
fn unknown_nodes_are_not_found_by_s7() {
    let scene = Scene::new();
    for request in [INFO_NODE, ITEMS_NODE] {
        assert_eq!(scene.ask_host(request), Some(Err(not_found())));
        assert_eq!(scene.ask_own_account(request), Some(Err(not_found())));
    }
}

#[test]
fn empty_node_is_none() {
    let scene = Scene::new();
    let empty = "<query xmlns='http://jabber.org/protocol/disco#info' node=''/>";
    assert_eq!(scene.ask_host(empty), scene.ask_host(INFO));
}

/// What nothing answers becomes `service-unavailable`, as it does for an account that does not exist.
#[test]
fn strangers_learn_nothing_of_accounts_by_s8() {
    let scene = Scene::new();
    for request in [INFO, INFO_NODE, ITEMS, ITEMS_NODE] {
        assert_eq!(scene.ask_account(request, Relation::Stranger), None);
        assert_eq!(
            scene.tell_account(request, Relation::Stranger),
            None,
            "not even bad-request"
        );
    }
}

#[test]
fn discovery_is_a_get_by_s3_1_and_s4_1() {
    let refused = Some(Err(Condition::BadRequest.into()));
    assert_eq!(Scene::new().tell_host(INFO), refused);
    assert_eq!(Scene::new().tell_host(ITEMS), refused);
}
