//! What a feature declares about itself.

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

/// What a feature declares: everything that is announced or documented about it comes from here.
#[derive(Clone, Copy, Debug, Default)]
pub struct Spec {
    /// The feature's name: that of its file.
    pub name: &'static str,
    /// The standards that it implements.
    pub standards: &'static [Standard],
    /// Identities of the host.
    pub host_identities: &'static [Identity],
    /// Features of the host.
    pub host_features: &'static [&'static str],
    /// Identities of an account.
    pub account_identities: &'static [Identity],
    /// Features of an account.
    pub account_features: &'static [&'static str],
}
