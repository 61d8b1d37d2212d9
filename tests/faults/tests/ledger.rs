//! P1: what the server has acknowledged (XEP-0198 §4) is with its recipient in the end, whatever happens to
//! the server and to connections: once, in order, and under the id that it always had (XEP-0359).
//!
//! Senders write numbered messages and note which of them were acknowledged. Their friends acknowledge now
//! and then, or never; connections are cut, and streams resumed. The server dies again and again, and finds
//! on its disk what it had synced.

use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use std::hash::{BuildHasher, RandomState};
use std::time::Duration;

use futures_util::future::{join, join_all};
use rookery_testkit::{ClientError, Disk, Options, Received, Server, Survivors};
use rookery_xml::Element;
use tokio::sync::Notify;
use tokio::time::timeout;

use crate::managed::{Managed, SM};
use crate::stage::{number, text};

const SID: &str = "urn:xmpp:sid:0";
/// Messages that a sender sends without having heard that they are acknowledged.
const WINDOW: u64 = 20;
/// How long the last round may be quiet before it is taken for over.
const QUIET: Duration = Duration::from_secs(20);

/// How many pairs there are, how often the server dies, and how.
struct Plan {
    pairs: usize,
    rounds: u64,
    extra: &'static str,
    disk: Option<Disk>,
    /// The disk says that it has synced the messages, and has not.
    lies: bool,
}

/// What one pair has said and heard.
#[derive(Clone, Debug, Default)]
struct Pair {
    /// The last number that was sent.
    sent: u64,
    /// The numbers that were acknowledged.
    acknowledged: BTreeSet<u64>,
    /// The numbers in the order in which they were first heard, each with its id.
    heard: Vec<(u64, String)>,
    /// Numbers that came under a second id.
    twice: BTreeSet<u64>,
    /// How often a stream was resumed, and how often that was refused.
    resumed: u64,
    failed: u64,
    /// What the friend's last stream could be resumed by, and how much of it had come.
    former: Option<(String, u32)>,
}

/// The moment when the server dies: when so many more things have happened to the pairs.
struct Moment {
    left: Cell<u64>,
    reached: Notify,
}

/// Chance (splitmix64), the same again for the same seed.
struct Chance(u64);

// === impl Plan ===

impl Default for Plan {
    fn default() -> Self {
        Self {
            pairs: 20,
            rounds: 4,
            extra: "",
            disk: None,
            lies: false,
        }
    }
}

// === impl Moment ===

impl Moment {
    fn after(events: u64) -> Self {
        Self {
            left: Cell::new(events),
            reached: Notify::new(),
        }
    }

    fn happened(&self) {
        self.left.set(self.left.get().saturating_sub(1));
        if self.left.get() == 0 {
            self.reached.notify_one();
        }
    }
}

// === impl Chance ===

impl Chance {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % limit
    }
}

// === impl Pair ===

impl Pair {
    fn hear(&mut self, message: &Element) {
        let number = number(message);
        let id = message
            .children()
            .find(|child| child.is("stanza-id", SID))
            .and_then(|id| id.attribute("id"))
            .unwrap_or_default()
            .to_owned();
        match self.heard.iter().find(|(heard, _)| *heard == number) {
            Some((_, first)) if *first != id => drop(self.twice.insert(number)),
            Some(_) => {}
            None => self.heard.push((number, id)),
        }
    }

    /// What was acknowledged and never heard.
    fn missing(&self) -> Vec<u64> {
        let heard: BTreeSet<u64> = self.heard.iter().map(|(number, _)| *number).collect();
        self.acknowledged.difference(&heard).copied().collect()
    }
}

fn sender(index: usize) -> String {
    format!("sender{index}")
}

fn friend(index: usize) -> String {
    format!("friend{index}")
}

