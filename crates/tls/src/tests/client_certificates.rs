//! Certificates of clients (RFC 6120 §13.7.2.2).

use rcgen::{CertificateRevocationListParams, KeyIdMethod, RevokedCertParams, SerialNumber};
use rustls::version::{TLS12, TLS13};

use super::{Authority, Directory, Issued, client_config, connect, load, shake, xmpp_address};
use crate::{Config, HandshakeResult, TlsError, TlsInfo};

struct Scene {
    directory: Directory,
    servers: Authority,
    clients: Authority,
    config: Config,
}

impl Scene {
    fn new() -> Self {
        let (servers, clients) = (Authority::new(), Authority::new());
        let directory = Directory::new();
        let config = Config {
            client_ca: Some(directory.write("clients.pem", &clients.pem())),
            ..directory.default(&servers.issue(&["example.net"]))
        };
        Self {
            directory,
            servers,
            clients,
            config,
        }
    }

    fn meet(&self, identity: Option<&Issued>) -> Result<TlsInfo, TlsError> {
        let acceptor = load(&self.config, &[]).acceptor(&[]);
        let mut infos = Vec::new();
        for version in [&TLS12, &TLS13] {
            let config = client_config(self.servers.roots(), &[version], identity);
            let mut client = connect(config, "example.net");
            let mut session = acceptor.session()?;
            shake(&mut client, &mut session)?;
            infos.push(session.info());
        }
        assert_eq!(infos[0].peer_certificates, infos[1].peer_certificates);
        Ok(infos.remove(0))
    }
}

#[test]
fn a_client_needs_no_certificate() {
    let info = Scene::new().meet(None).unwrap();
    assert!(info.peer_certificates.is_empty());
    assert!(info.peer_addresses.is_empty());
}

#[test]
fn a_verified_certificate_names_its_xmpp_addresses_by_rfc_6120_s13_7_1_4() {
    let scene = Scene::new();
    let juliet = scene
        .clients
        .issue_to(&["juliet@example.net", "jülïet@example.org"]);
    let info = scene.meet(Some(&juliet)).unwrap();
    assert_eq!(info.peer_certificates, [juliet.der().to_vec()]);
    assert_eq!(
        info.peer_addresses,
        ["juliet@example.net", "jülïet@example.org"]
    );
}

#[test]
fn other_names_are_no_xmpp_addresses() {
    let authority = Authority::new();
    let issued = authority.issue(&["example.net"]);
    assert!(crate::xmpp_addresses(issued.der()).is_empty());
    let mut params = rcgen::CertificateParams::new(vec!["example.net".to_owned()]).unwrap();
    let principal = rcgen::OtherNameValue::Utf8String("juliet@example.net".to_owned());
    let principal = rcgen::SanType::OtherName((vec![1, 3, 6, 1, 4, 1, 311, 20, 2, 3], principal));
    params.subject_alt_names.push(principal);
    let issued = authority.sign(&params);
    assert!(crate::xmpp_addresses(issued.der()).is_empty());
    assert!(crate::xmpp_addresses(b"not a certificate").is_empty());
}

#[test]
fn a_certificate_of_another_authority_ends_the_handshake_by_rfc_6120_s13_7_2_2_1() {
    let scene = Scene::new();
    let stranger = Authority::new().issue_to(&["juliet@example.net"]);
    let error = scene.meet(Some(&stranger)).unwrap_err();
    assert_eq!(error.handshake_result(), HandshakeResult::Certificate);
}

#[test]
fn a_certificate_authority_is_no_client_by_rfc_6120_s13_7_1_1() {
    let scene = Scene::new();
    let mut params = scene.clients.params.clone();
    params
        .subject_alt_names
        .push(xmpp_address("juliet@example.net"));
    let authority = scene.clients.sign(&params);
    let error = scene.meet(Some(&authority)).unwrap_err();
    assert_eq!(error.handshake_result(), HandshakeResult::Certificate);
}

#[test]
fn a_revoked_certificate_is_refused_by_rfc_6120_s13_7_2() {
    let mut scene = Scene::new();
    let mut params = rcgen::CertificateParams::default();
    params
        .subject_alt_names
        .push(xmpp_address("juliet@example.net"));
    params.serial_number = Some(SerialNumber::from(7));
    let revoked = scene.clients.sign(&params);
    params.serial_number = Some(SerialNumber::from(8));
    let good = scene.clients.sign(&params);
    let list = CertificateRevocationListParams {
        this_update: rcgen::date_time_ymd(2020, 1, 1),
        next_update: rcgen::date_time_ymd(4000, 1, 1),
        crl_number: SerialNumber::from(1),
        issuing_distribution_point: None,
        revoked_certs: vec![RevokedCertParams {
            serial_number: SerialNumber::from(7),
            revocation_time: rcgen::date_time_ymd(2020, 1, 1),
            reason_code: None,
            invalidity_date: None,
        }],
        key_identifier_method: KeyIdMethod::Sha256,
    };
    let list = list.signed_by(&scene.clients.issuer()).unwrap();
    let list = list.pem().unwrap();
    scene.config.client_crl = Some(scene.directory.write("revoked.pem", &list));
    let error = scene.meet(Some(&revoked)).unwrap_err();
    assert_eq!(error.handshake_result(), HandshakeResult::Certificate);
    assert_eq!(
        scene.meet(Some(&good)).unwrap().peer_addresses,
        ["juliet@example.net"]
    );
}

#[test]
fn a_file_without_authorities_is_refused() {
    let mut scene = Scene::new();
    scene.config.client_ca = Some(scene.directory.write("clients.pem", ""));
    let clock = rookery_lifecycle::Clock::system();
    let registry = rookery_telemetry::Registry::new();
    let error = crate::CertificateStore::load(&scene.config, &[], clock, &registry).unwrap_err();
    assert!(
        error
            .to_string()
            .contains("clients.pem holds no certificate"),
        "{error}"
    );
}
