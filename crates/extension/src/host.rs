//! The hosts (virtual domains) that the server serves, as features see them.

use std::collections::BTreeMap;
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
    /// URIs of documents that tell about outages (XEP-0455).
    pub outages: Vec<String>,
}

/// All hosts of the server. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Hosts {
    by_name: Arc<BTreeMap<String, Arc<Host>>>,
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
            outages: Vec::new(),
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
        }
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
