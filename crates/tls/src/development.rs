//! An authority and a certificate for development, made when nothing else is configured.

use std::fs::{DirBuilder, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, PKCS_ECDSA_P256_SHA256,
};
use rookery_lifecycle::Clock;
use x509_parser::extensions::ParsedExtension;
use x509_parser::prelude::{FromDer, X509Certificate};

use crate::certificate::{Facts, Pair, chain};
use crate::error::CertificateError;
use crate::files::Contents;
use crate::store::ascii;

const DAY: u64 = 24 * 60 * 60;
const AUTHORITY_LIFE: u64 = 3650 * DAY;
const LIFE: u64 = 365 * DAY;
/// A certificate with less than this left is made again.
const SPARE: u64 = 30 * DAY;

/// Where the files for development are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Development {
    /// The certificate chain, for [`Config::certificate`](crate::Config::certificate).
    pub certificate: PathBuf,
    /// Its key, for [`Config::key`](crate::Config::key).
    pub key: PathBuf,
    /// The authority's certificate: a client that trusts it accepts the server.
    pub ca: PathBuf,
    /// Whether they were made just now.
    pub made: bool,
}

/// Sees that `directory` holds a certificate for the hosts `names` which is valid for the next 30 days.
///
/// The authority's key stays when only the certificate has to be made again, so that clients that trust
/// the authority go on doing so. Keys are readable by the server's user only.
pub fn ensure_development_certificate(
    directory: &Path,
    names: &[String],
    clock: &Clock,
) -> Result<Development, CertificateError> {
    let mut development = Development {
        certificate: directory.join("certificate.pem"),
        key: directory.join("key.pem"),
        ca: directory.join("ca.pem"),
        made: false,
    };
    let mut names: Vec<String> = names.iter().map(|name| ascii(name)).collect();
    names.sort_unstable();
    names.dedup();
    let now = clock.unix_millis() / 1000;
    if !development.is_good(&names, now) {
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(directory)
            .map_err(|source| unwritable(directory, source))?;
        development.make(&directory.join("ca-key.pem"), names, now)?;
        development.made = true;
    }
    Ok(development)
}

// === impl Development ===

impl Development {
    /// Whether the files are there, belong together, name exactly `names` (sorted), and last.
    fn is_good(&self, names: &[String], now: u64) -> bool {
        let (Ok(pair), Some(authority)) = (self.pair(), self.authority()) else {
            return false;
        };
        let Ok(facts) = Facts::read(&self.ca, &authority) else {
            return false;
        };
        let mut named = pair.facts.names;
        named.sort_unstable();
        let until = i64::try_from(now + SPARE).unwrap_or(i64::MAX);
        let signer = pair
            .certified
            .cert
            .first()
            .and_then(|own| key_id(own, true));
        named == names
            && pair.facts.not_after.timestamp() > until
            && facts.not_after.timestamp() > until
            && signer.is_some()
            && signer == key_id(&authority, false)
    }

    fn pair(&self) -> Result<Pair, CertificateError> {
        let paths = [self.certificate.clone(), self.key.clone()];
        let provider = rustls::crypto::aws_lc_rs::default_provider();
        Pair::make(&paths, &Contents::read(&paths)?, &provider)
    }

    fn authority(&self) -> Option<Vec<u8>> {
        let contents = Contents::read(std::slice::from_ref(&self.ca)).ok()?;
        let chain = chain(&self.ca, contents.get(0)).ok()?;
        chain.first().map(|authority| authority.to_vec())
    }

    fn make(&self, ca_key: &Path, names: Vec<String>, now: u64) -> Result<(), CertificateError> {
        let authority_key = authority_key(ca_key)?;
        let authority = authority_params(&authority_key, now);
        write(
            &self.ca,
            0o644,
            &authority.self_signed(&authority_key)?.pem(),
        )?;
        let issuer = Issuer::from_params(&authority, authority_key);

        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
        let mut params = CertificateParams::new(names)?;
        params
            .distinguished_name
            .push(DnType::CommonName, "Rookery development server");
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        params.use_authority_key_identifier_extension = true;
        valid_for(&mut params, now, LIFE);
        write(&self.key, 0o600, &key.serialize_pem())?;
        write(
            &self.certificate,
            0o644,
            &params.signed_by(&key, &issuer)?.pem(),
        )
    }
}

/// The authority's key: the one that is there, else a new one.
fn authority_key(path: &Path) -> Result<KeyPair, CertificateError> {
    let there = Contents::read(&[path.to_owned()]).ok();
    let there = there.and_then(|contents| {
        let pem = std::str::from_utf8(contents.get(0)).ok()?;
        KeyPair::from_pem(pem).ok()
    });
    if let Some(key) = there {
        return Ok(key);
    }
    let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
    write(path, 0o600, &key.serialize_pem())?;
    Ok(key)
}

/// RFC 6120 §13.7.1.1 for authorities: a subject (here with something of the key, so that a client that
/// trusts several can tell them apart), `cA`, and the key usage `digitalSignature`.
fn authority_params(key: &KeyPair, now: u64) -> CertificateParams {
    let mut params = CertificateParams::default();
    let id = params.key_identifier(key);
    let id = id
        .iter()
        .take(4)
        .fold(0_u32, |id, byte| (id << 8) | u32::from(*byte));
    let name = format!("Rookery development CA {id:08x}");
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![
        KeyUsagePurpose::KeyCertSign,
        KeyUsagePurpose::CrlSign,
        KeyUsagePurpose::DigitalSignature,
    ];
    valid_for(&mut params, now, AUTHORITY_LIFE);
    params
}

