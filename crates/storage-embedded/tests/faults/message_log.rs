//! `kill -9` or a loss of power at any moment leaves a message log that opens, holds every message that was confirmed
//! once, under the id that it was confirmed with and in order, and owes what nobody has confirmed.

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{BuildHasher, RandomState};
use std::num::NonZeroU32;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::join_all;
use rookery_stanza::{BareJid, Jid};
use rookery_storage::message_log::{
    Appended, End, IngressId, MessageLog, NewMessage, NewRow, Opened, Page, PageQuery, Paged,
    Purpose, Retention, Row, RowId,
};
use rookery_storage_embedded::{EmbeddedLog, LogConfig, OpenError};
use rookery_telemetry::Registry;
use rookery_testkit::{Disk, Survivors};

use crate::child::{self, Doomed};

/// The name of the test that is the child's work.
const CHILD: &str = "message_log::appends_and_confirms_until_it_is_killed";
/// Accounts, each of which writes to the next.
const ACCOUNTS: u64 = 8;
/// How many rows an archive may keep.
const KEPT: usize = 100;
/// How often a process is killed, or power fails.
const ROUNDS: usize = 12;
/// More messages than one process can send.
const MOST: u64 = 100_000;
/// When the first message is received.
const START: u64 = 1_700_000_000_000;
/// Two hours, in milliseconds: what was received before them is not remembered.
const LATER: u64 = 2 * 60 * 60 * 1000;

fn account(number: u64) -> BareJid {
    BareJid::parse(&format!("user{}@montague.example", number % ACCOUNTS)).unwrap()
}

fn full(number: u64) -> Jid {
    account(number).with_resource("orchard").unwrap()
}

fn open(path: &Path) -> Result<std::sync::Arc<EmbeddedLog>, OpenError> {
    // Small segments, so that they are turned over, given up, and emptied.
    let config = LogConfig {
        segment_bytes: NonZeroU32::new(512 << 10).unwrap(),
        index_delay_seconds: 1,
        clearing: Duration::from_millis(20),
        durability: child::config().durability,
        ..LogConfig::default()
    };
    EmbeddedLog::open(path, &config, &Registry::new())
}

/// A payload of a size of its own that can be told by its sender and mark.
fn payload(sender: u64, mark: u64) -> Bytes {
    let length = usize::try_from(mark.wrapping_mul(2_654_435_761) % 3000).unwrap();
    let mut text = format!("{sender} {mark} ").into_bytes();
    text.resize(text.len() + length, b'.');
    text.into()
}

/// The message that a sender writes to the next account, with rows for both.
fn message(sender: u64, mark: u64, epochs: &[u64]) -> NewMessage {
    let row = |of: u64, with: u64, purpose| NewRow {
        account: account(of),
        epoch: epochs[usize::try_from(of % ACCOUNTS).unwrap()],
        with: full(with),
        purpose,
    };
    NewMessage {
        ingress: IngressId {
            session: sender,
            count: mark,
        },
        received: START + mark,
        origin: None,
        payload: payload(sender, mark),
        rows: vec![
            row(sender, sender + 1, Purpose::Archive),
            row(
                sender + 1,
                sender,
                Purpose::Both(vec!["orchard".to_owned()]),
            ),
        ],
    }
}

/// Everything that an account is owed.
async fn all_owed(log: &EmbeddedLog, account: &BareJid) -> Vec<Row> {
    let mut owed: Vec<Row> = Vec::new();
    loop {
        let after = owed.last().map(|row| row.id);
        let some = log.read_owed(account, after, 1000).await.unwrap();
        if some.is_empty() {
            return owed;
        }
        owed.extend(some);
    }
}

async fn page(log: &EmbeddedLog, account: &BareJid, query: PageQuery) -> Page {
    match log.page(account, query).await.unwrap() {
        Paged::Page(page) => page,
        Paged::NoSuchRow(id) => panic!("{id} is not in the archive of {account}"),
    }
}