/// Sends until the server is gone.
async fn send(
    server: &Server,
    index: usize,
    pair: &RefCell<Pair>,
    chance: &mut Chance,
    moment: &Moment,
) -> Result<(), ClientError> {
    let mut managed = Managed::log_in(server, &sender(index)).await?;
    let to = format!("{}@localhost", friend(index));
    // The number that stands for the count 0.
    let mut base = pair.borrow().sent;
    let mut acknowledged = 0;
    loop {
        while managed.sent < acknowledged + WINDOW {
            let number = base + managed.sent + 1;
            pair.borrow_mut().sent = number;
            let bytes = usize::try_from(chance.below(600)).unwrap_or_default();
            managed.client.tell(&to, &text(number, bytes)).await?;
            managed.sent += 1;
            if chance.below(4) == 0 {
                break;
            }
        }
        managed.client.send(format!("<r xmlns='{SM}'/>")).await?;
        let answer = loop {
            let answer = managed.next().await?;
            if answer.is("a", SM) {
                break answer;
            }
            if answer.is("r", SM) {
                managed.acknowledge().await?;
            }
        };
        acknowledged = answer.attribute("h").unwrap().parse().unwrap();
        pair.borrow_mut()
            .acknowledged
            .extend(base + 1..=base + acknowledged);
        moment.happened();
        if chance.below(400) == 0 {
            // What was not acknowledged stays unknown; other numbers are used from now on.
            managed = Managed::log_in(server, &sender(index)).await?;
            base = pair.borrow().sent;
            acknowledged = 0;
        }
    }
}

/// Hears until the server is gone, or nothing comes any more.
async fn hear(
    server: &Server,
    index: usize,
    pair: &RefCell<Pair>,
    chance: &mut Chance,
    moment: &Moment,
) -> Result<(), ClientError> {
    let name = friend(index);
    // Some never acknowledge anything.
    let is_silent = index % 5 == 4;
    let mut managed = begin(server, &name, pair).await?;
    loop {
        let element = managed.next().await?;
        if element.is("message", "jabber:client") {
            pair.borrow_mut().hear(&element);
        }
        pair.borrow_mut().former = Some((managed.id.clone(), managed.received));
        let asked = element.is("r", SM) || chance.below(20) == 0;
        if asked && !is_silent {
            managed.acknowledge().await?;
        }
        if chance.below(60) == 0 {
            // The connection that it has breaks.
            moment.happened();
            drop(managed);
            managed = begin(server, &name, pair).await?;
        }
    }
}

/// Resumes what the friend had, or begins anew and becomes available.
async fn begin(server: &Server, name: &str, pair: &RefCell<Pair>) -> Result<Managed, ClientError> {
    let former = pair.borrow_mut().former.take();
    if let Some(former) = former {
        let (managed, resumed) = Managed::come_back(server, name, former).await?;
        if resumed {
            pair.borrow_mut().resumed += 1;
            return Ok(managed);
        }
        pair.borrow_mut().failed += 1;
        return managed.available().await;
    }
    Managed::log_in(server, name).await?.available().await
}

/// Lets everybody hear what is left, until nothing has come for a while.
async fn hear_the_rest(server: &Server, index: usize, pair: &RefCell<Pair>) {
    let mut client = server.log_in(&friend(index), "last").await.unwrap();
    client.send("<presence/>").await.unwrap();
    while !pair.borrow().missing().is_empty() {
        match timeout(QUIET, client.receive()).await {
            Ok(Ok(Received::Element(element))) if element.is("message", "jabber:client") => {
                pair.borrow_mut().hear(&element);
            }
            Ok(Ok(Received::Element(_))) => {}
            _ => return,
        }
    }
}

