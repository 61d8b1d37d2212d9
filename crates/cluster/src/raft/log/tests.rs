//! The log against the library's own suite, and against crashes.

use std::fs::OpenOptions;
use std::io::Write;
use std::sync::Arc;

use openraft::storage::{RaftLogStorage, RaftLogStorageExt};
use openraft::testing::{StoreBuilder, Suite, blank_ent, log_id};
use openraft::{RaftLogReader, Vote};
use rookery_routing::Table;
use tempfile::TempDir;
use tokio::sync::mpsc;

use super::{Log, LogError};
use crate::raft::machine::{Applied, Machine};
use crate::raft::{Group, StorageError};

struct Builder;

/// What has to live as long as a store under test.
type Guard = (TempDir, mpsc::Receiver<Applied>);

impl StoreBuilder<Group, Log, Machine, Guard> for Builder {
    async fn build(&self) -> Result<(Guard, Log, Machine), StorageError> {
        let directory = tempfile::tempdir().unwrap();
        let log = Log::open(directory.path()).unwrap();
        let (applied, events) = mpsc::channel(16);
        let machine = Machine::open(Arc::new(Table::new()), directory.path(), applied).unwrap();
        Ok(((directory, events), log, machine))
    }
}

#[test]
fn log_and_table_do_what_the_library_demands_of_them() {
    Suite::test_all(Builder).unwrap();
}

fn entries(indices: std::ops::Range<u64>) -> Vec<openraft::Entry<Group>> {
    indices.map(|index| blank_ent(1, 1, index)).collect()
}

async fn indices(log: &Log) -> Vec<u64> {
    let mut log = log.clone();
    let entries = log.try_get_log_entries(..).await.unwrap();
    entries.iter().map(|entry| entry.log_id.index).collect()
}

#[tokio::test]
async fn what_was_synced_is_there_after_a_restart() {
    let directory = tempfile::tempdir().unwrap();
    let mut log = Log::open(directory.path()).unwrap();
    assert!(log.is_empty());
    log.save_vote(&Vote::new(3, 7)).await.unwrap();
    log.blocking_append(entries(0..10)).await.unwrap();
    log.truncate(log_id(1, 1, 8)).await.unwrap();
    log.blocking_append(entries(8..9)).await.unwrap();
    log.purge(log_id(1, 1, 4)).await.unwrap();
    drop(log);
    let mut log = Log::open(directory.path()).unwrap();
    assert!(!log.is_empty());
    assert_eq!(log.read_vote().await.unwrap(), Some(Vote::new(3, 7)));
    assert_eq!(indices(&log).await, [5, 6, 7, 8]);
    let state = log.get_log_state().await.unwrap();
    assert_eq!(state.last_purged_log_id, Some(log_id(1, 1, 4)));
}

#[tokio::test]
async fn what_a_crash_left_half_written_is_no_entry_and_the_next_takes_its_place() {
    let directory = tempfile::tempdir().unwrap();
    let mut log = Log::open(directory.path()).unwrap();
    log.blocking_append(entries(0..3)).await.unwrap();
    drop(log);
    let path = directory.path().join(format!("{:020}.log", 1));
    let mut file = OpenOptions::new().append(true).open(&path).unwrap();
    file.write_all(&[40, 0, 0, 0, 1, 2, 3, 4, 5]).unwrap();
    let mut log = Log::open(directory.path()).unwrap();
    assert_eq!(indices(&log).await, [0, 1, 2]);
    log.blocking_append(entries(3..5)).await.unwrap();
    drop(log);
    let log = Log::open(directory.path()).unwrap();
    assert_eq!(indices(&log).await, [0, 1, 2, 3, 4]);
}

#[tokio::test]
async fn a_log_that_is_damaged_before_whole_records_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let mut log = Log::open(directory.path()).unwrap();
    log.blocking_append(entries(0..3)).await.unwrap();
    drop(log);
    let path = directory.path().join(format!("{:020}.log", 1));
    let mut bytes = std::fs::read(&path).unwrap();
    bytes[9] ^= 1;
    std::fs::write(&path, bytes).unwrap();
    assert!(matches!(
        Log::open(directory.path()),
        Err(LogError::Damaged { at: 0, .. })
    ));
}

#[tokio::test]
async fn segments_whose_entries_are_not_needed_go() {
    let directory = tempfile::tempdir().unwrap();
    let mut log = Log::open(directory.path()).unwrap();
    log.save_vote(&Vote::new(3, 7)).await.unwrap();
    let large = |index| {
        let command = crate::raft::Command(vec![0; 6 << 20].into());
        let payload = openraft::EntryPayload::Normal(command);
        openraft::Entry {
            log_id: log_id(1, 1, index),
            payload,
        }
    };
    for index in 0..8 {
        log.blocking_append([large(index)]).await.unwrap();
    }
    let segments = || std::fs::read_dir(directory.path()).unwrap().count();
    assert_eq!(segments(), 3);
    log.purge(log_id(1, 1, 6)).await.unwrap();
    assert_eq!(segments(), 1);
    drop(log);
    let mut log = Log::open(directory.path()).unwrap();
    assert_eq!(log.read_vote().await.unwrap(), Some(Vote::new(3, 7)));
    assert_eq!(indices(&log).await, [7]);
}