// === the child ===

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "the work of a process that other tests start and kill"]
async fn appends_and_confirms_until_it_is_killed() {
    let Some(path) = child::store() else { return };
    let log = open(&path).unwrap();
    let mut epochs = Vec::new();
    for number in 0..ACCOUNTS {
        epochs.push(take_over(&log, number).await);
    }
    println!();
    join_all((0..ACCOUNTS).map(|number| live(&log, number, &epochs))).await;
}

/// Becomes the home of an account after whoever was.
async fn take_over(log: &EmbeddedLog, number: u64) -> u64 {
    let epoch = match log.open(&account(number), 0).await.unwrap() {
        Opened::Fenced { epoch } => epoch + 1,
        Opened::Home(_) => 1,
    };
    log.open(&account(number), epoch).await.unwrap();
    println!("\nopened {number} {epoch}");
    epoch
}

/// The life of one account, for ever.
async fn live(log: &EmbeddedLog, number: u64, epochs: &[u64]) {
    let own = account(number);
    // Nobody knows what became of the message after the last one that is there, nor whether its sender was told
    // of the last.
    let query = PageQuery {
        end: End::Newest,
        limit: KEPT,
        ..PageQuery::default()
    };
    let newest = page(log, &own, query).await.rows;
    let sent = newest.iter().filter(|row| row.ingress.session == number);
    // When others have written so much that nothing of his is left, his messages may be forgotten as well: he begins
    // with a number above all that were before.
    let last = sent.map(|row| row.ingress.count).max();
    let first = last.unwrap_or(epochs[usize::try_from(number).unwrap()] * MOST);
    for mark in first.. {
        let message = message(number, mark, epochs);
        let appended = log.append(vec![message]).await.unwrap();
        let [own_row, others_row] = appended.as_slice() else {
            panic!("two rows: {appended:?}");
        };
        println!(
            "appended {number} {mark} {} {}",
            id(own_row),
            id(others_row)
        );
        if mark.is_multiple_of(5) {
            confirm(log, number).await;
        }
        if mark.is_multiple_of(40) {
            let retention = Retention {
                rows: KEPT,
                ..Retention::forever(START + mark + LATER)
            };
            while log.trim(&own, retention, 50).await.unwrap().more {}
        }
    }
}

fn id(appended: &Appended) -> RowId {
    match appended {
        Appended::At(id) | Appended::Repeat(id) => *id,
        Appended::Fenced { epoch } => panic!("there is another home, of epoch {epoch}"),
    }
}

/// Confirms what an account is owed, but for the last few.
async fn confirm(log: &EmbeddedLog, number: u64) {
    let owed = log.read_owed(&account(number), None, 20).await.unwrap();
    let rows: Vec<RowId> = owed.iter().rev().skip(3).map(|row| row.id).collect();
    for row in &rows {
        println!("confirming {number} {row}");
    }
    log.confirm(&account(number), rows).await.unwrap();
}

// === the parent ===

/// What children have confirmed.
#[derive(Debug, Default)]
struct Promised {
    /// By account: the id of each row, with the sender and mark of its message.
    appended: BTreeMap<u64, BTreeMap<RowId, (u64, u64)>>,
    /// Rows that may not be owed any more.
    confirming: BTreeSet<RowId>,
    epochs: BTreeMap<u64, u64>,
}

impl Promised {
    /// Adds what a child wrote.
    fn add(&mut self, lines: &str) {
        for line in lines.lines() {
            let words: Vec<&str> = line.split(' ').collect();
            let number = |index: usize| words[index].parse::<u64>().unwrap();
            let row = |index: usize| words[index].parse::<RowId>().unwrap();
            match words[0] {
                "opened" => drop(self.epochs.insert(number(1), number(2))),
                "appended" => {
                    let (sender, mark) = (number(1), number(2));
                    let mut promise = |account: u64, row| {
                        let rows = self.appended.entry(account % ACCOUNTS).or_default();
                        let before = rows.insert(row, (sender, mark));
                        assert!(before.is_none_or(|before| before == (sender, mark)));
                    };
                    promise(sender, row(3));
                    promise(sender + 1, row(4));
                }
                "confirming" => drop(self.confirming.insert(row(2))),
                // What the test framework says about the child.
                _ => {}
            }
        }
    }

