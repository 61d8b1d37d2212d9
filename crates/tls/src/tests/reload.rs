//! Files that change while the server runs.

use std::os::unix::fs::symlink;
use std::sync::Arc;
use std::time::Duration;

use rookery_lifecycle::{Clock, Drain, TaskScope};
use rookery_telemetry::Registry;

use super::{Authority, Directory, Issued, client_config, connect, load, presented, shake};
use crate::{CertificateError, CertificateStore, Config, HandshakeResult};

/// The layout that a Kubernetes volume has: the files are links through `..data`, which is a link to a
/// directory with a name of its own for each version.
struct Volume {
    directory: Directory,
    version: u32,
}

impl Volume {
    fn new(issued: &Issued) -> Self {
        let mut volume = Self {
            directory: Directory::new(),
            version: 0,
        };
        volume.swap(issued);
        for name in ["tls.crt", "tls.key"] {
            symlink(format!("..data/{name}"), volume.directory.path(name)).unwrap();
        }
        volume
    }

    fn swap(&mut self, issued: &Issued) {
        let old = self.directory.path(&format!("..{}", self.version));
        self.version += 1;
        let name = format!("..{}", self.version);
        let new = self.directory.path(&name);
        std::fs::create_dir(&new).unwrap();
        std::fs::write(new.join("tls.crt"), issued.certificate.pem()).unwrap();
        std::fs::write(new.join("tls.key"), issued.key.serialize_pem()).unwrap();
        let link = self.directory.path("..data_tmp");
        symlink(name, &link).unwrap();
        std::fs::rename(link, self.directory.path("..data")).unwrap();
        if super::exists(&old) {
            std::fs::remove_dir_all(old).unwrap();
        }
    }

    fn config(&self) -> Config {
        Config {
            certificate: Some(self.directory.path("tls.crt")),
            key: Some(self.directory.path("tls.key")),
            ..Config::default()
        }
    }
}

#[test]
fn the_swap_of_a_kubernetes_volume_is_seen() {
    let authority = Authority::new();
    let mut volume = Volume::new(&authority.issue(&["example.net"]));
    let store = load(&volume.config(), &[]);
    assert!(store.reload().changed.is_empty(), "nothing has changed");
    for _ in 0..2 {
        let next = authority.issue(&["example.net"]);
        volume.swap(&next);
        assert_eq!(store.reload().changed, ["tls"]);
        let seen = presented(&store, authority.roots(), "example.net");
        assert_eq!(seen, next.der().as_ref());
    }
}

#[test]
fn sessions_go_on_and_the_same_acceptor_uses_the_new_certificate() {
    let authority = Authority::new();
    let directory = Directory::new();
    let (old, new) = (
        authority.issue(&["example.net"]),
        authority.issue(&["example.net"]),
    );
    let store = load(&directory.default(&old), &[]);
    let acceptor = store.acceptor(&[]);
    let config = Arc::new(client_config(authority.roots(), rustls::ALL_VERSIONS, None));
    let mut client = connect(Arc::clone(&config), "example.net");
    let mut session = acceptor.session().unwrap();
    shake(&mut client, &mut session).unwrap();
    let before = session.info().server_end_point;

    directory.default(&new);
    store.reload();
    session.send(b"still here").unwrap();
    assert_eq!(
        super::to_client(&mut session, &mut client).unwrap(),
        b"still here"
    );
    assert_eq!(session.info().server_end_point, before);

    let mut client = connect(config, "example.net");
    let mut session = acceptor.session().unwrap();
    shake(&mut client, &mut session).unwrap();
    assert!(
        !session.info().resumed,
        "a ticket does not outlive its certificate"
    );
    assert_eq!(
        client.peer_certificates().unwrap()[0].as_ref(),
        new.der().as_ref()
    );
    assert_ne!(session.info().server_end_point, before);
}

