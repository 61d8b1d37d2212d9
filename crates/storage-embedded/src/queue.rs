//! The bounded way to the threads of the store, who sleep until there is work.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::{Condvar, Mutex};
use rookery_storage::StoreError;
use rookery_telemetry::Gauge;

/// The end that callers put their work into. The queue closes when it is dropped.
#[derive(Debug)]
pub(crate) struct Queue<Job> {
    name: &'static str,
    limit: usize,
    shared: Arc<Shared<Job>>,
    /// How much waits; whoever takes something out says so.
    waiting: Gauge,
}

/// The end that work comes out of. Threads may share it by cloning it: one of those that wait takes the next job.
#[derive(Debug)]
pub(crate) struct Jobs<Job>(Arc<Shared<Job>>);

#[derive(Debug)]
struct Shared<Job> {
    state: Mutex<State<Job>>,
    /// There is a job, or the queue was closed.
    changed: Condvar,
}

#[derive(Debug)]
struct State<Job> {
    jobs: VecDeque<Job>,
    is_open: bool,
    /// How many [`Jobs`] there are; without one, nobody would do what is put in.
    takers: usize,
}

/// What came out in time.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Next<Job> {
    /// A job.
    Job(Job),
    /// Nothing, yet.
    Nothing,
    /// The queue is closed and empty.
    End,
}

/// Why work was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refused {
    /// As much waits already as may wait.
    Full {
        /// Which queue it is.
        queue: &'static str,
        /// How much may wait.
        limit: usize,
    },
    /// The store is closed.
    Closed,
}

// === impl Queue ===

impl<Job> Queue<Job> {
    /// A queue in which at most `limit` jobs wait, and the end that they come out of.
    pub(crate) fn new(name: &'static str, limit: usize, waiting: Gauge) -> (Self, Jobs<Job>) {
        let state = Mutex::new(State {
            jobs: VecDeque::new(),
            is_open: true,
            takers: 1,
        });
        let shared = Arc::new(Shared {
            state,
            changed: Condvar::new(),
        });
        let queue = Self {
            name,
            limit,
            shared: Arc::clone(&shared),
            waiting,
        };
        (queue, Jobs(shared))
    }

    /// Puts work in, if there is room.
    pub(crate) fn submit(&self, job: Job) -> Result<(), Refused> {
        let mut state = self.shared.state.lock();
        if !state.is_open {
            return Err(Refused::Closed);
        }
        if state.jobs.len() >= self.limit {
            return Err(Refused::Full {
                queue: self.name,
                limit: self.limit,
            });
        }
        self.waiting.add(1);
        state.jobs.push_back(job);
        // Whoever is woken needs the lock.
        drop(state);
        self.shared.changed.notify_one();
        Ok(())
    }

    /// Takes no more work; what is in the queue is still done, then its threads end.
    pub(crate) fn close(&self) {
        self.shared.state.lock().is_open = false;
        self.shared.changed.notify_all();
    }
}

impl<Job> Drop for Queue<Job> {
    fn drop(&mut self) {
        self.close();
    }
}

// === impl Jobs ===

impl<Job> Jobs<Job> {
    /// Sleeps until there is a job; `None` when the queue is closed and empty.
    pub(crate) fn next(&self) -> Option<Job> {
        let mut state = self.0.state.lock();
        self.0
            .changed
            .wait_while(&mut state, |state| state.is_quiet());
        state.jobs.pop_front()
    }

    /// Sleeps until there is a job, at most this long.
    pub(crate) fn next_within(&self, patience: Duration) -> Next<Job> {
        let mut state = self.0.state.lock();
        let is_quiet = |state: &mut State<Job>| state.is_quiet();
        self.0
            .changed
            .wait_while_for(&mut state, is_quiet, patience);
        match state.jobs.pop_front() {
            Some(job) => Next::Job(job),
            None if state.is_open => Next::Nothing,
            None => Next::End,
        }
    }

    /// The next job, if there is one now.
    pub(crate) fn next_now(&self) -> Option<Job> {
        self.0.state.lock().jobs.pop_front()
    }
}

