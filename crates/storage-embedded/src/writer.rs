//! The writer: whatever waits goes into one transaction, and is answered after its sync.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use rookery_storage::StoreError;
use rusqlite::{Connection, TransactionBehavior};
use tokio::sync::oneshot;

use crate::failure::Failure;
use crate::lock::StoreLock;
use crate::metrics::{Backend, Metrics, Threads};
use crate::queue::{Jobs, Next};

/// How often a store that failed is tried again when nobody asks it for anything.
const PROBE: Duration = Duration::from_secs(1);
/// Bytes that a probe writes: as many as an ordinary operation, so that it fails where that would.
const PROBE_BYTES: i64 = 16 << 10;

/// What the store was found to be at its last write.
#[derive(Debug)]
pub(crate) struct Health {
    failure: Mutex<Option<StoreError>>,
    metrics: Metrics,
}

/// One write. It may be done several times, until a transaction that it is part of is committed.
pub(crate) trait Write: Send {
    /// Does it inside of a transaction.
    fn attempt(&mut self, connection: &Connection) -> Result<(), Failure>;

    /// Tells the caller what came of it.
    fn answer(self: Box<Self>, committed: Result<(), StoreError>);
}

/// A write with its result and the caller that waits for it.
struct Pending<T, Work> {
    work: Work,
    result: Option<T>,
    caller: oneshot::Sender<Result<T, StoreError>>,
}

/// What the writer's thread owns. Fields are dropped in their order: the lock goes last.
pub(crate) struct Writer {
    pub(crate) connection: Connection,
    pub(crate) jobs: Jobs<Box<dyn Write>>,
    /// How many writes go into one transaction at most.
    pub(crate) batch: usize,
    pub(crate) health: Arc<Health>,
    pub(crate) files: [PathBuf; 2],
    pub(crate) lock: StoreLock,
}

/// Makes a write and the end at which its answer arrives.
pub(crate) fn write<T: Send + 'static>(
    work: impl FnMut(&Connection) -> rusqlite::Result<T> + Send + 'static,
) -> (Box<dyn Write>, oneshot::Receiver<Result<T, StoreError>>) {
    let (caller, answer) = oneshot::channel();
    (
        Box::new(Pending {
            work,
            result: None,
            caller,
        }),
        answer,
    )
}

/// Says that nothing can be written any more, however the writer ends.
struct End(Arc<Health>);

// === impl Writer ===

impl Writer {
    /// Works until the queue is closed and empty.
    pub(crate) fn run(mut self) {
        let _end = End(Arc::clone(&self.health));
        let mut batch = Vec::with_capacity(self.batch);
        while let Some(first) = self.next() {
            batch.push(first);
            let more = std::iter::from_fn(|| self.jobs.next_now());
            batch.extend(more.take(self.batch.saturating_sub(1)));
            self.taken(batch.len());
            self.commit(&mut batch);
            self.measure();
        }
        let Self {
            connection, lock, ..
        } = self;
        if let Err((_, error)) = connection.close() {
            tracing::warn!(%error, "the store's log stays for the next start");
        }
        drop(lock);
    }

    /// Waits for work; a store that failed is tried again meanwhile.
    fn next(&mut self) -> Option<Box<dyn Write>> {
        loop {
            if self.health.check().is_ok() {
                return self.jobs.next();
            }
            match self.jobs.next_within(PROBE) {
                Next::Job(job) => return Some(job),
                Next::End => return None,
                Next::Nothing => self.probe(),
            }
        }
    }

    /// Commits a batch. Should it fail, each write is tried by itself: what can be written is, and a
    /// failure is the answer to exactly those that are not.
    fn commit(&mut self, batch: &mut Vec<Box<dyn Write>>) {
        let result = self.transaction(batch);
        match result {
            Ok(()) => batch.drain(..).for_each(|write| write.answer(Ok(()))),
            Err(failure) if batch.len() == 1 => {
                let error = failure.to_store_error();
                batch
                    .drain(..)
                    .for_each(|write| write.answer(Err(error.clone())));
            }
            Err(_) => {
                for mut write in batch.drain(..) {
                    let result = self.transaction(std::slice::from_mut(&mut write));
                    write.answer(result.map_err(|failure| failure.to_store_error()));
                }
            }
        }
    }

    /// Does all of the writes in one transaction, or none.
    fn transaction(&mut self, writes: &mut [Box<dyn Write>]) -> Result<(), Failure> {
        let result = attempt(&mut self.connection, writes);
        self.health.set(result.as_ref().err());
        result
    }

    /// So many do not wait any more.
    fn taken(&self, count: usize) {
        let waiting = &self.health.metrics.waiting;
        let count = i64::try_from(count).unwrap_or(i64::MAX);
        waiting.of(Backend::Embedded, Threads::Writer).add(-count);
    }

