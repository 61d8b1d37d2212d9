//! The way in to the writer: as much may wait as there is room for, and who comes later waits outside, in order. What is
//! for one account has a share of the room, and waits for it in a line of its own; so an account that is flooded
//! delays itself. Confirmations have room of their own.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;

use parking_lot::Mutex;
use rookery_storage::StoreError;
use rookery_telemetry::Gauge;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::group::Job;
use crate::queue::{Jobs, Queue, Refused};

/// One account has at most one part in this many of the room.
const SHARES: usize = 16;
/// How many rows may be confirmed by what waits, for each job that there is room for.
const CONFIRMED: usize = 64;

/// Room for a number of jobs and of bytes.
pub(crate) struct Entrance {
    queue: Queue<(Job, Ticket)>,
    everybody: Room,
    /// For confirmations; in place of bytes it counts rows.
    confirmations: Room,
    /// The shares of those who have something in it, or wait.
    accounts: Shares,
    hashes: RandomState,
    /// How many jobs and bytes a share has.
    share: (usize, usize),
}

/// How much may be inside.
#[derive(Clone, Debug)]
struct Room {
    /// Held by the one who is next, so that nobody overtakes him.
    turn: Arc<Semaphore>,
    jobs: Arc<Semaphore>,
    bytes: Arc<Semaphore>,
    most_bytes: usize,
}

/// The room of one account.
#[derive(Debug)]
struct Share {
    room: Room,
    users: usize,
}

/// Somebody who uses the share of an account.
#[derive(Debug)]
struct User {
    accounts: Shares,
    account: u64,
}

/// The room that a job takes, until it is dropped.
#[derive(Debug)]
pub(crate) struct Ticket {
    _room: Vec<Taken>,
    _user: Option<User>,
}

/// By account, as a hash: two that are alike have one share together.
type Shares = Arc<Mutex<HashMap<u64, Share>>>;

type Taken = (OwnedSemaphorePermit, OwnedSemaphorePermit);

// === impl Entrance ===

impl Entrance {
    /// Room for this many jobs and bytes, and the end at which the jobs come out.
    pub(crate) fn new(jobs: usize, bytes: u32, waiting: Gauge) -> (Arc<Self>, Jobs<(Job, Ticket)>) {
        let bytes = usize::try_from(bytes).unwrap_or(usize::MAX);
        // Each kind of job has its own room, and the queue has as much as both.
        let (queue, receiver) = Queue::new("message log", jobs.saturating_mul(2), waiting);
        let entrance = Self {
            queue,
            everybody: Room::new(jobs, bytes),
            confirmations: Room::new(jobs, jobs.saturating_mul(CONFIRMED)),
            accounts: Arc::default(),
            hashes: RandomState::new(),
            share: (jobs.div_ceil(SHARES), bytes.div_ceil(SHARES)),
        };
        (Arc::new(entrance), receiver)
    }

    /// Lets a job in that is for this account and takes this many bytes, as soon as there is room. One that is larger
    /// than all the room there is takes all of it.
    pub(crate) async fn enter(
        &self,
        job: Job,
        account: &str,
        bytes: usize,
    ) -> Result<(), StoreError> {
        let (user, share) = self.user(account);
        let own = share.take(bytes).await?;
        let room = self.everybody.take(bytes).await?;
        let ticket = Ticket {
            _room: vec![own, room],
            _user: Some(user),
        };
        Ok(self.queue.submit((job, ticket))?)
    }

    /// Lets a confirmation of so many rows in, as soon as there is room for it among others.
    pub(crate) async fn enter_confirmation(&self, job: Job, rows: usize) -> Result<(), StoreError> {
        let ticket = Ticket {
            _room: vec![self.confirmations.take(rows).await?],
            _user: None,
        };
        Ok(self.queue.submit((job, ticket))?)
    }

    /// Lets a job in if there is room for it. Whether there was.
    pub(crate) fn try_enter(&self, job: Job, bytes: usize) -> bool {
        let Some(room) = self.everybody.try_take(bytes) else {
            return false;
        };
        let ticket = Ticket {
            _room: vec![room],
            _user: None,
        };
        self.queue.submit((job, ticket)).is_ok()
    }

    /// Lets nobody in any more; those who are in are served.
    pub(crate) fn close(&self) {
        self.queue.close();
        self.everybody.close();
        self.confirmations.close();
    }

