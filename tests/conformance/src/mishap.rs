//! What can go wrong on stage.

use rookery_testkit::ClientError;

/// Why a step did not go as written.
#[derive(Debug, thiserror::Error)]
pub enum Mishap {
    /// The connection of a client failed, or nothing came.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// The test kit failed.
    #[error(transparent)]
    Kit(#[from] std::io::Error),
    /// The script asks for something that cannot be done here.
    #[error("{0}")]
    Script(String),
    /// What came is not what was expected.
    #[error("{because}\n  expected: {expected}\n  received: {received}")]
    Different {
        /// As in the script.
        expected: String,
        /// What came.
        received: String,
        /// The first difference.
        because: String,
    },
    /// Something came that the script does not mention.
    #[error("received what the scene does not mention: {0}")]
    Unmentioned(String),
}

/// Where a scene failed.
#[derive(Debug, thiserror::Error)]
#[error("line {line}: {actor}: {mishap}")]
pub struct Failure {
    /// The line of the script, or 0 behind its end.
    pub line: usize,
    /// Whose step it was.
    pub actor: String,
    /// What went wrong.
    pub mishap: Mishap,
}
