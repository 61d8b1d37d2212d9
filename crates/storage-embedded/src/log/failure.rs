//! What a failure of the log means to a caller.

use std::io;

use rookery_storage::StoreError;

use super::journal::JournalError;
use crate::failure::Failure;

/// A failure of the index.
pub(crate) fn of_sqlite(error: rusqlite::Error) -> StoreError {
    Failure::Sqlite(error).to_store_error()
}

/// A failure of the files.
pub(crate) fn of_journal(error: JournalError) -> StoreError {
    match error {
        JournalError::Damaged(_) => StoreError::Corrupt(error.to_string()),
        JournalError::Io(error) => of_io(error),
    }
}

/// A failure of the system.
pub(crate) fn of_io(error: io::Error) -> StoreError {
    StoreError::Unavailable(match error.kind() {
        io::ErrorKind::StorageFull => "the disk is full".to_owned(),
        io::ErrorKind::ReadOnlyFilesystem => "the file system is read-only".to_owned(),
        _ => error.to_string(),
    })
}
