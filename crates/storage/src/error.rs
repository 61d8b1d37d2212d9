//! Why the store could not do what it was asked.

/// A failed operation, in the terms that a caller acts on. The adapter has logged the details.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// Try again later: the store is busy, full, or out of reach.
    #[error("the store is unavailable: {0}")]
    Unavailable(String),
    /// A record cannot be read: damaged, or written by a newer version.
    #[error("the record cannot be read: {0}")]
    Corrupt(String),
}
