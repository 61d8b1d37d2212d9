//! Finding the end of the log at the start, and bringing the index up to it.

use std::io;
use std::path::Path;
use std::sync::Arc;

use rookery_storage::StoreError;
use rusqlite::Connection;

use super::disk;
use super::entry::Entry;
use super::failure;
use super::index::{self, Applier, Change};
use super::journal::{Journal, JournalError, Position, Segments};
use crate::open::OpenError;

/// How many records are put into the index at once.
const AT_ONCE: usize = 1 << 13;

/// Why the log could not be recovered.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RecoveryError {
    #[error(transparent)]
    Journal(#[from] JournalError),
    #[error(transparent)]
    Sqlite(#[from] rusqlite::Error),
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The index goes on where there is no segment.
    #[error("the file messages-{0:010}.log is missing")]
    Missing(u32),
}

/// The log, ready to be written; the index contains all of it.
pub(crate) fn recover(
    connection: &mut Connection,
    segments: &Arc<Segments>,
    segment_bytes: u32,
) -> Result<Journal, RecoveryError> {
    let Some(from) = start(connection, segments)? else {
        let journal = Journal::begin(Arc::clone(segments), segment_bytes);
        return Ok(journal.map_err(JournalError::from)?);
    };
    // What is read may not be durable yet, and what follows is built on it.
    segments.settle(from)?;
    let mut applier = Applier::default();
    applier.rebuilding = index::position(connection)?.is_none();
    let mut changes = Vec::new();
    let mut replayed = 0;
    let mut records = segments.records(from);
    while let Some(record) = records.next()? {
        let event = Entry::read(record.body)?.without_payload();
        changes.push(Arc::new(Change {
            place: record.place,
            event,
        }));
        replayed += 1;
        if changes.len() == AT_ONCE {
            applier.apply(connection, &changes, record.next)?;
            changes.clear();
        }
    }
    let end = records.position();
    applier.apply(connection, &changes, end)?;
    applier.rebuilding = false;
    applier.apply(connection, &[], end)?;
    if replayed > 0 {
        tracing::info!(
            records = replayed,
            "the end of the message log was put into its index"
        );
    }
    let journal = Journal::resume(Arc::clone(segments), segment_bytes, end);
    Ok(journal.map_err(JournalError::from)?)
}

/// From where the log is read: where the index ends, or its beginning if there is no index. Nothing when there is no
/// log either.
fn start(connection: &Connection, segments: &Segments) -> Result<Option<Position>, RecoveryError> {
    let list = segments.list().map_err(JournalError::from)?;
    if let Some(position) = index::position(connection)? {
        let segment = position.place.segment;
        let there = list.contains(&segment);
        return there
            .then_some(Some(position))
            .ok_or(RecoveryError::Missing(segment));
    }
    for number in list {
        let beginning = segments.beginning(number).map_err(JournalError::from)?;
        if beginning.is_some() {
            return Ok(beginning);
        }
    }
    Ok(None)
}

// === impl RecoveryError ===

impl RecoveryError {
    /// In the words of whoever starts the server.
    pub(crate) fn into_open_error(self, path: &Path) -> OpenError {
        let path = path.to_owned();
        match self {
            Self::Sqlite(source) => OpenError::from_sqlite(&path, "following the log", source),
            Self::Journal(JournalError::Io(error)) if error.kind() != io::ErrorKind::NotFound => {
                let reason = failure::of_journal(JournalError::Io(error)).to_string();
                OpenError::NotWritable { path, reason }
            }
            Self::Journal(JournalError::Damaged(place)) => OpenError::Corrupt {
                path: path.with_file_name(disk::file_name(place.segment)),
                finding: format!(
                    "there is damage at byte {}, and messages that were acknowledged lie behind it; without a backup, `rookery log repair` gives up what cannot be read",
                    place.offset
                ),
            },
            other => OpenError::Corrupt {
                path,
                finding: other.to_string(),
            },
        }
    }
}
