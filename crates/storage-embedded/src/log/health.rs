//! Whether the log can be written: what the last write has shown, and whether one takes too long.

use std::io;
use std::time::Duration;

use parking_lot::Mutex;
use rookery_storage::StoreError;
use tokio::time::Instant;

use super::failure;
use super::journal::JournalError;
use super::metrics::{Metrics, Part, Reason};

/// A write that takes longer than this will not be waited for any more by those who ask whether all is well.
const STALLED: Duration = Duration::from_secs(10);

/// What is known of it.
#[derive(Debug)]
pub(crate) struct Health {
    state: Mutex<State>,
    metrics: Metrics,
}

#[derive(Debug, Default)]
struct State {
    failure: Option<StoreError>,
    /// Since when a group is being written.
    writing: Option<Instant>,
    /// It was said that this one takes too long.
    stalled: bool,
}

/// Why something was not written.
#[derive(Debug)]
pub(crate) struct WriteError {
    reason: Reason,
    pub(crate) error: StoreError,
}

// === impl Health ===

impl Health {
    /// All is well.
    pub(crate) fn new(metrics: Metrics) -> Self {
        for part in [Part::Log, Part::Index] {
            metrics.up.of(part).set(1);
        }
        Self {
            state: Mutex::default(),
            metrics,
        }
    }

    /// Why the log cannot be written, if it cannot. Asked every second.
    pub(crate) fn check(&self) -> Result<(), StoreError> {
        let mut state = self.state.lock();
        if let Some(failure) = &state.failure {
            return Err(failure.clone());
        }
        let time = state.writing.map(|since| since.elapsed());
        let seconds = time.unwrap_or_default().as_secs();
        let writing = i64::try_from(seconds).unwrap_or(i64::MAX);
        self.metrics.writing.set(writing);
        if seconds < STALLED.as_secs() {
            return Ok(());
        }
        if !state.stalled {
            tracing::error!(
                seconds,
                "the message log cannot write: the disk does not answer"
            );
            self.metrics.up.of(Part::Log).set(0);
            state.stalled = true;
        }
        Err(StoreError::Unavailable(format!(
            "the disk has not answered for {seconds} seconds"
        )))
    }

    /// A group is being written from now on.
    pub(crate) fn begin(&self) {
        self.state.lock().writing = Some(Instant::now());
    }

    /// What came of a write, of a group or to see whether it can be done.
    pub(crate) fn set(&self, result: Result<(), &WriteError>) {
        let mut state = self.state.lock();
        state.writing = None;
        let was_well = state.failure.is_none() && !std::mem::take(&mut state.stalled);
        match result {
            Ok(()) => {
                state.failure = None;
                if !was_well {
                    tracing::info!("the message log is written again");
                }
            }
            Err(WriteError { reason, error }) => {
                if state.failure.is_none() {
                    tracing::error!(%error, "the message log cannot write");
                }
                self.metrics.failures.of(*reason).increment();
                state.failure = Some(error.clone());
            }
        }
        if was_well != result.is_ok() {
            self.metrics.up.of(Part::Log).set(i64::from(result.is_ok()));
        }
    }

    /// The log was synced.
    pub(crate) fn synced(&self) {
        self.metrics.syncs.increment();
    }
}

// === impl WriteError ===

impl WriteError {
    /// The disk's.
    pub(crate) fn of_io(error: io::Error) -> Self {
        Self {
            reason: Reason::of(error.kind()),
            error: failure::of_io(error),
        }
    }

    /// Too much waits for an index that cannot be written.
    pub(crate) fn of_index(error: StoreError) -> Self {
        Self {
            reason: Reason::Index,
            error,
        }
    }

    /// The journal's, if it says something about the disk: what is too long for a record does not.
    pub(crate) fn of_journal(error: &JournalError) -> Option<Self> {
        match error {
            JournalError::Io(io) if io.kind() != io::ErrorKind::FileTooLarge => Some(Self {
                reason: Reason::of(io.kind()),
                error: StoreError::Unavailable(io.to_string()),
            }),
            _ => None,
        }
    }
}

impl Reason {
    fn of(kind: io::ErrorKind) -> Self {
        match kind {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Self::Full,
            io::ErrorKind::ReadOnlyFilesystem | io::ErrorKind::PermissionDenied => Self::ReadOnly,
            _ => Self::Other,
        }
    }
}

#[cfg(test)]
mod tests {
    use rookery_telemetry::Registry;

    use super::*;

    fn says(registry: &Registry, line: &str) {
        let text = registry.render();
        assert!(
            text.lines().any(|one| one == line),
            "{line} is not in {text}"
        );
    }

    #[test]
    fn a_full_disk_is_counted_and_shown_until_something_was_written_again() {
        let registry = Registry::new();
        let health = Health::new(Metrics::register(&registry));
        let full = WriteError::of_io(io::ErrorKind::StorageFull.into());
        health.set(Err(&full));
        health.set(Err(&full));
        assert_eq!(health.check(), Err(full.error));
        says(&registry, "rookery_message_log_up{part=\"log\"} 0");
        says(
            &registry,
            "rookery_message_log_failures_total{reason=\"full\"} 2",
        );
        health.set(Ok(()));
        assert_eq!(health.check(), Ok(()));
        says(&registry, "rookery_message_log_up{part=\"log\"} 1");
    }

    #[test]
    fn a_disk_that_does_not_answer_is_seen_while_the_write_is_still_waited_for() {
        let registry = Registry::new();
        let health = Health::new(Metrics::register(&registry));
        health.begin();
        assert_eq!(health.check(), Ok(()));
        health.state.lock().writing = Instant::now().checked_sub(STALLED);
        assert!(health.check().is_err());
        says(&registry, "rookery_message_log_writing_seconds 10");
        says(&registry, "rookery_message_log_up{part=\"log\"} 0");
        health.set(Ok(()));
        assert_eq!(health.check(), Ok(()));
        says(&registry, "rookery_message_log_up{part=\"log\"} 1");
    }
}
