//! The end of the log that the index does not contain yet: what the writer has written and the indexer takes.
//! Reads look into it, so that nobody waits for the index.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;
use std::time::Duration;

use parking_lot::{Condvar, Mutex, MutexGuard};
use rookery_storage::StoreError;
use rusqlite::Connection;
use tokio::time::Instant;

use super::index::Change;
use super::journal::{Position, Synced};

/// How many changes wait at most; the writer waits for the indexer when there are as many.
const MOST: usize = 1 << 17;
/// From how many changes on the indexer takes them at once.
const MANY: usize = 1 << 15;
/// From how many changes of one account on a read of it has the indexer hurry.
const LONG: usize = 1 << 10;
/// How often the indexer looks for what else there is to do.
const IDLE: Duration = Duration::from_secs(1);
/// How many tasks wait for the indexer at most.
const TASKS: usize = 64;

/// Something else for the indexer to do with the index.
pub(crate) type Task = Box<dyn FnOnce(&mut Connection) + Send>;

/// What lies between the writer and the indexer.
#[derive(Debug)]
pub(crate) struct Tail {
    state: Mutex<State>,
    /// Something came for the indexer.
    filled: Condvar,
    /// The indexer has come further, or has failed.
    emptied: Condvar,
    /// How long changes wait when they are few: the longer, the more of them share the pages of the index.
    patience: Duration,
}

#[derive(Default)]
struct State {
    changes: Vec<Arc<Change>>,
    /// The log up to the last of them; what is not synced of it lies in that file.
    end: Option<End>,
    /// When the first of them came.
    since: Option<Instant>,
    /// By account, as a hash: those that wait, and those that the indexer is at.
    waiting: HashMap<u64, Vec<Arc<Change>>>,
    taken: HashMap<u64, Vec<Arc<Change>>>,
    tasks: Vec<Task>,
    hurry: bool,
    closed: bool,
    failure: Option<StoreError>,
}

/// How far the log has come with a group.
#[derive(Clone, Debug)]
pub(crate) struct End {
    pub(crate) position: Position,
    /// The segment to sync before the index may contain what was written.
    pub(crate) unsynced: Option<Arc<Synced>>,
}

/// What the indexer takes at once.
#[derive(Default)]
pub(crate) struct Load {
    pub(crate) changes: Vec<Arc<Change>>,
    pub(crate) end: Option<End>,
    pub(crate) tasks: Vec<Task>,
    /// There will be no more.
    pub(crate) last: bool,
}

impl std::fmt::Debug for State {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("State")
            .field("changes", &self.changes.len())
            .finish_non_exhaustive()
    }
}

/// What stands for an account; who looks at the changes tells apart those that are alike.
fn hash(account: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    account.hash(&mut hasher);
    hasher.finish()
}

// === impl Tail ===

impl Tail {
    /// Nothing; what comes waits so long for the indexer.
    pub(crate) fn new(patience: Duration) -> Arc<Self> {
        Arc::new(Self {
            state: Mutex::new(State::default()),
            filled: Condvar::new(),
            emptied: Condvar::new(),
            patience,
        })
    }

    /// Why the index could not be written, if that was so the last time.
    pub(crate) fn check(&self) -> Result<(), StoreError> {
        self.state.lock().failure.clone().map_or(Ok(()), Err)
    }

    /// How many changes wait.
    pub(crate) fn len(&self) -> usize {
        self.state.lock().changes.len()
    }

    /// Waits until there is room for more; fails when there is none and the index cannot be written.
    pub(crate) fn room(&self) -> Result<(), StoreError> {
        let mut state = self.state.lock();
        while state.changes.len() >= MOST {
            if let Some(failure) = &state.failure {
                return Err(failure.clone());
            }
            self.hurry(&mut state);
            self.emptied.wait(&mut state);
        }
        Ok(())
    }

    fn hurry(&self, state: &mut MutexGuard<'_, State>) {
        if !state.hurry {
            state.hurry = true;
            self.filled.notify_one();
        }
    }

