//! The ports between the homes and who serves whole domains beside the hosts: external components
//! (XEP-0114).

use std::fmt;

use futures_util::future::BoxFuture;
use rookery_stanza::{Condition, ErrorType, Kind, Stanza, StanzaError};

use crate::credit::Permit;

/// A stanza on its way to such a domain, with the credit of whoever caused it.
#[derive(Clone, Debug)]
pub struct Outward {
    /// The stanza, with sender and recipient.
    pub stanza: Stanza,
    /// The credit, given back when the stanza was written.
    pub permit: Option<Permit>,
}

/// Why a stanza did not reach who serves its domain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unreached {
    /// It is not connected.
    Absent,
    /// It does not read what is sent to it, or went before it had read this.
    Unread,
}

/// A hand-over that was refused: what, and why.
#[derive(Debug)]
pub struct Untaken {
    /// What was not taken.
    pub outward: Outward,
    /// Why.
    pub why: Unreached,
}

/// Those who serve domains beside the hosts.
pub trait Domains: Send + Sync + fmt::Debug {
    /// Hands over a stanza for one of these domains, in order: it is taken, or refused with everything given
    /// back. What is taken is reported later, as [`written`](Inlet::written) or
    /// [`returned`](Inlet::returned).
    fn deliver(&self, outward: Outward) -> Result<(), Box<Untaken>>;
}

/// The way in for what comes from such domains.
pub trait Inlet: Send + Sync + fmt::Debug {
    /// Takes what somebody of such a domain sent, in order: each stanza with a sender of the domain, and a
    /// recipient. What cannot be passed on is answered.
    fn submit(&self, batch: Vec<Stanza>, permit: Permit);

    /// A stanza of this kind was written to who serves its domain.
    fn written(&self, kind: Kind);

    /// These stanzas were taken and could not be written. The future ends when all that can be answered is
    /// on its way back.
    fn returned(&self, batch: Vec<Outward>) -> BoxFuture<'static, ()>;
}

/// Without any.
#[derive(Clone, Copy, Debug)]
pub struct NoDomains;

// === impl Unreached ===

impl Unreached {
    /// What the sender is told. Both can be remedied, so the type is `wait`: who asked a service that is
    /// being restarted shall ask again, and forget nothing about it.
    pub fn error(self) -> StanzaError {
        let (condition, text) = match self {
            // RFC 6120 §8.3.3.19: it "does not currently provide the requested service".
            Self::Absent => (
                Condition::ServiceUnavailable,
                "the component is not connected",
            ),
            // RFC 6120 §8.3.3.17: it could not be reached "within a reasonable amount of time".
            Self::Unread => (
                Condition::RemoteServerTimeout,
                "the component did not read it",
            ),
        };
        let error = StanzaError::new(condition).with_type(ErrorType::Wait);
        error.with_text(text)
    }
}

// === impl NoDomains ===

impl Domains for NoDomains {
    fn deliver(&self, outward: Outward) -> Result<(), Box<Untaken>> {
        let why = Unreached::Absent;
        Err(Box::new(Untaken { outward, why }))
    }
}
