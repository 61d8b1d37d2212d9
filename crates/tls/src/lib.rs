//! TLS for streams: certificates with reload, SNI, and sessions without I/O, over rustls.
//!
//! * [`CertificateStore`] holds what [`Config`] and [`HostConfig`] name, and keeps it current ([`watch`]).
//! * [`Acceptor`] makes a [`TlsSession`] for each connection, with what is current then.
//! * [`TlsSession`] takes ciphertext in and gives plaintext out, and the other way round. Whoever owns
//!   the socket moves the bytes.
//! * [`server_end_point`] and [`xmpp_addresses`] read what SASL needs from certificates.
//!
//! This crate does not know what a stream is: it never looks at the plaintext.

mod acceptor;
mod certificate;
mod client_identity;
mod client_trust;
mod config;
mod development;
mod end_point;
mod error;
mod files;
mod metrics;
mod session;
mod store;
mod watch;

#[cfg(test)]
mod tests;

pub use acceptor::Acceptor;
pub use client_identity::xmpp_addresses;
pub use config::{Config, HostConfig, MinimumVersion};
pub use development::{Development, ensure_development_certificate};
pub use end_point::server_end_point;
pub use error::{CertificateError, TlsError};
pub use metrics::{HandshakeResult, ReloadResult};
pub use session::{TlsInfo, TlsSession};
pub use store::{CertificateInfo, CertificateStore, ReloadReport};
pub use watch::watch;
