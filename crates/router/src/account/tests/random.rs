//! Whatever clients do, and whatever fails: nothing panics, memory is what the store has, every message is
//! accounted for, every request gets one answer, and both sides of a subscription agree.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use rookery_delivery::{Delivery, Refusal};
use rookery_stanza::Kind;

use super::super::Account;
use super::super::roster::{has_from, has_to};
use super::points::{NS, Shunning};
use super::world::{World, bare};

const ACCOUNTS: [&str; 3] = ["a", "b", "c"];
const RESOURCES: [&str; 2] = ["1", "2"];

#[derive(Clone, Debug)]
enum Move {
    Connect(String),
    Disconnect { client: String, returned: usize },
    Send { client: String, xml: String },
    Read(String),
    Refuse(String),
    FailStore(bool),
    LetGo(String),
}

fn account() -> impl Strategy<Value = String> {
    prop::sample::select(&ACCOUNTS[..]).prop_map(|name| format!("{name}@example.com"))
}

fn client() -> impl Strategy<Value = String> {
    (account(), prop::sample::select(&RESOURCES[..]))
        .prop_map(|(account, r)| format!("{account}/{r}"))
}

fn address() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => account(),
        4 => client(),
        1 => prop::sample::select(vec!["example.com", "nobody@example.com", "x@example.org", "example.com/r"])
            .prop_map(str::to_owned),
    ]
}

/// What the feature in `points` takes: whom to shun, what to spread, answers to what it asked.
fn for_feature() -> impl Strategy<Value = String> {
    let name = prop::sample::select(vec!["a", "b", "c", "nobody"]);
    prop_oneof![
        3 => name.prop_map(|name| format!("<iq type='set' id='ID'><shun xmlns='{NS}' name='{name}'/></iq>")),
        1 => Just("<message to='example.com' id='spread'><body>b</body></message>".to_owned()),
        1 => (1..4).prop_map(|n| format!("<iq type='result' id='push-{n}'/>")),
    ]
}

fn stanza() -> impl Strategy<Value = String> {
    let message = (
        address(),
        prop::sample::select(vec!["chat", "normal", "headline", "groupchat", "error"]),
    )
        .prop_map(|(to, kind)| {
            format!("<message to='{to}' type='{kind}'><body>b</body></message>")
        });
    let subscription = (
        account(),
        prop::sample::select(vec![
            "subscribe",
            "subscribed",
            "unsubscribe",
            "unsubscribed",
            "probe",
        ]),
    )
        .prop_map(|(to, kind)| format!("<presence to='{to}' type='{kind}'/>"));
    let broadcast =
        (-2_i8..3).prop_map(|p| format!("<presence><priority>{p}</priority></presence>"));
    let directed = (
        address(),
        prop::sample::select(vec!["", " type='unavailable'"]),
    )
        .prop_map(|(to, kind)| format!("<presence to='{to}'{kind}/>"));
    let request = (
        address(),
        prop::sample::select(vec!["<ask xmlns='test'/>", "<x xmlns='y'/>"]),
    )
        .prop_map(|(to, payload)| format!("<iq to='{to}' type='get' id='ID'>{payload}</iq>"));
    let set = (account(), prop::sample::select(vec!["", " subscription='remove'"])).prop_map(|(jid, remove)| {
        format!("<iq type='set' id='ID'><query xmlns='jabber:iq:roster'><item jid='{jid}'{remove}/></query></iq>")
    });
    prop_oneof![
        6 => message,
        6 => subscription,
        3 => broadcast,
        1 => Just("<presence type='unavailable'/>".to_owned()),
        2 => directed,
        3 => request,
        2 => set,
        1 => Just("<iq type='get' id='ID'><query xmlns='jabber:iq:roster' ver='3'/></iq>".to_owned()),
    ]
}