fn valid_for(params: &mut CertificateParams, now: u64, life: u64) {
    let epoch = rcgen::date_time_ymd(1970, 1, 1);
    params.not_before = epoch + Duration::from_secs(now.saturating_sub(DAY));
    params.not_after = epoch + Duration::from_secs(now.saturating_add(life));
}

/// The identifier of the key that signed a certificate, or of its own key.
fn key_id(certificate: &[u8], signer: bool) -> Option<Vec<u8>> {
    let (_, parsed) = X509Certificate::from_der(certificate).ok()?;
    parsed
        .iter_extensions()
        .find_map(|extension| match extension.parsed_extension() {
            ParsedExtension::AuthorityKeyIdentifier(id) if signer => id.key_identifier.as_ref(),
            ParsedExtension::SubjectKeyIdentifier(id) if !signer => Some(id),
            _ => None,
        })
        .map(|id| id.0.to_vec())
}

/// Writes a file so that it is there in full or not at all.
fn write(path: &Path, mode: u32, contents: &str) -> Result<(), CertificateError> {
    let new = path.with_extension("new");
    let write = || -> io::Result<()> {
        if let Err(error) = std::fs::remove_file(&new)
            && error.kind() != io::ErrorKind::NotFound
        {
            return Err(error);
        }
        let mut file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(mode)
            .open(&new)?;
        file.write_all(contents.as_bytes())?;
        file.sync_all()?;
        std::fs::rename(&new, path)
    };
    write().map_err(|source| unwritable(path, source))
}

fn unwritable(path: &Path, source: io::Error) -> CertificateError {
    CertificateError::Unwritable {
        path: path.to_owned(),
        source,
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use rustls::pki_types::CertificateDer;
    use rustls::pki_types::pem::PemObject;

    use super::*;

    fn names(names: &[&str]) -> Vec<String> {
        names.iter().map(|&name| name.to_owned()).collect()
    }

    fn ensure(directory: &Path, hosts: &[&str]) -> Development {
        ensure_development_certificate(directory, &names(hosts), &Clock::system()).unwrap()
    }

    #[test]
    fn it_is_made_once_and_kept() {
        let directory = tempfile::tempdir().unwrap();
        let directory = directory.path().join("tls");
        let first = ensure(&directory, &["localhost", "Example.NET", "127.0.0.1"]);
        assert!(first.made);
        let again = ensure(&directory, &["example.net", "localhost", "127.0.0.1"]);
        assert!(!again.made);
    }

    #[test]
    fn it_is_an_end_entitys_as_rfc_6120_s13_7_1_1_demands() {
        let directory = tempfile::tempdir().unwrap();
        let made = ensure(directory.path(), &["localhost"]);
        let read = |path: &Path| CertificateDer::from_pem_file(path).unwrap();
        let (certificate, authority) = (read(&made.certificate), read(&made.ca));
        let (_, certificate) = X509Certificate::from_der(&certificate).unwrap();
        let (_, authority) = X509Certificate::from_der(&authority).unwrap();
        assert!(!certificate.is_ca() && authority.is_ca());
        assert!(certificate.subject().iter().next().is_some());
        let usage = certificate.key_usage().unwrap().unwrap();
        assert!(usage.value.digital_signature());
    }

    #[test]
    fn keys_are_readable_by_their_owner_only() {
        let directory = tempfile::tempdir().unwrap();
        let made = ensure(directory.path(), &["localhost"]);
        for key in [made.key, directory.path().join("ca-key.pem")] {
            let mode = std::fs::metadata(key).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600);
        }
    }

    #[test]
    fn other_names_make_a_new_certificate_of_the_same_authority() {
        let directory = tempfile::tempdir().unwrap();
        let first = ensure(directory.path(), &["localhost"]);
        let authority = first.authority().unwrap();
        let second = ensure(directory.path(), &["localhost", "münchen.example"]);
        assert!(second.made);
        let same = key_id(&authority, false);
        assert!(same.is_some());
        assert_eq!(key_id(&second.authority().unwrap(), false), same);
    }

    #[test]
    fn what_is_missing_torn_or_foreign_is_made_again() {
        let directory = tempfile::tempdir().unwrap();
        let first = ensure(directory.path(), &["localhost"]);
        for path in [&first.certificate, &first.key, &first.ca] {
            std::fs::remove_file(path).unwrap();
            assert!(ensure(directory.path(), &["localhost"]).made, "{path:?}");
            std::fs::write(path, "torn").unwrap();
            assert!(ensure(directory.path(), &["localhost"]).made, "{path:?}");
        }
        let elsewhere = tempfile::tempdir().unwrap();
        let other = ensure(elsewhere.path(), &["localhost"]);
        std::fs::copy(other.ca, &first.ca).unwrap();
        assert!(ensure(directory.path(), &["localhost"]).made);
        assert!(!ensure(directory.path(), &["localhost"]).made);
    }

    #[test]
    fn it_is_made_again_before_it_expires() {
        let directory = tempfile::tempdir().unwrap();
        let made = ensure(directory.path(), &["localhost"]);
        let hosts = names(&["localhost"]);
        let now = Clock::system().unix_millis() / 1000;
        assert!(made.is_good(&hosts, now + LIFE - SPARE - 60));
        assert!(!made.is_good(&hosts, now + LIFE - SPARE + 60));
    }
}
