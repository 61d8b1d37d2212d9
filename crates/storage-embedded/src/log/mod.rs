//! The message log: one file after the other that is only appended to, and an index that follows.
//!
//! * `entrance.rs` is the bounded way to the writer; `writer.rs` makes one group (`group.rs`) of whatever waits, has it
//!   written and synced, and answers (`health.rs` knows whether it can); `homes.rs` is what it decides with;
//! * `journal.rs` is the sequence of records, `frame.rs` how one lies in a segment, `entry.rs` what it says,
//!   `disk.rs` the files, `preparer.rs` has the next one ready;
//! * `tail.rs` is what the index does not contain yet; `indexer.rs` puts it there (`index`), clears up, and has
//!   `moves.rs` empty segments that hold little;
//! * `view.rs` is one account's log at one moment: the index, and what `fresh.rs` makes of the tail;
//! * `recover.rs` brings the index up to the log's end at the start, and `repair` goes on without what is damaged;
//! * `reading.rs` answers from that and the segments.

mod config;
mod disk;
mod entrance;
mod entry;
mod failure;
mod frame;
mod fresh;
mod group;
mod health;
mod homes;
mod index;
mod indexer;
mod journal;
mod metrics;
mod moves;
mod port;
mod preparer;
mod reading;
mod recover;
mod repair;
mod tail;
mod view;
mod writer;

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use parking_lot::Mutex;
use rookery_stanza::BareJid;
use rookery_storage::StoreError;
use rookery_storage::message_log::Salts;
use rookery_telemetry::Registry;
use rusqlite::Connection;
use tokio::sync::oneshot;

pub use config::{LogConfig, LogConfigError};
pub use repair::{LogReport, Loss, LostRow, check_log, repair_log};

use crate::failure::Failure;
use crate::lock::StoreLock;
use crate::open::{self, OpenError};
use crate::queue::{Queue, Refused};
use crate::readers::{self, Read, Reader};
use crate::store::Thread;
use disk::Folder;
use entrance::Entrance;
use group::{Caller, Job};
use health::Health;
use homes::Homes;
use indexer::{Clearance, Indexer};
use journal::Segments;
use metrics::Metrics;
use preparer::Preparer;
use tail::Tail;
use writer::Writer;

/// The name of the index in the log's folder; the segments lie beside it.
const INDEX: &str = "messages.db";

/// The message logs of all accounts, in one folder.
///
/// An answer of `Ok` to an append comes after the sync of the group that it was part of. When a caller drops its future,
/// the append is done all the same, if the writer has it.
pub struct EmbeddedLog {
    path: PathBuf,
    entrance: Arc<Entrance>,
    reads: Arc<Queue<Read>>,
    segments: Arc<Segments>,
    tail: Arc<Tail>,
    health: Arc<Health>,
    readers: Mutex<Vec<Thread>>,
    workers: Mutex<Vec<Thread>>,
}

// === impl EmbeddedLog ===

impl EmbeddedLog {
    /// Opens the log in the folder `path`, which has to be there, or begins it. Takes the lock on it, and brings
    /// the index up to the log's end: blocks, usually for less than a second.
    pub fn open(
        path: &Path,
        config: &LogConfig,
        registry: &Registry,
    ) -> Result<Arc<Self>, OpenError> {
        let file = path.join(INDEX);
        let lock = StoreLock::take(&file).map_err(|error| OpenError::from_lock(&file, error))?;
        let mut connection = index::open(&file)?;
        let segments = Segments::new(Arc::new(Folder::new(path.to_owned())));
        let segment_bytes = config.segment_bytes.get();
        let journal = recover::recover(&mut connection, &segments, segment_bytes)
            .map_err(|error| error.into_open_error(&file))?;
        let metrics = Metrics::register(registry);
        let (reads, readers) = start_readers(&file, config, &metrics)?;
        let tail = Tail::new(config.index_delay());
        let (waiting, indexing) = (metrics.writes.clone(), metrics.clone());
        let (entrance, jobs) = Entrance::new(config.queue.get(), config.queue_bytes.get(), waiting);
        let health = Arc::new(Health::new(metrics.clone()));
        let (preparer, preparing) = Preparer::start(Arc::clone(&segments), segment_bytes)?;
        let writer = Writer {
            journal,
            segments: Arc::clone(&segments),
            homes: Homes::new(Arc::clone(&tail), open::open_reader(&file)?),
            tail: Arc::clone(&tail),
            jobs,
            batch: config.batch.get(),
            batch_bytes: config.batch_bytes.get(),
            durability: config.durability,
            preparer,
            health: Arc::clone(&health),
            metrics,
            salts: Salts::default(),
            buffer: Vec::new(),
        };
        let indexer = Indexer {
            connection,
            tail: Arc::clone(&tail),
            segments: Arc::clone(&segments),
            entrance: Arc::clone(&entrance),
            metrics: indexing,
            clearing: config.clearing,
            clearance: Clearance::default(),
            lock,
        };
        let workers = vec![
            Thread::start("log-writer", move || writer.run())?,
            preparing,
            Thread::start("log-indexer", move || indexer.run())?,
        ];
        Ok(Arc::new(Self {
            path: path.to_owned(),
            entrance,
            reads,
            segments,
            tail,
            health,
            readers: Mutex::new(readers),
            workers: Mutex::new(workers),
        }))
    }

