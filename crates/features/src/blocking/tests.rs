//! Tests of blocking, by the sections of XEP-0191.

use rookery_extension::{Order, Relation, Verdict};
use rookery_stanza::{Condition, ErrorType, Jid, StanzaError};
use rookery_xml::Element;

use super::*;
use crate::fixture::Scene;

const LIST: &str = "<blocklist xmlns='urn:xmpp:blocking'/>";
const ROMEO: &str = "romeo@montague.net/orchard";

fn request(name: &str, jids: &[&str]) -> String {
    let items: Vec<_> = jids
        .iter()
        .map(|jid| format!("<item jid='{jid}'/>"))
        .collect();
    let items = items.concat();
    format!("<{name} xmlns='urn:xmpp:blocking'>{items}</{name}>")
}

fn set(scene: &Scene, name: &str, jids: &[&str]) {
    let answer = scene.tell_account(&request(name, jids), Relation::Own);
    assert_eq!(answer, Some(Ok(None)), "{name} {jids:?}");
}

/// An account that blocks these.
fn blocking(jids: &[&str]) -> Scene {
    let scene = Scene::new();
    set(&scene, "block", jids);
    scene.orders();
    scene
}

fn listed(scene: &Scene) -> Vec<String> {
    let list = scene.account_says(LIST, Relation::Own);
    let jids = list
        .children()
        .map(|item| item.attribute("jid").unwrap().to_owned());
    jids.collect()
}

fn jids(jids: &[&str]) -> Vec<Jid> {
    jids.iter().map(|jid| Jid::parse(jid).unwrap()).collect()
}

fn hidden(orders: &[Order]) -> Vec<Jid> {
    let hidden = orders.iter().find_map(|order| match order {
        Order::Hide(jids) => Some(jids.clone()),
        _ => None,
    });
    hidden.unwrap()
}

fn shown(orders: &[Order]) -> Vec<Jid> {
    let shown = orders.iter().find_map(|order| match order {
        Order::Show(jids) => Some(jids.clone()),
        _ => None,
    });
    shown.unwrap()
}

fn pushed(orders: &[Order]) -> Element {
    let payload = orders.iter().find_map(|order| match order {
        Order::Push { topic, payload } if *topic == NAMESPACE => Some(payload.clone()),
        _ => None,
    });
    payload.unwrap()
}

/// What becomes of a stanza from this address, and of one to it.
fn inbound(scene: &Scene, from: &str, stanza: &str) -> Verdict {
    let stanza = stanza.replacen(' ', &format!(" from='{from}' to='juliet@montague.lit' "), 1);
    scene.inbound(&stanza).0
}

fn outbound(scene: &Scene, to: &str, stanza: &str) -> Verdict {
    let from = "from='juliet@montague.lit/balcony'";
    let stanza = stanza.replacen(' ', &format!(" {from} to='{to}' "), 1);
    scene.outbound(&stanza).0
}

const CHAT: &str = "<message type='chat'><body>hi</body></message>";

#[test]
fn host_announces_it_by_s3_1() {
    assert!(Scene::new().host_announces("urn:xmpp:blocking"));
}

#[test]
fn list_is_empty_without_blocked_addresses_by_s3_2() {
    let list = Scene::new().account_says(LIST, Relation::Own);
    assert_eq!(list, Element::parse_str(LIST).unwrap());
}

#[test]
fn list_has_an_item_for_each_blocked_address_by_s3_2() {
    let scene = blocking(&["romeo@montague.net", "iago@shakespeare.lit"]);
    assert_eq!(
        listed(&scene),
        ["iago@shakespeare.lit", "romeo@montague.net"]
    );
}

#[test]
fn whoever_asked_for_the_list_follows_it_by_s3_3() {
    let scene = Scene::new();
    scene.account_says(LIST, Relation::Own);
    assert!(matches!(&scene.orders()[..], [Order::Follow(NAMESPACE)]));
}