/// Plays all of it, and gives what each pair has said and heard.
async fn play(plan: Plan) -> Vec<Pair> {
    let names = |index| [sender(index), friend(index)];
    let mut environment = plan
        .disk
        .as_ref()
        .map(Disk::environment)
        .unwrap_or_default();
    if plan.lies {
        environment.push(("TEST_UNSYNCED".to_owned(), "messages".to_owned()));
    }
    let options = Options {
        accounts: (0..plan.pairs).flat_map(names).collect(),
        extra: plan.extra.to_owned(),
        environment,
        data: plan.disk.as_ref().map(Disk::seen),
        ..Options::default()
    };
    let mut server = Server::start(options).await.unwrap();
    let pairs = vec![RefCell::<Pair>::default(); plan.pairs];
    let seed = RandomState::new().hash_one("ledger");
    for round in 0..plan.rounds {
        let mut chance = Chance(seed ^ round);
        let events = plan.pairs as u64 * (20 + chance.below(40));
        let moment = Moment::after(events);
        let work = pairs.iter().enumerate().map(async |(index, pair)| {
            let seed = seed ^ (round << 32) ^ ((index as u64) << 8);
            let (mut one, mut other) = (Chance(seed), Chance(seed + 1));
            let sending = send(&server, index, pair, &mut one, &moment);
            join(sending, hear(&server, index, pair, &mut other, &moment)).await
        });
        let kill = async {
            moment.reached.notified().await;
            server.signal("KILL").unwrap();
        };
        join(join_all(work), kill).await;
        server.exited().await.unwrap();
        if let Some(disk) = &plan.disk {
            // A log of which any part is there is refused.
            let survivors = match round % 2 {
                1 if !plan.lies => Survivors::Any { seed: seed | 1 },
                _ => Survivors::None,
            };
            disk.lose_power(survivors).unwrap();
        }
        server.restart().await.unwrap();
    }
    join_all(
        pairs
            .iter()
            .enumerate()
            .map(|(index, pair)| hear_the_rest(&server, index, pair)),
    )
    .await;
    pairs.into_iter().map(RefCell::into_inner).collect()
}

/// Asserts the promise, and that there was something to promise.
fn assert_kept(pairs: &[Pair]) {
    let sum = |of: fn(&Pair) -> u64| pairs.iter().map(of).sum::<u64>();
    let acknowledged = sum(|pair| pair.acknowledged.len() as u64);
    println!(
        "{acknowledged} messages acknowledged, {} heard, {} streams resumed, {} not",
        sum(|pair| pair.heard.len() as u64),
        sum(|pair| pair.resumed),
        sum(|pair| pair.failed),
    );
    for (index, pair) in pairs.iter().enumerate() {
        let missing = pair.missing();
        assert!(missing.is_empty(), "pair {index} misses {missing:?}");
        assert!(pair.twice.is_empty(), "pair {index}: {:?}", pair.twice);
        let numbers: Vec<_> = pair.heard.iter().map(|(number, _)| *number).collect();
        assert!(
            numbers.is_sorted(),
            "pair {index} out of order: {numbers:?}"
        );
    }
    assert!(acknowledged > 500, "{acknowledged} is not much");
    assert!(sum(|pair| pair.resumed) > 0, "no stream was resumed");
    assert!(sum(|pair| pair.failed) > 0, "no resumption was refused");
}

#[tokio::test]
async fn everything_acknowledged_survives_kill_9() {
    assert_kept(&play(Plan::default()).await);
}

#[tokio::test]
async fn everything_acknowledged_survives_a_loss_of_power() {
    let plan = Plan {
        disk: Some(Disk::new().unwrap()),
        ..Plan::default()
    };
    assert_kept(&play(plan).await);
}

#[tokio::test]
async fn everything_acknowledged_survives_a_loss_of_power_without_an_archive() {
    let plan = Plan {
        pairs: 10,
        extra: "[archive]\nenabled = false\n",
        disk: Some(Disk::new().unwrap()),
        ..Plan::default()
    };
    assert_kept(&play(plan).await);
}

#[tokio::test]
async fn on_a_disk_that_does_not_sync_the_ledger_does_not_add_up() {
    let plan = Plan {
        pairs: 10,
        rounds: 3,
        disk: Some(Disk::new().unwrap()),
        lies: true,
        ..Plan::default()
    };
    let pairs = play(plan).await;
    let missing: usize = pairs.iter().map(|pair| pair.missing().len()).sum();
    assert!(missing > 0, "nothing was lost, so this test shows nothing");
}
