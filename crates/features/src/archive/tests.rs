//! An archive as a client of juliet's sees it. What queries mean is tested in `rookery_archive`.

use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use rookery_extension::{Host, Relation};
use rookery_lifecycle::Clock;
use rookery_stanza::payload::archive::{Finish, Metadata, Policy, Preferences, QueryResult};
use rookery_stanza::{Condition, Stanza, ns};
use rookery_storage::StoreError;
use rookery_storage::message_log::{
    Appended, Filter, IngressId, MemoryLog, MessageLog, NewMessage, NewRow, Purpose,
};
use rookery_telemetry::Registry;
use rookery_xml::Element;

use super::Config;
use super::retention::{Parts, Round, Trimmer};
use crate::fixture::{Got, Scene, juliet, montague};

const DAY: u64 = 24 * 60 * 60 * 1000;
const START: u64 = 1_700_000_000_000;

fn scene() -> Scene {
    Scene::with_host(Host {
        archive: true,
        ..montague()
    })
}

/// Appends a message from romeo to juliet's log.
fn append(log: &MemoryLog, count: u64, received: u64, purpose: Purpose) -> String {
    let body = format!("<body>{count}</body>");
    let message = NewMessage {
        ingress: IngressId { session: 1, count },
        received,
        origin: None,
        payload: format!(
            "<message from='romeo@montague.lit/orchard' to='juliet@montague.lit' type='chat'>{body}</message>"
        )
        .into(),
        rows: vec![NewRow {
            account: juliet(),
            epoch: 0,
            with: "romeo@montague.lit/orchard".parse().unwrap(),
            purpose,
        }],
    };
    match log.append(vec![message]).now_or_never().unwrap().unwrap()[..] {
        [Appended::At(id)] => id.to_string(),
        ref other => panic!("{other:?}"),
    }
}

fn fill(scene: &Scene, messages: u64) -> Vec<String> {
    let append = |count| append(&scene.log, count, START + count * 1000, Purpose::Archive);
    (0..messages).map(append).collect()
}

fn query(content: &str) -> String {
    format!("<query xmlns='urn:xmpp:mam:2' queryid='f27'>{content}</query>")
}

fn condition(got: Got) -> Condition {
    got.expect("an answer").unwrap_err().condition
}

fn element(got: Got) -> Element {
    got.expect("an answer")
        .expect("no error")
        .expect("a payload")
}

fn ids(results: &[Stanza]) -> Vec<String> {
    let id = |stanza: &Stanza| {
        let result = stanza.child("result", ns::ARCHIVE).unwrap().unwrap();
        QueryResult::parse(&result).unwrap().id.to_string()
    };
    results.iter().map(id).collect()
}

#[test]
fn a_page_comes_as_messages_and_then_the_end_of_it_s4_2_s4_3() {
    let scene = scene();
    let all = fill(&scene, 5);
    let page = "<set xmlns='http://jabber.org/protocol/rsm'><max>2</max><before/></set>";
    let end = Finish::parse(&element(scene.tell_own_account(&query(page)))).unwrap();
    let results = scene.results();
    assert_eq!(ids(&results), all[3..]);
    assert!(!end.complete);
    let ends = end.page.ends.unwrap();
    assert_eq!((&*ends.first, &*ends.last), (&*all[3], &*all[4]));
    let mut written = Vec::new();
    results[0].write(&mut written);
    assert_eq!(
        String::from_utf8(written).unwrap(),
        format!(
            "<message from='juliet@montague.lit' to='juliet@montague.lit/balcony'>\
             <result xmlns='urn:xmpp:mam:2' queryid='f27' id='{}'><forwarded xmlns='urn:xmpp:forward:0'>\
             <delay xmlns='urn:xmpp:delay' stamp='2023-11-14T22:13:23Z'/>\
             <message xmlns='jabber:client' from='romeo@montague.lit/orchard' to='juliet@montague.lit' type='chat'>\
             <body>3</body></message></forwarded></result></message>",
            all[3]
        )
    );
}

#[test]
fn nobody_learns_from_the_answer_who_has_an_archive_s8_1() {
    let scene = scene();
    fill(&scene, 1);
    for payload in [
        &query(""),
        "<prefs xmlns='urn:xmpp:mam:2' default='never'/>",
    ] {
        for relation in [Relation::Subscriber, Relation::Stranger] {
            let got = scene.tell_account(payload, relation);
            assert_eq!(condition(got), Condition::Forbidden, "{payload}");
        }
        assert_eq!(scene.tell_host(payload), None);
    }
    assert!(scene.results().is_empty());
}

