//! The thread that writes and syncs.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::JoinHandle;

use openraft::storage::LogFlushed;
use parking_lot::Mutex;
use tokio::sync::{mpsc, oneshot};

use super::record::Record;
use super::segment::{Segment, failed};
use super::{Held, LogError};
use crate::raft::Group;

/// As many writes wait at most; the library has few under way.
const QUEUE: usize = 256;

/// A segment that is longer is followed by a new one.
const SEGMENT_BYTES: u64 = 16 << 20;

/// What is to be written.
pub(crate) struct Job {
    bytes: Vec<u8>,
    /// The highest index of an entry in it.
    last: Option<u64>,
    /// Entries up to here are not needed.
    purged: Option<u64>,
    done: Done,
}

/// Who wants to know that it is synced.
pub(crate) enum Done {
    /// Nobody.
    Unsynced,
    /// The library.
    Flushed(LogFlushed<Group>),
    /// Somebody who waits.
    Waiting(oneshot::Sender<io::Result<()>>),
}

/// The thread, which ends when this is dropped.
#[derive(Debug)]
pub(crate) struct Writer {
    jobs: Option<mpsc::Sender<Job>>,
    thread: Option<JoinHandle<()>>,
}

/// What the thread has.
struct Appending {
    directory: PathBuf,
    file: File,
    /// The newest is the last.
    segments: Vec<Segment>,
    held: Arc<Mutex<Held>>,
    purged: u64,
}

// === impl Job ===

impl Job {
    pub(crate) fn new(records: &[Record], done: Done) -> Self {
        let mut job = Self {
            bytes: Vec::new(),
            last: None,
            purged: None,
            done,
        };
        for record in records {
            record.encode(&mut job.bytes);
            match record {
                Record::Entry(entry) => job.last = job.last.max(Some(entry.log_id.index)),
                Record::Purged(id) => job.purged = job.purged.max(Some(id.index)),
                Record::Vote(_) | Record::Truncated(_) | Record::Committed(_) => {}
            }
        }
        job
    }
}

impl Done {
    fn tell(self, result: &io::Result<()>) {
        let result = match result {
            Ok(()) => Ok(()),
            Err(error) => Err(io::Error::new(error.kind(), error.to_string())),
        };
        match self {
            Self::Unsynced => {}
            Self::Flushed(flushed) => flushed.log_io_completed(result),
            // Whoever waited has gone: nobody has to be told.
            Self::Waiting(done) => drop(done.send(result)),
        }
    }
}

// === impl Writer ===

impl Writer {
    pub(crate) fn start(
        directory: &Path,
        mut segments: Vec<Segment>,
        held: Arc<Mutex<Held>>,
    ) -> Result<Self, LogError> {
        if segments.is_empty() {
            segments.push(Segment::new(directory, 1));
        }
        let file = match segments.last() {
            Some(newest) => newest.open()?,
            None => return Err(failed(directory, stopped())),
        };
        let directory = directory.to_owned();
        let appending = Appending {
            directory: directory.clone(),
            file,
            segments,
            held,
            purged: 0,
        };
        let (jobs, queue) = mpsc::channel(QUEUE);
        let thread = std::thread::Builder::new()
            .name("raft-log".to_owned())
            .spawn(move || appending.run(queue))
            .map_err(|source| failed(&directory, source))?;
        let (jobs, thread) = (Some(jobs), Some(thread));
        Ok(Self { jobs, thread })
    }

    /// Has it written; waits while the queue is full.
    pub(crate) async fn send(&self, job: Job) -> io::Result<()> {
        let jobs = self.jobs.as_ref().ok_or_else(stopped)?;
        jobs.send(job).await.map_err(|_| stopped())
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        drop(self.jobs.take());
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the thread that writes the log of the cluster has panicked");
        }
    }
}

/// The error of a log whose thread has ended.
pub(crate) fn stopped() -> io::Error {
    io::Error::other("the log is closed")
}

// === impl Appending ===

impl Appending {
    /// Writes what comes, all that waits at once. After an error nothing more is written: what the disk has is not
    /// known then.
    fn run(mut self, mut queue: mpsc::Receiver<Job>) {
        let mut failure: Option<io::Error> = None;
        while let Some(first) = queue.blocking_recv() {
            let mut jobs = vec![first];
            while let Ok(job) = queue.try_recv() {
                jobs.push(job);
            }
            let result = match &failure {
                None => self.write(&jobs),
                Some(error) => Err(io::Error::new(error.kind(), error.to_string())),
            };
            for job in jobs {
                job.done.tell(&result);
            }
            if let (None, Err(error)) = (&failure, result) {
                tracing::error!(%error, "the log of the cluster cannot be written");
                failure = Some(error);
            }
        }
    }

    fn write(&mut self, jobs: &[Job]) -> io::Result<()> {
        let bytes: Vec<u8> = jobs.iter().flat_map(|job| &job.bytes).copied().collect();
        self.file.write_all(&bytes)?;
        if jobs.iter().any(|job| !matches!(job.done, Done::Unsynced)) {
            self.file.sync_data()?;
        }
        if let Some(newest) = self.segments.last_mut() {
            let last = jobs.iter().filter_map(|job| job.last).max();
            newest.last = newest.last.max(last.unwrap_or_default());
            newest.length += bytes.len() as u64;
        }
        let purged = jobs.iter().filter_map(|job| job.purged).max();
        self.purged = self.purged.max(purged.unwrap_or_default());
        self.rotate()
    }

    /// Begins a new segment after a long one, and removes those whose entries are not needed.
    fn rotate(&mut self) -> io::Result<()> {
        let Some(newest) = self.segments.last() else {
            return Ok(());
        };
        if newest.length >= SEGMENT_BYTES {
            let mut next = Segment::new(&self.directory, newest.number + 1);
            let mut bytes = Vec::new();
            for record in self.held.lock().beginning() {
                record.encode(&mut bytes);
            }
            let mut file = next.open().map_err(io::Error::other)?;
            file.write_all(&bytes)?;
            file.sync_data()?;
            next.length = bytes.len() as u64;
            self.file = file;
            self.segments.push(next);
        }
        let needless = |segment: &Segment| segment.last <= self.purged;
        let newest = self.segments.len().saturating_sub(1);
        let needless = self
            .segments
            .iter()
            .take(newest)
            .take_while(|segment| needless(segment));
        let count = needless.count();
        for segment in self.segments.drain(..count) {
            fs::remove_file(&segment.path)?;
        }
        Ok(())
    }
}
