//! The port of a session: how the home of an account hands stanzas to a bound resource.

use std::fmt;
use std::time::Instant;

use rookery_stanza::{Jid, RowId, Stanza};

/// Names one session, unlike any other that ever existed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SessionId(pub u64);

/// A bound session: its full JID, and which of the sessions that may have borne it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct SessionKey {
    /// The full JID.
    pub jid: Jid,
    /// The session that has it now.
    pub id: SessionId,
}

/// One stanza on its last stretch.
#[derive(Clone, Debug)]
pub struct Delivery {
    /// What the client receives.
    pub stanza: Stanza,
    /// Who else has it, should the client not get it.
    pub custody: Custody,
    /// When the server read what it is, or what it answers, if that was just now.
    pub since: Option<Instant>,
}

/// Who has a stanza besides the session that it was handed to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Custody {
    /// Nobody: the session returns it to the home when its client does not get it.
    #[default]
    Session,
    /// The log of the account, which owes it: the session reports the row through
    /// [`Homes::confirmed`](crate::Homes::confirmed) once the client has it, and returns the stanza when
    /// its client does not get it.
    Log(RowId),
    /// Nobody, and nobody misses it: a carbon copy (XEP-0280), or a result of a query that can be asked
    /// again.
    Copy,
}

/// Why a session is asked to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Close {
    /// Another session took its resource (RFC 6120 §7.7.2.2): `conflict`.
    Conflict,
    /// The account was removed or its password changed: `not-authorized`.
    NotAuthorized,
    /// The node stops: `system-shutdown`.
    SystemShutdown,
    /// The client did not read what was sent to it: `policy-violation`.
    SlowConsumer,
    /// The account's state was lost by a mistake of the server: `internal-server-error`.
    Internal,
}

/// Why a hand-over was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The session's queue is full.
    Busy,
    /// The session has ended.
    Gone,
}

/// A refused hand-over, with everything that was refused.
#[derive(Debug)]
pub struct Refused {
    /// Why.
    pub why: Refusal,
    /// What was not taken, in order.
    pub batch: Vec<Delivery>,
}

/// A session, as the home of its account sees it.
pub trait SessionPort: Send + Sync + fmt::Debug {
    /// Hands over a batch, in order: all of it is taken, or none.
    fn deliver(&self, batch: Vec<Delivery>) -> Result<(), Refused>;

    /// Asks the session to end. It will unbind by itself; asking again changes nothing.
    fn close(&self, reason: Close);

    /// How many bytes wait for the client: handed over, and not yet written or acknowledged.
    fn queued(&self) -> usize;
}

// === impl Custody ===

impl Custody {
    /// The row in the account's log, if it has one that is owed.
    pub fn row(self) -> Option<RowId> {
        match self {
            Self::Log(row) => Some(row),
            Self::Session | Self::Copy => None,
        }
    }
}

impl From<Stanza> for Delivery {
    fn from(stanza: Stanza) -> Self {
        Self {
            stanza,
            custody: Custody::Session,
            since: None,
        }
    }
}