#[test]
fn what_makes_no_sense_is_refused_with_the_condition_of_the_standard() {
    let scene = scene();
    fill(&scene, 1);
    let form = |field: &str| {
        query(&format!(
            "<x xmlns='jabber:x:data' type='submit'><field var='FORM_TYPE'><value>urn:xmpp:mam:2</value></field>\
             <field var='{field}'><value>nothing</value></field></x>"
        ))
    };
    let after = "<set xmlns='http://jabber.org/protocol/rsm'><after>gone</after></set>";
    for (asked, expected) in [
        (
            form("{example}stanza-content"),
            Condition::FeatureNotImplemented,
        ),
        (form("ids"), Condition::ItemNotFound),
        (form("start"), Condition::BadRequest),
        (query(after), Condition::ItemNotFound),
    ] {
        assert_eq!(
            condition(scene.tell_own_account(&asked)),
            expected,
            "{asked}"
        );
    }
    let set = "<metadata xmlns='urn:xmpp:mam:2'/>";
    assert_eq!(
        condition(scene.tell_own_account(set)),
        Condition::BadRequest
    );
    assert!(scene.results().is_empty());
}

#[test]
fn a_log_that_fails_is_told_to_whoever_asks() {
    let scene = scene();
    scene
        .log
        .fail(Some(StoreError::Unavailable("the test says so".into())));
    let got = scene.tell_own_account(&query(""));
    assert_eq!(condition(got), Condition::ResourceConstraint);
    let got = scene.ask_own_account("<metadata xmlns='urn:xmpp:mam:2'/>");
    assert_eq!(condition(got), Condition::ResourceConstraint);
    let metrics = scene.metrics.render();
    assert!(
        metrics.contains("rookery_archive_queries_total{result=\"refused\"} 1"),
        "{metrics}"
    );
}

#[test]
fn form_and_metadata_are_told_s4_1_5_s5() {
    let scene = scene();
    let form = element(scene.ask_own_account("<query xmlns='urn:xmpp:mam:2'/>"));
    assert!(form.child("x", ns::DATA_FORMS).is_some());
    let metadata = || {
        let got = scene.ask_own_account("<metadata xmlns='urn:xmpp:mam:2'/>");
        Metadata::parse(&element(got)).unwrap().extent
    };
    assert_eq!(metadata(), None);
    let all = fill(&scene, 3);
    let extent = metadata().unwrap();
    assert_eq!((&*extent.start.id, &*extent.end.id), (&*all[0], &*all[2]));
    assert_eq!(extent.start.timestamp, i64::try_from(START).unwrap());
}

#[test]
fn accounts_announce_it_where_messages_are_archived_s7() {
    for feature in [
        "urn:xmpp:mam:2",
        "urn:xmpp:mam:2#extended",
        "urn:xmpp:mam:2#groupchat-field",
        "urn:xmpp:message-retract:1#tombstone",
    ] {
        assert!(scene().account_announces(feature));
        assert!(!scene().host_announces(feature));
        assert!(!Scene::new().account_announces(feature));
    }
    let without = Scene::new();
    for scene in [&without, &scene()] {
        assert!(scene.account_announces("urn:xmpp:sid:0"), "XEP-0359 §3");
    }
    let got = without.tell_own_account(&query(""));
    assert_eq!(condition(got), Condition::ServiceUnavailable);
    assert!(!without.archives("romeo@montague.lit"));
}

fn preferences(scene: &Scene) -> Preferences {
    let got = scene.ask_own_account("<prefs xmlns='urn:xmpp:mam:2'/>");
    Preferences::parse(&element(got)).unwrap()
}

#[test]
fn preferences_are_told_kept_and_followed_xep0441_s2_1() {
    let scene = scene();
    assert_eq!(preferences(&scene), Preferences::new(Policy::Always));
    assert!(scene.archives("romeo@montague.lit/orchard"));
    let wanted = "<prefs xmlns='urn:xmpp:mam:2' default='never'><always><jid>romeo@montague.lit</jid></always>\
        <never><jid>nurse@capulet.lit</jid></never></prefs>";
    let applied = element(scene.tell_own_account(wanted));
    assert_eq!(applied.to_bytes(""), wanted.as_bytes());
    let follows = || {
        [
            "romeo@montague.lit/orchard",
            "nurse@capulet.lit",
            "tybalt@capulet.lit",
        ]
        .map(|contact| scene.archives(contact))
    };
    assert_eq!(follows(), [true, false, false]);
    scene.load_again();
    assert_eq!(follows(), [true, false, false]);
    assert_eq!(
        preferences(&scene).to_element().to_bytes(""),
        wanted.as_bytes()
    );
}

#[test]
fn with_roster_only_contacts_are_archived_xep0441_s2_1_1() {
    let scene = scene();
    scene
        .tell_own_account("<prefs xmlns='urn:xmpp:mam:2' default='roster'/>")
        .unwrap()
        .unwrap();
    assert_eq!(preferences(&scene), Preferences::new(Policy::Roster));
    assert!(
        !scene.archives("romeo@montague.lit"),
        "nobody is in the roster of the scene"
    );
    scene
        .tell_own_account("<prefs xmlns='urn:xmpp:mam:2' default='always'/>")
        .unwrap()
        .unwrap();
    scene.load_again();
    assert!(
        scene.archives("romeo@montague.lit"),
        "nothing is left of it"
    );
}

