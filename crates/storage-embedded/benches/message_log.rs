//! What the message log does on this disk, as tables in Markdown: rates and delays of appending, and pages of an account
//! with a million rows. Beside it the same messages in the SQLite store.
//!
//! `cargo bench -p rookery-storage-embedded --bench message_log -- SECONDS ROWS`; the defaults are 5 and 1000000. With the
//! word `steady` only the steady rates are measured, with `reads` only reads of accounts that were just written.
#![expect(
    clippy::expect_used,
    clippy::print_stdout,
    reason = "a benchmark that cannot be set up ends there, and prints what it has measured"
)]

use std::cell::{Cell, RefCell};
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::join_all;
use hdrhistogram::Histogram;
use rookery_stanza::{BareJid, Jid};
use rookery_storage::message_log::{
    Appended, End, Filter, IngressId, MessageLog, NewMessage, NewRow, PageQuery, Paged, Purpose,
    RowId,
};
use rookery_storage::{
    AccountStore, Append, Credentials, OfflineLimit, OfflineMessage, OfflineStore, ScramKeys,
};
use rookery_storage_embedded::{Config, EmbeddedLog, EmbeddedStore, LogConfig};
use rookery_telemetry::Registry;
use tempfile::TempDir;
use tokio::runtime::Builder;
use tokio::time::Instant;

/// Accounts that messages are spread over.
const ACCOUNTS: u64 = 10_000;
/// Bytes of a message.
const PAYLOAD: usize = 300;
/// When the first message is received.
const START: u64 = 1_700_000_000_000;

fn main() {
    // `cargo test` starts benchmarks as well, to see that they start.
    if !std::env::args().any(|word| word == "--bench") {
        return;
    }
    let numbers: Vec<u64> = std::env::args()
        .filter_map(|word| word.parse().ok())
        .collect();
    let seconds = numbers.first().copied().unwrap_or(5);
    let rows = numbers.get(1).copied().unwrap_or(1_000_000);
    let wants = |word: &str| std::env::args().any(|other| other == word);
    let everything = !wants("steady") && !wants("reads");
    let time = Duration::from_secs(seconds);
    let runtime = Builder::new_current_thread().enable_all().build();
    runtime.expect("a runtime").block_on(async {
        if everything {
            appending(time).await;
        }
        if everything || wants("steady") {
            steadily(time).await;
        }
        if everything || wants("reads") {
            reading(time).await;
        }
        if everything {
            paging(rows).await;
        }
    });
}

/// The temporary directory may be in memory, where a sync costs nothing.
fn folder() -> TempDir {
    tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a directory")
}

/// With `delay=SECONDS` the index stays so far behind.
fn open_log(path: &Path) -> Arc<EmbeddedLog> {
    let mut config = LogConfig::default();
    let delay = std::env::args().find_map(|word| word.strip_prefix("delay=")?.parse().ok());
    config.index_delay_seconds = delay.unwrap_or(config.index_delay_seconds);
    EmbeddedLog::open(path, &config, &Registry::new()).expect("a log")
}

fn account(number: u64) -> BareJid {
    BareJid::parse(&format!("user{number}@montague.example")).expect("a valid address")
}

// === appending ===

/// Messages between accounts, the same ones for every store.
struct Traffic {
    accounts: Vec<BareJid>,
    addresses: Vec<Jid>,
    next: Cell<u64>,
    payload: Bytes,
    begun: Instant,
}

impl Traffic {
    fn new() -> Self {
        let accounts: Vec<BareJid> = (0..ACCOUNTS).map(account).collect();
        let address = |account: &BareJid| account.with_resource("phone").expect("a resource");
        Self {
            addresses: accounts.iter().map(address).collect(),
            accounts,
            next: Cell::new(0),
            payload: vec![b'x'; PAYLOAD].into(),
            begun: Instant::now(),
        }
    }

    fn pair(&self) -> (u64, usize, usize) {
        let number = self.next.get();
        self.next.set(number + 1);
        let pick = |number: u64| usize::try_from(number % ACCOUNTS).unwrap_or_default();
        (
            number,
            pick(number.wrapping_mul(7919)),
            pick(number.wrapping_mul(104_729) + 1),
        )
    }

    /// The next message, with a row for its sender and one that its recipient is owed.
    fn message(&self) -> (BareJid, NewMessage) {
        let (number, from, to) = self.pair();
        let row = |of: usize, with: usize, purpose| NewRow {
            account: self.accounts.get(of).expect("an account").clone(),
            epoch: 0,
            with: self.addresses.get(with).expect("an address").clone(),
            purpose,
        };
        let received = self.begun.elapsed().as_millis();
        let message = NewMessage {
            ingress: IngressId {
                session: from as u64,
                count: number,
            },
            received: START + u64::try_from(received).unwrap_or_default(),
            origin: None,
            payload: self.payload.clone(),
            rows: vec![
                row(from, to, Purpose::Archive),
                row(to, from, Purpose::Both(vec!["phone".to_owned()])),
            ],
        };
        (self.accounts.get(to).expect("an account").clone(), message)
    }
}

