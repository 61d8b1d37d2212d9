//! Whatever becomes of clients and of the home: what was accepted reaches somebody, under one id, in order, and
//! not again once it was confirmed.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use rookery_delivery::Delivery;
use rookery_stanza::{RowId, ns};

use super::world::{World, write};

const SENDER: &str = "a@example.com/1";
const ACCOUNT: &str = "b@example.com";
const RESOURCES: [&str; 3] = ["1", "2", "3"];

#[derive(Clone, Debug)]
enum Move {
    /// So many messages are sent.
    Send(usize),
    /// A client connects, with this priority.
    Connect(String, i8),
    Priority(String, i8),
    /// A client reads, and confirms as many of what it has not confirmed.
    Read(String, usize),
    /// A client goes, and returns what it has not read.
    Disconnect(String),
    /// The home is lost, with all clients.
    Crash,
    /// Time passes.
    Wait(u64),
}

fn client() -> impl Strategy<Value = String> {
    prop::sample::select(&RESOURCES[..]).prop_map(|resource| format!("{ACCOUNT}/{resource}"))
}

fn moves() -> impl Strategy<Value = Vec<Move>> {
    let one = prop_oneof![
        6 => (1_usize..4).prop_map(Move::Send),
        1 => (60_usize..150).prop_map(Move::Send),
        4 => (client(), -1_i8..2).prop_map(|(client, priority)| Move::Connect(client, priority)),
        2 => (client(), -1_i8..2).prop_map(|(client, priority)| Move::Priority(client, priority)),
        8 => (client(), 0_usize..100).prop_map(|(client, confirmed)| Move::Read(client, confirmed)),
        2 => client().prop_map(Move::Disconnect),
        1 => Just(Move::Crash),
        1 => (0_u64..5000).prop_map(Move::Wait),
    ];
    prop::collection::vec(one, 1..60)
}

/// The number of a message that is owed, and its row, which its id names.
fn row(delivery: &Delivery) -> Option<(usize, RowId)> {
    let row = delivery.custody.row()?;
    let xml = write(&delivery.stanza);
    let (_, body) = xml.split_once("<body>")?;
    assert!(xml.contains(&format!("id='{row}'")), "{xml}");
    Some((body.split_once("</body>")?.0.parse().ok()?, row))
}

struct Play {
    world: World,
    sent: usize,
    /// The id of each message that somebody got.
    ids: BTreeMap<usize, RowId>,
    confirmed: BTreeSet<RowId>,
    /// What each client was handed and has not confirmed.
    unconfirmed: BTreeMap<String, Vec<RowId>>,
    /// The last row that each client got at once.
    last: BTreeMap<String, RowId>,
}

impl Play {
    fn new() -> Self {
        let mut world = World::new(&["a", "b"]);
        world.login(SENDER);
        Self {
            world,
            sent: 0,
            ids: BTreeMap::new(),
            confirmed: BTreeSet::new(),
            unconfirmed: BTreeMap::new(),
            last: BTreeMap::new(),
        }
    }

    fn make(&mut self, one: Move) {
        match one {
            Move::Send(messages) => self.send(messages),
            Move::Connect(client, priority) if !self.world.is_connected(&client) => {
                self.world.connect(&client);
                self.set_priority(&client, priority);
            }
            Move::Priority(client, priority) => self.set_priority(&client, priority),
            Move::Read(client, confirmed) => self.read(&client, confirmed),
            Move::Disconnect(client) => {
                let undelivered = self.gone(&client);
                self.world.disconnect(&client, undelivered);
            }
            Move::Crash => {
                for resource in RESOURCES {
                    self.gone(&format!("{ACCOUNT}/{resource}"));
                }
                self.world.crash(ACCOUNT);
            }
            Move::Wait(millis) => self.world.now += millis,
            Move::Connect(..) => {}
        }
    }

    fn send(&mut self, messages: usize) {
        for _ in 0..messages {
            self.sent += 1;
            let body = self.sent;
            let message =
                format!("<message to='{ACCOUNT}' type='chat'><body>{body}</body></message>");
            self.world.send(SENDER, &message);
        }
        assert!(self.world.received(SENDER).is_empty(), "no errors");
    }

    fn set_priority(&mut self, client: &str, priority: i8) {
        if self.world.is_connected(client) {
            let presence = format!("<presence><priority>{priority}</priority></presence>");
            self.world.send(client, &presence);
        }
    }

    /// A client goes: what it was handed and has not read.
    fn gone(&mut self, client: &str) -> Vec<Delivery> {
        self.unconfirmed.remove(client);
        self.last.remove(client);
        let unread = self.world.deliveries(client);
        for (number, row) in unread.iter().filter_map(row) {
            self.ids.entry(number).or_insert(row);
        }
        unread
    }

    fn read(&mut self, client: &str, confirmed: usize) {
        for delivery in self.world.deliveries(client) {
            self.got(client, &delivery);
        }
        let unconfirmed = self.unconfirmed.entry(client.to_owned()).or_default();
        let rows: Vec<_> = unconfirmed
            .drain(..confirmed.min(unconfirmed.len()))
            .collect();
        if !rows.is_empty() {
            self.confirmed.extend(&rows);
            self.world.confirm(client, rows);
        }
    }

    fn got(&mut self, client: &str, delivery: &Delivery) {
        let Some((number, row)) = row(delivery) else {
            return;
        };
        if let Some(before) = self.ids.insert(number, row) {
            assert_eq!(before, row, "one id for {number}");
        } else if !delivery.stanza.has("delay", ns::DELAY) {
            // What was left to another client, and comes here since that went, may be older.
            let before = self.last.insert(client.to_owned(), row);
            assert!(before < Some(row), "{number} is out of order");
        }
        let unconfirmed = self.unconfirmed.entry(client.to_owned()).or_default();
        assert!(!unconfirmed.contains(&row), "{number} twice on one stream");
        unconfirmed.push(row);
    }

    /// A client that stays reads everything.
    fn end(mut self) {
        for resource in RESOURCES {
            let client = format!("{ACCOUNT}/{resource}");
            if resource != "1" {
                self.make(Move::Disconnect(client));
            }
        }
        let client = format!("{ACCOUNT}/1");
        self.make(Move::Connect(client.clone(), 0));
        self.set_priority(&client, 0);
        for _ in 0..=self.sent {
            self.read(&client, usize::MAX);
        }
        let all: Vec<_> = self.ids.keys().copied().collect();
        assert_eq!(all, (1..=self.sent).collect::<Vec<_>>(), "none is lost");
        assert!(self.ids.values().is_sorted(), "the log has their order");
        assert_eq!(self.world.owed(ACCOUNT), [], "nothing is owed");
        let rows: BTreeSet<_> = self.ids.values().copied().collect();
        assert_eq!(self.confirmed, rows);
        self.make(Move::Disconnect(client.clone()));
        self.make(Move::Connect(client.clone(), 0));
        let again = self.world.deliveries(&client);
        let is_row = |delivery: &Delivery| delivery.custody.row().is_some();
        assert!(!again.iter().any(is_row), "nothing comes again");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn what_was_accepted_reaches_somebody_under_one_id_and_in_order(moves in moves()) {
        let mut play = Play::new();
        for one in moves {
            play.make(one);
        }
        play.end();
    }
}
