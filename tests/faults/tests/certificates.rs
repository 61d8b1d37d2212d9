//! Certificates change while the server runs, as Kubernetes changes them: a folder of links whose `..data`
//! link is swapped.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use rookery_testkit::{Authority, Client, ClientError, Issued, Options, Server, Trust};
use tempfile::TempDir;

const RELOADED: &str = "rookery_tls_certificate_reloads_total{result=\"ok\"}";
const REFUSED: &str = "rookery_tls_certificate_reloads_total{result=\"error\"}";

/// A mounted secret.
struct Secret {
    mount: TempDir,
}

// === impl Secret ===

impl Secret {
    fn mount(first: &Issued) -> Self {
        let mount = tempfile::tempdir().unwrap();
        for name in ["tls.crt", "tls.key"] {
            symlink(Path::new("..data").join(name), mount.path().join(name)).unwrap();
        }
        let secret = Self { mount };
        secret.update("..1", &first.certificate, &first.key);
        secret
    }

    /// Swaps the contents in one step.
    fn update(&self, version: &str, certificate: &str, key: &str) {
        let mount = self.mount.path();
        fs::create_dir(mount.join(version)).unwrap();
        fs::write(mount.join(version).join("tls.crt"), certificate).unwrap();
        fs::write(mount.join(version).join("tls.key"), key).unwrap();
        symlink(version, mount.join("..data_tmp")).unwrap();
        fs::rename(mount.join("..data_tmp"), mount.join("..data")).unwrap();
    }

    fn options(&self) -> Options {
        let path = |name| self.mount.path().join(name).display().to_string();
        let (certificate, key) = (path("tls.crt"), path("tls.key"));
        Options {
            accounts: vec!["romeo".to_owned()],
            extra: format!("[tls]\ncertificate = \"{certificate}\"\nkey = \"{key}\"\n"),
            ..Options::default()
        }
    }
}

async fn log_in(server: &Server, trust: &Trust, resource: &str) -> Result<Client, ClientError> {
    let account = ("romeo", "localhost");
    Client::log_in(server.c2s, trust, account, Server::PASSWORD, resource).await
}

/// Whether a handshake over direct TLS succeeds.
async fn is_trusted(server: &Server, authority: &Authority) -> bool {
    let trust = authority.trust(&["xmpp-client"]).unwrap();
    let client = Client::connect_tls(server.c2s_tls, &trust, "localhost").await;
    client.is_ok()
}

#[tokio::test]
async fn a_new_certificate_is_shown_to_who_comes_and_nobody_has_to_leave() {
    let [old, new] = ["Old", "New"].map(|name| Authority::new(name).unwrap());
    let secret = Secret::mount(&old.issue("localhost").unwrap());
    let server = Server::start(secret.options()).await.unwrap();
    let mut before = log_in(&server, &old.trust(&[]).unwrap(), "before")
        .await
        .unwrap();
    assert!(!is_trusted(&server, &new).await);

    let next = new.issue("localhost").unwrap();
    secret.update("..2", &next.certificate, &next.key);
    server.until_metric(RELOADED, 1.0).await.unwrap();

    let mut after = log_in(&server, &new.trust(&[]).unwrap(), "after")
        .await
        .unwrap();
    assert!(is_trusted(&server, &new).await);
    assert!(!is_trusted(&server, &old).await);
    for client in [&mut before, &mut after] {
        client.ping("localhost").await.unwrap();
    }
    assert_eq!(server.metric(REFUSED).await.unwrap(), Some(0.0));
}

#[tokio::test]
async fn a_bad_certificate_is_refused_and_the_one_in_use_stays() {
    let authority = Authority::new("Ours").unwrap();
    let first = authority.issue("localhost").unwrap();
    let second = authority.issue("localhost").unwrap();
    let secret = Secret::mount(&first);
    let server = Server::start(secret.options()).await.unwrap();
    let mut before = log_in(&server, &authority.trust(&[]).unwrap(), "before")
        .await
        .unwrap();

    let bad = [
        ("..2", "no certificate", first.key.as_str()),
        ("..3", second.certificate.as_str(), first.key.as_str()),
        ("..4", second.certificate.as_str(), "no key"),
    ];
    for (refused, (version, certificate, key)) in (1..).zip(bad) {
        secret.update(version, certificate, key);
        server
            .until_metric(REFUSED, f64::from(refused))
            .await
            .unwrap();
        assert!(is_trusted(&server, &authority).await, "{version}");
        assert_eq!(server.get("/readyz").await.unwrap().0, 200);
    }
    assert_eq!(server.metric(RELOADED).await.unwrap(), Some(0.0));

    secret.update("..5", &second.certificate, &second.key);
    server.until_metric(RELOADED, 1.0).await.unwrap();
    assert!(is_trusted(&server, &authority).await);
    before.ping("localhost").await.unwrap();
}