/// What a run has shown.
struct Measured {
    messages: u64,
    time: Duration,
    delays: Histogram<u64>,
    spent: Spent,
}

/// What this process has spent.
#[derive(Clone, Copy)]
struct Spent {
    cpu_milliseconds: u64,
    bytes_written: u64,
}

impl Spent {
    fn until_now() -> Self {
        let read = |path| std::fs::read_to_string(path).unwrap_or_default();
        let stat = read("/proc/self/stat");
        let after_name = stat.rsplit(')').next().unwrap_or_default();
        let ticks = after_name.split_whitespace().skip(11).take(2);
        let ticks: u64 = ticks.filter_map(|word| word.parse::<u64>().ok()).sum();
        let io = read("/proc/self/io");
        let written = io
            .lines()
            .find_map(|line| line.strip_prefix("write_bytes: "));
        Self {
            cpu_milliseconds: ticks * 10,
            bytes_written: written
                .and_then(|word| word.parse().ok())
                .unwrap_or_default(),
        }
    }

    fn since(self, before: Self) -> Self {
        Self {
            cpu_milliseconds: self.cpu_milliseconds - before.cpu_milliseconds,
            bytes_written: self.bytes_written - before.bytes_written,
        }
    }
}

/// Has this many callers append one message after the other.
async fn closed(at_once: usize, time: Duration, append: impl AsyncFn()) -> Measured {
    let before = Spent::until_now();
    let delays =
        RefCell::new(Histogram::<u64>::new_with_bounds(1, 60_000_000, 3).expect("a histogram"));
    let started = Instant::now();
    let caller = async || {
        while started.elapsed() < time {
            let asked = Instant::now();
            append().await;
            let micros = u64::try_from(asked.elapsed().as_micros()).unwrap_or(u64::MAX);
            delays.borrow_mut().saturating_record(micros);
        }
    };
    join_all((0..at_once).map(|_| caller())).await;
    let delays = delays.into_inner();
    Measured {
        messages: delays.len(),
        time: started.elapsed(),
        delays,
        spent: Spent::until_now().since(before),
    }
}

/// Appends at a steady rate, whatever becomes of those before. Delays count from when each was due.
async fn steady(rate: u64, time: Duration, append: impl AsyncFn() + 'static) -> Measured {
    let before = Spent::until_now();
    let delays = Rc::new(RefCell::new(
        Histogram::<u64>::new_with_bounds(1, 60_000_000, 3).expect("a histogram"),
    ));
    let append = Rc::new(append);
    let started = Instant::now();
    let tasks = tokio::task::LocalSet::new();
    let all = u64::try_from(time.as_millis()).unwrap_or_default() * rate / 1000;
    let pace = async {
        for number in 0..all {
            let due = started + Duration::from_micros(number * 1_000_000 / rate);
            if due > Instant::now() {
                tokio::time::sleep_until(due).await;
            }
            let (delays, append) = (Rc::clone(&delays), Rc::clone(&append));
            tokio::task::spawn_local(async move {
                append().await;
                let micros = u64::try_from(due.elapsed().as_micros()).unwrap_or(u64::MAX);
                delays.borrow_mut().saturating_record(micros);
            });
        }
    };
    tasks.run_until(pace).await;
    tasks.await;
    let delays = delays.borrow().clone();
    Measured {
        messages: delays.len(),
        time: started.elapsed(),
        delays,
        spent: Spent::until_now().since(before),
    }
}

/// What the disk itself needs to make a small write durable, in a file that was written before.
async fn disk(time: Duration) -> Measured {
    let folder = folder();
    let file = File::create(folder.path().join("file")).expect("a file");
    let record = vec![b'x'; 2 * PAYLOAD];
    let all = 64 << 20;
    file.write_all_at(&vec![0; all], 0).expect("room");
    file.sync_all().expect("a disk");
    let place = Cell::new(0);
    closed(1, time, async || {
        file.write_all_at(&record, place.get()).expect("room");
        file.sync_data().expect("a disk");
        let next = place.get() + record.len() as u64;
        place.set(next % (all as u64 - record.len() as u64));
    })
    .await
}

async fn append_and_confirm(log: &EmbeddedLog, traffic: &Traffic) {
    let (to, message) = traffic.message();
    let appended = log.append(vec![message]).await.expect("room");
    let Some(Appended::At(id)) = appended.last() else {
        return;
    };
    log.confirm(&to, vec![*id]).await.expect("room");
}