#[test]
fn block_is_pushed_without_reports_by_s3_3() {
    let scene = Scene::new();
    let block = "<block xmlns='urn:xmpp:blocking'><item jid='romeo@montague.net'>\
        <report xmlns='urn:xmpp:reporting:1' reason='urn:xmpp:reporting:spam'/></item></block>";
    assert_eq!(scene.tell_account(block, Relation::Own), Some(Ok(None)));
    let push = request("block", &["romeo@montague.net"]);
    assert_eq!(pushed(&scene.orders()), Element::parse_str(&push).unwrap());
}

#[test]
fn block_without_items_is_a_bad_request_by_s3_3() {
    let answer = Scene::new().tell_account(&request("block", &[]), Relation::Own);
    assert_eq!(answer, Some(Err(Condition::BadRequest.into())));
}

#[test]
fn items_without_or_with_a_malformed_address_change_nothing() {
    for (item, condition) in [
        ("<item/>", Condition::BadRequest),
        ("<item jid='@'/>", Condition::JidMalformed),
    ] {
        let scene = Scene::new();
        let block = format!("<block xmlns='urn:xmpp:blocking'><item jid='a@b'/>{item}</block>");
        let answer = scene.tell_account(&block, Relation::Own);
        assert_eq!(answer, Some(Err(condition.into())), "{item}");
        assert!(listed(&scene).is_empty());
    }
}

#[test]
fn blocked_is_told_that_the_account_is_unavailable_before_the_block_holds_by_s3_3() {
    let scene = Scene::new();
    set(&scene, "block", &["romeo@montague.net"]);
    let orders = scene.orders();
    assert_eq!(hidden(&orders), jids(&["romeo@montague.net"]));
    assert!(matches!(&orders[..], [Order::Hide(_), Order::Push { .. }]));
}

#[test]
fn presence_does_not_pass_while_blocked_by_s3_3() {
    let scene = blocking(&["romeo@montague.net"]);
    assert!(!scene.shares_presence("romeo@montague.net"));
    assert!(!scene.shares_presence(ROMEO));
    assert!(scene.shares_presence("nurse@capulet.lit"));
    set(&scene, "unblock", &[]);
    assert!(scene.shares_presence("romeo@montague.net"));
}

#[test]
fn block_holds_across_sessions_by_s3_3() {
    let scene = blocking(&["romeo@montague.net"]);
    scene.load_again();
    assert_eq!(listed(&scene), ["romeo@montague.net"]);
    assert_ne!(inbound(&scene, ROMEO, CHAT), Verdict::Pass);
}

#[test]
fn presence_of_the_blocked_vanishes_by_s3_3() {
    let scene = blocking(&["romeo@montague.net"]);
    for kind in [
        "",
        "type='subscribe'",
        "type='probe'",
        "type='unavailable'",
        "type='error'",
    ] {
        let verdict = inbound(&scene, ROMEO, &format!("<presence {kind}/>"));
        assert_eq!(verdict, Verdict::Ignore, "{kind}");
    }
}

#[test]
fn messages_of_the_blocked_are_returned_as_if_nobody_were_there_by_s3_3() {
    let scene = blocking(&["romeo@montague.net"]);
    let refused = Verdict::Refuse(Condition::ServiceUnavailable.into());
    for kind in ["", "type='chat'", "type='normal'"] {
        assert_eq!(
            inbound(&scene, ROMEO, &format!("<message {kind}/>")),
            refused
        );
    }
    for kind in ["type='error'", "type='headline'", "type='groupchat'"] {
        let verdict = inbound(&scene, ROMEO, &format!("<message {kind}/>"));
        assert_eq!(verdict, Verdict::Ignore, "{kind}");
    }
}

