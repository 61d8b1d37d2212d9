//! The store as its users see it: open, ask, close.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::JoinHandle;

use parking_lot::Mutex;
use rookery_storage::StoreError;
use rookery_telemetry::Registry;
use rusqlite::Connection;
use tokio::sync::oneshot;
use tokio::time::Instant;

use crate::config::Config;
use crate::failure::Failure;
use crate::metrics::{Backend, Metrics, Operation, Outcome, Threads};
use crate::open::{self, OpenError};
use crate::queue::{Queue, Refused};
use crate::readers::{self, Read, Reader};
use crate::writer::{self, Health, Write, Writer};

/// The embedded store: one SQLite file, written by one thread and read by several.
///
/// An answer of `Ok` to a write comes after the sync of the transaction that it was part of. When a
/// caller drops its future, the write is done all the same.
pub struct EmbeddedStore {
    path: PathBuf,
    writes: Queue<Box<dyn Write>>,
    reads: Queue<Read>,
    health: Arc<Health>,
    metrics: Metrics,
    readers: Mutex<Vec<Thread>>,
    writer: Mutex<Option<Thread>>,
}

/// A thread that says when it is about to end.
pub(crate) struct Thread {
    handle: JoinHandle<()>,
    ended: oneshot::Receiver<()>,
}

// === impl EmbeddedStore ===

impl EmbeddedStore {
    /// Opens the store at `path`, or makes it: its directory must exist. Takes the lock on it, checks
    /// it, and brings its schema up to date. Blocks, for about a second when the file is large.
    pub fn open(path: &Path, config: &Config, registry: &Registry) -> Result<Arc<Self>, OpenError> {
        let (lock, connection) = open::open_writer(path, config)?;
        let mut connections = Vec::with_capacity(config.readers.get());
        for _ in 0..config.readers.get() {
            connections.push(open::open_reader(path)?);
        }
        let metrics = Metrics::register(registry);
        let health = Health::new(metrics.clone());
        let waiting = |threads| metrics.waiting.of(Backend::Embedded, threads).clone();
        let waiting_writes = waiting(Threads::Writer);
        let (writes, jobs) = Queue::new("writer", config.queue.get(), waiting_writes);
        let writer = Writer {
            connection,
            jobs,
            batch: config.batch.get(),
            health: Arc::clone(&health),
            files: [path.to_owned(), log_path(path)],
            lock,
        };
        let waiting_reads = waiting(Threads::Readers);
        let (reads, jobs) = Queue::new("readers", config.queue.get(), waiting_reads.clone());
        let mut readers = Vec::with_capacity(connections.len());
        for connection in connections {
            let reader = Reader {
                connection,
                jobs: jobs.clone(),
                waiting: waiting_reads.clone(),
            };
            readers.push(Thread::start("store-reader", move || reader.run())?);
        }
        let writer = Thread::start("store-writer", move || writer.run())?;
        Ok(Arc::new(Self {
            path: path.to_owned(),
            writes,
            reads,
            health,
            metrics,
            readers: Mutex::new(readers),
            writer: Mutex::new(Some(writer)),
        }))
    }

    /// Whether the last write succeeded: what a readiness probe asks.
    pub fn health(&self) -> Result<(), StoreError> {
        self.health.check()
    }

    /// Takes no more work, does what waits, and gives the file up. Closing again changes nothing.
    pub async fn close(&self) {
        self.reads.close();
        let readers = std::mem::take(&mut *self.readers.lock());
        for reader in readers {
            reader.end().await;
        }
        // The last connection that closes moves the log into the file, and only the writer can: it ends when
        // the readers have.
        self.writes.close();
        let writer = self.writer.lock().take();
        if let Some(writer) = writer {
            writer.end().await;
        }
    }

    /// Has the writer do something, and waits until it is durable.
    pub(crate) async fn write<T: Send + 'static>(
        &self,
        operation: Operation,
        work: impl FnMut(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, StoreError> {
        let started = Instant::now();
        let (write, answer) = writer::write(work);
        let submitted = self.writes.submit(write);
        self.answer(operation, started, submitted, answer).await
    }

    /// Has a reader do something.
    pub(crate) async fn read<T: Send + 'static>(
        &self,
        operation: Operation,
        work: impl FnOnce(&Connection) -> Result<T, Failure> + Send + 'static,
    ) -> Result<T, StoreError> {
        let started = Instant::now();
        let (read, answer) = readers::read(work);
        let submitted = self.reads.submit(read);
        self.answer(operation, started, submitted, answer).await
    }

    /// Waits for an answer and measures.
    async fn answer<T>(
        &self,
        operation: Operation,
        started: Instant,
        submitted: Result<(), Refused>,
        answer: oneshot::Receiver<Result<T, StoreError>>,
    ) -> Result<T, StoreError> {
        let count = |outcome| {
            self.metrics
                .operations
                .of(Backend::Embedded, operation, outcome)
                .increment();
        };
        if let Err(refused) = submitted {
            count(Outcome::CircuitOpen);
            return Err(refused.into());
        }
        let result = answer.await.unwrap_or_else(|_| Err(Refused::Closed.into()));
        count(if result.is_ok() {
            Outcome::Ok
        } else {
            Outcome::Error
        });
        self.metrics
            .duration
            .of(Backend::Embedded, operation)
            .observe(started.elapsed());
        result
    }
}

impl fmt::Debug for EmbeddedStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EmbeddedStore")
            .field("path", &self.path)
            .finish_non_exhaustive()
    }
}

/// Where the write-ahead log lies.
fn log_path(path: &Path) -> PathBuf {
    let mut log = path.as_os_str().to_owned();
    log.push("-wal");
    log.into()
}

// === impl Thread ===

impl Thread {
    pub(crate) fn start(
        name: &str,
        work: impl FnOnce() + Send + 'static,
    ) -> Result<Self, OpenError> {
        let (ending, ended) = oneshot::channel();
        let work = move || {
            let _ending: oneshot::Sender<()> = ending;
            work();
        };
        let handle = std::thread::Builder::new()
            .name(name.to_owned())
            .spawn(work)?;
        Ok(Self { handle, ended })
    }

    /// Waits without blocking until the thread has done its work.
    pub(crate) async fn end(self) {
        // An error is what is awaited: the sender is dropped at the end.
        drop(self.ended.await);
        if self.handle.join().is_err() {
            tracing::error!("a thread of the store panicked");
        }
    }
}
