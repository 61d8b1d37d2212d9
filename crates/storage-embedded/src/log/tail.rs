//! The end of the log that the index does not contain yet: what the writer has written and the indexer takes.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;
use std::time::Duration;

use parking_lot::{Condvar, Mutex, MutexGuard};
use rookery_storage::StoreError;
use rusqlite::Connection;
use tokio::sync::watch;

use super::index::Change;
use super::journal::{Position, Synced};

/// How many changes wait at most; the writer waits for the indexer when there are as many.
const MOST: usize = 1 << 16;
/// From how many changes on the indexer takes them at once.
const MANY: usize = 1 << 14;
/// How long changes wait when they are fewer and nobody asks for what they change.
const PATIENCE: Duration = Duration::from_secs(1);
/// How often the indexer looks for what else there is to do.
const IDLE: Duration = Duration::from_secs(1);
/// How many tasks wait for the indexer at most.
const TASKS: usize = 64;

/// Something else for the indexer to do with the index, when everything up to now is in it.
pub(crate) type Task = Box<dyn FnOnce(&mut Connection) + Send>;

/// What lies between the writer and the indexer.
#[derive(Debug)]
pub(crate) struct Tail {
    state: Mutex<State>,
    /// Something came for the indexer.
    filled: Condvar,
    /// The indexer has come further, or has failed.
    emptied: Condvar,
    progress: watch::Sender<Progress>,
}

#[derive(Default)]
struct State {
    changes: Vec<Change>,
    /// The log up to the last of them; what is not synced of it lies in that file.
    end: Option<End>,
    /// How many changes there ever were.
    count: u64,
    /// By account, as a hash: which change was its last among those that wait, and among those that the indexer is at.
    waiting: HashMap<u64, u64>,
    taken: HashMap<u64, u64>,
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

/// How far the index has come.
#[derive(Clone, Debug, Default)]
struct Progress {
    count: u64,
    failure: Option<StoreError>,
}

/// What the indexer takes at once.
#[derive(Default)]
pub(crate) struct Load {
    pub(crate) changes: Vec<Change>,
    pub(crate) end: Option<End>,
    pub(crate) tasks: Vec<Task>,
    count: u64,
    /// There will be no more.
    pub(crate) last: bool,
}

impl std::fmt::Debug for State {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("State")
            .field("changes", &self.changes.len())
            .field("count", &self.count)
            .finish_non_exhaustive()
    }
}

/// What stands for an account; that two are alike costs only a needless wait.
fn hash(account: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    account.hash(&mut hasher);
    hasher.finish()
}

// === impl Tail ===

impl Tail {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self {
            state: Mutex::new(State::default()),
            filled: Condvar::new(),
            emptied: Condvar::new(),
            progress: watch::Sender::new(Progress::default()),
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
        let full = |state: &State| state.changes.len() >= MOST;
        self.wait(full)
    }

    /// Waits until the index contains what has happened to an account.
    pub(crate) fn contains(&self, account: &str) -> Result<(), StoreError> {
        let account = hash(account);
        self.wait(|state| state.last(account).is_some())
    }

    fn wait(&self, while_this: impl Fn(&State) -> bool) -> Result<(), StoreError> {
        let mut state = self.state.lock();
        while while_this(&state) {
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

    /// Waits without blocking until the index contains what has happened to an account.
    pub(crate) async fn settled(&self, account: &str) -> Result<(), StoreError> {
        let wanted = {
            let mut state = self.state.lock();
            let Some(wanted) = state.last(hash(account)) else {
                return Ok(());
            };
            self.hurry(&mut state);
            wanted
        };
        let mut progress = self.progress.subscribe();
        let done = |progress: &Progress| progress.count >= wanted || progress.failure.is_some();
        let Ok(progress) = progress.wait_for(done).await else {
            return Ok(());
        };
        if progress.count >= wanted {
            return Ok(());
        }
        progress.failure.clone().map_or(Ok(()), Err)
    }

    /// Adds the changes of a group.
    pub(crate) fn push(&self, changes: Vec<Change>, end: End) {
        let mut state = self.state.lock();
        let before = state.changes.len();
        for change in changes {
            state.count += 1;
            let count = state.count;
            for account in change.event.accounts() {
                state.waiting.insert(hash(account), count);
            }
            state.changes.push(change);
        }
        state.end = Some(end);
        let now = state.changes.len();
        if before == 0 || (before < MANY && now >= MANY) {
            self.filled.notify_one();
        }
    }

    /// Gives the indexer a task; not when too many wait.
    pub(crate) fn ask(&self, task: Task) -> Result<(), StoreError> {
        let mut state = self.state.lock();
        if state.closed || state.tasks.len() >= TASKS {
            return Err(StoreError::Unavailable(format!(
                "busy, {TASKS} tasks wait for the log's index already"
            )));
        }
        state.tasks.push(task);
        self.hurry(&mut state);
        Ok(())
    }

    /// The next load for the indexer; one without anything in it when nothing came for a while.
    pub(crate) fn take(&self) -> Load {
        let mut state = self.state.lock();
        let mut patient = !state.changes.is_empty();
        while !state.is_urgent() {
            let time = if patient { PATIENCE } else { IDLE };
            let timed_out = self.filled.wait_for(&mut state, time).timed_out();
            if timed_out {
                break;
            }
            patient = !state.changes.is_empty();
        }
        state.hurry = false;
        state.taken = std::mem::take(&mut state.waiting);
        Load {
            changes: std::mem::take(&mut state.changes),
            end: state.end.take(),
            tasks: std::mem::take(&mut state.tasks),
            count: state.count,
            last: state.closed,
        }
    }

    /// The index contains the load.
    pub(crate) fn done(&self, load: &Load) {
        let mut state = self.state.lock();
        state.taken.clear();
        state.failure = None;
        let count = load.count;
        self.progress.send_replace(Progress {
            count,
            failure: None,
        });
        self.emptied.notify_all();
    }

    /// The index could not be written; the indexer tries the load again after a while. Whether it should.
    pub(crate) fn failed(&self, failure: StoreError) -> bool {
        let mut state = self.state.lock();
        state.failure = Some(failure.clone());
        self.progress
            .send_modify(|progress| progress.failure = Some(failure));
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
        let ended = StoreError::Unavailable("the log's indexer has ended".to_owned());
        let mut state = self.state.lock();
        state.closed = true;
        state.failure = Some(ended.clone());
        self.progress
            .send_modify(|progress| progress.failure = Some(ended));
        self.emptied.notify_all();
    }
}

// === impl State ===

impl State {
    fn is_urgent(&self) -> bool {
        self.hurry || self.closed || self.changes.len() >= MANY
    }

    /// The number of the last change to an account that the index does not contain.
    fn last(&self, account: u64) -> Option<u64> {
        let waiting = self.waiting.get(&account);
        waiting.or_else(|| self.taken.get(&account)).copied()
    }
}