    fn probe(&mut self) {
        let (mut probe, _answer) = write(|connection| {
            let sql = "INSERT OR REPLACE INTO probe (id, written) VALUES (0, randomblob(?))";
            connection.prepare_cached(sql)?.execute([PROBE_BYTES])
        });
        if self.transaction(std::slice::from_mut(&mut probe)).is_ok() {
            tracing::info!("the store works again");
        }
    }

    fn measure(&self) {
        let size = |path: &Path| std::fs::metadata(path).map_or(0, |metadata| metadata.len());
        let bytes: u64 = self.files.iter().map(|path| size(path)).sum();
        self.health
            .metrics
            .bytes
            .of(Backend::Embedded)
            .set(i64::try_from(bytes).unwrap_or(i64::MAX));
    }
}

/// Begins, does the writes, commits. A transaction that is dropped before its commit is rolled back.
fn attempt(connection: &mut Connection, writes: &mut [Box<dyn Write>]) -> Result<(), Failure> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    for write in writes {
        write.attempt(&transaction)?;
    }
    Ok(transaction.commit()?)
}

// === impl Pending ===

impl<T: Send, Work> Write for Pending<T, Work>
where
    Work: FnMut(&Connection) -> rusqlite::Result<T> + Send,
{
    fn attempt(&mut self, connection: &Connection) -> Result<(), Failure> {
        self.result = Some((self.work)(connection)?);
        Ok(())
    }

    fn answer(self: Box<Self>, committed: Result<(), StoreError>) {
        let never_done = || StoreError::Unavailable("the write was never done".to_owned());
        let Self { result, caller, .. } = *self;
        let result = committed.and_then(|()| result.ok_or_else(never_done));
        // A caller that is gone wants no answer.
        drop(caller.send(result));
    }
}

// === impl End ===

impl Drop for End {
    fn drop(&mut self) {
        let ended = StoreError::Unavailable("its writer has ended".to_owned());
        *self.0.failure.lock() = Some(ended);
        self.0.metrics.up.of(Backend::Embedded).set(0);
    }
}

// === impl Health ===

impl Health {
    /// The health of a store that was just opened.
    pub(crate) fn new(metrics: Metrics) -> Arc<Self> {
        metrics.up.of(Backend::Embedded).set(1);
        Arc::new(Self {
            failure: Mutex::new(None),
            metrics,
        })
    }

    /// Why the last write failed, if it did.
    pub(crate) fn check(&self) -> Result<(), StoreError> {
        self.failure.lock().clone().map_or(Ok(()), Err)
    }

    fn set(&self, failure: Option<&Failure>) {
        let mut last = self.failure.lock();
        if let (None, Some(error)) = (&*last, failure) {
            tracing::error!(%error, "the store cannot write");
        }
        *last = failure.map(Failure::to_store_error);
        self.metrics
            .up
            .of(Backend::Embedded)
            .set(i64::from(last.is_none()));
    }
}

#[cfg(test)]
mod tests {
    use futures_util::future::{join, join_all};
    use rookery_telemetry::Registry;

    use super::*;
    use crate::metrics::Operation;
    use crate::{Config, EmbeddedStore};

    #[tokio::test]
    async fn a_write_that_fails_takes_no_other_of_its_batch_with_it() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("store.db");
        let store = EmbeddedStore::open(&path, &Config::default(), &Registry::new()).unwrap();
        // One fails after it has written, and what it wrote must go.
        let outcome = |number| match number {
            5 => Err(rusqlite::Error::InvalidQuery),
            _ => Ok(number),
        };
        let add = |number: i64| {
            store.write(Operation::CreateAccounts, move |connection| {
                let sql = "INSERT INTO accounts (host, local) VALUES ('a.example', ?1)";
                connection.prepare_cached(sql)?.execute([number])?;
                outcome(number)
            })
        };
        // Nothing can be committed before all wait; so all but the first are one batch.
        let blocker = Connection::open(&path).unwrap();
        blocker.execute_batch("BEGIN IMMEDIATE").unwrap();
        let unblock = async { blocker.execute_batch("ROLLBACK").unwrap() };
        let (results, ()) = join(join_all((0..10).map(add)), unblock).await;

        let failed: Vec<usize> = (0..10).filter(|&number| results[number].is_err()).collect();
        assert_eq!(failed, [5]);
        assert_eq!(store.health(), Ok(()), "the last write succeeded");
        store.close().await;
        let count = "SELECT count(*) FROM accounts WHERE local <> '5'";
        let count: i64 = blocker.query_row(count, [], |row| row.get(0)).unwrap();
        let all: i64 = blocker
            .query_row("SELECT count(*) FROM accounts", [], |row| row.get(0))
            .unwrap();
        assert_eq!((count, all), (9, 9));
    }
}