fn moves(with_failures: bool) -> impl Strategy<Value = Vec<Move>> {
    let failures = u32::from(with_failures);
    let one = prop_oneof![
        4 => client().prop_map(Move::Connect),
        2 => (client(), 0_usize..4).prop_map(|(client, returned)| Move::Disconnect { client, returned }),
        24 => (client(), stanza()).prop_map(|(client, xml)| Move::Send { client, xml }),
        3 * failures => (client(), for_feature()).prop_map(|(client, xml)| Move::Send { client, xml }),
        3 => client().prop_map(Move::Read),
        1 => account().prop_map(Move::LetGo),
        failures => client().prop_map(Move::Refuse),
        failures => any::<bool>().prop_map(Move::FailStore),
    ];
    prop::collection::vec(one, 1..80)
}

/// What stands in `xml` after the first `start`, as far as the next `end`.
fn between(xml: &str, start: &str, end: &str) -> Option<String> {
    let (inner, _) = xml.split_once(start)?.1.split_once(end)?;
    Some(inner.to_owned())
}

/// Requests that were sent, and what became of them.
#[derive(Default)]
struct Requests {
    next: usize,
    sent: BTreeMap<String, Request>,
}

struct Request {
    asker: String,
    asked: Option<String>,
    answers: usize,
    /// It reached another client, which may stay silent; or the asker went, or wants to hear nothing more of
    /// whom it asked.
    excused: bool,
}

impl Requests {
    fn send(&mut self, world: &mut World, client: &str, xml: &str) {
        self.next += 1;
        let id = format!("q{}", self.next);
        if xml.contains("id='ID'") {
            let request = Request {
                asker: client.to_owned(),
                asked: between(xml, " to='", "@"),
                answers: 0,
                excused: false,
            };
            self.sent.insert(id.clone(), request);
        }
        if let Some(name) = between(xml, " name='", "'") {
            self.shunned(client, &name);
        }
        world.send(client, &xml.replace("'ID'", &format!("'{id}'")));
    }

    fn saw(&mut self, client: &str, delivery: &Delivery) {
        let stanza = &delivery.stanza;
        let id = stanza.id.as_deref().unwrap_or_default();
        let Some(request) = self.sent.get_mut(id) else {
            return;
        };
        match stanza.kind {
            Kind::Iq(kind) if kind.is_request() => request.excused = true,
            Kind::Iq(_) => {
                assert_eq!(request.asker, client, "{id}");
                request.answers += 1;
                assert_eq!(request.answers, 1, "{id}");
            }
            _ => {}
        }
    }

    /// An account that shuns another does not hear its answers either.
    fn shunned(&mut self, client: &str, name: &str) {
        for request in self.sent.values_mut() {
            let is_own = request.asker.split('/').next() == client.split('/').next();
            if is_own && request.asked.as_deref() == Some(name) {
                request.excused = true;
            }
        }
    }

    /// A client that went waits for nothing.
    fn gone(&mut self, client: &str) {
        for request in self
            .sent
            .values_mut()
            .filter(|request| request.asker == client)
        {
            request.excused = true;
        }
    }
}

/// A game of moves.
struct Play {
    world: World,
    requests: Requests,
    refusing: BTreeSet<String>,
}

impl Play {
    fn new(world: World) -> Self {
        let (requests, refusing) = (Requests::default(), BTreeSet::new());
        Self {
            world,
            requests,
            refusing,
        }
    }

