//! Clients that are asked, those that lie, and what others learn from them (XEP-0115 §5.4, §9.3).

use proptest::prelude::*;
use rookery_stanza::{BareJid, Condition};

use super::super::of_session;
use super::super::own::verification_string;
use super::*;
use crate::Config;
use crate::fixture::{Scene, stanza};
use rookery_extension::{EmptyRoster, Kept, NoSessions};

const NODE: &str = "https://example.org/orchard";

/// An account at its home.
struct Home<'a> {
    scene: &'a Scene,
    jid: BareJid,
    kept: Kept,
}

impl<'a> Home<'a> {
    fn new(scene: &'a Scene, name: &str) -> Self {
        Self {
            scene,
            jid: BareJid::parse(&format!("{name}@montague.lit")).unwrap(),
            kept: Kept::default(),
        }
    }

    fn view(&self) -> AccountView<'_> {
        AccountView {
            jid: &self.jid,
            kept: &self.kept,
            roster: &EmptyRoster,
            sessions: &NoSessions,
            available: true,
            now: 0,
        }
    }

    fn obey(&mut self, orders: Vec<Order>) -> Vec<Question> {
        let mut questions = Vec::new();
        for order in orders {
            match order {
                Order::Keep(keep) => self.kept.apply(keep),
                Order::Ask(question) => questions.push(question),
                other => panic!("{other:?}"),
            }
        }
        questions
    }

    /// A client broadcasts this presence; what it is asked.
    fn presence(&mut self, resource: &str, xml: &str) -> Vec<Question> {
        let event = PresenceEvent {
            session: &self.jid.with_resource(resource).unwrap(),
            stanza: &stanza(xml),
            initial: true,
        };
        let orders = self.scene.features.presence(event, self.view());
        self.obey(orders)
    }

    fn announce(&mut self, resource: &str, ver: &str) -> Vec<Question> {
        self.presence(
            resource,
            &format!("<presence>{}</presence>", hashed("sha-1", ver)),
        )
    }

    /// A client becomes available and is asked one thing.
    fn asked(&mut self, resource: &str, ver: &str) -> Question {
        let mut questions = self.announce(resource, ver);
        assert_eq!(questions.len(), 1);
        questions.remove(0)
    }

    fn answer(&mut self, question: &Question, info: &Element) {
        self.answer_with(question, &Ok(Some(info.clone())));
    }

    fn answer_with(&mut self, question: &Question, answer: &Result<Option<Element>, StanzaError>) {
        let Question { session, tag, .. } = question;
        let orders = self
            .scene
            .features
            .answered(session, tag, answer, self.view());
        assert!(self.obey(orders).is_empty());
    }

    fn can(&self, resource: &str) -> Option<Vec<&str>> {
        let session = self.jid.with_resource(resource).unwrap();
        of_session(self.view(), &session).map(|capabilities| capabilities.features().collect())
    }
}

fn hashed(hash: &str, ver: &str) -> String {
    format!(
        "<c xmlns='{}' hash='{hash}' node='{NODE}' ver='{ver}'/>",
        ns::CAPS
    )
}

/// The answer of a client with these features.
fn info(features: &[&str]) -> Element {
    let identity = Element::new("identity", ns::DISCO_INFO)
        .with_attribute("category", "client")
        .with_attribute("type", "pc");
    let mut query = Element::new("query", ns::DISCO_INFO).with_child(identity);
    for feature in features {
        query.push(
            Element::new("feature", ns::DISCO_INFO).with_attribute("var", (*feature).to_owned()),
        );
    }
    query
}

fn count(scene: &Scene, series: &str) -> usize {
    let rendered = scene.metrics.render();
    let line = rendered
        .lines()
        .find(|line| line.starts_with(&format!("rookery_{series} ")));
    line.unwrap().rsplit(' ').next().unwrap().parse().unwrap()
}

fn outcomes(scene: &Scene, outcome: &str) -> usize {
    count(
        scene,
        &format!("capabilities_answers_total{{outcome=\"{outcome}\"}}"),
    )
}

#[test]
fn client_is_asked_about_the_node_that_it_announces_by_s6_2() {
    let scene = Scene::new();
    let mut juliet = Home::new(&scene, "juliet");
    let question = juliet.asked("balcony", "abc=");
    assert_eq!(question.session.as_str(), "juliet@montague.lit/balcony");
    let expected =
        Element::new("query", ns::DISCO_INFO).with_attribute("node", format!("{NODE}#abc="));
    assert_eq!(question.payload, expected);
    assert_eq!(juliet.can("balcony"), None);
}