    fn count(&self) -> usize {
        self.appended.values().map(BTreeMap::len).sum()
    }

    /// What does not hold; one line for each.
    async fn broken_by(&self, log: &EmbeddedLog) -> Vec<String> {
        let mut broken = Vec::new();
        for (number, epoch) in &self.epochs {
            let opened = log.open(&account(*number), epoch - 1).await.unwrap();
            // The last child may have been killed before it told of a later one.
            if !matches!(opened, Opened::Fenced { epoch: now } if now >= *epoch) {
                broken.push(format!(
                    "account {number} was opened with {epoch}: {opened:?}"
                ));
            }
        }
        for (number, rows) in &self.appended {
            let query = PageQuery {
                limit: usize::MAX - 1,
                ..PageQuery::default()
            };
            let archive = page(log, &account(*number), query).await.rows;
            let owed = all_owed(log, &account(*number)).await;
            broken.extend(check_rows(*number, &archive));
            broken.extend(check_rows(*number, &owed));
            let archived: BTreeSet<RowId> = archive.iter().map(|row| row.id).collect();
            let owed: BTreeSet<RowId> = owed.iter().map(|row| row.id).collect();
            // A child may have appended a few more than it could tell of.
            let newest = rows
                .keys()
                .rev()
                .take(KEPT - 4 * usize::try_from(ACCOUNTS).unwrap());
            let lost = newest.filter(|id| !archived.contains(*id));
            broken.extend(lost.map(|id| format!("{id} of {number} is not in the archive")));
            let received = rows.iter().filter(|(_, (sender, _))| sender != number);
            let waiting = received.filter(|(id, _)| !self.confirming.contains(*id));
            let lost = waiting.filter(|(id, _)| !owed.contains(*id));
            broken.extend(lost.map(|(id, _)| format!("{id} is not owed to {number}")));
            broken.extend(self.under_two_ids(*number, &archive));
        }
        broken
    }

    /// Messages that are there under another id than they were confirmed with.
    fn under_two_ids(&self, number: u64, archive: &[Row]) -> Vec<String> {
        let rows = &self.appended[&number];
        let ids: BTreeMap<(u64, u64), RowId> =
            rows.iter().map(|(id, message)| (*message, *id)).collect();
        let other = archive.iter().filter(|row| {
            let promised = ids.get(&(row.ingress.session, row.ingress.count));
            promised.is_some_and(|id| *id != row.id)
        });
        let told = |row: &Row| format!("{:?} of {number} is at {} as well", row.ingress, row.id);
        other.map(told).collect()
    }
}

/// Rows come in order, each message once and whole, and those of one sender as he sent them.
fn check_rows(number: u64, rows: &[Row]) -> Vec<String> {
    let mut broken = Vec::new();
    if !rows.is_sorted_by(|one, next| one.id < next.id) {
        broken.push(format!("the rows of {number} are not in order"));
    }
    let mut last: BTreeMap<u64, u64> = BTreeMap::new();
    for row in rows {
        let IngressId { session, count } = row.ingress;
        let before = last.insert(session, count);
        if before.is_some_and(|before| before >= count) {
            broken.push(format!(
                "message {count} of {session} to {number} is out of order"
            ));
        }
        if row.payload != payload(session, count) {
            broken.push(format!("message {count} of {session} has another payload"));
        }
    }
    broken
}

