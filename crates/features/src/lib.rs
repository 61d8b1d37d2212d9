//! Protocol features, one file or folder for each standard.
//!
//! [`catalog`] is the one list of them, in the order in which they are installed. What other crates have
//! built in is listed by [`declared`]. [`support`] makes documents from what all of them declare.

mod account_records;
pub mod archive;
pub mod blocking;
pub mod caps;
pub mod carbons;
pub mod client_access;
pub mod client_state;
pub mod contact_addresses;
pub mod declared;
pub mod disco;
pub mod entity_time;
pub mod extended_addressing;
pub mod flexible_offline;
pub mod instant_messaging;
pub mod last_activity;
pub mod outage_status;
pub mod ping;
pub mod privacy_lists;
pub mod private_storage;
pub mod push;
pub mod registration;
pub mod reports;
pub mod session_request;
pub mod software_version;
pub mod support;
pub mod user_search;
pub mod vcard;
pub mod vcard_avatar;

#[cfg(test)]
mod fixture;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use rookery_auth::Accounts;
use rookery_extension::Feature;
use rookery_lifecycle::Clock;
use rookery_storage::Store;
use rookery_storage::message_log::MessageLog;
use rookery_telemetry::Registry;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::account_records::AccountRecords;

/// `[features]`: what protocol features leave to the operator.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// The most bytes that clients may make the server keep for one account beside roster and messages:
    /// vCard, private elements, block list. A request for more gets `resource-constraint`.
    pub bytes_per_account: u64,
    /// What clients can do.
    pub caps: caps::Config,
    /// What the server tells about itself.
    pub software_version: software_version::Config,
    /// Whom accounts keep out.
    pub blocking: blocking::Config,
    /// What accounts let pass.
    pub privacy_lists: privacy_lists::Config,
    /// What becomes of reports.
    pub reports: reports::Config,
    /// What clients keep for themselves.
    pub private_storage: private_storage::Config,
    /// How devices are called.
    pub push: push::Config,
    /// What people tell about themselves.
    pub vcard: vcard::Config,
    /// What clients may do to accounts.
    pub registration: registration::Config,
    /// Stanzas to many.
    pub extended_addressing: extended_addressing::Config,
    /// How users find each other.
    pub user_search: user_search::Config,
}

/// A setting that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("features.{key} {text}")]
pub struct ConfigError {
    /// The key, below `features`.
    pub key: &'static str,
    /// What is wrong with its value.
    pub text: String,
}

/// What features are made of, besides their configuration.
#[derive(Clone, Debug)]
pub struct Parts {
    /// The time.
    pub clock: Clock,
    /// Where accounts and their records are.
    pub store: Arc<dyn Store>,
    /// What was said, and what accounts are owed.
    pub log: Arc<dyn MessageLog>,
    /// `[archive]`, which stands beside `[features]`.
    pub archive: archive::Config,
    /// What makes, changes and removes accounts.
    pub accounts: Accounts,
    /// Where they register metrics.
    pub metrics: Registry,
}

// === impl Config ===

impl Default for Config {
    fn default() -> Self {
        Self {
            bytes_per_account: 1024 * 1024,
            caps: caps::Config::default(),
            software_version: software_version::Config::default(),
            blocking: blocking::Config::default(),
            privacy_lists: privacy_lists::Config::default(),
            reports: reports::Config::default(),
            private_storage: private_storage::Config::default(),
            push: push::Config::default(),
            vcard: vcard::Config::default(),
            registration: registration::Config::default(),
            extended_addressing: extended_addressing::Config::default(),
            user_search: user_search::Config::default(),
        }
    }
}

impl Config {
    /// Checks what a type cannot.
    ///
    /// # Errors
    /// The first setting that cannot be used.
    pub fn validate(&self) -> Result<(), ConfigError> {
        self.caps.validate()?;
        self.blocking.validate()?;
        self.privacy_lists.validate()?;
        self.reports.validate()?;
        self.private_storage.validate()?;
        self.push.validate()?;
        self.vcard.validate()?;
        self.registration.validate()?;
        self.extended_addressing.validate()?;
        self.user_search.validate()
    }
}

// === impl ConfigError ===

impl ConfigError {
    pub(crate) fn new(key: &'static str, text: impl Into<String>) -> Self {
        let text = text.into();
        Self { key, text }
    }

    /// Refuses a limit of 0.
    pub(crate) fn at_least_one(key: &'static str, limit: usize) -> Result<(), Self> {
        match limit {
            0 => Err(Self::new(key, "must be at least 1")),
            _ => Ok(()),
        }
    }
}

/// All features of the server, in the order in which they are installed.
pub fn catalog(config: &Config, parts: &Parts) -> Vec<Box<dyn Feature>> {
    let records = AccountRecords::new(parts.store.clone(), config.bytes_per_account);
    let reports = reports::Reports::new(&config.reports, parts);
    let mut features: Vec<Box<dyn Feature>> = vec![
        Box::new(disco::Disco),
        Box::new(caps::Caps::new(&config.caps, parts)),
        Box::new(contact_addresses::ContactAddresses),
        Box::new(ping::Ping),
        Box::new(software_version::SoftwareVersion::new(
            &config.software_version,
        )),
        Box::new(entity_time::EntityTime::new(parts.clock.clone())),
        Box::new(session_request::SessionRequest),
        Box::new(instant_messaging::InstantMessaging),
        Box::new(carbons::Carbons),
        Box::new(client_state::ClientStateIndication),
        Box::new(reports.clone()),
        Box::new(blocking::Blocking::new(
            &config.blocking,
            &records,
            reports,
            parts,
        )),
        Box::new(privacy_lists::PrivacyLists::new(
            &config.privacy_lists,
            &records,
        )),
        Box::new(archive::Archive::new(&parts.archive, &records, parts)),
        Box::new(flexible_offline::FlexibleOffline::new(parts)),
        Box::new(private_storage::PrivateStorage::new(
            &config.private_storage,
            &records,
        )),
        Box::new(push::PushNotifications::new(
            &config.push,
            &records,
            config.bytes_per_account,
            &parts.metrics,
        )),
        Box::new(vcard::VCard::new(&config.vcard, &records)),
        Box::new(vcard_avatar::VCardAvatar),
        Box::new(last_activity::LastActivity::new(parts.clock.clone())),
        Box::new(registration::Registration::new(&config.registration, parts)),
        Box::new(client_access::ClientAccess::new(parts)),
        Box::new(extended_addressing::ExtendedAddressing::new(
            &config.extended_addressing,
            parts,
        )),
        Box::new(user_search::UserSearch::new(&config.user_search, parts)),
        Box::new(outage_status::OutageStatus),
    ];
    for spec in declared::SPECS {
        features.push(Box::new(*spec));
    }
    features
}
