//! How the sessions of clients are secured, for those who want to know whom a stricter setting would shut out.

use rookery_auth::{ChannelBinding, MechanismLabel, Success};
use rookery_telemetry::{Gauge, GaugeFamily3, Registry, label};

label! {
    /// Which TLS a session runs on.
    pub(crate) enum TlsVersion("tls_version") {
        None = "none",
        Tls12 = "1.2",
        Tls13 = "1.3",
    }
}

label! {
    /// What binds a login to its TLS session (RFC 5802 §6).
    pub(crate) enum Binding("channel_binding") {
        None = "none",
        TlsExporter = "tls-exporter",
        TlsServerEndPoint = "tls-server-end-point",
    }
}

/// Sessions by how they are secured.
#[derive(Clone, Debug)]
pub(crate) struct Sessions(GaugeFamily3<TlsVersion, MechanismLabel, Binding>);

/// How a client has logged in.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Secured {
    tls: TlsVersion,
    mechanism: MechanismLabel,
    binding: Binding,
}

/// A session that is counted until this is dropped.
#[derive(Debug)]
pub(crate) struct Counted(Gauge);

// === impl Sessions ===

impl Sessions {
    pub(crate) fn register(registry: &Registry) -> Self {
        Self(registry.gauges3(
            "sessions_by_security",
            "Who still uses an old TLS, PLAIN, or no channel binding?",
        ))
    }

    /// Counts one session.
    pub(crate) fn count(&self, how: Secured) -> Counted {
        let gauge = self.0.of(how.tls, how.mechanism, how.binding).clone();
        gauge.add(1);
        Counted(gauge)
    }
}

// === impl Secured ===

impl Secured {
    /// `tls_version` is that of the connection, if it is protected at all.
    pub(crate) fn new(tls_version: Option<&str>, login: &Success) -> Self {
        Self {
            tls: match tls_version {
                Some("1.3") => TlsVersion::Tls13,
                Some(_) => TlsVersion::Tls12,
                None => TlsVersion::None,
            },
            mechanism: MechanismLabel(Some(login.mechanism)),
            binding: match login.channel_binding {
                Some(ChannelBinding::TlsExporter) => Binding::TlsExporter,
                Some(ChannelBinding::TlsServerEndPoint) => Binding::TlsServerEndPoint,
                None => Binding::None,
            },
        }
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.add(-1);
    }
}