    /// What has happened to an account, and may have happened to others, since the index was written.
    pub(crate) fn fresh(&self, account: &str) -> Vec<Arc<Change>> {
        let account = hash(account);
        let mut state = self.state.lock();
        let changes = [&state.taken, &state.waiting];
        let changes = changes.into_iter().filter_map(|some| some.get(&account));
        let fresh: Vec<Arc<Change>> = changes.flatten().cloned().collect();
        if fresh.len() >= LONG {
            self.hurry(&mut state);
        }
        fresh
    }

    /// Adds the changes of a group.
    pub(crate) fn push(&self, changes: Vec<Change>, end: End) {
        let mut state = self.state.lock();
        let before = state.changes.len();
        for change in changes {
            let change = Arc::new(change);
            for account in change.event.accounts() {
                let waiting = state.waiting.entry(hash(account)).or_default();
                waiting.push(Arc::clone(&change));
            }
            state.changes.push(change);
        }
        state.end = Some(end);
        let now = state.changes.len();
        if before == 0 {
            state.since = Some(Instant::now());
        }
        if before == 0 || (before < MANY && now >= MANY) {
            self.filled.notify_one();
        }
    }

    /// Gives the indexer a task, to be done when the index contains what has happened to an account, or everything
    /// if none is named; not when too many wait.
    pub(crate) fn ask(&self, account: Option<&str>, task: Task) -> Result<(), StoreError> {
        let mut state = self.state.lock();
        if state.closed || state.tasks.len() >= TASKS {
            return Err(StoreError::Unavailable(format!(
                "busy, {TASKS} tasks wait for the log's index already"
            )));
        }
        state.tasks.push(task);
        if account.is_none_or(|account| state.waiting.contains_key(&hash(account))) {
            self.hurry(&mut state);
        }
        self.filled.notify_one();
        Ok(())
    }

    /// The next load for the indexer; one without anything in it when nothing came for a while.
    pub(crate) fn take(&self) -> Load {
        let mut state = self.state.lock();
        let idle = Instant::now() + IDLE;
        while !self.is_due(&state) && state.tasks.is_empty() {
            let until = state
                .since
                .map_or(idle, |since| idle.min(since + self.patience))
                .saturating_duration_since(Instant::now());
            if until.is_zero() {
                break;
            }
            self.filled.wait_for(&mut state, until);
        }
        let mut load = Load {
            tasks: std::mem::take(&mut state.tasks),
            last: state.closed,
            ..Load::default()
        };
        if self.is_due(&state) {
            state.hurry = false;
            state.since = None;
            state.taken = std::mem::take(&mut state.waiting);
            load.changes = std::mem::take(&mut state.changes);
            load.end = state.end.take();
        }
        load
    }

    /// The index contains the load.
    pub(crate) fn done(&self) {
        let mut state = self.state.lock();
        let taken = std::mem::take(&mut state.taken);
        state.failure = None;
        self.emptied.notify_all();
        drop(state);
        // There are many, and whoever waits need not wait for that.
        drop(taken);
    }

    /// The index could not be written; the indexer tries the load again after a while. Whether it should.
    pub(crate) fn failed(&self, failure: StoreError) -> bool {
        let mut state = self.state.lock();
        state.failure = Some(failure);
        self.emptied.notify_all();
        if !state.closed {
            self.filled.wait_for(&mut state, IDLE);
        }
        !state.closed
    }

    /// Nothing more will come.
    pub(crate) fn close(&self) {
        self.state.lock().closed = true;
        self.filled.notify_one();
    }

    /// The indexer has ended, however that came about: nobody waits for it any more.
    pub(crate) fn end(&self) {
        let mut state = self.state.lock();
        state.closed = true;
        state.failure = Some(StoreError::Unavailable(
            "the log's indexer has ended".to_owned(),
        ));
        self.emptied.notify_all();
    }

    /// Whether the indexer takes the changes.
    fn is_due(&self, state: &State) -> bool {
        let late = |since: Instant| since.elapsed() >= self.patience;
        state.hurry || state.closed || state.changes.len() >= MANY || state.since.is_some_and(late)
    }
}
