//! The hosts (virtual domains) that the server serves, as features see them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use rookery_stanza::BareJid;

/// What people behind a host can be reached for (XEP-0157).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ContactKind {
    /// Reports of abuse.
    Abuse,
    /// Whoever runs the server.
    Admin,
    /// Feedback from customers.
    Feedback,
    /// Sales and marketing.
    Sales,
    /// Security problems.
    Security,
    /// The state of the service.
    Status,
    /// Help for users.
    Support,
}

/// Addresses of the people behind a host (XEP-0157).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Contacts {
    /// URIs, by what they are for.
    pub addresses: BTreeMap<ContactKind, Vec<String>>,
}

/// One host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Host {
    /// Its address: a bare JID that is only a domain.
    pub jid: BareJid,
    /// Addresses of the people behind it.
    pub contacts: Contacts,
    /// Whether anybody may log in without an account (RFC 4505).
    pub anonymous: bool,
    /// Whether anybody may make an account before logging in (XEP-0077).
    pub registration: bool,
    /// Whether its users find each other by what is in their vCards (XEP-0055).
    pub user_search: bool,
    /// Whether messages of its accounts are archived (XEP-0313).
    pub archive: bool,
    /// Whether its accounts may have privacy lists (XEP-0016).
    pub privacy_lists: bool,
    /// URIs of documents that tell about outages (XEP-0455).
    pub outages: Vec<String>,
    /// The components that it tells its users of (XEP-0030 §4): see [`Hosts::with_components`].
    pub components: Vec<String>,
}

/// All hosts of the server, and the domains beside them that components serve. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Hosts {
    by_name: Arc<BTreeMap<String, Arc<Host>>>,
    components: Arc<BTreeSet<String>>,
}

// === impl Host ===

impl Host {
    /// A host of which nothing is known, and where nothing is open that a host may open.
    pub fn new(jid: BareJid) -> Self {
        Self {
            jid,
            contacts: Contacts::default(),
            anonymous: false,
            registration: false,
            user_search: false,
            privacy_lists: false,
            archive: false,
            outages: Vec::new(),
            components: Vec::new(),
        }
    }

    /// Its domain.
    pub fn name(&self) -> &str {
        self.jid.domain()
    }
}

// === impl Hosts ===

impl Hosts {
    /// These hosts.
    pub fn new(hosts: impl IntoIterator<Item = Host>) -> Self {
        let named = |host: Host| (host.name().to_owned(), Arc::new(host));
        Self {
            by_name: Arc::new(hosts.into_iter().map(named).collect()),
            components: Arc::default(),
        }
    }

    /// With components that serve these prepared domains (XEP-0114), whether they are connected or not. A
    /// host tells its users of those whose domain is a part of its own, and of those that are a part of no
    /// host's.
    #[must_use]
    pub fn with_components(self, domains: impl IntoIterator<Item = String>) -> Self {
        let components: BTreeSet<String> = domains.into_iter().collect();
        let is_below = |domain: &str, host: &str| {
            let rest = domain.strip_suffix(host);
            rest.is_some_and(|rest| rest.ends_with('.'))
        };
        let is_everybodys =
            |domain: &String| !self.iter().any(|host| is_below(domain, host.name()));
        let told = |host: &Host| {
            let told = components.iter();
            told.filter(|domain| is_below(domain, host.name()) || is_everybodys(domain))
                .cloned()
                .collect()
        };
        let by_name = self.by_name.iter().map(|(name, host)| {
            let host = Host {
                components: told(host),
                ..Host::clone(host)
            };
            (name.clone(), Arc::new(host))
        });
        Self {
            by_name: Arc::new(by_name.collect()),
            components: Arc::new(components),
        }
    }

    /// Whether a component serves this prepared domain.
    pub fn is_component(&self, domain: &str) -> bool {
        // Mostly there are none.
        !self.components.is_empty() && self.components.contains(domain)
    }

    /// The host of a prepared domain.
    pub fn get(&self, domain: &str) -> Option<&Arc<Host>> {
        self.by_name.get(domain)
    }

    /// All of them, in the order of their names.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<Host>> {
        self.by_name.values()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_tells_of_the_components_that_are_its_own_or_nobodys() {
        let hosts =
            ["example.com", "example.org"].map(|name| Host::new(BareJid::parse(name).unwrap()));
        let components = ["irc.example.com", "bot.example.net", "notexample.org"];
        let hosts = Hosts::new(hosts).with_components(components.map(str::to_owned));
        let told = |name: &str| hosts.get(name).unwrap().components.clone();
        assert_eq!(
            told("example.com"),
            ["bot.example.net", "irc.example.com", "notexample.org"]
        );
        assert_eq!(told("example.org"), ["bot.example.net", "notexample.org"]);
        assert!(hosts.is_component("irc.example.com"));
        assert!(!hosts.is_component("example.com"));
    }
}
