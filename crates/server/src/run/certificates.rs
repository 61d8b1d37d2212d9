//! The certificates: those of the configuration, or one for development.

use std::sync::Arc;

use rookery_lifecycle::Clock;
use rookery_telemetry::Registry;
use rookery_tls::{CertificateStore, HostConfig, ensure_development_certificate};

use super::accounts::prepared;
use super::directory::DataDirectory;
use super::error::StartError;
use crate::config::Config;

/// Loads the certificates of all hosts. A host for which none is configured gets one for development.
pub(super) fn load(
    config: &Config,
    directory: &DataDirectory,
    clock: &Clock,
    registry: &Registry,
) -> Result<Arc<CertificateStore>, StartError> {
    let mut tls = config.tls.clone();
    let hosts = hosts(config);
    let without = hosts.iter().filter(|(_, host)| host.certificate.is_none());
    let without: Vec<String> = without.map(|(name, _)| name.clone()).collect();
    if tls.certificate.is_none() && !without.is_empty() {
        let made = ensure_development_certificate(&directory.tls(), &without, clock)?;
        tracing::warn!(
            hosts = without.join(","),
            ca = %made.ca.display(),
            "no certificate is configured: one for development is used, which clients trust only if they \
             are told to trust the authority that signed it; set tls.certificate and tls.key"
        );
        tls.certificate = Some(made.certificate);
        tls.key = Some(made.key);
    }
    Ok(CertificateStore::load(
        &tls,
        &hosts,
        clock.clone(),
        registry,
    )?)
}

/// Loads what the configuration names, to see whether it can be loaded.
///
/// # Errors
/// The first certificate that cannot be used.
pub fn check(config: &Config) -> Result<(), StartError> {
    let (clock, registry) = (Clock::system(), Registry::new());
    let mut hosts = hosts(config);
    if config.tls.certificate.is_none() {
        hosts.retain(|(_, host)| host.certificate.is_some());
    }
    if config.tls.certificate.is_some() || !hosts.is_empty() {
        CertificateStore::load(&config.tls, &hosts, clock, &registry)?;
    }
    Ok(())
}

fn hosts(config: &Config) -> Vec<(String, HostConfig)> {
    prepared(config)
        .map(|(jid, host)| (jid.domain().to_owned(), host.tls.clone()))
        .collect()
}