#[test]
fn answer_with_the_right_hash_holds_for_everybody_by_s5_4() {
    let scene = Scene::new();
    let mut juliet = Home::new(&scene, "juliet");
    let truth = info(&["urn:example:tune+notify", "urn:example:a"]);
    let ver = verification_string(&truth);
    let question = juliet.asked("balcony", &ver);
    juliet.answer(&question, &truth);
    let known = Some(vec!["urn:example:a", "urn:example:tune+notify"]);
    assert_eq!(juliet.can("balcony"), known);
    for number in 0..1000 {
        let mut other = Home::new(&scene, &format!("user{number}"));
        assert!(other.announce("phone", &ver).is_empty());
        assert_eq!(other.can("phone"), known);
        let session = other.jid.with_resource("phone").unwrap();
        let capabilities = of_session(other.view(), &session).unwrap();
        assert!(capabilities.has("urn:example:a"));
        assert!(!capabilities.has("urn:example:tune"));
        assert!(capabilities.wants_notifications("urn:example:tune"));
        assert!(!capabilities.wants_notifications("urn:example:a"));
    }
    assert_eq!(outcomes(&scene, "verified"), 1);
    assert_eq!(
        count(&scene, "capabilities_lookups_total{result=\"hit\"}"),
        1000
    );
    assert_eq!(
        count(&scene, "capabilities_lookups_total{result=\"miss\"}"),
        1
    );
    assert_eq!(count(&scene, "capabilities_cached"), 1);
}

#[test]
fn clients_that_log_in_at_the_same_time_share_what_the_first_answers() {
    let scene = Scene::new();
    let truth = info(&["urn:example:a"]);
    let ver = verification_string(&truth);
    let mut homes: Vec<_> = ["juliet", "romeo"]
        .map(|name| Home::new(&scene, name))
        .into();
    let questions: Vec<_> = homes.iter_mut().map(|home| home.asked("x", &ver)).collect();
    for (home, question) in homes.iter_mut().zip(&questions) {
        home.answer(question, &truth);
        assert_eq!(home.can("x"), Some(vec!["urn:example:a"]));
    }
    assert_eq!(count(&scene, "capabilities_cached"), 1);
}

#[test]
fn client_that_announces_the_same_again_is_not_asked_again_by_s8_2() {
    let scene = Scene::new();
    let mut juliet = Home::new(&scene, "juliet");
    let truth = info(&["urn:example:a"]);
    let ver = verification_string(&truth);
    let question = juliet.asked("balcony", &ver);
    assert!(juliet.announce("balcony", &ver).is_empty());
    juliet.answer(&question, &truth);
    assert!(juliet.announce("balcony", &ver).is_empty());
    assert!(juliet.presence("balcony", "<presence/>").is_empty());
    assert_eq!(juliet.can("balcony"), Some(vec!["urn:example:a"]));
    // Another resource.
    assert_eq!(juliet.can("orchard"), None);
}

#[test]
fn client_that_changes_is_asked_again_and_late_answers_do_not_count_by_s6_1() {
    let scene = Scene::new();
    let mut juliet = Home::new(&scene, "juliet");
    let [before, after] = [info(&["urn:example:a"]), info(&["urn:example:b"])];
    let first = juliet.asked("balcony", &verification_string(&before));
    let second = juliet.asked("balcony", &verification_string(&after));
    juliet.answer(&first, &before);
    assert_eq!(juliet.can("balcony"), None);
    juliet.answer(&second, &after);
    assert_eq!(juliet.can("balcony"), Some(vec!["urn:example:b"]));
}

#[test]
fn nothing_is_known_any_more_of_a_session_that_has_gone() {
    let scene = Scene::new();
    let mut juliet = Home::new(&scene, "juliet");
    let truth = info(&["urn:example:a"]);
    let ver = verification_string(&truth);
    let question = juliet.asked("balcony", &ver);
    juliet.asked("chamber", "never answered");
    juliet.presence("balcony", "<presence type='unavailable'/>");
    juliet.answer(&question, &truth);
    assert_eq!(juliet.can("balcony"), None);
    juliet.presence("chamber", "<presence type='unavailable'/>");
    assert!(juliet.kept.get::<Sessions>().is_none());
}