#[test]
fn requests_of_the_blocked_are_refused_and_answers_dropped_by_s3_3() {
    let scene = blocking(&["romeo@montague.net"]);
    let refused = Verdict::Refuse(Condition::ServiceUnavailable.into());
    for kind in ["get", "set"] {
        let iq = format!("<iq type='{kind}' id='1'><ping xmlns='urn:xmpp:ping'/></iq>");
        assert_eq!(inbound(&scene, ROMEO, &iq), refused);
    }
    for kind in ["result", "error"] {
        let verdict = inbound(&scene, ROMEO, &format!("<iq type='{kind}' id='1'/>"));
        assert_eq!(verdict, Verdict::Ignore, "{kind}");
    }
}

#[test]
fn stanzas_to_the_blocked_are_returned_with_an_application_condition_by_s3_3() {
    let scene = blocking(&["romeo@montague.net"]);
    let ping = "<iq type='get' id='1'><ping xmlns='urn:xmpp:ping'/></iq>";
    for stanza in [CHAT, ping, "<presence />", "<presence type='subscribe'/>"] {
        let Verdict::Refuse(error) = outbound(&scene, ROMEO, stanza) else {
            panic!("{stanza}")
        };
        let StanzaError {
            error_type,
            condition,
            application,
            ..
        } = error;
        assert_eq!(
            (error_type, condition),
            (ErrorType::Cancel, Condition::NotAcceptable)
        );
        assert!(
            application
                .unwrap()
                .is("blocked", "urn:xmpp:blocking:errors")
        );
    }
    for stanza in ["<message type='error'/>", "<iq type='result' id='1'/>"] {
        assert_eq!(outbound(&scene, ROMEO, stanza), Verdict::Ignore, "{stanza}");
    }
}

#[test]
fn broadcasts_are_not_refused() {
    let scene = blocking(&["romeo@montague.net"]);
    assert_eq!(
        scene
            .outbound("<presence from='juliet@montague.lit/balcony'/>")
            .0,
        Verdict::Pass
    );
}

#[test]
fn unblocked_gets_presence_and_is_heard_again_by_s3_4() {
    let scene = blocking(&["romeo@montague.net", "iago@shakespeare.lit"]);
    set(&scene, "unblock", &["romeo@montague.net"]);
    let orders = scene.orders();
    assert_eq!(shown(&orders), jids(&["romeo@montague.net"]));
    let push = request("unblock", &["romeo@montague.net"]);
    assert_eq!(pushed(&orders), Element::parse_str(&push).unwrap());
    assert_eq!(inbound(&scene, ROMEO, CHAT), Verdict::Pass);
    assert_eq!(outbound(&scene, ROMEO, CHAT), Verdict::Pass);
    assert_eq!(listed(&scene), ["iago@shakespeare.lit"]);
    scene.load_again();
    assert_eq!(listed(&scene), ["iago@shakespeare.lit"]);
}

#[test]
fn unblocking_all_empties_the_list_by_s3_5() {
    let scene = blocking(&["romeo@montague.net", "iago@shakespeare.lit"]);
    set(&scene, "unblock", &[]);
    let orders = scene.orders();
    assert_eq!(
        shown(&orders),
        jids(&["iago@shakespeare.lit", "romeo@montague.net"])
    );
    let push = request("unblock", &[]);
    assert_eq!(pushed(&orders), Element::parse_str(&push).unwrap());
    scene.load_again();
    assert!(listed(&scene).is_empty());
}

#[test]
fn whoever_stays_blocked_by_another_item_is_not_shown_presence_by_s3_4() {
    let scene = blocking(&["romeo@montague.net", "montague.net"]);
    set(&scene, "unblock", &["romeo@montague.net"]);
    assert!(shown(&scene.orders()).is_empty());
    set(&scene, "block", &["romeo@montague.net"]);
    assert!(hidden(&scene.orders()).is_empty(), "was told already");
}