async fn append_only(log: &EmbeddedLog, traffic: &Traffic) {
    let (_, message) = traffic.message();
    log.append(vec![message]).await.expect("room");
}

async fn append_to_store(store: &EmbeddedStore, traffic: &Traffic) {
    let (_, from, to) = traffic.pair();
    let row = |account: usize| Append {
        account: traffic.accounts.get(account).expect("an account").clone(),
        message: OfflineMessage {
            received: START,
            xml: traffic.payload.to_vec(),
        },
    };
    let rows = vec![row(from), row(to)];
    store
        .append_offline(rows, OfflineLimit::NONE)
        .await
        .expect("room");
}

async fn appending(time: Duration) {
    head();
    print("disk: write and sync", "1", &disk(time).await);
    for at_once in [1, 16, 256, 2048] {
        let folder = folder();
        let (log, traffic) = (open_log(folder.path()), Traffic::new());
        let run = closed(at_once, time, async || append_only(&log, &traffic).await);
        print("log: append", &at_once.to_string(), &run.await);
        let run = closed(at_once, time, async || {
            append_and_confirm(&log, &traffic).await;
        });
        print(
            "log: append, then confirm",
            &at_once.to_string(),
            &run.await,
        );
        log.close().await;
    }
    for at_once in [1, 16, 256] {
        let folder = folder();
        let path = folder.path().join("store.db");
        let store = EmbeddedStore::open(&path, &Config::default(), &Registry::new());
        let (store, traffic) = (store.expect("a store"), Traffic::new());
        let accounts = traffic.accounts.iter().cloned();
        let accounts = accounts.map(|account| (account, credentials()));
        store
            .create_accounts(accounts.collect())
            .await
            .expect("accounts");
        let run = closed(at_once, time, async || {
            append_to_store(&store, &traffic).await;
        });
        print("SQLite: append", &at_once.to_string(), &run.await);
        store.close().await;
    }
}

fn head() {
    println!(
        "\n| what | callers | messages/s | rows/s | p50 ms | p99 ms | max ms | µs CPU/message | bytes/message |"
    );
    println!("|---|---|---|---|---|---|---|---|---|");
}

async fn steadily(time: Duration) {
    head();
    for rate in [2500, 5000, 10_000] {
        let folder = folder();
        let (log, traffic) = (open_log(folder.path()), Traffic::new());
        let (shared, traffic) = (Arc::clone(&log), Rc::new(traffic));
        let append = async move || append_and_confirm(&shared, &traffic).await;
        print(
            "log: append, then confirm",
            &format!("{rate}/s"),
            &steady(rate, time, append).await,
        );
        log.close().await;
    }
}

/// What an account's reads cost that has just had messages, while thousands of others have some.
async fn reading(time: Duration) {
    head();
    let folder = folder();
    let (log, traffic) = (open_log(folder.path()), Rc::new(Traffic::new()));
    let (shared, others) = (Arc::clone(&log), Rc::clone(&traffic));
    let tasks = tokio::task::LocalSet::new();
    tasks.spawn_local(async move {
        let append = async move || append_only(&shared, &others).await;
        steady(5000, 4 * time, append).await
    });
    let next = Cell::new(0);
    let recent = || {
        next.set((next.get() + 7919) % ACCOUNTS);
        account(next.get())
    };
    let measure = async {
        tokio::time::sleep(time).await;
        let run = closed(1, time, async || {
            log.tail(&recent()).await.expect("a tail");
        });
        print("log: tail, at 5000 messages/s", "1", &run.await);
        let run = closed(1, time, async || {
            drop(log.read_owed(&recent(), None, 50).await.expect("rows"));
        });
        print("log: read_owed, at 5000 messages/s", "1", &run.await);
        let page = PageQuery {
            end: End::Newest,
            limit: 50,
            ..PageQuery::default()
        };
        let run = closed(1, time, async || {
            drop(log.page(&recent(), page.clone()).await.expect("a page"));
        });
        print("log: page, at 5000 messages/s", "1", &run.await);
    };
    tasks.run_until(measure).await;
    drop(tasks);
    log.close().await;
}

fn credentials() -> Credentials {
    let keys = ScramKeys {
        salt: vec![1; 16],
        iterations: 10_000,
        stored_key: vec![2; 32],
        server_key: vec![3; 32],
    };
    Credentials {
        sha1: keys.clone(),
        sha256: keys.clone(),
        sha512: keys,
    }
}

