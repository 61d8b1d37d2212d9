//! What a feature declares about itself.

use rookery_stanza::payload::data_form::Form;

use crate::Feature;
use crate::features::Registry;
use crate::host::Host;

/// How much of a standard is implemented, in the words of DOAP's `xmpp:status`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// Everything that concerns a server.
    Complete,
    /// A part; the note says which.
    Partial,
}

/// A standard that a feature implements.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Standard {
    /// `RFC 6121` or `XEP-0199`.
    pub document: &'static str,
    /// Its title.
    pub title: &'static str,
    /// The version that was read; empty for an RFC.
    pub version: &'static str,
    /// How much of it.
    pub status: Status,
    /// What is left out, or empty.
    pub note: &'static str,
}

/// A service discovery identity (XEP-0030 §3.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Identity {
    /// Such as `server` or `account`.
    pub category: &'static str,
    /// Such as `im` or `registered`.
    pub kind: &'static str,
    /// A name for people.
    pub name: &'static str,
}

/// Makes a form about a host that service discovery answers beside identities and features (XEP-0128), if
/// there is something to tell.
pub type HostForm = fn(&Host) -> Option<Form>;

/// What a feature declares: everything that is announced or documented about it comes from here.
#[derive(Clone, Copy, Debug)]
pub struct Spec {
    /// The feature's name; no two features have the same.
    pub name: &'static str,
    /// The file or folder that it lives in, from the root of the repository.
    pub source: &'static str,
    /// The standards that it implements.
    pub standards: &'static [Standard],
    /// Identities of the host.
    pub host_identities: &'static [Identity],
    /// Features of the host.
    pub host_features: &'static [&'static str],
    /// Further features of hosts that allow them.
    pub switched_host_features: fn(&Host) -> &'static [&'static str],
    /// Forms about the host, each of a kind of its own.
    pub host_forms: &'static [HostForm],
    /// Identities of an account.
    pub account_identities: &'static [Identity],
    /// Features of an account.
    pub account_features: &'static [&'static str],
    /// Further features of the accounts of hosts that allow them.
    pub switched_account_features: fn(&Host) -> &'static [&'static str],
}

// === impl Spec ===

impl Spec {
    /// Nothing declared: what a spec is filled up with.
    pub const EMPTY: Self = Self {
        name: "",
        source: "",
        standards: &[],
        host_identities: &[],
        host_features: &[],
        switched_host_features: |_| &[],
        host_forms: &[],
        account_identities: &[],
        account_features: &[],
        switched_account_features: |_| &[],
    };
}

/// What is built into another crate is a feature that only declares itself.
impl Feature for Spec {
    fn spec(&self) -> Spec {
        *self
    }

    fn install(self: Box<Self>, _registry: &mut Registry) {}
}
