//! What is measured about certificates, and the labels of handshakes for those who count them.

use rookery_telemetry::{CounterFamily, Gauge, Registry, label};

label! {
    /// How a handshake ended.
    pub enum HandshakeResult("result") {
        /// A full handshake.
        Ok = "ok",
        /// A session was resumed.
        Resumed = "resumed",
        /// The client sent a fatal alert.
        ClientAlert = "client_alert",
        /// One side does not accept the other's certificate.
        Certificate = "certificate",
        /// It took too long.
        Timeout = "timeout",
        /// The client violates TLS, or has no version or cipher in common with us.
        Protocol = "protocol",
        /// Anything else.
        Other = "other",
    }
}

label! {
    /// What became of files that changed.
    pub enum ReloadResult("result") {
        /// They are in use.
        Ok = "ok",
        /// They are bad; what was loaded before stays in use.
        Error = "error",
    }
}

/// Handles to the metrics of certificates.
#[derive(Clone, Debug)]
pub(crate) struct Metrics {
    pub(crate) not_after: Gauge,
    pub(crate) reloads: CounterFamily<ReloadResult>,
    successful: Gauge,
    success_at: Gauge,
}

// === impl Metrics ===

impl Metrics {
    pub(crate) fn new(registry: &Registry) -> Self {
        Self {
            not_after: registry.gauge(
                "tls_certificate_not_after_timestamp_seconds",
                "When does the first of the loaded certificates expire?",
            ),
            reloads: registry.counters(
                "tls_certificate_reloads_total",
                "Did rotation reach the process?",
            ),
            successful: registry.gauge(
                "config_last_reload_successful",
                "Is what was last found in use: the settings at the start, the files of certificates since then?",
            ),
            success_at: registry.gauge(
                "config_last_reload_success_timestamp_seconds",
                "When was all of that last taken into use?",
            ),
        }
    }

    /// Everything that was found is in use, since `now`, in Unix seconds.
    pub(crate) fn all_good(&self, now: i64) {
        self.successful.set(1);
        self.success_at.set(now);
    }

    /// Something that was found is not in use.
    pub(crate) fn something_bad(&self) {
        self.successful.set(0);
    }
}
