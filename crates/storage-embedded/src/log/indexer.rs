//! The indexer: follows the log with the index, and clears up what nothing needs.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use rookery_storage::StoreError;
use rusqlite::Connection;
use tokio::sync::oneshot::error::TryRecvError;
use tokio::time::Instant;

use super::entrance::Entrance;
use super::failure;
use super::index::{self, Applier};
use super::journal::{Position, Segments};
use super::metrics::{Metrics, Part};
use super::moves::{self, Answer};
use super::tail::{Load, Tail};
use crate::lock::StoreLock;

/// How many rows of an erased log it removes at once.
const ERASED: i64 = 2000;

/// What the indexer's thread owns, which ends last of all. Fields are dropped in their order: the lock goes last.
pub(crate) struct Indexer {
    pub(crate) connection: Connection,
    pub(crate) tail: Arc<Tail>,
    pub(crate) segments: Arc<Segments>,
    /// The way to the writer, who moves the survivors of segments that are almost empty.
    pub(crate) entrance: Arc<Entrance>,
    pub(crate) metrics: Metrics,
    /// How often it clears up.
    pub(crate) clearing: Duration,
    pub(crate) clearance: Clearance,
    pub(crate) lock: StoreLock,
}

/// How far clearing up has come.
#[derive(Debug, Default)]
pub(crate) struct Clearance {
    /// From where on the segment is read whose survivors are being moved.
    emptying: Option<Position>,
    /// What segments said of whole logs that are about to go, and is said again.
    keeping: HashMap<u32, Vec<Answer>>,
}

/// Says that nothing is indexed any more, however the thread ends.
struct Ending(Arc<Tail>);

// === impl Indexer ===

impl Indexer {
    /// Works until the tail is closed and empty.
    pub(crate) fn run(mut self) {
        let ending = Ending(Arc::clone(&self.tail));
        let mut applier = Applier::default();
        let mut cleared = Instant::now();
        loop {
            let mut load = self.tail.take();
            if !self.carry_out(&mut applier, &load) {
                break;
            }
            if load.end.is_some() {
                self.tail.done();
            }
            for task in load.tasks.drain(..) {
                task(&mut self.connection);
            }
            if load.last {
                break;
            }
            if cleared.elapsed() >= self.clearing {
                cleared = Instant::now();
                self.clear_up();
            }
        }
        drop(ending);
        let Self {
            connection, lock, ..
        } = self;
        if let Err((_, error)) = connection.close() {
            tracing::warn!(%error, "what SQLite has not moved into the index stays for the next start");
        }
        drop(lock);
    }

    /// Puts the load into the index, however often it takes; not when the log is closed meanwhile.
    fn carry_out(&mut self, applier: &mut Applier, load: &Load) -> bool {
        let Some(end) = &load.end else { return true };
        let up = self.metrics.up.of(Part::Index);
        loop {
            let synced = end.unsynced.as_ref().map_or(Ok(()), |file| file.sync());
            let result = synced.map_err(failure::of_io);
            let result = result.and_then(|()| {
                applier
                    .apply(&mut self.connection, &load.changes, end.position)
                    .map_err(failure::of_sqlite)
            });
            let Err(error) = result else {
                up.set(1);
                return true;
            };
            tracing::error!(%error, "the index of the message log cannot be written");
            up.set(0);
            self.metrics.index_failures.increment();
            if !self.tail.failed(error) {
                return false;
            }
        }
    }

    /// One step of each kind of clearing up. What fails is tried again the next time.
    fn clear_up(&mut self) {
        let erased = index::forget_erased(&mut self.connection, ERASED);
        let erased = erased.map(drop).map_err(failure::of_sqlite);
        for done in [erased, self.give_up_segments()] {
            if let Err(error) = done {
                tracing::warn!(%error, "the message log could not be cleared up");
            }
        }
    }

    /// Gives up the segments that nothing refers to, and has one emptied that little refers to.
    fn give_up_segments(&mut self) -> Result<(), StoreError> {
        let position = index::position(&self.connection).map_err(failure::of_sqlite)?;
        let Some(end) = position.map(|position| position.place.segment) else {
            return Ok(());
        };
        let list = self.segments.list().map_err(failure::of_io)?;
        let before = list.into_iter().take_while(|number| *number < end);
        let before: Vec<u32> = before.collect();
        let spare = index::spare(&self.connection, before.iter().copied());
        let spare = spare.map_err(failure::of_sqlite)?;
        let mut left = before.iter().filter(|number| !spare.empty.contains(number));
        let oldest = left.next().copied().unwrap_or(end);
        let mut gone = Vec::new();
        for number in spare.empty {
            if self.is_said_again(number, oldest)? {
                gone.push(number);
            }
        }
        if !gone.is_empty() {
            self.remove(gone)?;
        }
        self.empty(spare.sparse)
    }

    /// Whether what a segment says of whole logs is durable elsewhere.
    fn is_said_again(&mut self, number: u32, oldest: u32) -> Result<bool, StoreError> {
        let keeping = &mut self.clearance.keeping;
        let Some(answers) = keeping.get_mut(&number) else {
            let Some(answers) = moves::keep(&self.segments, &self.entrance, number, oldest)? else {
                return Ok(false);
            };
            let none = answers.is_empty();
            keeping.insert(number, answers);
            return Ok(none);
        };
        let mut failed = false;
        answers.retain_mut(|answer| match answer.try_recv() {
            Ok(Ok(())) => false,
            Err(TryRecvError::Empty) => true,
            _ => {
                failed = true;
                false
            }
        });
        let done = answers.is_empty();
        if failed {
            keeping.remove(&number);
        }
        Ok(done && !failed)
    }

    /// Has the survivors of a segment moved, some at each step.
    fn empty(&mut self, sparse: Option<u32>) -> Result<(), StoreError> {
        let from = match (self.clearance.emptying.take(), sparse) {
            (Some(from), _) => Some(from),
            (None, Some(number)) => self.segments.beginning(number).map_err(failure::of_io)?,
            (None, None) => None,
        };
        let Some(from) = from else { return Ok(()) };
        let rest = moves::submit(&self.connection, &self.segments, &self.entrance, from)?;
        self.clearance.emptying = rest;
        if rest.is_none() {
            // So that the segment is not emptied again, but found empty.
            self.tail.ask(None, Box::new(|_| ()))?;
        }
        Ok(())
    }

    fn remove(&mut self, segments: Vec<u32>) -> Result<(), StoreError> {
        // What the index has in place of the segments must survive before they go.
        if !index::checkpoint(&self.connection).map_err(failure::of_sqlite)? {
            return Ok(());
        }
        for number in segments {
            self.segments.remove(number).map_err(failure::of_io)?;
            index::forget_segment(&self.connection, number).map_err(failure::of_sqlite)?;
            self.clearance.keeping.remove(&number);
        }
        Ok(())
    }
}

// === impl Ending ===

impl Drop for Ending {
    fn drop(&mut self) {
        self.0.end();
    }
}
