//! A server with two people, and the two authorities that a client may trust.

use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;

use rookery_testkit::{Authority, Options, Server};
use tempfile::TempDir;

pub(crate) const ROMEO: &str = "romeo@localhost";
pub(crate) const JULIET: &str = "juliet@localhost";

/// The secret of the component.
pub(crate) const SECRET: &str = "what-is-in-a-name";

/// A running server, and folders for its clients.
pub(crate) struct Stage {
    pub(crate) server: Server,
    /// Where a client keeps what it keeps.
    pub(crate) home: TempDir,
    /// Where components connect; `echo.localhost` is one.
    pub(crate) component: SocketAddr,
}

// === impl Stage ===

impl Stage {
    pub(crate) async fn set() -> Self {
        let accounts = vec!["romeo".to_owned(), "juliet".to_owned()];
        let component = free_address();
        let extra = format!(
            "[listener.component]\naddress = [\"{component}\"]\n\
             [[component]]\nname = \"echo.localhost\"\nsecret = \"{SECRET}\"\n"
        );
        let options = Options {
            accounts,
            extra,
            ..Options::default()
        };
        let server = Server::start(options).await.unwrap();
        let home = tempfile::tempdir().unwrap();
        Self {
            server,
            home,
            component,
        }
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

/// An address of loopback that nobody listens on.
fn free_address() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap()
}
