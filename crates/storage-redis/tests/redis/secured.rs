//! TLS, users and passwords.

use std::fs;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use rookery_storage_redis::{Config, Durability, Mode, Tls};
use tempfile::TempDir;

use crate::messages::{account, append, message, owed};
use crate::servers::{Lodging, Server, free_port};

/// Everything that a user of the store needs, and nothing else.
const RIGHTS: &str = "ACL SETUSER rookery on >swordfish ~rookery:* resetchannels -@all +@read +@write +@scripting \
                      +@connection +@transaction -@dangerous +info +role +wait";

fn config(url: String, directory: &TempDir, password: &str) -> Config {
    let file = directory.path().join("password");
    fs::write(&file, format!("{password}\n")).unwrap();
    Config {
        urls: vec![url],
        durability: Durability::Reply,
        user: Some("rookery".to_owned()),
        password_file: Some(file),
        ..Config::default()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_with_few_rights_is_enough() {
    let (server, directory) = (Server::start(&[]), tempfile::tempdir().unwrap());
    server.ask(&RIGHTS.split_whitespace().collect::<Vec<_>>().join(" "));
    let lodging = Lodging::open(&config(server.url(), &directory, "swordfish"), vec![server]).await;
    assert_eq!(lodging.health(), Ok(()));
    let romeo = account("romeo@montague.example");
    append(&*lodging.store, message(&romeo, 1)).await.unwrap();
    assert_eq!(owed(&*lodging.store, &romeo).await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_password_is_told_of() {
    let (server, directory) = (Server::start(&[]), tempfile::tempdir().unwrap());
    server.ask(&RIGHTS.split_whitespace().collect::<Vec<_>>().join(" "));
    let lodging = Lodging::open(&config(server.url(), &directory, "herring"), vec![server]).await;
    let said = lodging.health().unwrap_err().to_string();
    assert!(said.contains("user, password_file and tls"), "{said}");
    assert!(!said.contains("herring"), "{said}");
}

/// An authority, and what it has certified for this machine.
fn certificates(directory: &TempDir) -> Tls {
    let mut authority = CertificateParams::new(Vec::new()).unwrap();
    // Not the name of what it certifies, which would seem to certify itself.
    authority
        .distinguished_name
        .push(DnType::CommonName, "authority");
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let issuer = CertifiedIssuer::self_signed(authority, KeyPair::generate().unwrap()).unwrap();
    let key = KeyPair::generate().unwrap();
    let names = vec!["localhost".to_owned(), "127.0.0.1".to_owned()];
    let certificate = CertificateParams::new(names)
        .unwrap()
        .signed_by(&key, &issuer)
        .unwrap();
    let file = |name: &str, text: String| {
        let path = directory.path().join(name);
        fs::write(&path, text).unwrap();
        Some(path)
    };
    Tls {
        ca: file("ca.pem", issuer.pem()),
        certificate: file("certificate.pem", certificate.pem()),
        key: file("key.pem", key.serialize_pem()),
    }
}

/// A server that speaks TLS only, with these certificates.
fn server(tls: &Tls) -> (Server, String) {
    let file = |path: &Option<std::path::PathBuf>| path.as_ref().unwrap().display().to_string();
    let port = free_port();
    let server = Server::start(&[
        "--port",
        "0",
        "--tls-port",
        &port.to_string(),
        "--tls-ca-cert-file",
        &file(&tls.ca),
        "--tls-cert-file",
        &file(&tls.certificate),
        "--tls-key-file",
        &file(&tls.key),
    ]);
    (server, format!("rediss://127.0.0.1:{port}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn servers_are_reached_by_tls_and_shown_a_certificate() {
    let directory = tempfile::tempdir().unwrap();
    let tls = certificates(&directory);
    let (server, url) = server(&tls);
    let config = Config {
        urls: vec![url],
        durability: Durability::Reply,
        tls,
        ..Config::default()
    };
    let lodging = Lodging::open(&config, vec![server]).await;
    assert_eq!(lodging.health(), Ok(()));
    let romeo = account("romeo@montague.example");
    append(&*lodging.store, message(&romeo, 1)).await.unwrap();
    assert_eq!(owed(&*lodging.store, &romeo).await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_of_another_authority_is_refused() {
    let (directory, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (server, url) = server(&certificates(&directory));
    let config = Config {
        mode: Mode::Standalone,
        urls: vec![url],
        durability: Durability::Reply,
        tls: certificates(&other),
        ..Config::default()
    };
    let lodging = Lodging::open(&config, vec![server]).await;
    let said = lodging.health().unwrap_err().to_string();
    assert!(said.contains("certificate"), "{said}");
}
