//! A disk that is full, and one that cannot be written.
//!
//! Each test runs in a process with mounts of its own, and a small file system in memory as its disk.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use futures_util::future::join_all;
use rookery_stanza::BareJid;
use rookery_storage::message_log::{
    IngressId, MessageLog, NewMessage, NewRow, PageQuery, Paged, Purpose,
};
use rookery_storage::{AccountStore, OfflineStore, StoreError};
use rookery_storage_embedded::{Config, EmbeddedLog, EmbeddedStore, LogConfig};
use rookery_telemetry::Registry;

use crate::child;
use crate::workload::{append, check_file, credentials, message};

/// Runs an ignored test of this file in a process with a disk of this size, and waits for its success.
fn run_on_a_disk(test: &str, size: &str) {
    let directory = tempfile::tempdir().unwrap();
    let child = child::command(&format!("disk::{test}"), directory.path().join("store.db"));
    let mut command = Command::new("unshare");
    if !is_root() {
        command.arg("--map-root-user");
    }
    let script = "mount -t tmpfs -o size=$1 rookery \"$2\" && shift 2 && exec \"$@\"";
    command
        .args(["--mount", "sh", "-ec", script, "sh", size])
        .arg(directory.path());
    command.arg(child.get_program()).args(child.get_args());
    for (name, value) in child.get_envs() {
        command.env(name, value.unwrap());
    }
    let output = command.output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{text}\n{errors}");
    assert!(text.contains("1 passed"), "{text}\n{errors}");
}

fn is_root() -> bool {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    status.lines().any(|line| line.starts_with("Uid:\t0\t"))
}

fn romeo() -> BareJid {
    BareJid::parse("romeo@montague.example").unwrap()
}

async fn open(path: &Path, registry: &Registry) -> std::sync::Arc<EmbeddedStore> {
    let store = EmbeddedStore::open(path, &Config::default(), registry).unwrap();
    store
        .create_accounts(vec![(romeo(), credentials())])
        .await
        .unwrap();
    store
}

#[test]
fn a_full_disk_fails_exactly_what_was_not_stored() {
    run_on_a_disk("fills_the_disk", "4m");
}

#[test]
fn a_full_disk_fails_exactly_the_messages_that_were_not_appended() {
    run_on_a_disk("fills_the_disk_with_messages", "4m");
}

#[test]
fn a_disk_that_cannot_be_written_is_named_at_the_start() {
    run_on_a_disk("finds_the_disk_read_only", "4m");
}

