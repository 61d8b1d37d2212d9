//! P1: what the server has acknowledged (XEP-0198 §4) is with its recipient in the end, whatever happens to
//! the server and to connections: once, in order, and under the id that it always had (XEP-0359).
//!
//! Senders write numbered messages and note which of them were acknowledged. Their friends acknowledge now
//! and then, late, or never; connections are cut, and streams resumed. The server dies again and again, and
//! finds on its disk what it had synced. A disk that does not sync what it says that it has shows that this
//! would be noticed.
//!
//! There are 200 clients. `LEDGER_CLIENTS=400 LEDGER_ROUNDS=50` has more of them, and more deaths.

mod friend;
mod moment;
mod pair;
mod sender;

use std::cell::RefCell;
use std::hash::{BuildHasher, RandomState};
use std::time::Duration;

use futures_util::future::{join, join_all};
use rookery_testkit::{ClientError, Disk, Options, Server, Survivors, Trust};

use friend::{Habit, hear, hear_the_rest};
use moment::{Chance, Moment};
use pair::Pair;
use sender::send;

/// What is done to the server, and by whom it is used.
struct Plan {
    /// Two clients each.
    pairs: usize,
    /// How often the server dies.
    rounds: u64,
    extra: &'static str,
    /// What loses its power at each death; without it, the system keeps what was not synced.
    disk: Option<Disk>,
    /// Whether the disk is full in the middle of each round, and at its end in each second one.
    is_full_for_a_while: bool,
    /// Any sector of what was not synced may be on the disk nevertheless.
    keeps_any: bool,
    habit: fn(usize) -> Habit,
    /// A connection breaks once in so many steps of its client.
    cuts: u64,
}

/// The time between a start of the server and its death.
struct Round<'a> {
    server: &'a Server,
    trust: Trust,
    moment: Moment,
    /// Counts messages that came back.
    refused: Moment,
    habit: fn(usize) -> Habit,
    cuts: u64,
    /// Who is away is for so many events.
    absence: u64,
}

// === impl Plan ===

impl Plan {
    /// Half as many clients, for plans in which each message takes longer.
    fn small() -> Self {
        Self {
            pairs: clients() / 4,
            ..Self::default()
        }
    }
}

impl Default for Plan {
    fn default() -> Self {
        Self {
            pairs: clients() / 2,
            rounds: number_from("LEDGER_ROUNDS", 4) as u64,
            extra: "",
            disk: None,
            is_full_for_a_while: false,
            keeps_any: true,
            habit: Habit::of,
            cuts: 100,
        }
    }
}

fn clients() -> usize {
    number_from("LEDGER_CLIENTS", 200)
}

#[expect(
    clippy::disallowed_methods,
    reason = "who starts a test has no other way to tell it something"
)]
fn number_from(variable: &str, default: usize) -> usize {
    let number = std::env::var(variable).ok();
    number.map_or(default, |number| number.parse().unwrap())
}

fn name_of_sender(index: usize) -> String {
    format!("sender{index}")
}

fn name_of_friend(index: usize) -> String {
    format!("friend{index}")
}

/// The address of a sender's friend.
fn friend_of(index: usize) -> String {
    format!("{}@localhost", name_of_friend(index))
}

/// Plays all of it, and gives what each pair has said and heard.
async fn play(plan: Plan) -> Vec<Pair> {
    let names = |index| [name_of_sender(index), name_of_friend(index)];
    let environment = plan.disk.as_ref().map(Disk::environment);
    let options = Options {
        accounts: (0..plan.pairs).flat_map(names).collect(),
        extra: format!("[auth]\niterations = 4096\n{}", plan.extra),
        environment: environment.unwrap_or_default(),
        data: plan.disk.as_ref().map(Disk::seen),
        ..Options::default()
    };
    let mut server = Server::start(options).await.unwrap();
    let pairs = vec![RefCell::<Pair>::default(); plan.pairs];
    let seed = RandomState::new().hash_one("ledger");
    for number in 0..plan.rounds {
        let round = Round::new(&plan, &server, Chance(seed ^ number));
        round
            .play(&plan, number, &pairs, seed ^ (number << 32))
            .await;
        server.exited().await.unwrap();
        if let Some(disk) = &plan.disk {
            disk.set_full(false).unwrap();
            let survivors = match number % 2 {
                1 if plan.keeps_any => Survivors::Any { seed: seed | 1 },
                _ => Survivors::None,
            };
            disk.lose_power(survivors).unwrap();
        }
        server.restart().await.unwrap();
    }
    let round = Round::new(&plan, &server, Chance(seed));
    let rest = |(index, pair)| hear_the_rest(&round, index, pair);
    join_all(pairs.iter().enumerate().map(rest)).await;
    pairs.into_iter().map(RefCell::into_inner).collect()
}

// === impl Round ===

