//! The points that features attach to at an account's home, tried by a feature made for it.

use std::sync::Arc;

use futures_util::FutureExt;
use rookery_extension::{
    AccountData, AccountView, Answer, Feature, Host, HostHandler, IqContext, IqHandler, IqMethod,
    IqRequest, Keep, Order, Outcome, PresenceEvent, Question, Registry, Relation, Scope,
    SessionData, SessionEvents, Spec, StanzaFilter, Verdict,
};
use rookery_stanza::{Condition, Jid, PresenceType, Stanza, StanzaError};
use rookery_storage::{DataStore, DataUpdate, DataWrite, Datum, StoreError};
use rookery_xml::Element;

use super::world::{World, bare, jid};

const ROMEO: &str = "romeo@example.com/orchard";
const JULIET: &str = "juliet@example.com/balcony";
pub(super) const NS: &str = "test:points";

/// Filters by what is kept for the account: the localpart of whom it does not want to know.
#[derive(Clone, Copy, Debug)]
pub(super) struct Shunning;

#[derive(Debug)]
struct Shunned(String);

/// `<shun name='…'/>`: whom to shun from now on.
pub(super) struct Shun(String);

impl AccountData for Shunned {
    const KIND: &'static str = "shunned";

    fn read(records: &[Datum]) -> Result<Option<Self>, StoreError> {
        let name = |datum: &Datum| String::from_utf8(datum.value.clone()).unwrap();
        Ok(records.first().map(name).map(Self))
    }
}

fn shuns(account: AccountView<'_>, jid: Option<&Jid>) -> bool {
    let shunned = account.kept.get::<Shunned>();
    shunned.is_some_and(|shunned| jid.and_then(Jid::local) == Some(&shunned.0))
}

impl StanzaFilter for Shunning {
    fn outbound(&self, stanza: &mut Stanza, account: AccountView<'_>) -> Verdict {
        assert_ne!(stanza.id.as_deref(), Some("panic"));
        if shuns(account, stanza.to.as_ref()) {
            return Verdict::Refuse(Condition::NotAcceptable.into());
        }
        Verdict::Pass
    }

    fn inbound(&self, stanza: &mut Stanza, account: AccountView<'_>) -> Verdict {
        assert!(stanza.is_error() || stanza.id.as_deref() != Some("panic-inbound"));
        match shuns(account, stanza.from.as_ref()) {
            true if stanza.id.as_deref() == Some("quiet") => Verdict::Ignore,
            true => Verdict::Refuse(Condition::ServiceUnavailable.into()),
            false => Verdict::Pass,
        }
    }

    fn shares_presence(&self, with: &Jid, account: AccountView<'_>) -> bool {
        !shuns(account, Some(with))
    }
}

impl IqRequest for Shun {
    const NAME: &'static str = "shun";
    const NAMESPACE: &'static str = NS;

    fn parse(_: IqMethod, payload: &Element) -> Result<Self, StanzaError> {
        let name = payload.attribute("name").unwrap_or_default();
        Ok(Self(name.to_owned()))
    }
}

impl IqHandler for Shunning {
    type Request = Shun;
    const SCOPE: Scope = Scope {
        host: false,
        account: Some(Relation::Own),
    };

    fn handle(&self, Shun(name): Shun, context: IqContext<'_>) -> Answer {
        let (local, resource) = name.split_once('/').unwrap_or((&name, ""));
        let contact = jid(format!("{local}@example.com/{resource}").trim_end_matches('/'));
        let update = DataUpdate {
            account: context.account.jid.clone(),
            writes: vec![DataWrite::Put {
                kind: Shunned::KIND,
                name: String::new(),
                value: name.clone().into_bytes(),
                terms: Vec::new(),
            }],
            limit: 100,
        };
        let push = Element::new("shunned", NS).with_attribute("name", name.clone());
        let outcome = Outcome {
            answer: Ok(None),
            before: vec![
                if name == "bye" {
                    Order::Unfollow(NS)
                } else {
                    Order::Follow(NS)
                },
                Order::Hide(vec![contact]),
                Order::Keep(Keep::new(Some(Shunned(name)))),
                Order::Store(update),
            ],
            after: vec![Order::Push {
                topic: NS,
                payload: push,
            }],
        };
        Answer::Ordered(async move { outcome }.boxed())
    }
}

impl SessionEvents for Shunning {
    fn presence(&self, event: PresenceEvent<'_>, account: AccountView<'_>) -> Vec<Order> {
        let mut orders = Vec::new();
        if event.initial {
            orders.push(Order::Ask(Question {
                session: event.session.clone(),
                payload: Element::new("who", NS),
                tag: "points:who".to_owned(),
            }));
        }
        if !account.available {
            let note = Stanza::presence(PresenceType::Unavailable);
            orders.push(Order::Send(
                note.with_from(account.jid.to_jid())
                    .with_to(jid("juliet@example.com"))
                    .with_id("last"),
            ));
        }
        orders
    }

