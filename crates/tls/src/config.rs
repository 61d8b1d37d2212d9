//! `[tls]`: which files hold the certificates, and which versions of TLS are spoken.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// `[tls]`: the certificate of every host that has none of its own, and what holds for all hosts.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// PEM file with the certificate chain, the server's own certificate first. Absent: a certificate
    /// for development is made in `data_dir`, which no client trusts by itself.
    pub certificate: Option<PathBuf>,
    /// PEM file with the private key of the certificate.
    pub key: Option<PathBuf>,
    /// PEM file with the authorities whose client certificates are accepted (SASL EXTERNAL). Absent:
    /// clients are not asked for a certificate.
    pub client_ca: Option<PathBuf>,
    /// PEM file with the revocation lists of these authorities. A certificate that one of them lists is
    /// refused.
    pub client_crl: Option<PathBuf>,
    /// The oldest version of TLS that is spoken: `1.2` or `1.3`.
    pub min_version: MinimumVersion,
}

/// `[host.tls]`: a certificate for one host.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct HostConfig {
    /// PEM file with the certificate chain, the host's own certificate first. Absent: `tls.certificate`.
    pub certificate: Option<PathBuf>,
    /// PEM file with the private key of the certificate.
    pub key: Option<PathBuf>,
}

/// The oldest version of TLS that is spoken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum MinimumVersion {
    /// TLS 1.2 and 1.3.
    #[default]
    #[serde(rename = "1.2")]
    Tls12,
    /// TLS 1.3 only.
    #[serde(rename = "1.3")]
    Tls13,
}
