//! What waits for the way of the writes: in order for each account, and the accounts in turn, so that one for which very
//! much is written waits for itself, and others do not wait for it.

use std::collections::{HashMap, VecDeque};

use parking_lot::Mutex;
use rookery_telemetry::Gauge;
use tokio::sync::Notify;

use crate::lane::Job;

/// How many times as many as may wait otherwise may wait in front: those whose senders are not read from meanwhile.
const IN_FRONT: usize = 16;

/// What to do when too much waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Crowded {
    /// Wait in front.
    Wait,
    /// Refuse.
    Refuse,
}

/// Why nothing more is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refused {
    /// Too much waits.
    Crowded,
    /// It is closed.
    Closed,
}

/// The queue in front of a lane.
#[derive(Debug)]
pub(crate) struct Queue {
    most: usize,
    waiting: Mutex<Waiting>,
    ready: Notify,
    gauge: Gauge,
}

#[derive(Debug, Default)]
struct Waiting {
    accounts: HashMap<String, VecDeque<Job>>,
    /// Whose turn it is.
    turns: VecDeque<String>,
    count: usize,
    closed: bool,
}

// === impl Queue ===

impl Queue {
    pub(crate) fn new(most: usize, gauge: Gauge) -> Self {
        Self {
            most,
            waiting: Mutex::default(),
            ready: Notify::new(),
            gauge,
        }
    }

    /// Puts a request behind those of its account.
    pub(crate) fn push(&self, job: Job, crowded: Crowded) -> Result<(), Refused> {
        let most = match crowded {
            Crowded::Wait => self.most.saturating_mul(IN_FRONT),
            Crowded::Refuse => self.most,
        };
        let mut waiting = self.waiting.lock();
        if waiting.closed {
            return Err(Refused::Closed);
        }
        if waiting.count >= most {
            return Err(Refused::Crowded);
        }
        waiting.push(job);
        drop(waiting);
        self.gauge.add(1);
        self.ready.notify_one();
        Ok(())
    }

    /// Waits for requests, and takes up to `most`; none when it is closed and empty.
    pub(crate) async fn take(&self, most: usize) -> Vec<Job> {
        loop {
            let jobs = {
                let mut waiting = self.waiting.lock();
                let jobs: Vec<Job> = std::iter::from_fn(|| waiting.pop()).take(most).collect();
                if jobs.is_empty() && waiting.closed {
                    return jobs;
                }
                jobs
            };
            if !jobs.is_empty() {
                self.gauge
                    .add(-i64::try_from(jobs.len()).unwrap_or(i64::MAX));
                return jobs;
            }
            self.ready.notified().await;
        }
    }

    /// Takes no more.
    pub(crate) fn close(&self) {
        self.waiting.lock().closed = true;
        self.ready.notify_one();
    }
}

// === impl Waiting ===

impl Waiting {
    fn push(&mut self, job: Job) {
        self.count += 1;
        if let Some(jobs) = self.accounts.get_mut(&job.mark) {
            jobs.push_back(job);
        } else {
            self.turns.push_back(job.mark.clone());
            self.accounts
                .insert(job.mark.clone(), VecDeque::from([job]));
        }
    }

    fn pop(&mut self) -> Option<Job> {
        let account = self.turns.pop_front()?;
        let jobs = self.accounts.get_mut(&account)?;
        let job = jobs.pop_front()?;
        if jobs.is_empty() {
            self.accounts.remove(&account);
        } else {
            self.turns.push_back(account);
        }
        self.count -= 1;
        Some(job)
    }
}

#[cfg(test)]
mod tests {
    use rookery_telemetry::Registry;
    use tokio::sync::oneshot;
    use tokio::time::Instant;

    use super::*;

    fn job(mark: &str, number: usize) -> Job {
        Job {
            commands: vec![redis::cmd("PING"); number],
            mark: mark.to_owned(),
            deadline: Instant::now(),
            caller: oneshot::channel().0,
        }
    }

    fn queue(most: usize) -> (Queue, Gauge) {
        let gauge = Registry::new().gauge("waiting", "How many wait?");
        (Queue::new(most, gauge.clone()), gauge)
    }

    #[tokio::test]
    async fn accounts_take_turns_and_each_keeps_its_order() {
        let (queue, gauge) = queue(100);
        for (mark, number) in [("a", 1), ("a", 2), ("a", 3), ("b", 1), ("c", 1), ("c", 2)] {
            queue.push(job(mark, number), Crowded::Refuse).unwrap();
        }
        let names = |jobs: &[Job]| -> Vec<String> {
            jobs.iter()
                .map(|job| format!("{}{}", job.mark, job.commands.len()))
                .collect()
        };
        assert_eq!(names(&queue.take(4).await), ["a1", "b1", "c1", "a2"]);
        assert_eq!(gauge.get(), 2);
        assert_eq!(names(&queue.take(4).await), ["c2", "a3"]);
    }

    #[tokio::test]
    async fn what_is_too_much_is_refused_and_what_waits_is_done_after_the_end() {
        let (queue, _) = queue(1);
        queue.push(job("a", 1), Crowded::Refuse).unwrap();
        assert_eq!(
            queue.push(job("b", 1), Crowded::Refuse),
            Err(Refused::Crowded)
        );
        for _ in 1..IN_FRONT {
            queue.push(job("b", 1), Crowded::Wait).unwrap();
        }
        assert_eq!(
            queue.push(job("b", 1), Crowded::Wait),
            Err(Refused::Crowded)
        );
        queue.close();
        assert_eq!(queue.push(job("c", 1), Crowded::Wait), Err(Refused::Closed));
        assert_eq!(queue.take(100).await.len(), IN_FRONT);
        assert!(queue.take(100).await.is_empty());
    }
}