    fn answered(
        &self,
        _: &Jid,
        tag: &str,
        answer: &Result<Option<Element>, StanzaError>,
        _: AccountView<'_>,
    ) -> Vec<Order> {
        let known = tag == "points:who" && answer.is_ok();
        let name = if known { "known" } else { "unknown" };
        vec![Order::Push {
            topic: NS,
            payload: Element::new(name, NS),
        }]
    }
}

impl HostHandler for Shunning {
    fn handle(
        &self,
        stanza: &Stanza,
        _: &Arc<Host>,
        _: AccountView<'_>,
    ) -> Option<Result<Vec<Stanza>, StanzaError>> {
        match stanza.id.as_deref()? {
            "spread" => {
                let to = |to: &str| stanza.clone().with_to(jid(to));
                let addresses = ["juliet@example.com", "nobody@example.com", "example.com"];
                Some(Ok(addresses.into_iter().map(to).collect()))
            }
            "refuse" => Some(Err(Condition::NotAcceptable.into())),
            _ => None,
        }
    }
}

impl Feature for Shunning {
    fn spec(&self) -> Spec {
        Spec {
            name: "shunning",
            ..Spec::EMPTY
        }
    }

    fn install(self: Box<Self>, registry: &mut Registry) {
        registry.account_data::<Shunned>();
        registry.filter(*self);
        registry.iq(*self);
        registry.session_events(*self);
        registry.host_handler(*self);
    }
}

/// Romeo and Juliet, who know each other.
fn world() -> World {
    let mut world = World::new(&["romeo", "juliet"]).with_feature(Shunning);
    world.login(ROMEO);
    world.login(JULIET);
    world.befriend(ROMEO, JULIET);
    world.forget();
    world
}

fn shun(world: &mut World, name: &str) -> Vec<String> {
    let shun = format!("<iq type='set' id='s'><shun xmlns='{NS}' name='{name}'/></iq>");
    world.send(ROMEO, &shun);
    world.received(ROMEO)
}

const MESSAGE: &str =
    "<message type='chat' to='juliet@example.com' id='m'><body>x</body></message>";

#[test]
fn a_stanza_that_a_filter_refuses_returns_and_harms_no_other() {
    let mut world = world();
    shun(&mut world, "juliet");
    world.forget();
    world.send(ROMEO, MESSAGE);
    let [returned] = &world.received(ROMEO)[..] else {
        panic!("one answer");
    };
    assert!(returned.contains("<not-acceptable "), "{returned}");
    assert!(world.received(JULIET).is_empty());

    let inbound = "<message type='chat' to='romeo@example.com' id='m'><body>x</body></message>";
    world.send(JULIET, inbound);
    let [returned] = &world.received(JULIET)[..] else {
        panic!("one answer");
    };
    assert!(returned.contains("<service-unavailable "), "{returned}");
    world.send(JULIET, &inbound.replace("'m'", "'quiet'"));
    assert!(world.received(JULIET).is_empty());
    assert!(world.received(ROMEO).is_empty());
}

#[test]
fn a_filter_that_fails_lets_nothing_through() {
    let mut world = world();
    for id in ["panic", "panic-inbound"] {
        world.send(ROMEO, &MESSAGE.replace("'m'", &format!("'{id}'")));
        let [returned] = &world.received(ROMEO)[..] else {
            panic!("one answer");
        };
        assert!(returned.contains("<internal-server-error "), "{returned}");
    }
    world.send(ROMEO, MESSAGE);
    assert_eq!(world.received(JULIET).len(), 1);
}

#[test]
fn what_is_kept_is_there_again_after_the_account_was_let_go() {
    let mut world = world();
    shun(&mut world, "juliet");
    world.disconnect(ROMEO, Vec::new());
    world.let_go("romeo@example.com");
    world.forget();
    let message = "<message type='chat' to='romeo@example.com' id='m'><body>x</body></message>";
    world.send(JULIET, message);
    let [returned] = &world.received(JULIET)[..] else {
        panic!("one answer");
    };
    assert!(returned.contains("<service-unavailable "), "{returned}");
    let romeo = bare("romeo@example.com");
    let kept = world.store.read_data(&romeo, "shunned", None);
    assert_eq!(kept.now_or_never().unwrap().unwrap().len(), 1);
}