impl<'a> Round<'a> {
    fn new(plan: &Plan, server: &'a Server, mut chance: Chance) -> Self {
        let pairs = plan.pairs as u64;
        Self {
            server,
            // A certificate for development does not outlive a loss of power.
            trust: server.trust(&[]).unwrap(),
            moment: Moment::after(pairs * (5 + chance.below(10))),
            refused: Moment::after(pairs),
            habit: plan.habit,
            cuts: plan.cuts,
            absence: pairs * 2,
        }
    }

    /// Everybody is there until the server is dead.
    async fn play(&self, plan: &Plan, number: u64, pairs: &[RefCell<Pair>], seed: u64) {
        let work = pairs.iter().enumerate().map(async |(index, pair)| {
            let seed = seed ^ ((index as u64) << 8);
            let sending = send(self, index, pair, Chance(seed));
            let hearing = hear(self, index, pair, Chance(seed + 1));
            let (sending, hearing) = join(sending, hearing).await;
            self.assert_dead(index, sending);
            self.assert_dead(index, hearing);
        });
        let kill = async {
            let filled = plan.disk.as_ref().filter(|_| plan.is_full_for_a_while);
            if let Some(disk) = filled {
                self.moment.is_half_way().await;
                disk.set_full(true).unwrap();
                self.refused.comes().await;
                // In each second round the server dies while the disk is full.
                if number.is_multiple_of(2) {
                    disk.set_full(false).unwrap();
                }
            }
            self.moment.comes().await;
            self.server.signal("KILL").unwrap();
        };
        join(join_all(work), kill).await;
    }

    /// Only the death of the server may end what a client does.
    fn assert_dead(&self, index: usize, end: Result<(), ClientError>) {
        let log = || self.server.log();
        assert!(self.moment.has_come(), "pair {index}: {end:?}\n{}", log());
    }
}

/// Asserts the promise, and that there was something to promise.
fn assert_kept(pairs: &[Pair]) {
    let sum = |of: fn(&Pair) -> u64| pairs.iter().map(of).sum::<u64>();
    let acknowledged = sum(|pair| pair.counts()[0]);
    let (resumed, failed) = (sum(|pair| pair.resumed), sum(|pair| pair.failed));
    println!(
        "{} clients: {acknowledged} messages acknowledged, {} refused, {} heard, {} of them more than once; \
         {resumed} streams resumed, {failed} not",
        2 * pairs.len(),
        sum(|pair| pair.counts()[1]),
        sum(|pair| pair.counts()[2]),
        sum(|pair| pair.repeated),
    );
    for (index, pair) in pairs.iter().enumerate() {
        let missing = pair.missing();
        assert!(missing.is_empty(), "pair {index} misses {missing:?}");
        assert!(
            pair.broken().is_empty(),
            "pair {index}: {:?}",
            pair.broken()
        );
    }
    assert!(acknowledged > 500, "{acknowledged} is not much");
    assert!(resumed > 0, "no stream was resumed");
    assert!(failed > 0, "no resumption was refused");
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
        extra: "[archive]\nenabled = false\n",
        disk: Some(Disk::new().unwrap()),
        ..Plan::small()
    };
    assert_kept(&play(plan).await);
}

#[tokio::test]
async fn everything_acknowledged_survives_on_a_slow_disk() {
    let plan = Plan {
        disk: Some(Disk::new().unwrap().slow(Duration::from_millis(50))),
        ..Plan::small()
    };
    assert_kept(&play(plan).await);
}

#[tokio::test]
async fn everything_acknowledged_survives_on_a_disk_that_is_full_for_a_while() {
    let plan = Plan {
        disk: Some(Disk::new().unwrap()),
        is_full_for_a_while: true,
        ..Plan::small()
    };
    let pairs = play(plan).await;
    assert_kept(&pairs);
    let refused: u64 = pairs.iter().map(|pair| pair.counts()[1]).sum();
    assert!(refused > 0, "nothing was refused, so the disk was not full");
}

#[tokio::test]
async fn everything_acknowledged_survives_when_connections_break_all_the_time() {
    let plan = Plan {
        disk: Some(Disk::new().unwrap()),
        cuts: 8,
        ..Plan::small()
    };
    assert_kept(&play(plan).await);
}

#[tokio::test]
async fn everything_acknowledged_survives_friends_who_never_acknowledge() {
    let plan = Plan {
        habit: |_| Habit::Silent,
        disk: Some(Disk::new().unwrap()),
        ..Plan::small()
    };
    assert_kept(&play(plan).await);
}

#[tokio::test]
async fn on_a_disk_that_does_not_sync_the_ledger_does_not_add_up() {
    let plan = Plan {
        rounds: 3,
        disk: Some(Disk::new().unwrap().lying("messages")),
        // A log of which any part is there is refused.
        keeps_any: false,
        ..Plan::small()
    };
    let pairs = play(plan).await;
    let missing: usize = pairs.iter().map(|pair| pair.missing().len()).sum();
    assert!(missing > 0, "nothing was lost, so this test shows nothing");
}
