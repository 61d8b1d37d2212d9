//! What a failure means to the caller: try again later, or a record that cannot be read.

use rookery_storage::StoreError;
use rusqlite::ErrorCode;

/// Why an operation failed inside.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// SQLite failed.
    #[error(transparent)]
    Sqlite(#[from] rusqlite::Error),
    /// A record cannot be read.
    #[error(transparent)]
    Record(#[from] StoreError),
}

// === impl Failure ===

impl Failure {
    /// The failure in the terms of the port.
    pub(crate) fn to_store_error(&self) -> StoreError {
        let error = match self {
            Self::Record(error) => return error.clone(),
            Self::Sqlite(error) => error,
        };
        match error.sqlite_error_code() {
            Some(ErrorCode::DiskFull) => StoreError::Unavailable("the disk is full".to_owned()),
            Some(ErrorCode::ReadOnly) => {
                StoreError::Unavailable("the file system is read-only".to_owned())
            }
            Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => {
                StoreError::Corrupt(format!("the store's file is damaged: {error}"))
            }
            // A column does not hold what the schema says.
            Some(ErrorCode::TypeMismatch) | None => StoreError::Corrupt(error.to_string()),
            Some(_) => StoreError::Unavailable(error.to_string()),
        }
    }
}
