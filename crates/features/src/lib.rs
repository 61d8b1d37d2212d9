//! Protocol features, one file or folder for each standard.
//!
//! [`catalog`] is the one list of them, in the order in which they are installed. What other crates have
//! built in is listed by [`declared`]. [`support`] makes documents from what all of them declare.

pub mod caps;
pub mod contact_addresses;
pub mod declared;
pub mod disco;
pub mod entity_time;
pub mod instant_messaging;
pub mod ping;
pub mod session_request;
pub mod software_version;
pub mod support;

#[cfg(test)]
mod fixture;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use rookery_extension::Feature;
use rookery_lifecycle::Clock;
use rookery_storage::Store;
use rookery_telemetry::Registry;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// `[features]`: what protocol features leave to the operator.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// What the server tells about itself.
    pub software_version: software_version::Config,
}

/// What features are made of, besides their configuration.
#[derive(Clone, Debug)]
pub struct Parts {
    /// The time.
    pub clock: Clock,
    /// Where accounts and their records are.
    pub store: Arc<dyn Store>,
    /// Where they register metrics.
    pub metrics: Registry,
}

/// All features of the server, in the order in which they are installed.
pub fn catalog(config: &Config, parts: &Parts) -> Vec<Box<dyn Feature>> {
    let mut features: Vec<Box<dyn Feature>> = vec![
        Box::new(disco::Disco),
        Box::new(caps::Caps),
        Box::new(contact_addresses::ContactAddresses),
        Box::new(ping::Ping),
        Box::new(software_version::SoftwareVersion::new(
            &config.software_version,
        )),
        Box::new(entity_time::EntityTime::new(parts.clock.clone())),
        Box::new(session_request::SessionRequest),
        Box::new(instant_messaging::InstantMessaging),
    ];
    for spec in declared::SPECS {
        features.push(Box::new(*spec));
    }
    features
}
