//! How a command ends: its exit code, and what it says when it does not end well.

use std::io;
use std::process::ExitCode;

use rookery_admin::ClientError;

use crate::config::Problems;
use crate::run::StartError;

/// The exit codes. Scripts rely on them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// Done.
    Done = 0,
    /// Something went wrong that may go well another time.
    Failed = 1,
    /// The command line or the configuration is wrong.
    Usage = 2,
    /// Asking again changes nothing.
    Refused = 3,
    /// The running server does not answer.
    Silent = 4,
    /// Done in part.
    Partly = 5,
}

/// Why a command did not do what it should.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// The configuration is wrong.
    #[error(transparent)]
    Config(#[from] Problems),
    /// The server did not start, or the store was not opened.
    #[error(transparent)]
    Start(#[from] StartError),
    /// The running server was not reached.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// The command line contradicts itself.
    #[error("{0}")]
    Usage(String),
    /// Refused, by the server or by the rules for accounts.
    #[error("{0}")]
    Refused(String),
    /// The server could not.
    #[error("{0}")]
    Failed(String),
    /// Some of many were refused.
    #[error("{0}")]
    Partly(String),
    /// A file could not be read.
    #[error("cannot read {0}: {1}")]
    Unreadable(String, io::Error),
    /// The output could not be written.
    #[error("cannot write the output: {0}")]
    Output(io::Error),
    /// No password was given.
    #[error("{0}")]
    Password(String),
}

// === impl Exit ===

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(match exit {
            Exit::Done => 0_u8,
            Exit::Failed => 1,
            Exit::Usage => 2,
            Exit::Refused => 3,
            Exit::Silent => 4,
            Exit::Partly => 5,
        })
    }
}

// === impl Failure ===

impl Failure {
    /// The exit code.
    pub fn exit(&self) -> Exit {
        match self {
            Self::Config(_) | Self::Password(_) | Self::Usage(_) => Exit::Usage,
            Self::Start(error) if error.is_configuration() => Exit::Usage,
            Self::Client(ClientError::Silent(_)) => Exit::Silent,
            Self::Refused(_) => Exit::Refused,
            Self::Partly(_) => Exit::Partly,
            Self::Start(_)
            | Self::Client(_)
            | Self::Failed(_)
            | Self::Unreadable(..)
            | Self::Output(_) => Exit::Failed,
        }
    }
}
