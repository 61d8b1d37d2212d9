//! What the owner of an account is told of its clients.

use rookery_auth::KnownClient;
use rookery_extension::Relation;
use rookery_stanza::{ClientId, Condition};

use super::{Connected, NAMESPACE};
use crate::fixture::Scene;

const LIST: &str = "<list xmlns='urn:xmpp:cam:0'/>";

fn known(id: u8) -> KnownClient {
    KnownClient {
        id: ClientId::new([id; 16]),
        first_seen: 1_680_791_168,
        last_seen: 1_680_791_845,
        software: Some("Gajim".to_owned()),
        device: None,
        knows_password: true,
        has_token: true,
    }
}

#[test]
fn clients_are_described_by_s_listing_clients() {
    let connected = Connected {
        clients: [ClientId::new([1; 16])].into(),
        resources: vec!["balcony".to_owned()],
    };
    let list = connected.list(vec![known(1)]);
    let expected = "<clients xmlns='urn:xmpp:cam:0'>\
        <client connected='true' id='01010101010101010101010101010101' type='session'>\
        <first-seen>2023-04-06T14:26:08Z</first-seen><last-seen>2023-04-06T14:37:25Z</last-seen>\
        <auth><password/><fast/></auth><permission status='unrestricted'/>\
        <user-agent><software>Gajim</software></user-agent></client>\
        <client connected='true' id='/balcony' type='session'><auth><password/></auth>\
        <permission status='unrestricted'/></client></clients>";
    let written = String::from_utf8(list.to_bytes("").to_vec()).unwrap();
    assert_eq!(written, expected);
}

#[test]
fn who_was_seen_last_comes_first() {
    let late = KnownClient {
        last_seen: u64::MAX / 2000,
        ..known(2)
    };
    let list = Connected::default().list(vec![known(1), late]);
    let ids: Vec<_> = list
        .children()
        .filter_map(|client| client.attribute("id"))
        .collect();
    assert!(ids[0].starts_with("0202") && ids[1].starts_with("0101"));
    let auth = |client: &rookery_xml::Element| client.child("auth", NAMESPACE).is_some();
    assert!(list.children().all(auth), "it must be included");
}

#[test]
fn nobody_else_is_told_by_s_security_considerations() {
    let scene = Scene::new();
    assert!(scene.ask_account(LIST, Relation::Subscriber).is_none());
    assert!(scene.ask_host(LIST).is_none());
    assert!(scene.ask_own_account(LIST).is_some());
}

#[test]
fn a_client_that_is_not_known_cannot_be_revoked_by_s_revoking_access() {
    let scene = Scene::new();
    for id in ["", "HjEEr45_LQr", &"0".repeat(32)] {
        let revoke = format!("<revoke xmlns='{NAMESPACE}' id='{id}'/>");
        let refused = scene.tell_own_account(&revoke).unwrap().unwrap_err();
        assert_eq!(refused.condition, Condition::ItemNotFound, "{id}");
    }
}
