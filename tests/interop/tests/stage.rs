//! A server with two people, and the two authorities that a client may trust.

use std::path::PathBuf;

use rookery_testkit::{Authority, Options, Server};
use tempfile::TempDir;

pub(crate) const ROMEO: &str = "romeo@localhost";
pub(crate) const JULIET: &str = "juliet@localhost";

/// A running server, and folders for its clients.
pub(crate) struct Stage {
    pub(crate) server: Server,
    /// Where a client keeps what it keeps.
    pub(crate) home: TempDir,
}

// === impl Stage ===

impl Stage {
    pub(crate) async fn set() -> Self {
        let accounts = vec!["romeo".to_owned(), "juliet".to_owned()];
        let options = Options {
            accounts,
            ..Options::default()
        };
        let server = Server::start(options).await.unwrap();
        let home = tempfile::tempdir().unwrap();
        Self { server, home }
    }

    /// The authority that signed the server's certificate.
    pub(crate) fn authority(&self) -> PathBuf {
        self.server.data().join("tls/ca.pem")
    }

    /// An authority that did not.
    pub(crate) fn other_authority(&self) -> PathBuf {
        let path = self.home.path().join("other.pem");
        let other = Authority::new("Somebody else").unwrap();
        std::fs::write(&path, other.pem()).unwrap();
        path
    }
}
