//! A client's bytes: TCP, and TLS that trusts one authority.

use std::io;
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConnection, RootCertStore};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::authority::Issued;

/// Whom a client trusts.
#[derive(Clone)]
pub struct Trust {
    connector: TlsConnector,
}

/// Why the trusted certificates could not be read.
#[derive(Debug, thiserror::Error)]
#[error("the trusted certificates cannot be used: {0}")]
pub struct TrustError(String);

/// The connection of a client.
#[derive(Debug)]
pub(crate) enum Transport {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
    /// Only while TLS is being started.
    Gone,
}

// === impl Trust ===

impl Trust {
    /// Trusts the authorities in a PEM file, and nobody else. `alpn` is what the client offers.
    pub fn pem_file(path: &Path, alpn: &[&str]) -> Result<Self, TrustError> {
        let pem = std::fs::read(path)
            .map_err(|error| TrustError(format!("{}: {error}", path.display())))?;
        Self::pem(&pem, alpn)
    }

    /// Trusts the authorities in PEM, and nobody else. `alpn` is what the client offers.
    pub fn pem(pem: &[u8], alpn: &[&str]) -> Result<Self, TrustError> {
        Self::of(pem, alpn, None)
    }

    /// The same, for a client that shows this certificate to servers which ask for one.
    pub fn pem_with(pem: &[u8], alpn: &[&str], own: &Issued) -> Result<Self, TrustError> {
        Self::of(pem, alpn, Some(own))
    }

    fn of(pem: &[u8], alpn: &[&str], own: Option<&Issued>) -> Result<Self, TrustError> {
        let error = |error: &dyn std::fmt::Display| TrustError(error.to_string());
        let mut roots = RootCertStore::empty();
        for certificate in CertificateDer::pem_slice_iter(pem) {
            let certificate = certificate.map_err(|e| error(&e))?;
            roots.add(certificate).map_err(|e| error(&e))?;
        }
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = rustls::ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|e| error(&e))?
            .with_root_certificates(roots);
        let mut config = match own {
            None => config.with_no_client_auth(),
            Some(own) => {
                let certificate = CertificateDer::from_pem_slice(own.certificate.as_bytes());
                let key = PrivateKeyDer::from_pem_slice(own.key.as_bytes());
                let chain = vec![certificate.map_err(|e| error(&e))?];
                let key = key.map_err(|e| error(&e))?;
                config
                    .with_client_auth_cert(chain, key)
                    .map_err(|e| error(&e))?
            }
        };
        config.alpn_protocols = alpn.iter().map(|name| name.as_bytes().to_vec()).collect();
        Ok(Self {
            connector: TlsConnector::from(Arc::new(config)),
        })
    }

    pub(crate) async fn secure(&self, socket: TcpStream, host: &str) -> io::Result<Transport> {
        let name = ServerName::try_from(host.to_owned()).map_err(io::Error::other)?;
        let stream = self.connector.connect(name, socket).await?;
        Ok(Transport::Tls(Box::new(stream)))
    }
}

impl std::fmt::Debug for Trust {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Trust")
    }
}

// === impl Transport ===

impl Transport {
    fn tls(&self) -> Option<&ClientConnection> {
        match self {
            Self::Tls(stream) => Some(stream.get_ref().1),
            _ => None,
        }
    }

    /// RFC 9266 §2.
    pub(crate) fn exporter(&self) -> Option<[u8; 32]> {
        let label = b"EXPORTER-Channel-Binding";
        self.tls()?
            .export_keying_material([0; 32], label, Some(b""))
            .ok()
    }

    /// What the server identified itself with.
    pub(crate) fn certificate(&self) -> Option<&[u8]> {
        let chain = self.tls()?.peer_certificates()?;
        chain.first().map(AsRef::as_ref)
    }
}

impl AsyncRead for Transport {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(socket) => Pin::new(socket).poll_read(cx, buffer),
            Self::Tls(stream) => Pin::new(stream).poll_read(cx, buffer),
            Self::Gone => Poll::Ready(Err(io::ErrorKind::NotConnected.into())),
        }
    }
}

impl AsyncWrite for Transport {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(socket) => Pin::new(socket).poll_write(cx, bytes),
            Self::Tls(stream) => Pin::new(stream).poll_write(cx, bytes),
            Self::Gone => Poll::Ready(Err(io::ErrorKind::NotConnected.into())),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(socket) => Pin::new(socket).poll_flush(cx),
            Self::Tls(stream) => Pin::new(stream).poll_flush(cx),
            Self::Gone => Poll::Ready(Err(io::ErrorKind::NotConnected.into())),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(socket) => Pin::new(socket).poll_shutdown(cx),
            Self::Tls(stream) => Pin::new(stream).poll_shutdown(cx),
            Self::Gone => Poll::Ready(Err(io::ErrorKind::NotConnected.into())),
        }
    }
}