fn print(what: &str, callers: &str, run: &Measured) {
    let milliseconds = u64::try_from(run.time.as_millis())
        .unwrap_or(u64::MAX)
        .max(1);
    let rate = run.messages * 1000 / milliseconds;
    let millis = |micros: u64| format!("{}.{:02}", micros / 1000, micros % 1000 / 10);
    let messages = run.messages.max(1);
    println!(
        "| {what} | {callers} | {rate} | {} | {} | {} | {} | {} | {} |",
        2 * rate,
        millis(run.delays.value_at_quantile(0.5)),
        millis(run.delays.value_at_quantile(0.99)),
        millis(run.delays.max()),
        run.spent.cpu_milliseconds * 1000 / messages,
        run.spent.bytes_written / messages,
    );
}

// === paging ===

/// The correspondent that three messages were exchanged with.
const RARE: &str = "rare@capulet.example";

async fn fill(log: &EmbeddedLog, rows: u64) -> Vec<RowId> {
    let payload = Bytes::from(vec![b'x'; PAYLOAD]);
    let message = |number: u64| {
        let with = match number {
            number if number % (rows / 3).max(1) == 7 => format!("{RARE}/balcony"),
            number => format!("friend{}@capulet.example/{}", number % 50, number % 3),
        };
        NewMessage {
            ingress: IngressId {
                session: number % 50,
                count: number,
            },
            received: START + number * 1000,
            origin: None,
            payload: payload.clone(),
            rows: vec![NewRow {
                account: account(0),
                epoch: 0,
                with: Jid::parse(&with).expect("a valid address"),
                purpose: Purpose::Archive,
            }],
        }
    };
    let mut ids = Vec::new();
    let mut number = 0;
    while number < rows {
        let batch = (number..rows.min(number + 4096)).map(message);
        let appended = log.append(batch.collect()).await.expect("room");
        number += appended.len() as u64;
        ids.extend(appended.iter().filter_map(|appended| match appended {
            Appended::At(id) => Some(*id),
            _ => None,
        }));
    }
    ids
}

async fn paging(rows: u64) {
    let folder = folder();
    let log = open_log(folder.path());
    let started = Instant::now();
    let ids = fill(&log, rows).await;
    log.span(&account(0)).await.expect("an archive");
    println!(
        "\n{rows} rows for one account were appended and indexed in {:?}\n",
        started.elapsed()
    );
    println!("| page of 50 | rows found | p50 ms | p99 ms | max ms |");
    println!("|---|---|---|---|---|");
    for (what, query) in queries(rows, ids.get(ids.len() / 2).copied()) {
        measure_page(&log, what, query).await;
    }
    log.close().await;
}

fn queries(rows: u64, middle: Option<RowId>) -> [(&'static str, PageQuery); 9] {
    let page = |with: &str, after, end| PageQuery {
        filter: Filter {
            with: Jid::parse(with).ok(),
            ..Filter::default()
        },
        after,
        before: None,
        end,
        limit: 50,
    };
    let mut by_time = page("", None, End::Oldest);
    by_time.filter.start = Some(START + rows * 500);
    let rare = format!("{RARE}/balcony");
    let friend = "friend7@capulet.example";
    [
        ("the last", page("", None, End::Newest)),
        ("the first", page("", None, End::Oldest)),
        ("in the middle, after an id", page("", middle, End::Oldest)),
        ("from a time on", by_time),
        ("with somebody rare", page(RARE, None, End::Oldest)),
        (
            "with somebody rare, full address",
            page(&rare, None, End::Newest),
        ),
        ("with a friend, the last", page(friend, None, End::Newest)),
        (
            "with a friend, full address, after an id",
            page(&format!("{friend}/1"), middle, End::Oldest),
        ),
        (
            "with a stranger",
            page("stranger@capulet.example", None, End::Oldest),
        ),
    ]
}

async fn measure_page(log: &EmbeddedLog, what: &str, query: PageQuery) {
    let mut delays = Histogram::<u64>::new_with_bounds(1, 60_000_000, 3).expect("a histogram");
    let mut found = 0;
    for _ in 0..500 {
        let asked = Instant::now();
        let page = log.page(&account(0), query.clone()).await.expect("a page");
        let micros = u64::try_from(asked.elapsed().as_micros()).unwrap_or(u64::MAX);
        delays.saturating_record(micros);
        found = match page {
            Paged::Page(page) => page.rows.len(),
            Paged::NoSuchRow(_) => 0,
        };
    }
    let millis = |micros: u64| format!("{}.{:02}", micros / 1000, micros % 1000 / 10);
    println!(
        "| {what} | {found} | {} | {} | {} |",
        millis(delays.value_at_quantile(0.5)),
        millis(delays.value_at_quantile(0.99)),
        millis(delays.max()),
    );
}
