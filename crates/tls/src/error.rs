//! What can be wrong with certificates, and with a TLS session.

use std::io;
use std::path::PathBuf;

use rustls::AlertDescription;

use crate::metrics::HandshakeResult;

/// Why certificates could not be loaded. Each message names the file and what to do.
#[derive(Debug, thiserror::Error)]
pub enum CertificateError {
    /// A table names no certificate and there is no other to take.
    #[error("{table}.certificate is not set: name a PEM file with the certificate chain")]
    NotConfigured {
        /// The configuration table.
        table: String,
    },
    /// A table names a certificate or a key, but not both.
    #[error("{table}.{missing} is not set: certificate and key belong together, name both")]
    Incomplete {
        /// The configuration table.
        table: String,
        /// The key that is missing.
        missing: &'static str,
    },
    /// A file cannot be read.
    #[error("cannot read {path}: {source}; check the path and that the server may read it")]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// A file cannot be written.
    #[error("cannot write {path}: {source}; check that the directory exists and is writable")]
    Unwritable {
        /// The file or directory.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// A file is larger than any chain or key.
    #[error("{path} is larger than {limit} bytes: it cannot be what it should hold")]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// The limit in bytes.
        limit: u64,
    },
    /// A file was written to while it was read.
    #[error("{path} changes while it is read; it is tried again soon")]
    Unsettled {
        /// The file.
        path: PathBuf,
    },
    /// A file holds no certificate.
    #[error(
        "{path} holds no certificate: it must hold PEM blocks \"BEGIN CERTIFICATE\", the host's own first"
    )]
    EmptyChain {
        /// The file.
        path: PathBuf,
    },
    /// A file holds something that is not what it should be.
    #[error("{path} holds no valid {what}: {reason}; replace it with a valid PEM file")]
    Invalid {
        /// The file.
        path: PathBuf,
        /// What it should hold.
        what: &'static str,
        /// What is wrong with it.
        reason: String,
    },
    /// The key is another certificate's.
    #[error(
        "the key in {key} does not belong to the certificate in {certificate}: replace both together"
    )]
    KeyMismatch {
        /// The certificate's file.
        certificate: PathBuf,
        /// The key's file.
        key: PathBuf,
    },
    /// A certificate for development could not be made.
    #[error("cannot make a certificate for development: {0}")]
    Development(#[from] rcgen::Error),
    /// The TLS library refuses the configuration.
    #[error("the TLS library refuses its configuration: {0}")]
    Library(#[from] rustls::Error),
}

/// Why a TLS session ended or did not start. What is left to send (an alert) is still to be taken.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum TlsError {
    /// The peer or its bytes violate TLS, or it sent a fatal alert.
    #[error("TLS failed: {0}")]
    Protocol(#[from] rustls::Error),
    /// Plaintext was to be sent before the handshake was complete.
    #[error("the TLS handshake is not complete")]
    Handshaking,
}

// === impl TlsError ===

impl TlsError {
    /// What the handshake that failed with this counts as.
    pub fn handshake_result(&self) -> HandshakeResult {
        let Self::Protocol(error) = self else {
            return HandshakeResult::Other;
        };
        match error {
            rustls::Error::AlertReceived(alert) if about_certificate(*alert) => {
                HandshakeResult::Certificate
            }
            rustls::Error::AlertReceived(_) => HandshakeResult::ClientAlert,
            rustls::Error::InvalidCertificate(_)
            | rustls::Error::InvalidCertRevocationList(_)
            | rustls::Error::NoCertificatesPresented
            | rustls::Error::UnsupportedNameType => HandshakeResult::Certificate,
            rustls::Error::FailedToGetCurrentTime
            | rustls::Error::FailedToGetRandomBytes
            | rustls::Error::General(_)
            | rustls::Error::Other(_) => HandshakeResult::Other,
            _ => HandshakeResult::Protocol,
        }
    }
}

/// Whether a client says with this alert that it does not accept our certificate.
fn about_certificate(alert: AlertDescription) -> bool {
    matches!(
        alert,
        AlertDescription::BadCertificate
            | AlertDescription::UnsupportedCertificate
            | AlertDescription::CertificateRevoked
            | AlertDescription::CertificateExpired
            | AlertDescription::CertificateUnknown
            | AlertDescription::UnknownCA
    )
}
