//! Tests of the crate as a whole, and what they are made with: authorities, files, a client.

mod choice;
mod client_certificates;
mod handshake;
mod hostile;
mod reload;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::BytesMut;
use rcgen::{
    BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose,
    OtherNameValue, SanType,
};
use rookery_lifecycle::Clock;
use rookery_telemetry::Registry;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, SupportedProtocolVersion};
use tempfile::TempDir;

use crate::{CertificateStore, Config, HostConfig, TlsError, TlsSession};

/// Issues certificates.
struct Authority {
    params: CertificateParams,
    key: KeyPair,
}

/// A certificate with its key.
struct Issued {
    certificate: rcgen::Certificate,
    key: KeyPair,
}

/// A directory with certificates in it, gone in the end.
struct Directory(TempDir);

// === impl Authority ===

impl Authority {
    fn new() -> Self {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::default();
        let name = format!("Authority {:x?}", &key.public_key_raw()[..8]);
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        Self { params, key }
    }

    fn pem(&self) -> String {
        self.params.self_signed(&self.key).unwrap().pem()
    }

    fn issuer(&self) -> Issuer<'_, &KeyPair> {
        Issuer::from_params(&self.params, &self.key)
    }

    fn roots(&self) -> RootCertStore {
        let mut roots = RootCertStore::empty();
        let authority = self.params.self_signed(&self.key).unwrap();
        roots.add(authority.der().clone()).unwrap();
        roots
    }

    /// For DNS names.
    fn issue(&self, names: &[&str]) -> Issued {
        let names: Vec<String> = names.iter().map(|&name| name.to_owned()).collect();
        self.sign(&CertificateParams::new(names).unwrap())
    }

    /// For XMPP addresses.
    fn issue_to(&self, addresses: &[&str]) -> Issued {
        let mut params = CertificateParams::default();
        params
            .subject_alt_names
            .extend(addresses.iter().map(|&a| xmpp_address(a)));
        self.sign(&params)
    }

    fn sign(&self, params: &CertificateParams) -> Issued {
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.issuer()).unwrap();
        Issued { certificate, key }
    }
}

// === impl Issued ===

impl Issued {
    fn der(&self) -> &CertificateDer<'static> {
        self.certificate.der()
    }

    fn key_der(&self) -> PrivateKeyDer<'static> {
        PrivateKeyDer::try_from(self.key.serialize_der()).unwrap()
    }
}

// === impl Directory ===

impl Directory {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn write(&self, name: &str, contents: &str) -> PathBuf {
        let path = self.path(name);
        std::fs::write(&path, contents).unwrap();
        path
    }

    /// Writes `NAME.pem` and `NAME.key`.
    fn put(&self, name: &str, issued: &Issued) -> HostConfig {
        HostConfig {
            certificate: Some(self.write(&format!("{name}.pem"), &issued.certificate.pem())),
            key: Some(self.write(&format!("{name}.key"), &issued.key.serialize_pem())),
        }
    }

    /// The same as the certificate of all hosts.
    fn default(&self, issued: &Issued) -> Config {
        let HostConfig { certificate, key } = self.put("default", issued);
        Config {
            certificate,
            key,
            ..Config::default()
        }
    }
}

fn xmpp_address(address: &str) -> SanType {
    let value = OtherNameValue::Utf8String(address.to_owned());
    SanType::OtherName((vec![1, 3, 6, 1, 5, 5, 7, 8, 5], value))
}

fn load(config: &Config, hosts: &[(&str, HostConfig)]) -> Arc<CertificateStore> {
    let hosts: Vec<_> = hosts
        .iter()
        .map(|(host, config)| ((*host).to_owned(), config.clone()))
        .collect();
    CertificateStore::load(config, &hosts, Clock::system(), &Registry::new()).unwrap()
}

fn client_config(
    roots: RootCertStore,
    versions: &[&'static SupportedProtocolVersion],
    identity: Option<&Issued>,
) -> ClientConfig {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(versions)
        .unwrap()
        .with_root_certificates(roots);
    match identity {
        Some(issued) => builder
            .with_client_auth_cert(vec![issued.der().clone()], issued.key_der())
            .unwrap(),
        None => builder.with_no_client_auth(),
    }
}

fn connect(config: impl Into<Arc<ClientConfig>>, host: &str) -> ClientConnection {
    let name = ServerName::try_from(host.to_owned()).unwrap();
    ClientConnection::new(config.into(), name).unwrap()
}

/// Moves what the client has to say to the session. Gives the plaintext.
fn to_session(
    client: &mut ClientConnection,
    session: &mut TlsSession,
) -> Result<Vec<u8>, TlsError> {
    let mut wire = Vec::new();
    while client.wants_write() {
        client.write_tls(&mut wire).unwrap();
    }
    let mut plaintext = BytesMut::new();
    session.receive(&wire, &mut plaintext)?;
    Ok(plaintext.to_vec())
}

/// Moves what the session has to say to the client. Gives the plaintext.
fn to_client(
    session: &mut TlsSession,
    client: &mut ClientConnection,
) -> Result<Vec<u8>, rustls::Error> {
    use std::io::Read;

    let mut wire = Vec::new();
    session.take_output(&mut wire);
    let mut wire = wire.as_slice();
    let mut plaintext = Vec::new();
    while !wire.is_empty() && client.read_tls(&mut wire).unwrap() > 0 {
        client.process_new_packets()?;
        // Ends in "would block", which says that all is read.
        drop(client.reader().read_to_end(&mut plaintext));
    }
    Ok(plaintext)
}

/// Brings the handshake to its end.
fn shake(client: &mut ClientConnection, session: &mut TlsSession) -> Result<(), TlsError> {
    for _ in 0..5 {
        to_session(client, session)?;
        to_client(session, client)?;
    }
    assert!(!client.is_handshaking() && !session.is_handshaking());
    Ok(())
}

/// The certificate that a client sees which asks for `host`.
fn presented(store: &Arc<CertificateStore>, roots: RootCertStore, host: &str) -> Vec<u8> {
    let mut client = connect(client_config(roots, rustls::ALL_VERSIONS, None), host);
    let mut session = store.acceptor(&[]).session().unwrap();
    // A client that does not accept the certificate has seen it all the same.
    match shake(&mut client, &mut session) {
        Ok(()) => client.peer_certificates().unwrap()[0].to_vec(),
        Err(error) => panic!("{host}: {error}"),
    }
}

fn exists(path: &Path) -> bool {
    path.try_exists().unwrap()
}
