//! Why a run did not come to its end.

use std::io;

use rookery_xml::XmlError;

/// Why a run did not come to its end.
#[derive(Debug, thiserror::Error)]
pub enum BenchError {
    /// Options that make no sense together.
    #[error("{0}")]
    Options(&'static str),
    /// The runtime did not start.
    #[error("the runtime does not start: {0}")]
    Runtime(io::Error),
    /// A file cannot be read or written.
    #[error("{0}: {1}")]
    File(String, io::Error),
    /// The trusted certificates, or the certificate of the server.
    #[error("tls: {0}")]
    Tls(String),
    /// The connection could not be made, or broke.
    #[error("the connection failed: {0}")]
    Connection(#[from] io::Error),
    /// The server closed the connection.
    #[error("the server closed the connection")]
    Closed,
    /// The server sent XML that no stream may have.
    #[error("the server sent bad xml: {0}")]
    Xml(#[from] XmlError),
    /// Nothing came in time.
    #[error("the server did not answer in time")]
    Silence,
    /// The server does not offer what was asked for.
    #[error("the server does not offer {0}")]
    NotOffered(&'static str),
    /// Another answer came than was expected.
    #[error("expected {0}, received {1}")]
    Unexpected(&'static str, String),
    /// Authentication failed.
    #[error(
        "{0} cannot log in: {1} (are the accounts made? `rookery bench accounts | rookery user import -` \
         with the same options makes them)"
    )]
    Login(String, String),
    /// The server's side of SCRAM is wrong (RFC 5802 §5).
    #[error("scram: {0}")]
    Scram(&'static str),
    /// The server process cannot be observed.
    #[error("process {0} cannot be observed: {1}")]
    Process(u32, io::Error),
    /// A task of the generator ended badly.
    #[error("a task ended badly: {0}")]
    Task(#[from] tokio::task::JoinError),
    /// The report could not be made.
    #[error("the report cannot be written: {0}")]
    Report(#[from] serde_json::Error),
    /// The scenario needs something of the server that is not there.
    #[error("{0}")]
    Unprepared(&'static str),
}