#[test]
fn presence_ends_for_whom_it_is_hidden_from_and_no_more_of_it_passes() {
    let mut world = world();
    let [answer, push] = &shun(&mut world, "juliet")[..] else {
        panic!("an answer, then a push");
    };
    assert!(answer.contains("type='result'"), "{answer}");
    assert!(push.contains("<shunned "), "{push}");
    let [gone] = &world.received(JULIET)[..] else {
        panic!("one presence");
    };
    assert!(gone.contains("type='unavailable'"), "{gone}");
    world.send(ROMEO, "<presence><show>away</show></presence>");
    assert!(world.received(JULIET).is_empty());
    world.disconnect(JULIET, Vec::new());
    world.login(JULIET);
    let seen = world.received(JULIET);
    assert!(!seen.iter().any(|it| it.contains(ROMEO)), "{seen:?}");
}

#[test]
fn presence_ends_only_for_the_resource_that_is_named() {
    let mut world = world();
    let chamber = "juliet@example.com/chamber";
    world.login(chamber);
    world.forget();
    shun(&mut world, "juliet/chamber");
    assert!(world.received(JULIET).is_empty());
    assert_eq!(world.received(chamber).len(), 1);
}

#[test]
fn the_answer_of_a_client_reaches_the_feature_that_asked_once() {
    let mut world = World::new(&["romeo"]).with_feature(Shunning);
    world.connect(ROMEO);
    world.send(ROMEO, "<presence/>");
    let received = world.received(ROMEO);
    let asked = received.iter().find(|it| it.contains("<who ")).unwrap();
    let id = asked
        .split("id='")
        .nth(1)
        .unwrap()
        .split('\'')
        .next()
        .unwrap();
    assert!(asked.contains("type='get'"), "{asked}");
    shun(&mut world, "nobody");
    world.forget();
    let answer = format!("<iq type='result' id='{id}' to='romeo@example.com'/>");
    world.send(ROMEO, &answer);
    let [push] = &world.received(ROMEO)[..] else {
        panic!("one push");
    };
    assert!(push.contains("<known "), "{push}");
    world.send(ROMEO, &answer);
    assert!(world.received(ROMEO).is_empty());
}

#[test]
fn a_session_that_follows_no_more_gets_no_pushes() {
    let pushes = |received: Vec<String>| {
        received
            .iter()
            .filter(|it| it.contains("<shunned "))
            .count()
    };
    let mut world = World::new(&["romeo"]).with_feature(Shunning);
    world.connect(ROMEO);
    for (name, expected) in [("bye", 0), ("nobody", 1), ("nobody", 1), ("bye", 0)] {
        assert_eq!(pushes(shun(&mut world, name)), expected, "{name}");
    }
}

#[test]
fn a_client_that_has_not_answered_is_not_asked_the_same_again() {
    let questions =
        |received: Vec<String>| received.iter().filter(|it| it.contains("<who ")).count();
    let mut world = World::new(&["romeo"]).with_feature(Shunning);
    world.connect(ROMEO);
    for expected in [1, 0, 0] {
        world.send(ROMEO, "<presence/>");
        assert_eq!(questions(world.received(ROMEO)), expected);
        world.send(ROMEO, "<presence type='unavailable'/>");
    }
    world.disconnect(ROMEO, Vec::new());
    world.connect(ROMEO);
    world.send(ROMEO, "<presence/>");
    assert_eq!(questions(world.received(ROMEO)), 1);
}

#[derive(Debug)]
struct Met;

impl SessionData for Met {}

#[test]
fn what_is_known_of_sessions_stays_when_the_account_is_read_again() {
    let mut world = world();
    shun(&mut world, "juliet");
    let account = world.accounts.get_mut(&bare("romeo@example.com")).unwrap();
    account.kept.apply(Keep::about_sessions(Some(Met)));
    account.load(Some(Default::default()));
    assert!(account.kept.get::<Shunned>().is_none());
    assert!(account.kept.get::<Met>().is_some());
}

#[test]
fn features_see_the_last_resource_go() {
    let mut world = world();
    world.disconnect(ROMEO, Vec::new());
    let received = world.received(JULIET);
    assert!(
        received.iter().any(|it| it.contains("id='last'")),
        "{received:?}"
    );
}

#[test]
fn what_a_host_spreads_comes_from_its_sender_and_goes_to_no_host_again() {
    let mut world = world();
    let spread = "<message to='example.com' id='spread'><body>x</body></message>";
    world.send(ROMEO, spread);
    let [copy] = &world.received(JULIET)[..] else {
        panic!("one copy");
    };
    assert!(copy.contains(&format!("from='{ROMEO}'")), "{copy}");
    // The one for nobody, and the one for the host.
    assert_eq!(world.received(ROMEO).len(), 2);
    world.send(ROMEO, &spread.replace("spread", "refuse"));
    assert!(world.received(ROMEO)[0].contains("<not-acceptable "));
    world.send(ROMEO, &spread.replace("spread", "other"));
    assert!(world.received(ROMEO)[0].contains("<service-unavailable "));
}