#[test]
fn answer_with_another_hash_is_believed_of_nobody_by_s5_4() {
    let scene = Scene::new();
    let truth = info(&["urn:example:a"]);
    let ver = verification_string(&truth);
    let mut liar = Home::new(&scene, "liar");
    let question = liar.asked("x", &ver);
    liar.answer(&question, &info(&["urn:example:b"]));
    assert_eq!(liar.can("x"), None);
    assert_eq!(outcomes(&scene, "mismatched"), 1);
    // The next one is asked himself.
    let mut juliet = Home::new(&scene, "juliet");
    let question = juliet.asked("balcony", &ver);
    juliet.answer(&question, &truth);
    assert_eq!(juliet.can("balcony"), Some(vec!["urn:example:a"]));
}

#[test]
fn answer_that_hides_features_is_believed_of_nobody_else_by_s9_3() {
    let scene = Scene::new();
    let truth = info(&["urn:example:a", "urn:example:b+notify"]);
    let ver = verification_string(&truth);
    let mut liar = Home::new(&scene, "liar");
    let question = liar.asked("x", &ver);
    liar.answer(&question, &info(&["urn:example:a<urn:example:b+notify"]));
    assert_eq!(liar.can("x").unwrap().len(), 1);
    assert_eq!(outcomes(&scene, "ambiguous"), 1);
    let mut juliet = Home::new(&scene, "juliet");
    let question = juliet.asked("balcony", &ver);
    juliet.answer(&question, &truth);
    assert_eq!(juliet.can("balcony").unwrap().len(), 2);
}

#[test]
fn ill_formed_and_large_answers_and_refusals_tell_nothing() {
    let scene = Scene::new();
    let mut juliet = Home::new(&scene, "juliet");
    let twice = info(&["urn:example:a", "urn:example:a"]);
    let ver = verification_string(&twice);
    let large = info(&vec!["urn:example:a"; 1000]);
    let other = Element::new("query", ns::DISCO_ITEMS);
    for (answer, outcome) in [
        (Ok(Some(twice)), "ill_formed"),
        (Ok(Some(large)), "too_large"),
        (Ok(Some(other)), "refused"),
        (Ok(None), "refused"),
        (Err(Condition::ServiceUnavailable.into()), "refused"),
    ] {
        let before = outcomes(&scene, outcome);
        let question = juliet.asked("balcony", &ver);
        juliet.answer_with(&question, &answer);
        assert_eq!(juliet.can("balcony"), None, "{answer:?}");
        assert_eq!(outcomes(&scene, outcome), before + 1, "{answer:?}");
        assert!(juliet.announce("balcony", &ver).is_empty(), "{answer:?}");
        juliet.presence("balcony", "<presence type='unavailable'/>");
    }
    assert_eq!(count(&scene, "capabilities_cached"), 0);
}

#[test]
fn what_cannot_be_verified_holds_for_one_session_by_s5_4() {
    let scene = Scene::new();
    let mut juliet = Home::new(&scene, "juliet");
    let sha3 = format!("<presence>{}</presence>", hashed("sha3-256", "x"));
    // §13.
    let legacy = format!(
        "<presence><c xmlns='{}' node='{NODE}' ver='1' ext='a b'/></presence>",
        ns::CAPS
    );
    for (presence, node) in [(&sha3, Some(format!("{NODE}#x"))), (&legacy, None)] {
        for resource in ["balcony", "chamber"] {
            let questions = juliet.presence(resource, presence);
            assert_eq!(questions[0].payload.attribute("node"), node.as_deref());
            juliet.answer(&questions[0], &info(&["b", "a", "a"]));
            assert_eq!(juliet.can(resource), Some(vec!["a", "b"]));
            assert!(juliet.presence(resource, presence).is_empty());
        }
    }
    assert_eq!(
        juliet
            .presence("balcony", &legacy.replace("a b", "a"))
            .len(),
        1
    );
    assert_eq!(outcomes(&scene, "unverifiable"), 4);
    assert_eq!(count(&scene, "capabilities_cached"), 0);
    assert_eq!(
        count(&scene, "capabilities_lookups_total{result=\"miss\"}"),
        0
    );
}

#[test]
fn announcements_that_say_nothing_bring_about_no_question() {
    let scene = Scene::new();
    let mut juliet = Home::new(&scene, "juliet");
    let long = "x".repeat(1025);
    for caps in [
        hashed("sha-1", ""),
        hashed("sha-1", &long),
        hashed("sha-1", "x").replace(NODE, ""),
        hashed("sha-1", "x").replace(NODE, &long),
        format!("<c xmlns='{}'/>", ns::CAPS),
        "<c xmlns='urn:example' hash='sha-1' node='x' ver='x'/>".to_owned(),
    ] {
        let presence = format!("<presence>{caps}</presence>");
        assert!(juliet.presence("balcony", &presence).is_empty(), "{caps}");
    }
    assert!(juliet.kept.get::<Sessions>().is_none());
}

