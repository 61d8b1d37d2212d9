//! Which client certificates are accepted (RFC 6120 §13.7.2).

use std::path::PathBuf;
use std::sync::Arc;

use rustls::RootCertStore;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::CertificateRevocationListDer;
use rustls::pki_types::pem::PemObject;
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::ClientCertVerifier;

use crate::certificate::{chain, invalid};
use crate::error::CertificateError;
use crate::files::Contents;

/// Decides about a client's certificate during the handshake.
pub(crate) type Verifier = Arc<dyn ClientCertVerifier>;

/// Asks clients for a certificate but does not insist. One that is presented has to lead to an authority
/// in the first file and must not be listed in the second, if there is one; else the handshake fails,
/// which RFC 6120 §13.7.2.2.1 (sub-case 3) allows.
pub(crate) fn verifier(
    paths: &[PathBuf],
    contents: &Contents,
    provider: &Arc<CryptoProvider>,
) -> Result<Verifier, CertificateError> {
    let mut paths = paths.iter();
    let ca = paths.next().cloned().unwrap_or_default();
    let mut roots = RootCertStore::empty();
    for authority in chain(&ca, contents.get(0))? {
        roots
            .add(authority)
            .map_err(|error| invalid(&ca, "certificate authority", error.to_string()))?;
    }
    if roots.is_empty() {
        return Err(CertificateError::EmptyChain { path: ca });
    }
    let mut builder =
        WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(provider))
            .allow_unauthenticated();
    let mut blamed = ca;
    if let Some(path) = paths.next() {
        let lists = CertificateRevocationListDer::pem_slice_iter(contents.get(1))
            .collect::<Result<Vec<_>, _>>()
            .map_err(|error| invalid(path, "revocation list", error.to_string()))?;
        builder = builder.with_crls(lists).allow_unknown_revocation_status();
        blamed.clone_from(path);
    }
    builder
        .build()
        .map_err(|error| invalid(&blamed, "client trust", error.to_string()))
}
