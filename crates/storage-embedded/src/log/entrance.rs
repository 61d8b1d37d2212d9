//! The way in to the writer: as much may wait as there is room for, and who comes later waits outside, in order.

use std::sync::Arc;

use rookery_storage::StoreError;
use rookery_telemetry::Gauge;
use tokio::sync::{Mutex, OwnedSemaphorePermit, Semaphore};

use super::writer::Job;
use crate::queue::{Jobs, Queue, Refused};

/// Room for a number of jobs and of bytes.
pub(crate) struct Entrance {
    queue: Queue<(Job, Ticket)>,
    /// Held by the one who is next, so that nobody overtakes him.
    turn: Mutex<()>,
    jobs: Arc<Semaphore>,
    bytes: Arc<Semaphore>,
    most_bytes: u32,
}

/// The room that a job takes, until it is dropped.
#[derive(Debug)]
pub(crate) struct Ticket {
    _job: OwnedSemaphorePermit,
    _bytes: OwnedSemaphorePermit,
}

// === impl Entrance ===

impl Entrance {
    /// Room for this many jobs and bytes, and the end at which the jobs come out.
    pub(crate) fn new(jobs: usize, bytes: u32, waiting: Gauge) -> (Arc<Self>, Jobs<(Job, Ticket)>) {
        let (queue, receiver) = Queue::new("message log", jobs, waiting);
        let entrance = Self {
            queue,
            turn: Mutex::new(()),
            jobs: Arc::new(Semaphore::new(jobs)),
            bytes: Arc::new(Semaphore::new(usize::try_from(bytes).unwrap_or(usize::MAX))),
            most_bytes: bytes,
        };
        (Arc::new(entrance), receiver)
    }

    /// Lets a job in that takes this many bytes, as soon as there is room. One that is larger than all the room
    /// there is takes all of it.
    pub(crate) async fn enter(&self, job: Job, bytes: usize) -> Result<(), StoreError> {
        let _turn = self.turn.lock().await;
        let closed = |_| StoreError::from(Refused::Closed);
        let room = self.jobs.clone().acquire_owned().await.map_err(closed)?;
        let bytes = self.bytes.clone().acquire_many_owned(self.share(bytes));
        let ticket = Ticket {
            _job: room,
            _bytes: bytes.await.map_err(closed)?,
        };
        Ok(self.queue.submit((job, ticket))?)
    }

    /// Lets a job in if there is room for it. Whether there was.
    pub(crate) fn try_enter(&self, job: Job, bytes: usize) -> bool {
        let Ok(_turn) = self.turn.try_lock() else {
            return false;
        };
        let room = self.jobs.clone().try_acquire_owned();
        let bytes = self.bytes.clone().try_acquire_many_owned(self.share(bytes));
        let (Ok(room), Ok(bytes)) = (room, bytes) else {
            return false;
        };
        let ticket = Ticket {
            _job: room,
            _bytes: bytes,
        };
        self.queue.submit((job, ticket)).is_ok()
    }

    /// Lets nobody in any more; those who are in are served.
    pub(crate) fn close(&self) {
        self.queue.close();
        self.jobs.close();
        self.bytes.close();
    }

    fn share(&self, bytes: usize) -> u32 {
        u32::try_from(bytes).map_or(self.most_bytes, |bytes| bytes.min(self.most_bytes))
    }
}
