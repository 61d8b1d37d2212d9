//! A certificate chain with its key, checked, and what its own certificate says (RFC 5280).

use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::InconsistentKeys;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::{ASN1Time, FromDer, X509Certificate};

use crate::end_point::server_end_point;
use crate::error::CertificateError;
use crate::files::Contents;

/// A chain with its key.
#[derive(Debug)]
pub(crate) struct Pair {
    pub(crate) certified: Arc<CertifiedKey>,
    pub(crate) facts: Facts,
    /// RFC 5929 §4, where it is defined.
    pub(crate) end_point: Option<Vec<u8>>,
}

/// What a certificate says.
#[derive(Debug)]
pub(crate) struct Facts {
    /// DNS names, in lower case, and addresses of the subject.
    pub(crate) names: Vec<String>,
    pub(crate) not_before: ASN1Time,
    pub(crate) not_after: ASN1Time,
}

// === impl Pair ===

impl Pair {
    /// Makes a pair of the contents of a chain's file and a key's file.
    pub(crate) fn make(
        paths: &[PathBuf],
        contents: &Contents,
        provider: &CryptoProvider,
    ) -> Result<Self, CertificateError> {
        let [certificate, key] = paths else {
            return Err(CertificateError::Incomplete {
                table: "tls".to_owned(),
                missing: "key",
            });
        };
        let chain = chain(certificate, contents.get(0))?;
        let own = chain.first().ok_or_else(|| CertificateError::EmptyChain {
            path: certificate.clone(),
        })?;
        let facts = Facts::read(certificate, own)?;
        let end_point = server_end_point(own);
        let signing = PrivateKeyDer::from_pem_slice(contents.get(1))
            .map_err(|error| error.to_string())
            .and_then(|der| {
                provider
                    .key_provider
                    .load_private_key(der)
                    .map_err(|error| error.to_string())
            })
            .map_err(|reason| invalid(key, "private key", reason))?;
        let certified = CertifiedKey::new(chain, signing);
        match certified.keys_match() {
            Ok(()) | Err(rustls::Error::InconsistentKeys(InconsistentKeys::Unknown)) => {}
            Err(rustls::Error::InconsistentKeys(_)) => {
                return Err(CertificateError::KeyMismatch {
                    certificate: certificate.clone(),
                    key: key.clone(),
                });
            }
            Err(error) => return Err(invalid(certificate, "certificate", error.to_string())),
        }
        Ok(Self {
            certified: Arc::new(certified),
            facts,
            end_point,
        })
    }
}

// === impl Facts ===

impl Facts {
    /// Reads them from a certificate that came from the file `path`.
    pub(crate) fn read(path: &Path, der: &[u8]) -> Result<Self, CertificateError> {
        let (_, certificate) = X509Certificate::from_der(der)
            .map_err(|error| invalid(path, "certificate", error.to_string()))?;
        let names = certificate.subject_alternative_name().ok().flatten();
        let names = names.map(|extension| &extension.value.general_names);
        Ok(Self {
            names: names.into_iter().flatten().filter_map(name).collect(),
            not_before: certificate.validity().not_before,
            not_after: certificate.validity().not_after,
        })
    }

    /// Whether a client that expects `host`, in ASCII and lower case, finds it here (RFC 6125 §6.4).
    pub(crate) fn cover(&self, host: &str) -> bool {
        let parent = host.split_once('.').map(|(_, parent)| parent);
        self.names
            .iter()
            .any(|name| name == host || (parent.is_some() && name.strip_prefix("*.") == parent))
    }
}

/// Reads the certificates from the PEM text of the file `path`.
pub(crate) fn chain(
    path: &Path,
    pem: &[u8],
) -> Result<Vec<CertificateDer<'static>>, CertificateError> {
    CertificateDer::pem_slice_iter(pem)
        .collect::<Result<_, _>>()
        .map_err(|error| invalid(path, "certificate", error.to_string()))
}

pub(crate) fn invalid(path: &Path, what: &'static str, reason: String) -> CertificateError {
    CertificateError::Invalid {
        path: path.to_owned(),
        what,
        reason,
    }
}

fn name(name: &GeneralName<'_>) -> Option<String> {
    match name {
        GeneralName::DNSName(name) => Some(name.to_ascii_lowercase()),
        GeneralName::IPAddress(bytes) => {
            let address = <[u8; 4]>::try_from(*bytes).map(IpAddr::from);
            let address = address.or_else(|_| <[u8; 16]>::try_from(*bytes).map(IpAddr::from));
            address.ok().map(|address| address.to_string())
        }
        _ => None,
    }
}