    /// Whether the last writes of the log and of its index succeeded: what a readiness probe asks.
    pub fn health(&self) -> Result<(), StoreError> {
        self.health.check().and_then(|()| self.tail.check())
    }

    /// Takes no more work, does what waits, and gives the files up. Closing again changes nothing.
    pub async fn close(&self) {
        self.entrance.close();
        self.reads.close();
        let readers = std::mem::take(&mut *self.readers.lock());
        // The writer ends first, then who prepares for it, then the indexer, which closes the index last of all.
        let workers = std::mem::take(&mut *self.workers.lock());
        for thread in readers.into_iter().chain(workers) {
            thread.end().await;
        }
    }

    /// Has the writer do something for this account that takes so many bytes, and waits for the answer.
    async fn write<T>(
        &self,
        account: &BareJid,
        bytes: usize,
        job: impl FnOnce(Caller<T>) -> Job,
    ) -> Result<T, StoreError> {
        let (caller, answer) = oneshot::channel();
        let account = account.as_str();
        self.entrance.enter(job(caller), account, bytes).await?;
        answer.await.unwrap_or_else(|_| Err(Refused::Closed.into()))
    }

    /// Has a reader do something.
    async fn read<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Connection, &Segments) -> Result<T, Failure> + Send + 'static,
    ) -> Result<T, StoreError> {
        let segments = Arc::clone(&self.segments);
        let (read, answer) = readers::read(move |connection| work(connection, &segments));
        self.reads.submit(read)?;
        answer.await.unwrap_or_else(|_| Err(Refused::Closed.into()))
    }

    /// Has the indexer do something with the index, once it contains what has happened to an account, or
    /// everything if none is named.
    async fn maintain<T: Send + 'static>(
        &self,
        account: Option<&str>,
        work: impl FnOnce(&mut Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, StoreError> {
        let (caller, answer) = oneshot::channel();
        let task = Box::new(move |connection: &mut Connection| {
            // A caller that is gone wants no answer.
            drop(caller.send(work(connection).map_err(failure::of_sqlite)));
        });
        self.tail.ask(account, task)?;
        answer.await.unwrap_or_else(|_| Err(Refused::Closed.into()))
    }
}

/// Starts the readers, and gives the way to them.
fn start_readers(
    file: &Path,
    config: &LogConfig,
    metrics: &Metrics,
) -> Result<(Arc<Queue<Read>>, Vec<Thread>), OpenError> {
    let waiting = &metrics.reads;
    let (reads, jobs) = Queue::new("message log's readers", config.queue.get(), waiting.clone());
    let mut readers = Vec::with_capacity(config.readers.get());
    for _ in 0..config.readers.get() {
        let reader = Reader {
            connection: open::open_reader(file)?,
            jobs: jobs.clone(),
            waiting: waiting.clone(),
        };
        readers.push(Thread::start("log-reader", move || reader.run())?);
    }
    Ok((Arc::new(reads), readers))
}

impl fmt::Debug for EmbeddedLog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EmbeddedLog")
            .field("path", &self.path)
            .finish_non_exhaustive()
    }
}
