//! What the message log does on this disk, as tables in Markdown: rates and delays of appending, and pages of an account
//! with a million rows.
//!
//! `cargo bench -p rookery-storage-embedded --bench message_log -- SECONDS ROWS`; the defaults are 5 and 1000000. With the
//! word `steady` only the steady rates are measured, or one of them with `rate=MESSAGES`, with `reads` only reads of
//! accounts that were just written, with `pages` only pages.
#![expect(
    clippy::expect_used,
    clippy::print_stdout,
    reason = "a benchmark that cannot be set up ends there, and prints what it has measured"
)]

mod measured;
mod paging;
mod traffic;

use std::cell::Cell;
use std::path::Path;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use rookery_stanza::BareJid;
use rookery_storage::message_log::{Appended, End, MessageLog, PageQuery, RowId};
use rookery_storage_embedded::{EmbeddedLog, LogConfig};
use rookery_telemetry::Registry;
use tempfile::TempDir;
use tokio::runtime::Builder;

use measured::{Beside, Measured, closed, disk, millis, steady};
use traffic::{ACCOUNTS, Traffic, account};

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
    let everything = !wants("steady") && !wants("reads") && !wants("pages");
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
        if everything || wants("pages") {
            paging::paging(rows).await;
        }
    });
}

/// The temporary directory may be in memory, where a sync costs nothing.
fn folder() -> TempDir {
    tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a directory")
}

fn open_log(path: &Path) -> Arc<EmbeddedLog> {
    open_counting(path, &Registry::new())
}

/// With `delay=SECONDS` the index stays so far behind.
fn open_counting(path: &Path, registry: &Registry) -> Arc<EmbeddedLog> {
    let mut config = LogConfig::default();
    config.index_delay_seconds = word("delay").unwrap_or(config.index_delay_seconds);
    EmbeddedLog::open(path, &config, registry).expect("a log")
}

/// What was said with `name=`.
fn word<T: std::str::FromStr>(name: &str) -> Option<T> {
    std::env::args().find_map(|word| word.strip_prefix(name)?.strip_prefix('=')?.parse().ok())
}

async fn append(log: &EmbeddedLog, traffic: &Traffic) -> Option<(BareJid, RowId)> {
    let (to, message) = traffic.message();
    let appended = log.append(vec![message]).await.expect("room");
    match appended.last() {
        Some(Appended::At(id)) => Some((to, *id)),
        _ => None,
    }
}

async fn confirm(log: &EmbeddedLog, row: Option<(BareJid, RowId)>) {
    if let Some((to, id)) = row {
        log.confirm(&to, vec![id]).await.expect("room");
    }
}

async fn appending(time: Duration) {
    head();
    print("disk: write and sync", "1", &disk(time).await);
    for at_once in [1, 16, 256, 2048] {
        let folder = folder();
        let (log, traffic) = (open_log(folder.path()), Traffic::new());
        let run = closed(at_once, time, async || drop(append(&log, &traffic).await));
        print("log: append", &at_once.to_string(), &run.await);
        let run = closed(at_once, time, async || {
            confirm(&log, append(&log, &traffic).await).await;
        });
        let what = "log: append, then confirm";
        print(what, &at_once.to_string(), &run.await);
        log.close().await;
    }
}

// === steady rates ===

/// How often the log was synced.
fn syncs(registry: &Registry) -> u64 {
    let text = registry.render();
    let count = text
        .lines()
        .find_map(|line| line.strip_prefix("rookery_message_log_syncs_total "));
    count
        .and_then(|count| count.parse().ok())
        .unwrap_or_default()
}

/// Each message is confirmed after it, which nobody waits for.
async fn steadily(time: Duration) {
    println!(
        "\n| messages/s | p50 ms | p99 ms | p99.9 ms | max ms | the disk meanwhile: p50 | p99 | p99.9 | alone: p50 | p99 | µs CPU/message | messages/sync |"
    );
    println!("|---|---|---|---|---|---|---|---|---|---|---|---|");
    let rates = word("rate").map_or(vec![2500, 5000, 10_000], |rate| vec![rate]);
    for rate in rates {
        let alone = disk(Duration::from_secs(2)).await.delays;
        let (folder, registry) = (folder(), Registry::new());
        let log = open_counting(folder.path(), &registry);
        let traffic = Traffic::new();
        let (appending, confirming) = (Arc::clone(&log), Arc::clone(&log));
        let beside = Beside::start();
        let run = steady(
            rate,
            time,
            async move || append(&appending, &traffic).await,
            async move |row| confirm(&confirming, row).await,
        );
        let run = run.await;
        let meanwhile = beside.end();
        log.close().await;
        let at = |delays: &hdrhistogram::Histogram<u64>, q| millis(delays.value_at_quantile(q));
        println!(
            "| {rate} | {} | {} | {} | {} | {} | {} | {} | {} | {} | {} | {} |",
            at(&run.delays, 0.5),
            at(&run.delays, 0.99),
            at(&run.delays, 0.999),
            millis(run.delays.max()),
            at(&meanwhile, 0.5),
            at(&meanwhile, 0.99),
            at(&meanwhile, 0.999),
            at(&alone, 0.5),
            at(&alone, 0.99),
            run.spent.cpu_milliseconds * 1000 / run.messages.max(1),
            run.messages / syncs(&registry).max(1),
        );
    }
}

// === reads ===

/// What an account's reads cost that has just had messages, while thousands of others have some.
async fn reading(time: Duration) {
    head();
    let folder = folder();
    let (log, traffic) = (open_log(folder.path()), Rc::new(Traffic::new()));
    let (shared, others) = (Arc::clone(&log), Rc::clone(&traffic));
    let tasks = tokio::task::LocalSet::new();
    tasks.spawn_local(async move {
        let append = async move || append(&shared, &others).await;
        steady(5000, 4 * time, append, async |_| ()).await
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

fn head() {
    println!(
        "\n| what | callers | messages/s | rows/s | p50 ms | p99 ms | max ms | µs CPU/message | bytes/message |"
    );
    println!("|---|---|---|---|---|---|---|---|---|");
}

fn print(what: &str, callers: &str, run: &Measured) {
    let milliseconds = u64::try_from(run.time.as_millis())
        .unwrap_or(u64::MAX)
        .max(1);
    let rate = run.messages * 1000 / milliseconds;
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