#[test]
fn items_cover_the_addresses_of_s6() {
    let covered = |item: &str, jid: &str| {
        let scene = blocking(&[item]);
        let kept_out = inbound(&scene, jid, CHAT) != Verdict::Pass;
        assert_eq!(kept_out, !scene.shares_presence(jid), "{item} {jid}");
        kept_out
    };
    for (item, jid, expected) in [
        ("a@b.lit/c", "a@b.lit/c", true),
        ("a@b.lit/c", "a@b.lit/d", false),
        ("a@b.lit/c", "a@b.lit", false),
        ("a@b.lit", "a@b.lit/c", true),
        ("a@b.lit", "a@b.lit", true),
        ("a@b.lit", "e@b.lit", false),
        ("a@b.lit", "b.lit", false),
        ("b.lit/c", "b.lit/c", true),
        ("b.lit/c", "b.lit", false),
        ("b.lit/c", "a@b.lit/c", false),
        ("b.lit", "b.lit", true),
        ("b.lit", "a@b.lit", true),
        ("b.lit", "a@b.lit/c", true),
        ("b.lit", "b.lit/c", true),
        ("b.lit", "a.b.lit", false),
    ] {
        assert_eq!(covered(item, jid), expected, "{item} {jid}");
    }
}

#[test]
fn an_account_does_not_lock_itself_out_by_s5() {
    let own = [
        "juliet@montague.lit",
        "juliet@montague.lit/balcony",
        "montague.lit",
    ];
    let scene = Scene::new();
    set(&scene, "block", &own);
    assert_eq!(
        hidden(&scene.orders()),
        jids(&["montague.lit"]),
        "all others there"
    );
    for jid in own {
        assert_eq!(inbound(&scene, jid, CHAT), Verdict::Pass, "{jid}");
        assert_eq!(outbound(&scene, jid, CHAT), Verdict::Pass, "{jid}");
        assert!(scene.shares_presence(jid), "{jid}");
    }
    assert_ne!(
        inbound(&scene, "romeo@montague.lit/orchard", CHAT),
        Verdict::Pass
    );
}

#[test]
fn list_has_a_limit() {
    let config = Config { max_items: 2 };
    let scene = Scene::with_config(&crate::Config {
        blocking: config,
        ..crate::Config::default()
    });
    set(&scene, "block", &["a@b.lit", "c@b.lit"]);
    let Some(Err(error)) = scene.tell_account(&request("block", &["d@b.lit"]), Relation::Own)
    else {
        panic!("it is full")
    };
    assert_eq!(error.condition, Condition::ResourceConstraint);
    set(&scene, "block", &["a@b.lit"]);
    assert_eq!(listed(&scene).len(), 2);
}

#[test]
fn a_block_that_could_not_be_stored_does_not_hold() {
    let scene = Scene::new();
    let failure = rookery_storage::StoreError::Unavailable("the test says so".to_owned());
    scene.store.fail(Some(failure));
    let answer = scene.tell_account(&request("block", &["a@b.lit"]), Relation::Own);
    assert_eq!(answer, Some(Err(Condition::ResourceConstraint.into())));
    assert!(scene.orders().is_empty());
    assert_eq!(inbound(&scene, "a@b.lit", CHAT), Verdict::Pass);
}

#[test]
fn nobody_sees_or_changes_the_list_of_others() {
    let scene = blocking(&["romeo@montague.net"]);
    for relation in [Relation::Subscriber, Relation::Stranger] {
        assert_eq!(scene.ask_account(LIST, relation), None);
        assert_eq!(scene.tell_account(&request("unblock", &[]), relation), None);
    }
    assert_eq!(scene.ask_host(LIST), None);
}

#[test]
fn requests_have_the_method_of_s3() {
    let scene = Scene::new();
    let bad = Some(Err(Condition::BadRequest.into()));
    assert_eq!(scene.tell_account(LIST, Relation::Own), bad);
    assert_eq!(scene.ask_own_account(&request("block", &["a@b.lit"])), bad);
    assert_eq!(scene.ask_own_account(&request("unblock", &[])), bad);
}
