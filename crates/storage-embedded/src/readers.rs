//! The readers: threads with a connection each, which see what was committed when they start to read.

use rookery_storage::StoreError;
use rookery_telemetry::Gauge;
use rusqlite::Connection;
use tokio::sync::oneshot;

use crate::failure::Failure;
use crate::queue::Jobs;

/// One read; it answers its caller itself.
pub(crate) type Read = Box<dyn FnOnce(&Connection) + Send>;

/// What the thread of a reader owns.
pub(crate) struct Reader {
    pub(crate) connection: Connection,
    /// The queue that all readers share: who is idle takes the next read.
    pub(crate) jobs: Jobs<Read>,
    /// How many wait in it.
    pub(crate) waiting: Gauge,
}

/// Makes a read and the end at which its answer arrives.
pub(crate) fn read<T: Send + 'static>(
    work: impl FnOnce(&Connection) -> Result<T, Failure> + Send + 'static,
) -> (Read, oneshot::Receiver<Result<T, StoreError>>) {
    let (caller, answer) = oneshot::channel();
    let read = move |connection: &Connection| {
        if caller.is_closed() {
            return;
        }
        let result = work(connection).map_err(|failure| {
            tracing::error!(error = %failure, "the store cannot read");
            failure.to_store_error()
        });
        // A caller that went meanwhile wants no answer.
        drop(caller.send(result));
    };
    (Box::new(read), answer)
}

// === impl Reader ===

impl Reader {
    /// Works until the queue is closed and empty.
    pub(crate) fn run(self) {
        while let Some(read) = self.jobs.next() {
            self.waiting.add(-1);
            read(&self.connection);
        }
    }
}
