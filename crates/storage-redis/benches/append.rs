//! Measures appends to the message log: rows in a second, and how long each takes, with one replica that is waited for.
//!
//! `cargo bench -p rookery-storage-redis --bench append -- SECONDS ACCOUNTS IN_FLIGHT ROWS_A_SECOND`; 0 rows a second is
//! as many as can be. Starts a primary and a replica of its own.

#![expect(
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a measurement talks to whoever runs it, and ends when it cannot go on"
)]

use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use hdrhistogram::Histogram;
use rookery_stanza::BareJid;
use rookery_storage::message_log::{IngressId, MessageLog, NewMessage, NewRow, Purpose};
use rookery_storage_redis::{Config, Durability, RedisStore};
use rookery_telemetry::Registry;
use tokio::runtime::Handle;
use tokio::time::Instant;

/// A server, ended by its handle.
struct Server {
    child: Child,
    port: u16,
    _directory: tempfile::TempDir,
}

impl Server {
    fn start(of: Option<u16>) -> Self {
        let port = std::net::TcpListener::bind("127.0.0.1:0")
            .unwrap()
            .local_addr()
            .unwrap()
            .port();
        let directory = tempfile::tempdir().unwrap();
        let mut command = Command::new("/usr/bin/redis-server");
        command.args([
            "--port",
            &port.to_string(),
            "--bind",
            "127.0.0.1",
            "--save",
            "",
        ]);
        command.args(["--appendonly", "yes", "--appendfsync", "everysec"]);
        command.arg("--dir").arg(directory.path());
        command.args(["--repl-diskless-sync-delay", "0"]);
        if let Some(primary) = of {
            command.args(["--replicaof", "127.0.0.1", &primary.to_string()]);
        }
        let child = command.stdout(Stdio::null()).spawn().unwrap();
        Self {
            child,
            port,
            _directory: directory,
        }
    }

    /// Seconds of processor time so far.
    fn seconds(&self) -> f64 {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.child.id())).unwrap();
        let fields: Vec<&str> = stat
            .rsplit(')')
            .next()
            .unwrap_or_default()
            .split_whitespace()
            .collect();
        let ticks = |nth: usize| {
            fields
                .get(nth)
                .and_then(|field| field.parse::<f64>().ok())
                .unwrap_or_default()
        };
        (ticks(11) + ticks(12)) / 100.0
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

fn message(account: &BareJid, number: u64) -> NewMessage {
    NewMessage {
        ingress: IngressId {
            session: 1,
            count: number,
        },
        received: 1_700_000_000_000 + number / 20,
        origin: None,
        payload: vec![b'x'; 300].into(),
        rows: vec![NewRow {
            account: account.clone(),
            epoch: 0,
            with: account.clone().into(),
            purpose: Purpose::Archive,
        }],
    }
}

/// What is asked of the store.
#[derive(Clone, Copy)]
struct Load {
    seconds: u64,
    accounts: u64,
    in_flight: u64,
    /// Rows a second; 0 for as many as it takes.
    rate: u64,
}

#[tokio::main]
async fn main() {
    let arguments: Vec<u64> = std::env::args()
        .skip(1)
        .filter_map(|text| text.parse().ok())
        .collect();
    let nth = |nth: usize, default| arguments.get(nth).copied().unwrap_or(default);
    let load = Load {
        seconds: nth(0, 5),
        accounts: nth(1, 1000),
        in_flight: nth(2, 256),
        rate: nth(3, 0),
    };
    for durability in [Durability::Wait, Durability::Reply] {
        run(durability, load).await;
    }
}

async fn run(durability: Durability, load: Load) {
    let primary = Server::start(None);
    let replica = Server::start(Some(primary.port));
    let config = Config {
        urls: vec![format!("redis://127.0.0.1:{}", primary.port)],
        durability,
        ..Config::default()
    };
    let store = RedisStore::open(&config, Handle::current(), &Registry::new())
        .await
        .unwrap();
    while store.health().is_err() {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let accounts: Arc<[BareJid]> = (0..load.accounts)
        .filter_map(|nth| BareJid::parse(&format!("user{nth}@a.example")).ok())
        .collect();
    for account in accounts.iter() {
        store.open(account, 0).await.unwrap();
    }
    let (before, own) = ((primary.seconds(), replica.seconds()), own_seconds());
    let next = Arc::new(AtomicU64::new(0));
    let started = Instant::now();
    let workers: Vec<_> = (0..load.in_flight)
        .map(|_| {
            let (store, accounts) = (Arc::clone(&store), Arc::clone(&accounts));
            Handle::current().spawn(work(store, accounts, Arc::clone(&next), started, load))
        })
        .collect();
    let mut times = Histogram::<u64>::new(3).unwrap();
    for worker in workers {
        times.add(worker.await.unwrap()).unwrap();
    }
    let took = started.elapsed().as_secs_f64();
    let rows = f64::from(u32::try_from(times.len()).unwrap_or(u32::MAX));
    println!(
        "{durability:?}: {:.0} rows/s, p50 {} us, p99 {} us, p99.9 {} us; CPU a row: here {:.1} us, primary {:.1} us, replica {:.1} us",
        rows / took,
        times.value_at_quantile(0.5),
        times.value_at_quantile(0.99),
        times.value_at_quantile(0.999),
        (own_seconds() - own) * 1e6 / rows,
        (primary.seconds() - before.0) * 1e6 / rows,
        (replica.seconds() - before.1) * 1e6 / rows,
    );
    store.close().await;
}

/// Appends one row after the other, and measures each from when it should have been sent.
async fn work(
    store: Arc<RedisStore>,
    accounts: Arc<[BareJid]>,
    next: Arc<AtomicU64>,
    started: Instant,
    load: Load,
) -> Histogram<u64> {
    let end = started + Duration::from_secs(load.seconds);
    let mut times = Histogram::<u64>::new(3).unwrap();
    while Instant::now() < end {
        let number = next.fetch_add(1, Ordering::Relaxed);
        let due = match (number * 1_000_000).checked_div(load.rate) {
            Some(micros) => started + Duration::from_micros(micros),
            None => Instant::now(),
        };
        tokio::time::sleep_until(due).await;
        let place = usize::try_from(number).unwrap_or_default() % accounts.len();
        if let Some(account) = accounts.get(place) {
            store.append(vec![message(account, number)]).await.unwrap();
        }
        let micros = u64::try_from(due.elapsed().as_micros()).unwrap_or(u64::MAX);
        times.record(micros).unwrap();
    }
    times
}

fn own_seconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    let fields: Vec<&str> = stat
        .rsplit(')')
        .next()
        .unwrap_or_default()
        .split_whitespace()
        .collect();
    let ticks = |nth: usize| {
        fields
            .get(nth)
            .and_then(|field| field.parse::<f64>().ok())
            .unwrap_or_default()
    };
    (ticks(11) + ticks(12)) / 100.0
}