impl<Job> Clone for Jobs<Job> {
    fn clone(&self) -> Self {
        self.0.state.lock().takers += 1;
        Self(Arc::clone(&self.0))
    }
}

impl<Job> Drop for Jobs<Job> {
    fn drop(&mut self) {
        let mut state = self.0.state.lock();
        state.takers -= 1;
        if state.takers > 0 {
            return;
        }
        state.is_open = false;
        let undone = std::mem::take(&mut state.jobs);
        // Its callers are told by its end.
        drop(state);
        drop(undone);
    }
}

// === impl State ===

impl<Job> State<Job> {
    /// Whether there is nothing to do but to wait.
    fn is_quiet(&self) -> bool {
        self.is_open && self.jobs.is_empty()
    }
}

// === impl Refused ===

impl From<Refused> for StoreError {
    fn from(refused: Refused) -> Self {
        Self::Unavailable(match refused {
            Refused::Full { queue, limit } => {
                format!("busy, {limit} operations wait for the {queue} already")
            }
            Refused::Closed => "closed, the server is going down".to_owned(),
        })
    }
}

#[cfg(test)]
mod tests {
    use std::thread;

    use rookery_telemetry::Registry;

    use super::*;

    fn queue(limit: usize) -> (Queue<u32>, Jobs<u32>, Gauge) {
        let waiting = Registry::new().gauge("store_queue_operations", "How many?");
        let (queue, jobs) = Queue::new("writer", limit, waiting.clone());
        (queue, jobs, waiting)
    }

    fn all(jobs: &Jobs<u32>) -> Vec<u32> {
        std::iter::from_fn(|| jobs.next()).collect()
    }

    #[test]
    fn a_full_queue_refuses_by_name_and_a_closed_one_is_drained() {
        let (queue, jobs, waiting) = queue(2);
        assert_eq!(queue.submit(1), Ok(()));
        assert_eq!(queue.submit(2), Ok(()));
        assert_eq!(
            queue.submit(3),
            Err(Refused::Full {
                queue: "writer",
                limit: 2
            })
        );
        assert_eq!(waiting.get(), 2);
        queue.close();
        assert_eq!(queue.submit(4), Err(Refused::Closed));
        assert_eq!(all(&jobs), [1, 2]);
        assert_eq!(jobs.next_within(Duration::from_secs(60)), Next::End);
    }

    #[test]
    fn threads_that_sleep_are_woken_by_jobs_and_by_the_end() {
        let (queue, jobs, _) = queue(1000);
        let threads: Vec<_> = (0..4)
            .map(|_| jobs.clone())
            .map(|jobs| thread::spawn(move || all(&jobs)))
            .collect();
        for job in 0..1000 {
            queue.submit(job).unwrap();
        }
        drop(queue);
        let mut done: Vec<u32> = threads
            .into_iter()
            .flat_map(|thread| thread.join().unwrap())
            .collect();
        done.sort_unstable();
        assert!(done.into_iter().eq(0..1000));
    }

    #[test]
    fn nobody_is_waited_for_longer_than_patience_lasts() {
        let (queue, jobs, _) = queue(1);
        assert_eq!(jobs.next_within(Duration::from_millis(1)), Next::Nothing);
        assert_eq!(jobs.next_now(), None);
        queue.submit(1).unwrap();
        assert_eq!(jobs.next_within(Duration::from_secs(60)), Next::Job(1));
    }

    #[test]
    fn work_that_nobody_will_do_is_dropped_and_more_is_refused() {
        let waiting = Registry::new().gauge("store_queue_operations", "How many?");
        let (queue, jobs) = Queue::new("writer", 2, waiting);
        let job = Arc::new(());
        queue.submit(Arc::clone(&job)).unwrap();
        drop(jobs.clone());
        assert_eq!(Arc::strong_count(&job), 2, "somebody is left");
        drop(jobs);
        assert_eq!(Arc::strong_count(&job), 1);
        assert_eq!(queue.submit(job), Err(Refused::Closed));
    }
}