    fn make(&mut self, one: Move) {
        let world = &mut self.world;
        match one {
            Move::Connect(client) => {
                let (account, resource) = client.split_once('/').unwrap();
                if !world.is_connected(&client) {
                    world.bind(account, Some(resource));
                }
            }
            Move::Disconnect { client, returned } => self.disconnect(&client, returned),
            Move::Send { client, xml } if world.is_connected(&client) => {
                self.requests.send(world, &client, &xml);
                if self.refusing.contains(&client) {
                    self.requests.gone(&client);
                }
            }
            Move::Read(client) => {
                let deliveries = self.read(&client);
                let rows: Vec<_> = deliveries.iter().filter_map(|d| d.custody.row()).collect();
                if !rows.is_empty() {
                    self.world.confirm(&client, rows);
                }
            }
            Move::Refuse(client) if world.is_connected(&client) => {
                world.refuse(&client, Refusal::Busy);
                self.requests.gone(&client);
                self.refusing.insert(client);
            }
            Move::FailStore(fails) => world.fail_store(fails),
            Move::LetGo(account) => {
                if world
                    .accounts
                    .get(&bare(&account))
                    .is_some_and(Account::is_idle)
                {
                    world.let_go(&account);
                }
            }
            Move::Send { .. } | Move::Refuse(_) => {}
        }
    }

    /// What it returns it never had, and what it had it may leave unanswered.
    fn disconnect(&mut self, client: &str, returned: usize) {
        let mut deliveries = self.world.deliveries(client);
        let undelivered = deliveries.split_off(deliveries.len().saturating_sub(returned));
        self.requests.gone(client);
        self.refusing.remove(client);
        for delivery in deliveries
            .iter()
            .filter(|delivery| delivery.stanza.is_request())
        {
            self.requests.saw(client, delivery);
        }
        self.world.disconnect(client, undelivered);
    }

    fn read(&mut self, client: &str) -> Vec<Delivery> {
        let deliveries = self.world.deliveries(client);
        for delivery in &deliveries {
            self.requests.saw(client, delivery);
        }
        deliveries
    }

    /// What is held for a session that refuses goes its way when the session ends; then every request has
    /// its answer.
    fn end(mut self) -> World {
        for client in std::mem::take(&mut self.refusing) {
            self.read(&client);
            self.world.disconnect(&client, vec![]);
        }
        for name in ACCOUNTS {
            for resource in RESOURCES {
                self.read(&format!("{name}@example.com/{resource}"));
            }
        }
        for (id, request) in &self.requests.sent {
            let is_answered = request.excused || request.answers == 1;
            assert!(is_answered, "{id} of {} is not answered", request.asker);
        }
        self.world
    }
}

fn play(world: World, moves: Vec<Move>) -> World {
    let mut play = Play::new(world);
    for one in moves {
        play.make(one);
    }
    play.end()
}

/// Both sides agree who receives whose presence.
fn agree(world: &mut World) {
    use futures_util::FutureExt;
    use rookery_storage::DataStore;
    let roster = |name: &str| {
        let jid = bare(&format!("{name}@example.com"));
        world
            .store
            .load_account(&jid, &[])
            .now_or_never()
            .unwrap()
            .unwrap()
            .unwrap()
            .roster
    };
    for one in ACCOUNTS {
        for other in ACCOUNTS.iter().filter(|other| **other != one) {
            let find = |name: &str, contact: &str| {
                let contact = bare(&format!("{contact}@example.com"));
                roster(name)
                    .items
                    .into_iter()
                    .find(|item| item.jid == contact)
            };
            let (ours, theirs) = (find(one, other), find(other, one));
            let gets = ours.as_ref().is_some_and(|item| has_to(item.subscription));
            let gives = theirs
                .as_ref()
                .is_some_and(|item| has_from(item.subscription));
            assert_eq!(gets, gives, "{one} and {other}: {ours:?} {theirs:?}");
            let asks = ours.as_ref().is_some_and(|item| item.pending_out);
            let asked = theirs
                .as_ref()
                .is_some_and(|item| item.pending_in.is_some());
            assert_eq!(asks, asked, "{one} and {other}: {ours:?} {theirs:?}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn anything_may_happen(moves in moves(true)) {
        play(World::new(&ACCOUNTS).with_feature(Shunning), moves);
    }

    #[test]
    fn both_sides_agree_while_nothing_fails(moves in moves(false)) {
        agree(&mut play(World::new(&ACCOUNTS), moves));
    }
}