    fn user(&self, account: &str) -> (User, Room) {
        let account = self.hashes.hash_one(account);
        let mut accounts = self.accounts.lock();
        let share = accounts.entry(account).or_insert_with(|| Share {
            room: Room::new(self.share.0, self.share.1),
            users: 0,
        });
        share.users += 1;
        let user = User {
            accounts: Arc::clone(&self.accounts),
            account,
        };
        (user, share.room.clone())
    }
}

// === impl Room ===

impl Room {
    fn new(jobs: usize, bytes: usize) -> Self {
        let most_bytes = bytes.min(Semaphore::MAX_PERMITS);
        Self {
            turn: Arc::new(Semaphore::new(1)),
            jobs: Arc::new(Semaphore::new(jobs.min(Semaphore::MAX_PERMITS))),
            bytes: Arc::new(Semaphore::new(most_bytes)),
            most_bytes,
        }
    }

    async fn take(&self, bytes: usize) -> Result<Taken, StoreError> {
        let closed = |_| StoreError::from(Refused::Closed);
        let _turn = self.turn.acquire().await.map_err(closed)?;
        let job = self.jobs.clone().acquire_owned().await.map_err(closed)?;
        let bytes = self.bytes.clone().acquire_many_owned(self.part(bytes));
        Ok((job, bytes.await.map_err(closed)?))
    }

    fn try_take(&self, bytes: usize) -> Option<Taken> {
        let _turn = self.turn.try_acquire().ok()?;
        let job = self.jobs.clone().try_acquire_owned().ok()?;
        let bytes = self.bytes.clone().try_acquire_many_owned(self.part(bytes));
        Some((job, bytes.ok()?))
    }

    fn part(&self, bytes: usize) -> u32 {
        u32::try_from(bytes.min(self.most_bytes)).unwrap_or(u32::MAX)
    }

    fn close(&self) {
        for semaphore in [&self.turn, &self.jobs, &self.bytes] {
            semaphore.close();
        }
    }
}

// === impl User ===

impl Drop for User {
    fn drop(&mut self) {
        let mut accounts = self.accounts.lock();
        if let Some(share) = accounts.get_mut(&self.account) {
            share.users -= 1;
            if share.users == 0 {
                accounts.remove(&self.account);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;
    use futures_util::future::join_all;
    use rookery_stanza::BareJid;
    use rookery_telemetry::Registry;
    use tokio::sync::oneshot;

    use super::*;

    fn job() -> Job {
        Job::Erase {
            account: BareJid::parse("romeo@montague.example").unwrap(),
            caller: oneshot::channel().0,
        }
    }

    fn entrance(jobs: usize) -> (Arc<Entrance>, Jobs<(Job, Ticket)>) {
        let waiting = Registry::new().gauge("message_log_queue_writes", "How many?");
        Entrance::new(jobs, 1 << 20, waiting)
    }

    #[test]
    fn a_flooded_account_delays_itself_only() {
        let (entrance, jobs) = entrance(32);
        let mut flood = Box::pin(join_all(
            (0..1000).map(|_| entrance.enter(job(), "romeo@montague.example", 10)),
        ));
        assert!((&mut flood).now_or_never().is_none(), "there are too many");
        let other = entrance.enter(job(), "juliet@capulet.example", 10);
        assert_eq!(other.now_or_never(), Some(Ok(())));
        assert_eq!(entrance.accounts.lock().len(), 2);
        // Those of the flooded account come in as others of it go.
        for _ in 0..1001 {
            drop(jobs.next());
            drop((&mut flood).now_or_never());
        }
        assert!(entrance.accounts.lock().is_empty());
    }

    #[test]
    fn confirmations_have_room_of_their_own() {
        let (entrance, _jobs) = entrance(2);
        for account in ["a@a.example", "b@a.example"] {
            let entered = entrance.enter(job(), account, 10).now_or_never();
            assert_eq!(entered, Some(Ok(())));
        }
        let full = entrance.enter(job(), "c@a.example", 10).now_or_never();
        assert_eq!(full, None);
        assert!(!entrance.try_enter(job(), 10));
        let confirmed = entrance.enter_confirmation(job(), 10).now_or_never();
        assert_eq!(confirmed, Some(Ok(())));
    }
}
