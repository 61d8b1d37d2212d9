//! What an error of a server, or of the way to it, means to whoever asked.

use redis::{ErrorKind, RedisError, ServerError, ServerErrorKind, Value};
use rookery_storage::StoreError;

/// What went wrong with a request, in the terms that it is dealt with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Failure {
    /// The connection is gone or is not to be trusted any more. Whatever was under way may have been carried out.
    Lost(String),
    /// The server cannot do it at the moment; the connection is sound.
    Later(String),
    /// The slot is on another server: look where.
    Moved,
    /// This slot moves: ask this server, just now.
    Ask(String),
    /// It will not be done, and trying again changes nothing.
    Refused(StoreError),
}

// === impl Failure ===

impl Failure {
    /// What is said when it was tried for as long as it may be.
    pub(crate) fn into_error(self) -> StoreError {
        match self {
            Self::Lost(text) | Self::Later(text) => StoreError::Unavailable(text),
            Self::Moved | Self::Ask(_) => {
                StoreError::Unavailable("the cluster moves its slots".to_owned())
            }
            Self::Refused(error) => error,
        }
    }
}

impl From<&ServerError> for Failure {
    fn from(error: &ServerError) -> Self {
        let text = match error.details() {
            Some(details) => format!("{} {details}", error.code()),
            None => error.code().to_owned(),
        };
        match error.kind() {
            Some(ServerErrorKind::Moved) => Self::Moved,
            Some(ServerErrorKind::Ask) => {
                let to = error
                    .details()
                    .and_then(|details| details.split(' ').nth(1));
                to.map_or(Self::Moved, |to| Self::Ask(to.to_owned()))
            }
            // The primary has become a replica, or does not have the scripts (any more): dial anew.
            Some(ServerErrorKind::ReadOnly | ServerErrorKind::NoScript) => Self::Lost(text),
            Some(
                ServerErrorKind::BusyLoading
                | ServerErrorKind::TryAgain
                | ServerErrorKind::ClusterDown
                | ServerErrorKind::MasterDown,
            ) => Self::Later(text),
            _ if error.code() == "NOREPLICAS" || error.code() == "BUSY" => Self::Later(text),
            _ => Self::Refused(StoreError::Unavailable(text)),
        }
    }
}

impl From<RedisError> for Failure {
    fn from(error: RedisError) -> Self {
        let text = error.to_string();
        match error.kind() {
            ErrorKind::Server(ServerErrorKind::Moved) => Self::Moved,
            ErrorKind::Server(ServerErrorKind::NoPerm)
            | ErrorKind::AuthenticationFailed
            | ErrorKind::InvalidClientConfig => Self::Refused(StoreError::Unavailable(text)),
            ErrorKind::Server(
                ServerErrorKind::BusyLoading
                | ServerErrorKind::TryAgain
                | ServerErrorKind::ClusterDown
                | ServerErrorKind::MasterDown,
            ) => Self::Later(text),
            _ => Self::Lost(text),
        }
    }
}

/// The first error among the answers to a request.
pub(crate) fn among(values: &[Value]) -> Option<Failure> {
    values.iter().find_map(|value| match value {
        Value::ServerError(error) => Some(Failure::from(error)),
        _ => None,
    })
}