/// Checks the closed index: its structure, and what it counts.
fn check_index(folder: &Path) {
    let connection = rusqlite::Connection::open(folder.join("messages.db")).unwrap();
    let text = |sql: &str| connection.query_row(sql, [], |row| row.get::<_, String>(0));
    assert_eq!(text("PRAGMA integrity_check").unwrap(), "ok");
    let count = |sql: &str| connection.query_row(sql, [], |row| row.get::<_, i64>(0));
    let wrong = "SELECT count(*) FROM segments WHERE live <>
        (SELECT count(*) FROM rows WHERE segment = number)";
    assert_eq!(count(wrong).unwrap(), 0, "rows of a segment are counted");
    let orphans = "SELECT count(*) FROM rows WHERE segment NOT IN (SELECT number FROM segments)";
    assert_eq!(count(orphans).unwrap(), 0);
}

fn segments(folder: &Path) -> usize {
    let names = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    names
        .filter(|name| name.extension().is_some_and(|end| end == "log"))
        .count()
}

#[tokio::test]
async fn every_message_confirmed_survives_kill_9_at_any_moment() {
    let directory = tempfile::tempdir().unwrap();
    let mut promised = Promised::default();
    for round in 0..ROUNDS {
        let child = Doomed::start(&mut child::command(CHILD, directory.path()));
        promised.add(&child.kill_after(20 + round * 367 % 1700));
        let log = open(directory.path()).unwrap();
        let broken = promised.broken_by(&log).await;
        assert!(broken.is_empty(), "round {round}: {broken:#?}");
        log.close().await;
        check_index(directory.path());
    }
    assert!(
        promised.count() > ROUNDS * 100,
        "{} is not much",
        promised.count()
    );
}

fn on(disk: &Disk) -> Command {
    let mut command = child::command(CHILD, disk.seen());
    command.envs(disk.environment());
    command
}

#[tokio::test]
async fn every_message_confirmed_survives_a_loss_of_power() {
    let disk = Disk::new().unwrap();
    let mut promised = Promised::default();
    for round in 0..ROUNDS {
        let child = Doomed::start(&mut on(&disk));
        promised.add(&child.kill_after(20 + round * 367 % 1700));
        let survivors = match round % 2 {
            0 => Survivors::None,
            _ => Survivors::Any {
                seed: RandomState::new().hash_one(round) | 1,
            },
        };
        disk.lose_power(survivors).unwrap();
        let log = open(&disk.seen());
        let log = log.unwrap_or_else(|error| panic!("round {round}, {survivors:?}: {error}"));
        let broken = promised.broken_by(&log).await;
        assert!(
            broken.is_empty(),
            "round {round}, {survivors:?}: {broken:#?}"
        );
        log.close().await;
        check_index(&disk.seen());
        disk.sync().unwrap();
    }
    assert!(
        promised.count() > ROUNDS * 100,
        "{} is not much",
        promised.count()
    );
    // Few rows are left, and in the end most segments are given up; there is no event for that to wait for.
    let log = open(&disk.seen()).unwrap();
    while 2 * segments(&disk.seen()) > last_segment(&disk.seen()) {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let broken = promised.broken_by(&log).await;
    assert!(broken.is_empty(), "{broken:#?}");
    log.close().await;
    check_index(&disk.seen());
}

fn last_segment(folder: &Path) -> usize {
    let names = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name());
    let names = names.filter_map(|name| name.into_string().ok());
    let number = |name: String| {
        name.strip_prefix("messages-")?
            .strip_suffix(".log")?
            .parse()
            .ok()
    };
    names.filter_map(number).max().unwrap()
}

/// The test above would notice if syncs were missing: here they are, and it does.
#[tokio::test]
async fn without_syncs_a_loss_of_power_costs_messages() {
    let disk = Disk::new().unwrap();
    open(&disk.seen()).unwrap().close().await;
    disk.sync().unwrap();
    let child = Doomed::start(child::without_sync(&mut on(&disk)));
    let mut promised = Promised::default();
    promised.add(&child.kill_after(1000));
    disk.lose_power(Survivors::None).unwrap();
    let log = open(&disk.seen()).unwrap();
    let broken = promised.broken_by(&log).await;
    assert!(
        !broken.is_empty(),
        "all of {} rows are there",
        promised.count()
    );
}