#[test]
fn what_was_forgotten_is_asked_for_again() {
    let mut config = Config::default();
    config.caps.cache_bytes = 64 * 1024;
    let scene = Scene::with_config(&config);
    let mut juliet = Home::new(&scene, "juliet");
    let kinds: Vec<Element> = (0..5)
        .map(|number| info(&[&format!("urn:{number}:{}", "x".repeat(14_000))]))
        .collect();
    for kind in &kinds {
        let question = juliet.asked("balcony", &verification_string(kind));
        juliet.answer(&question, kind);
    }
    assert_eq!(count(&scene, "capabilities_cached"), 4);
    assert_eq!(count(&scene, "capabilities_evicted_total"), 1);
    assert!(count(&scene, "capabilities_cached_bytes") <= 64 * 1024);
    assert!(
        juliet
            .announce("balcony", &verification_string(&kinds[1]))
            .is_empty()
    );
    juliet.asked("balcony", &verification_string(&kinds[0]));
    // The session that has it does not lose it.
    assert!(
        juliet
            .announce("chamber", &verification_string(&kinds[4]))
            .is_empty()
    );
    assert_eq!(juliet.can("chamber").unwrap().len(), 1);
}

/// What clients of one kind have, in the order of octets.
const KINDS: [&[&str]; 3] = [&["a", "b", "c"], &["a", "d"], &["e", "f+notify"]];

#[derive(Clone, Copy, Debug)]
enum Behaviour {
    Honest,
    /// As another kind.
    Lies,
    /// With a feature that is two.
    Hides,
    Refuses,
    Silent,
    Leaves,
}

fn behaviour() -> impl Strategy<Value = Behaviour> {
    prop_oneof![
        Just(Behaviour::Honest),
        Just(Behaviour::Lies),
        Just(Behaviour::Hides),
        Just(Behaviour::Refuses),
        Just(Behaviour::Silent),
        Just(Behaviour::Leaves),
    ]
}

fn answer(kind: usize, behaviour: Behaviour) -> Option<Result<Option<Element>, StanzaError>> {
    let features = KINDS[kind];
    match behaviour {
        Behaviour::Honest => Some(Ok(Some(info(features)))),
        Behaviour::Lies => Some(Ok(Some(info(KINDS[(kind + 1) % KINDS.len()])))),
        Behaviour::Hides => Some(Ok(Some(info(&[&features.join("<")])))),
        Behaviour::Refuses => Some(Err(Condition::ServiceUnavailable.into())),
        Behaviour::Silent | Behaviour::Leaves => None,
    }
}

proptest! {
    /// Whatever others do: of a session that does not lie, the truth is known, or nothing.
    #[test]
    fn nobody_makes_anybody_believe_something_of_somebody_else(
        steps in prop::collection::vec((0_usize..3, 0_usize..2, 0_usize..3, behaviour()), 0..40)
    ) {
        let scene = Scene::new();
        let mut homes: Vec<_> = (0..3).map(|n| Home::new(&scene, &format!("user{n}"))).collect();
        let mut hiding = std::collections::BTreeSet::new();
        let mut announced = std::collections::BTreeMap::new();
        for (user, resource, kind, behaviour) in steps {
            let session = (user, resource);
            let resource = resource.to_string();
            let home = &mut homes[user];
            if let Behaviour::Leaves = behaviour {
                home.presence(&resource, "<presence type='unavailable'/>");
                announced.remove(&session);
                hiding.remove(&session);
            } else {
                let questions = home.announce(&resource, &verification_string(&info(KINDS[kind])));
                if announced.insert(session, kind) != Some(kind) {
                    hiding.remove(&session);
                }
                for (question, answer) in questions.iter().zip(answer(kind, behaviour)) {
                    home.answer_with(question, &answer);
                    if let Behaviour::Hides = behaviour {
                        hiding.insert(session);
                    }
                }
            }
            for (user, home) in homes.iter().enumerate() {
                for resource in 0..2 {
                    let session = (user, resource);
                    let known = home.can(&resource.to_string());
                    match announced.get(&session) {
                        None => prop_assert_eq!(known, None),
                        Some(_) if hiding.contains(&session) => {}
                        Some(kind) => prop_assert!(known.is_none_or(|known| known == KINDS[*kind])),
                    }
                }
            }
        }
    }
}