#[tokio::test]
#[ignore = "needs a disk of its own, which another test gives it"]
async fn fills_the_disk() {
    let Some(path) = child::store() else { return };
    let registry = Registry::new();
    let (store, romeo) = (open(&path, &registry).await, romeo());
    let ballast = path.with_file_name("ballast");
    fs::write(&ballast, vec![1; 1 << 20]).unwrap();

    let (mut stored, mut failed) = (Vec::new(), Vec::new());
    while failed.len() < 100 {
        let first = u64::try_from(stored.len() + failed.len()).unwrap();
        let results = join_all((first..first + 16).map(|mark| append(&store, &romeo, mark)));
        for (mark, result) in (first..).zip(results.await) {
            match result {
                Ok(position) => stored.push((position, mark)),
                Err(error) => failed.push((error, mark)),
            }
        }
    }
    let full = StoreError::Unavailable("the disk is full".to_owned());
    assert!(failed.iter().all(|(error, _)| *error == full), "{failed:?}");
    assert_eq!(store.health(), Err(full));
    assert!(
        registry
            .render()
            .contains("rookery_store_up{backend=\"embedded\"} 0")
    );
    assert!(stored.len() > 100, "{} is not much", stored.len());
    let read = store.read_offline(&romeo, 0, usize::MAX).await.unwrap();
    assert_eq!(
        read.len(),
        stored.len(),
        "reading goes on, and finds what was confirmed"
    );

    // With room the store recovers by itself; there is no event for that to wait for.
    fs::remove_file(ballast).unwrap();
    while store.health().is_err() {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let mark = u64::MAX;
    stored.push((append(&store, &romeo, mark).await.unwrap(), mark));
    store.close().await;

    let store = open(&path, &Registry::new()).await;
    let read = store.read_offline(&romeo, 0, usize::MAX).await.unwrap();
    let read: Vec<_> = read
        .into_iter()
        .map(|queued| (queued.position, queued.message))
        .collect();
    let expected: Vec<_> = stored
        .into_iter()
        .map(|(position, mark)| (position, message(mark)))
        .collect();
    assert!(read == expected, "exactly what was confirmed is there");
    store.close().await;
    check_file(&path);
}

#[tokio::test]
#[ignore = "needs a disk of its own, which another test gives it"]
async fn finds_the_disk_read_only() {
    let Some(path) = child::store() else { return };
    open(&path, &Registry::new()).await.close().await;
    let directory = path.parent().unwrap();
    let mounted = Command::new("mount")
        .args(["-o", "remount,ro"])
        .arg(directory)
        .status()
        .unwrap();
    assert!(mounted.success());
    let error = EmbeddedStore::open(&path, &Config::default(), &Registry::new()).unwrap_err();
    let words = error.to_string();
    assert!(
        words.contains("cannot be written") && words.contains("Read-only"),
        "{words}"
    );
    assert!(!words.contains("damaged"), "{words}");
}

#[tokio::test]
#[ignore = "needs a disk of its own, which another test gives it"]
async fn fills_the_disk_with_messages() {
    let Some(path) = child::store() else { return };
    let folder = path.parent().unwrap();
    let (config, registry) = (LogConfig::default(), Registry::new());
    let log = EmbeddedLog::open(folder, &config, &registry).unwrap();
    let ballast = folder.join("ballast");
    fs::write(&ballast, vec![1; 1 << 20]).unwrap();

    let (mut appended, mut failed) = (Vec::new(), Vec::new());
    while failed.len() < 100 {
        let first = u64::try_from(appended.len() + failed.len()).unwrap();
        let some = (first..first + 16).map(|mark| log.append(vec![archived(mark)]));
        for (mark, result) in (first..).zip(join_all(some).await) {
            match result {
                Ok(_) => appended.push(mark),
                Err(error) => failed.push(error),
            }
        }
    }
    let full = StoreError::Unavailable("the disk is full".to_owned());
    assert!(failed.iter().all(|error| *error == full), "{failed:?}");
    assert_eq!(log.health(), Err(full));
    let up = |up: u8| {
        registry
            .render()
            .contains(&format!("rookery_message_log_up{{part=\"log\"}} {up}\n"))
    };
    assert!(up(0));
    let text = registry.render();
    let mut lines = text.lines();
    let counted = "rookery_message_log_failures_total{reason=\"full\"} ";
    let counted = lines.find_map(|line| line.strip_prefix(counted));
    assert!(counted.is_some_and(|count| count != "0"), "{text}");
    assert!(appended.len() > 100, "{} is not much", appended.len());

    // With room the log recovers by itself; there is no event for that to wait for.
    fs::remove_file(ballast).unwrap();
    while log.health().is_err() {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert!(up(1));
    log.append(vec![archived(u64::MAX >> 1)]).await.unwrap();
    appended.push(u64::MAX >> 1);
    assert!(
        marks(&log).await == appended,
        "exactly what was confirmed is there"
    );
    log.close().await;
    let log = EmbeddedLog::open(folder, &config, &Registry::new()).unwrap();
    assert!(
        marks(&log).await == appended,
        "exactly what was confirmed is there"
    );
    log.close().await;
}

/// A message for an archive, of a size of its own.
fn archived(mark: u64) -> NewMessage {
    NewMessage {
        ingress: IngressId {
            session: 1,
            count: mark,
        },
        origin: None,
        received: mark,
        payload: message(mark).xml.into(),
        rows: vec![NewRow {
            account: romeo(),
            epoch: 0,
            with: romeo().to_jid(),
            purpose: Purpose::Archive,
        }],
    }
}

/// The marks of all messages that are there.
async fn marks(log: &EmbeddedLog) -> Vec<u64> {
    let (mut marks, mut query) = (Vec::new(), PageQuery::default());
    query.limit = 1000;
    loop {
        let Paged::Page(page) = log.page(&romeo(), query.clone()).await.unwrap() else {
            panic!("a page that begins nowhere");
        };
        for row in &page.rows {
            assert_eq!(row.payload, message(row.ingress.count).xml);
        }
        query.after = page.rows.last().map(|row| row.id);
        marks.extend(page.rows.iter().map(|row| row.ingress.count));
        if page.complete {
            return marks;
        }
    }
}
