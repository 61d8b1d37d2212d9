//! Votes and entries on disk.
//!
//! The log is a row of files, *segments*, to which records are appended and in which nothing is ever changed: an
//! entry, a vote, "entries from here on are void", "entries up to here are not needed". What they say together is
//! also in memory. Everything that comes in while the disk is busy is written and synced together.

mod record;
mod segment;
mod writer;

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::io;
use std::ops::RangeBounds;
use std::path::Path;
use std::sync::Arc;

use openraft::storage::{LogFlushed, LogState, RaftLogStorage};
use openraft::{OptionalSend, RaftLogReader, StorageIOError};
use parking_lot::Mutex;

use super::{Entry, Group, LogId, StorageError, Vote};
use record::Record;
use writer::{Done, Job, Writer};

/// The log of a node. Clones read the same.
#[derive(Clone, Debug)]
pub(crate) struct Log {
    held: Arc<Mutex<Held>>,
    writer: Arc<Writer>,
}

/// What the records say together.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Held {
    vote: Option<Vote>,
    committed: Option<LogId>,
    purged: Option<LogId>,
    entries: BTreeMap<u64, Entry>,
}

/// Why a log cannot be opened.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LogError {
    /// The disk.
    #[error("{path}: {source}")]
    Io {
        /// Which file.
        path: String,
        /// What it says.
        source: io::Error,
    },
    /// A record that was synced cannot be read: what this node has promised to others may be forgotten.
    #[error(
        "{path} is damaged at byte {at}, before records that are whole: this node must not go on under its old \
         identity; remove its directory, and it joins as a new member"
    )]
    Damaged {
        /// Which file.
        path: String,
        /// Where.
        at: u64,
    },
}

// === impl Log ===

impl Log {
    /// Opens the log in this directory, which exists.
    pub(crate) fn open(directory: &Path) -> Result<Self, LogError> {
        let mut held = Held::default();
        let segments = segment::read_all(directory, |record| held.take(record))?;
        held.forget_lost();
        let held = Arc::new(Mutex::new(held));
        let writer = Arc::new(Writer::start(directory, segments, Arc::clone(&held))?);
        Ok(Self { held, writer })
    }

    /// Whether anything was ever written.
    pub(crate) fn is_empty(&self) -> bool {
        *self.held.lock() == Held::default()
    }

    /// Adds records, and waits until they are synced.
    async fn write(&self, records: Vec<Record>) -> io::Result<()> {
        let (done, synced) = tokio::sync::oneshot::channel();
        self.add(records, Done::Waiting(done)).await?;
        synced.await.unwrap_or_else(|_| Err(writer::stopped()))
    }

    /// Adds records, which can be read at once and are synced later.
    async fn add(&self, records: Vec<Record>, done: Done) -> io::Result<()> {
        let job = Job::new(&records, done);
        self.take(records);
        self.writer.send(job).await
    }

    fn take(&self, records: Vec<Record>) {
        let mut held = self.held.lock();
        for record in records {
            held.take(record);
        }
    }
}

impl RaftLogReader<Group> for Log {
    async fn try_get_log_entries<R: RangeBounds<u64> + Clone + Debug + OptionalSend>(
        &mut self,
        range: R,
    ) -> Result<Vec<Entry>, StorageError> {
        let held = self.held.lock();
        Ok(held
            .entries
            .range(range)
            .map(|(_, entry)| entry.clone())
            .collect())
    }
}

impl RaftLogStorage<Group> for Log {
    type LogReader = Self;

    async fn get_log_state(&mut self) -> Result<LogState<Group>, StorageError> {
        let held = self.held.lock();
        let last = held.entries.values().next_back();
        Ok(LogState {
            last_purged_log_id: held.purged,
            last_log_id: last.map(|entry| entry.log_id).or(held.purged),
        })
    }

    async fn get_log_reader(&mut self) -> Self {
        self.clone()
    }

    async fn save_vote(&mut self, vote: &Vote) -> Result<(), StorageError> {
        let written = self.write(vec![Record::Vote(*vote)]).await;
        written.map_err(|error| StorageIOError::write_vote(&error).into())
    }

    async fn read_vote(&mut self) -> Result<Option<Vote>, StorageError> {
        Ok(self.held.lock().vote)
    }

    /// Not synced: a node that has forgotten what was committed learns it from the next leader.
    async fn save_committed(&mut self, committed: Option<LogId>) -> Result<(), StorageError> {
        let records = committed.map(Record::Committed).into_iter().collect();
        let added = self.add(records, Done::Unsynced).await;
        added.map_err(|error| StorageIOError::write(&error).into())
    }

    async fn read_committed(&mut self) -> Result<Option<LogId>, StorageError> {
        Ok(self.held.lock().committed)
    }

    async fn append<I>(
        &mut self,
        entries: I,
        flushed: LogFlushed<Group>,
    ) -> Result<(), StorageError>
    where
        I: IntoIterator<Item = Entry> + OptionalSend,
        I::IntoIter: OptionalSend,
    {
        let records = entries.into_iter().map(Record::Entry).collect();
        let added = self.add(records, Done::Flushed(flushed)).await;
        added.map_err(|error| StorageIOError::write_logs(&error).into())
    }

    async fn truncate(&mut self, from: LogId) -> Result<(), StorageError> {
        let written = self.write(vec![Record::Truncated(from.index)]).await;
        written.map_err(|error| StorageIOError::write_logs(&error).into())
    }

    async fn purge(&mut self, upto: LogId) -> Result<(), StorageError> {
        let written = self.write(vec![Record::Purged(upto)]).await;
        written.map_err(|error| StorageIOError::write_logs(&error).into())
    }
}

// === impl Held ===

impl Held {
    /// What is known after one more record.
    fn take(&mut self, record: Record) {
        match record {
            Record::Vote(vote) => self.vote = Some(vote),
            Record::Committed(id) => self.committed = Some(id),
            Record::Truncated(from) => drop(self.entries.split_off(&from)),
            Record::Purged(id) => {
                self.entries = self.entries.split_off(&(id.index + 1));
                self.purged = Some(id);
            }
            Record::Entry(entry) => {
                self.entries.insert(entry.log_id.index, entry);
            }
        }
    }

    /// That an entry is committed may have reached the disk before the entry did.
    fn forget_lost(&mut self) {
        let last = self.entries.values().next_back().map(|entry| entry.log_id);
        self.committed = self.committed.min(last.or(self.purged));
    }

    /// The records that a new segment begins with, so that older ones can go.
    fn beginning(&self) -> Vec<Record> {
        let vote = self.vote.map(Record::Vote);
        let purged = self.purged.map(Record::Purged);
        let committed = self.committed.map(Record::Committed);
        vote.into_iter().chain(purged).chain(committed).collect()
    }
}

#[cfg(test)]
mod tests;
