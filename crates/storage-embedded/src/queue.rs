//! The bounded way to a thread of the store.

use crossbeam_channel::{Receiver, Sender, TrySendError, bounded};
use parking_lot::RwLock;
use rookery_storage::StoreError;
use rookery_telemetry::Gauge;

/// The end that callers put their work into.
#[derive(Debug)]
pub(crate) struct Queue<Job> {
    name: &'static str,
    limit: usize,
    sender: RwLock<Option<Sender<Job>>>,
    /// How much waits; whoever takes something out says so.
    waiting: Gauge,
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
    /// A queue in which at most `limit` jobs wait, and the end that they come out of. Threads may share that
    /// end by cloning it: one of those that wait takes the next job.
    pub(crate) fn new(name: &'static str, limit: usize, waiting: Gauge) -> (Self, Receiver<Job>) {
        let (sender, receiver) = bounded(limit);
        (
            Self {
                name,
                limit,
                sender: RwLock::new(Some(sender)),
                waiting,
            },
            receiver,
        )
    }

    /// Puts work in, if there is room.
    pub(crate) fn submit(&self, job: Job) -> Result<(), Refused> {
        let sender = self.sender.read();
        let sender = sender.as_ref().ok_or(Refused::Closed)?;
        self.waiting.add(1);
        sender.try_send(job).map_err(|error| {
            self.waiting.add(-1);
            match error {
                TrySendError::Full(_) => Refused::Full {
                    queue: self.name,
                    limit: self.limit,
                },
                TrySendError::Disconnected(_) => Refused::Closed,
            }
        })
    }

    /// Takes no more work; what is in the queue is still done, then its thread ends.
    pub(crate) fn close(&self) {
        self.sender.write().take();
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
    use rookery_telemetry::Registry;

    use super::*;

    #[test]
    fn a_full_queue_refuses_by_name_and_a_closed_one_is_drained() {
        let waiting = Registry::new().gauge("store_queue_operations", "How many?");
        let (queue, receiver) = Queue::new("writer", 2, waiting.clone());
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
        assert_eq!(receiver.iter().collect::<Vec<_>>(), [1, 2]);
    }
}
