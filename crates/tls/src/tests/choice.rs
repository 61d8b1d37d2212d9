//! Which certificate a client sees.

use super::{Authority, Directory, load, presented};
use crate::{
    CertificateError, CertificateStore, Config, HostConfig, ensure_development_certificate,
};
use rookery_lifecycle::Clock;
use rookery_telemetry::Registry;
use rustls::RootCertStore;

#[test]
fn the_hosts_own_then_a_name_then_a_wildcard_then_the_default() {
    let authority = Authority::new();
    let directory = Directory::new();
    let everything = [
        "other.example",
        "b.example.net",
        "*.example.net",
        "x.y.example.net",
    ];
    let default = authority.issue(&everything);
    let own = authority.issue(&["a.example.net"]);
    let wild = authority.issue(&["*.example.org", "chat.example.org"]);
    let hosts = [
        ("a.example.net", directory.put("own", &own)),
        ("chat.example.org", directory.put("wild", &wild)),
        ("b.example.net", HostConfig::default()),
    ];
    let store = load(&directory.default(&default), &hosts);
    for (asked, expected) in [
        ("a.example.net", &own),
        ("A.Example.NET", &own),
        ("chat.example.org", &wild),
        ("muc.example.org", &wild),
        ("b.example.net", &default),
        ("c.example.net", &default),
        ("x.y.example.net", &default),
        ("other.example", &default),
    ] {
        assert_eq!(
            presented(&store, authority.roots(), asked),
            expected.der().as_ref(),
            "{asked}"
        );
    }
}

#[test]
fn a_host_is_asked_for_by_its_ascii_name() {
    let authority = Authority::new();
    let directory = Directory::new();
    let default = authority.issue(&["example.net"]);
    let own = authority.issue(&["xn--mnchen-3ya.example"]);
    let hosts = [("MÜNCHEN.example", directory.put("own", &own))];
    let store = load(&directory.default(&default), &hosts);
    let seen = presented(&store, authority.roots(), "xn--mnchen-3ya.example");
    assert_eq!(seen, own.der().as_ref());
}

#[test]
fn without_a_default_the_first_hosts_certificate_stands_in() {
    let authority = Authority::new();
    let directory = Directory::new();
    let first = authority.issue(&["a.example", "unknown.example"]);
    let second = authority.issue(&["b.example"]);
    let hosts = [
        ("a.example", directory.put("first", &first)),
        ("b.example", directory.put("second", &second)),
    ];
    let store = load(&Config::default(), &hosts);
    assert_eq!(
        presented(&store, authority.roots(), "unknown.example"),
        first.der().as_ref()
    );
    assert_eq!(
        presented(&store, authority.roots(), "b.example"),
        second.der().as_ref()
    );
    assert_eq!(store.certificates().len(), 2);
}

fn refused(config: &Config, host: HostConfig) -> CertificateError {
    let hosts = [("example.net".to_owned(), host)];
    CertificateStore::load(config, &hosts, Clock::system(), &Registry::new()).unwrap_err()
}

#[test]
fn what_is_missing_in_the_configuration_is_named() {
    let error = refused(&Config::default(), HostConfig::default());
    assert_eq!(
        error.to_string(),
        "tls.certificate is not set: name a PEM file with the certificate chain"
    );
    let half = HostConfig {
        certificate: Some("chain.pem".into()),
        key: None,
    };
    assert_eq!(
        refused(&Config::default(), half).to_string(),
        "host[example.net].tls.key is not set: certificate and key belong together, name both"
    );
}

#[test]
fn bad_files_are_named_with_what_to_do() {
    let directory = Directory::new();
    let authority = Authority::new();
    let own = directory.put("own", &authority.issue(&["example.net"]));
    let other = directory.put("other", &authority.issue(&["example.net"]));
    let refused = |certificate: &HostConfig, key: &HostConfig| {
        let pair = HostConfig {
            certificate: certificate.certificate.clone(),
            key: key.key.clone(),
        };
        refused(&Config::default(), pair)
    };

    let mismatch = refused(&own, &other);
    assert!(
        matches!(mismatch, CertificateError::KeyMismatch { .. }),
        "{mismatch}"
    );
    assert!(mismatch.to_string().contains("other.key"), "{mismatch}");

    let file = |name: &str, contents: &str| {
        let path = Some(directory.write(name, contents));
        HostConfig {
            certificate: path.clone(),
            key: path,
        }
    };
    let empty = file("empty", "no PEM at all");
    let error = refused(&empty, &own);
    assert!(
        matches!(error, CertificateError::EmptyChain { .. }),
        "{error}"
    );
    let error = refused(&own, &empty);
    assert!(
        error.to_string().contains("no valid private key"),
        "{error}"
    );
    let broken = file(
        "broken",
        "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
    );
    let error = refused(&broken, &own);
    assert!(
        error.to_string().contains("no valid certificate"),
        "{error}"
    );
    let missing = HostConfig {
        certificate: Some(directory.path("missing.pem")),
        key: None,
    };
    let error = refused(&missing, &own);
    assert!(error.to_string().contains("missing.pem"), "{error}");
    assert!(
        matches!(error, CertificateError::Unreadable { .. }),
        "{error}"
    );
    let large = file("large", &"x".repeat(5 * 1024 * 1024));
    let error = refused(&large, &own);
    assert!(
        matches!(error, CertificateError::TooLarge { .. }),
        "{error}"
    );
}

#[test]
fn an_expired_certificate_is_loaded_and_its_time_told() {
    let authority = Authority::new();
    let directory = Directory::new();
    let mut params = rcgen::CertificateParams::new(vec!["example.net".to_owned()]).unwrap();
    params.not_after = rcgen::date_time_ymd(2001, 9, 9);
    let expired = authority.sign(&params);
    let registry = Registry::new();
    let store = CertificateStore::load(
        &directory.default(&expired),
        &[],
        Clock::system(),
        &registry,
    )
    .unwrap();
    let [info] = &store.certificates()[..] else {
        panic!("one certificate")
    };
    assert_eq!(info.not_after, 999_993_600);
    assert_eq!(info.names, ["example.net"]);
    let metrics = registry.render();
    let line = "rookery_tls_certificate_not_after_timestamp_seconds 999993600";
    assert!(metrics.contains(line), "{metrics}");
}

#[test]
fn a_client_needs_to_trust_the_development_authority_only() {
    use rustls::pki_types::CertificateDer;
    use rustls::pki_types::pem::PemObject;

    let directory = Directory::new();
    let names = ["localhost".to_owned(), "example.net".to_owned()];
    let clock = Clock::system();
    let made = ensure_development_certificate(&directory.path("tls"), &names, &clock).unwrap();
    let config = Config {
        certificate: Some(made.certificate),
        key: Some(made.key),
        ..Config::default()
    };
    let store = load(&config, &[]);
    let mut roots = RootCertStore::empty();
    roots
        .add(CertificateDer::from_pem_file(made.ca).unwrap())
        .unwrap();
    for host in names {
        assert!(!presented(&store, roots.clone(), &host).is_empty());
    }
}