#[test]
fn a_bad_pair_keeps_the_old_one_and_is_reported_once() {
    let authority = Authority::new();
    let directory = Directory::new();
    let old = authority.issue(&["example.net"]);
    let config = directory.default(&old);
    let registry = Registry::new();
    let store = CertificateStore::load(&config, &[], Clock::system(), &registry).unwrap();
    let key = std::fs::read_to_string(config.key.unwrap()).unwrap();

    let new = authority.issue(&["example.net"]);
    directory.write("default.key", &new.key.serialize_pem());
    let report = store.reload();
    let [(table, error)] = &report.refused[..] else {
        panic!("{report:?}")
    };
    assert_eq!(table, "tls");
    assert!(
        matches!(error, CertificateError::KeyMismatch { .. }),
        "{error}"
    );
    assert!(store.reload().refused.is_empty(), "said once");
    let bad = "rookery_config_last_reload_successful 0\n";
    assert!(registry.render().contains(bad));
    assert_eq!(
        presented(&store, authority.roots(), "example.net"),
        old.der().as_ref()
    );

    std::fs::remove_file(directory.path("default.pem")).unwrap();
    let report = store.reload();
    assert!(matches!(
        report.refused[0].1,
        CertificateError::Unreadable { .. }
    ));
    assert!(store.reload().refused.is_empty(), "said once");
    assert_eq!(
        presented(&store, authority.roots(), "example.net"),
        old.der().as_ref()
    );

    directory.default(&new);
    assert_eq!(store.reload().changed, ["tls"]);
    assert_eq!(
        presented(&store, authority.roots(), "example.net"),
        new.der().as_ref()
    );

    directory.write("default.pem", &old.certificate.pem());
    directory.write("default.key", &key);
    assert_eq!(store.reload().changed, ["tls"]);
    let metrics = registry.render();
    for line in [
        "rookery_tls_certificate_reloads_total{result=\"error\"} 2",
        "rookery_tls_certificate_reloads_total{result=\"ok\"} 2",
        "rookery_config_last_reload_successful 1\n",
    ] {
        assert!(metrics.contains(line), "{metrics}");
    }
}

#[test]
fn one_bad_host_does_not_hold_up_the_others() {
    let authority = Authority::new();
    let directory = Directory::new();
    let config = directory.default(&authority.issue(&["example.net"]));
    let old = authority.issue(&["a.example"]);
    let store = load(&config, &[("a.example", directory.put("a", &old))]);
    let new = authority.issue(&["example.net"]);
    directory.default(&new);
    directory.write("a.pem", "torn");
    let report = store.reload();
    assert_eq!(report.changed, ["tls"]);
    assert_eq!(report.refused[0].0, "host[a.example].tls");
    assert_eq!(
        presented(&store, authority.roots(), "a.example"),
        old.der().as_ref()
    );
    assert_eq!(
        presented(&store, authority.roots(), "example.net"),
        new.der().as_ref()
    );
}

#[test]
fn new_client_authorities_are_taken_into_use() {
    let authority = Authority::new();
    let (first, second) = (Authority::new(), Authority::new());
    let directory = Directory::new();
    let config = Config {
        client_ca: Some(directory.write("clients.pem", &first.pem())),
        ..directory.default(&authority.issue(&["example.net"]))
    };
    let store = load(&config, &[]);
    let acceptor = store.acceptor(&[]);
    let meet = |issuer: &Authority| {
        let juliet = issuer.issue_to(&["juliet@example.net"]);
        let versions = rustls::ALL_VERSIONS;
        let config = client_config(authority.roots(), versions, Some(&juliet));
        let mut session = acceptor.session().unwrap();
        shake(&mut connect(config, "example.net"), &mut session)
            .map_err(|error| error.handshake_result())
    };
    assert_eq!(meet(&first), Ok(()));
    assert_eq!(meet(&second), Err(HandshakeResult::Certificate));
    directory.write("clients.pem", &second.pem());
    assert_eq!(store.reload().changed, ["tls.client_ca"]);
    assert_eq!(meet(&first), Err(HandshakeResult::Certificate));
    assert_eq!(meet(&second), Ok(()));
}

#[tokio::test]
async fn the_watch_reloads_by_itself_and_ends_with_the_drain() {
    let authority = Authority::new();
    let mut volume = Volume::new(&authority.issue(&["example.net"]));
    let store = load(&volume.config(), &[]);
    let next = authority.issue(&["example.net"]);
    volume.swap(&next);
    let runtime = tokio::runtime::Handle::current();
    let scope = TaskScope::new("test", runtime, 1);
    let (drain, signal) = Drain::new();
    crate::watch(Arc::clone(&store), &scope, signal).unwrap();
    let before = store.loaded();
    while Arc::ptr_eq(&before, &store.loaded()) {
        tokio::task::yield_now().await;
    }
    assert_eq!(
        presented(&store, authority.roots(), "example.net"),
        next.der().as_ref()
    );
    drain.start();
    scope.close(Duration::from_secs(60)).await;
    assert_eq!(scope.running(), 0);
}
