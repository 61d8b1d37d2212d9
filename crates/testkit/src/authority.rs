//! Certificates: an authority of the test's own, and what it signs.

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, SanType,
    date_time_ymd,
};

use crate::transport::{Trust, TrustError};

/// The name by which a certificate says an XMPP address (RFC 6120 §13.7.1.4): `id-on-xmppAddr`.
const XMPP_ADDRESS: [u64; 9] = [1, 3, 6, 1, 5, 5, 7, 8, 5];

/// An authority that signs certificates.
#[derive(Debug)]
pub struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
}

/// A certificate and its key, both in PEM.
#[derive(Clone, Debug)]
pub struct Issued {
    /// The certificate.
    pub certificate: String,
    /// Its private key.
    pub key: String,
}

// === impl Authority ===

impl Authority {
    /// Makes an authority of this name.
    pub fn new(name: &str) -> Result<Self, rcgen::Error> {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate()?)?;
        Ok(Self { issuer })
    }

    /// Its own certificate in PEM: what clients trust.
    pub fn pem(&self) -> String {
        self.issuer.pem()
    }

    /// A client that trusts this authority and no other.
    pub fn trust(&self, alpn: &[&str]) -> Result<Trust, TrustError> {
        Trust::pem(self.pem().as_bytes(), alpn)
    }

    /// A certificate for a host.
    pub fn issue(&self, host: &str) -> Result<Issued, rcgen::Error> {
        let key = KeyPair::generate()?;
        let params = CertificateParams::new(vec![host.to_owned()])?;
        let certificate = params.signed_by(&key, &self.issuer)?;
        Ok(Issued {
            certificate: certificate.pem(),
            key: key.serialize_pem(),
        })
    }

    /// A certificate for whoever has these XMPP addresses. One that is not `valid` has expired long ago.
    pub fn issue_to(&self, addresses: &[String], valid: bool) -> Result<Issued, rcgen::Error> {
        let key = KeyPair::generate()?;
        let mut params = CertificateParams::default();
        let names = addresses
            .iter()
            .map(|address| SanType::OtherName((XMPP_ADDRESS.to_vec(), address.as_str().into())));
        params.subject_alt_names = names.collect();
        if !valid {
            params.not_before = date_time_ymd(2000, 1, 1);
            params.not_after = date_time_ymd(2001, 1, 1);
        }
        let certificate = params.signed_by(&key, &self.issuer)?;
        Ok(Issued {
            certificate: certificate.pem(),
            key: key.serialize_pem(),
        })
    }
}
