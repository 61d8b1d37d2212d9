//! The hosts, and what needs them: authentication, and the operations on accounts.

use std::sync::Arc;

use rookery_admin::{Operations, Sessions};
use rookery_auth::{Authenticator, Services};
use rookery_extension::{ContactKind, Contacts, Host, Hosts};
use rookery_lifecycle::{Clock, TaskScope};
use rookery_stanza::BareJid;
use rookery_telemetry::Registry;
use tokio::runtime::Handle;

use super::components;
use super::stores::Stores;
use crate::config::{self, Config};

/// What the parts that work with accounts are made of.
#[derive(Debug)]
pub struct Accounts<'a> {
    /// The configuration.
    pub config: &'a Config,
    /// The hosts.
    pub hosts: &'a Hosts,
    /// The store, with the message log.
    pub stores: Stores,
    /// Whose blocking threads hash passwords.
    pub runtime: &'a Handle,
    /// Where metrics are registered.
    pub registry: &'a Registry,
    /// The server's secret.
    pub secret: [u8; 32],
}

// === impl Accounts ===

impl Accounts<'_> {
    /// What logs clients in.
    pub fn authenticator(&self) -> Authenticator {
        let services = Services {
            store: self.stores.store(),
            // Its tasks run on the runtime's blocking threads, which the authenticator bounds itself.
            scope: TaskScope::new("auth", self.runtime.clone(), 1),
            clock: Clock::system(),
            registry: self.registry.clone(),
            secret: self.secret,
        };
        let hosts =
            prepared(self.config).map(|(jid, host)| (jid.domain().to_owned(), host.auth.clone()));
        Authenticator::new(&self.config.auth, hosts, services)
    }

    /// What an operator can do.
    pub fn operations(
        &self,
        authenticator: &Authenticator,
        sessions: Option<Arc<dyn Sessions>>,
    ) -> Operations {
        let accounts = self.accounts(authenticator);
        Operations::new(accounts, self.names(), sessions, self.registry)
    }

    /// What makes, changes and removes accounts.
    pub fn accounts(&self, authenticator: &Authenticator) -> rookery_auth::Accounts {
        let hashing = authenticator.hashing().clone();
        let store = self.stores.store();
        rookery_auth::Accounts::new(&self.config.auth, self.names(), store, hashing)
            .with_clients(authenticator.clients().clone())
            .with_log(self.stores.log())
    }

    fn names(&self) -> Vec<String> {
        let names = self.hosts.iter().map(|host| host.name().to_owned());
        names.collect()
    }
}

/// The hosts of a configuration that was checked.
pub fn hosts(config: &Config) -> Hosts {
    let hosts = Hosts::new(prepared(config).map(|(jid, host)| Host {
        contacts: contacts(&host.contact),
        anonymous: host.auth.anonymous,
        registration: host.registration,
        user_search: host.user_search,
        archive: host.archive.unwrap_or(config.archive.enabled),
        privacy_lists: host.privacy_lists,
        outages: host.outages.clone(),
        ..Host::new(jid)
    }));
    hosts.with_components(components::names(config))
}

/// The hosts with their prepared names, the first one first.
pub(super) fn prepared(config: &Config) -> impl Iterator<Item = (BareJid, &config::Host)> {
    config
        .host
        .iter()
        .filter_map(|host| Some((BareJid::parse(&host.name).ok()?, host)))
}

fn contacts(contact: &config::Contact) -> Contacts {
    let addresses = [
        (ContactKind::Abuse, &contact.abuse),
        (ContactKind::Admin, &contact.admin),
        (ContactKind::Feedback, &contact.feedback),
        (ContactKind::Sales, &contact.sales),
        (ContactKind::Security, &contact.security),
        (ContactKind::Status, &contact.status),
        (ContactKind::Support, &contact.support),
    ];
    let known = addresses
        .into_iter()
        .filter(|(_, addresses)| !addresses.is_empty());
    Contacts {
        addresses: known
            .map(|(kind, addresses)| (kind, addresses.clone()))
            .collect(),
    }
}
