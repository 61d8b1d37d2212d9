//! Makes TLS sessions with the certificates that are current.

use std::sync::Arc;

use parking_lot::Mutex;
use rustls::ServerConfig;
use rustls::server::NoServerSessionStorage;
use rustls::version::TLS13;

use crate::config::MinimumVersion;
use crate::error::TlsError;
use crate::session::TlsSession;
use crate::store::{CertificateStore, Loaded};

/// Makes the sessions of one kind of listener. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Acceptor {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    store: Arc<CertificateStore>,
    alpn: Vec<Vec<u8>>,
    made: Mutex<Option<Made>>,
}

/// What rustls needs, and what it was made from: it is made anew when that is no longer current.
#[derive(Clone, Debug)]
struct Made {
    from: Arc<Loaded>,
    config: Arc<ServerConfig>,
}

// === impl Acceptor ===

impl Acceptor {
    /// `alpn` are the application protocols on offer (XEP-0368 §3, rule 8: `xmpp-client`). A client that names
    /// others only is refused (RFC 7301 §3.2), one that names none is welcome (rule 7 only says that a client should).
    pub(crate) fn new(store: Arc<CertificateStore>, alpn: &[&str]) -> Self {
        let alpn = alpn.iter().map(|name| name.as_bytes().to_vec()).collect();
        let made = Mutex::default();
        let acceptor = Self {
            inner: Arc::new(Inner { store, alpn, made }),
        };
        // The first secret that a process draws takes some tenths of a second, which no client shall wait for.
        // An error comes again with the first session, whose owner can tell.
        drop(acceptor.current());
        acceptor
    }

    /// A session for a connection that was accepted, or whose client was told to proceed.
    pub fn session(&self) -> Result<TlsSession, TlsError> {
        let Made { from, config } = self.current()?;
        TlsSession::new(config, from)
    }

    fn current(&self) -> Result<Made, TlsError> {
        let loaded = self.inner.store.loaded();
        let mut made = self.inner.made.lock();
        if let Some(made) = &*made
            && Arc::ptr_eq(&made.from, &loaded)
        {
            return Ok(made.clone());
        }
        let config = Arc::new(self.config(&loaded)?);
        Ok(made
            .insert(Made {
                from: loaded,
                config,
            })
            .clone())
    }

    fn config(&self, loaded: &Arc<Loaded>) -> Result<ServerConfig, rustls::Error> {
        let provider = Arc::clone(self.inner.store.provider());
        let versions = match self.inner.store.min_version() {
            MinimumVersion::Tls12 => rustls::ALL_VERSIONS,
            MinimumVersion::Tls13 => &[&TLS13],
        };
        let resolver: Arc<Loaded> = Arc::clone(loaded);
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_protocol_versions(versions)?
            .with_client_cert_verifier(loaded.client_verifier())
            .with_cert_resolver(resolver);
        config.alpn_protocols.clone_from(&self.inner.alpn);
        // RFC 9266 §2: `tls-exporter` is defined for TLS 1.2 only with an extended master secret.
        config.require_ems = true;
        // The server's order counts, whatever a client is told to say; the store says which it is.
        config.ignore_client_order = true;
        // Tickets hold the state of a session that may be resumed: the server keeps none. Their keys go
        // with this value, so that a new certificate or a new authority ends resumption.
        config.ticketer = rustls::crypto::aws_lc_rs::Ticketer::new()?;
        config.send_tls13_tickets = 1;
        config.session_storage = Arc::new(NoServerSessionStorage {});
        Ok(config)
    }
}