#[test]
fn preferences_that_make_no_sense_or_are_too_many_are_refused_xep0441_s2_1() {
    let scene = scene();
    let jids = "<jid>romeo@montague.lit</jid>".repeat(201);
    for (list, expected) in [
        (jids.as_str(), Condition::ResourceConstraint),
        ("<jid>@</jid>", Condition::JidMalformed),
    ] {
        let asked =
            format!("<prefs xmlns='urn:xmpp:mam:2' default='never'><never>{list}</never></prefs>");
        assert_eq!(condition(scene.tell_own_account(&asked)), expected);
    }
    assert_eq!(preferences(&scene), Preferences::new(Policy::Always));
}

fn trimmer(config: &Config, log: &Arc<MemoryLog>, metrics: &Registry) -> Trimmer {
    let parts = Parts {
        log: log.clone(),
        hosts: vec!["montague.lit".to_owned()],
        clock: Clock::system(),
        metrics: metrics.clone(),
    };
    Trimmer::new(config, parts)
}

#[tokio::test(start_paused = true)]
async fn what_is_too_old_or_too_much_leaves_and_what_is_owed_stays_s3_2() {
    let (log, metrics) = (Arc::new(MemoryLog::new()), Registry::new());
    let config = Config {
        max_age_days: 30,
        max_messages: 1_000,
        ..Config::default()
    };
    let now = Clock::system().unix_millis();
    let owed = || Purpose::Both(Vec::new());
    append(&log, 0, now - 31 * DAY, owed());
    for count in 1..=700 {
        append(&log, count, now - 31 * DAY, Purpose::Archive);
    }
    for count in 701..=1801 {
        append(&log, count, now - 29 * DAY, Purpose::Archive);
    }
    let round = trimmer(&config, &log, &metrics).round().await.unwrap();
    let removed = 701 + 101;
    assert_eq!(
        round,
        Round {
            logs: 1,
            removed,
            lost: 0
        }
    );
    let left = log
        .count(&juliet(), Filter::default(), 10_000)
        .await
        .unwrap();
    assert_eq!(left, 1_000);
    assert_eq!(log.tail(&juliet()).await.unwrap().owed, 1);
    let rendered = metrics.render();
    assert!(
        rendered.contains("rookery_archive_trimmed_rows_total{kept=\"archived\"} 802"),
        "{rendered}"
    );
    assert!(
        rendered.contains("rookery_archive_trim_rounds_total{result=\"done\"} 1"),
        "{rendered}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_message_that_nobody_came_for_is_counted_as_lost() {
    let (log, metrics) = (Arc::new(MemoryLog::new()), Registry::new());
    let now = Clock::system().unix_millis();
    append(&log, 1, now - 8 * DAY, Purpose::Delivery(Vec::new()));
    let config = Config {
        max_owed_days: 7,
        ..Config::default()
    };
    let round = trimmer(&config, &log, &metrics).round().await.unwrap();
    assert_eq!((round.removed, round.lost), (0, 1));
    let rendered = metrics.render();
    assert!(
        rendered.contains("rookery_archive_trimmed_rows_total{kept=\"owed\"} 1"),
        "{rendered}"
    );
}

#[tokio::test(start_paused = true)]
async fn nothing_leaves_where_everything_is_kept_for_ever() {
    let (log, metrics) = (Arc::new(MemoryLog::new()), Registry::new());
    append(&log, 1, 0, Purpose::Both(Vec::new()));
    let config = Config {
        max_age_days: 0,
        max_messages: 0,
        ..Config::default()
    };
    let round = trimmer(&config, &log, &metrics).round().await.unwrap();
    assert_eq!(
        round,
        Round {
            logs: 1,
            removed: 0,
            lost: 0
        }
    );
}

#[tokio::test(start_paused = true)]
async fn a_round_that_fails_is_counted_and_tried_again() {
    let (log, metrics) = (Arc::new(MemoryLog::new()), Registry::new());
    log.fail(Some(StoreError::Unavailable("the test says so".into())));
    let trimmer = trimmer(&Config::default(), &log, &metrics);
    assert!(trimmer.round().await.is_err());
    let failed = "rookery_archive_trim_rounds_total{result=\"failed\"}";
    assert!(metrics.render().contains(&format!("{failed} 1")));
    let run = trimmer.run();
    assert!(
        tokio::time::timeout(Duration::from_secs(61), run)
            .await
            .is_err()
    );
    assert!(metrics.render().contains(&format!("{failed} 3")));
}

#[test]
fn settings_that_make_no_sense_are_refused_by_their_names() {
    let config = Config {
        page: 300,
        ..Config::default()
    };
    let error = config.validate().unwrap_err();
    assert_eq!(error.key, "page");
    assert_eq!(Config::default().validate(), Ok(()));
}
