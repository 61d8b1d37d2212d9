//! What happens to an account.

use std::collections::BTreeSet;
use std::time::Instant;

use rookery_delivery::{BindTerms, Delivery, Permit, Refusal, SessionId, SessionKey};
use rookery_stanza::{Jid, RowId, Stanza};
use rookery_storage::message_log::IngressId;

use super::effect::messages;

/// Something that happens to an account; handled strictly one after the other.
#[derive(Debug)]
pub(crate) enum Input {
    /// A client asks for a resource.
    Bind(Bind),
    /// One of the account's clients sent this.
    Sent {
        /// The session that it came from.
        session: SessionKey,
        /// What.
        stanza: Stanza,
    },
    /// Somebody sent this to the account; a message, with what a repeat is recognised by, if its sender's
    /// home has said.
    Received(Stanza, Option<IngressId>),
    /// The server of a contact asks for presence, since the contact became available (RFC 6121 §4.3.1).
    Probed {
        /// The resource that became available.
        from: Jid,
    },
    /// A session has ended.
    Unbound {
        /// Which.
        session: SessionKey,
        /// What its client did not get, in order.
        undelivered: Vec<Delivery>,
    },
    /// A session has lost its connection, and waits for its client (XEP-0198 §5).
    Detached {
        /// Which.
        session: SessionId,
        /// Messages of the account's log that wait with it, in order.
        waiting: Vec<Delivery>,
    },
    /// The client of a session that had no connection is back.
    Resumed(SessionId),
    /// A client has these rows of the account's log.
    Confirmed {
        /// Which session's client.
        session: SessionId,
        /// The rows.
        rows: Vec<RowId>,
    },
    /// A session did not take what was handed to it.
    Refused {
        /// Which.
        session: SessionId,
        /// Why.
        why: Refusal,
        /// What it did not take, in order.
        batch: Vec<Delivery>,
    },
    /// A session that was asked to end, or that is gone, had its time to unbind.
    Expired(SessionId),
    /// The account failed by a mistake, and these sessions with it.
    Fallen(Vec<Fallen>),
}

/// A session that fell with its account, and whoever had its presence.
#[derive(Debug)]
pub(crate) struct Fallen {
    /// Its full JID.
    pub(crate) jid: Jid,
    /// Whether it was available, so that subscribers know.
    pub(crate) was_available: bool,
    /// Who got directed presence.
    pub(crate) shared: BTreeSet<Jid>,
}

/// A client asks for a resource (RFC 6120 §7).
#[derive(Debug)]
pub(crate) struct Bind {
    /// The session that will have it.
    pub(crate) session: SessionId,
    /// The resource that the client asked for.
    pub(crate) resource: Option<String>,
    /// A resource that nobody can guess, for when the server chooses (§7.6).
    pub(crate) random: String,
    /// What comes along with the resource.
    pub(crate) terms: BindTerms,
}

// === impl Input ===

impl Input {
    /// Whether this means something to an account that has no session, so that its data must be read.
    pub(crate) fn concerns_absent(&self) -> bool {
        use rookery_stanza::{IqType, Kind, MessageType, PresenceType};
        match self {
            Self::Bind(_) | Self::Sent { .. } => true,
            Self::Received(stanza, _) => match stanza.kind {
                Kind::Message(MessageType::Error) => false,
                Kind::Message(_) => true,
                Kind::Presence(kind) => !matches!(
                    kind,
                    PresenceType::Available | PresenceType::Unavailable | PresenceType::Error
                ),
                Kind::Iq(kind) => matches!(kind, IqType::Get | IqType::Set),
            },
            // Messages that a session returns find another way also when the account was let go.
            Self::Unbound { undelivered, .. } => !undelivered.is_empty(),
            Self::Probed { .. }
            | Self::Detached { .. }
            | Self::Resumed(_)
            | Self::Confirmed { .. }
            | Self::Refused { .. }
            | Self::Expired(_)
            | Self::Fallen(_) => false,
        }
    }

    /// About how many bytes of memory its stanza takes.
    pub(crate) fn size(&self) -> usize {
        match self {
            Self::Sent { stanza, .. } | Self::Received(stanza, _) => stanza.size(),
            _ => 0,
        }
    }

    /// How many messages are in flight as long as this has not been handled: what a client sent is taken up then.
    pub(crate) fn messages(&self) -> i64 {
        match self {
            Self::Received(stanza, _) => messages(stanza.kind),
            _ => 0,
        }
    }

    /// A copy of what has to be answered even if the account fails on it; cheap, since a stanza shares its
    /// payload.
    pub(crate) fn answerable(&self) -> Option<Self> {
        match self {
            Self::Sent { session, stanza } => Some(Self::Sent {
                session: session.clone(),
                stanza: stanza.clone(),
            }),
            Self::Received(stanza, ingress) => Some(Self::Received(stanza.clone(), *ingress)),
            _ => None,
        }
    }

    /// Whether it has waited too long: it is a stanza that was read before this moment, and is not settled. It is answered
    /// with an error then, so that its sender is not left to wonder.
    pub(crate) fn is_overdue(&self, permit: Option<&Permit>, before: Instant) -> bool {
        self.may_be_refused() && permit.is_some_and(|permit| permit.since() < before)
    }

    /// Whether this may be refused when too much waits already: it can be answered with an error. The answer to a request
    /// cannot, and its request has no other (RFC 6120 §8.2.3): how many wait is bounded by the credit of those who sent
    /// them.
    pub(crate) fn may_be_refused(&self) -> bool {
        use rookery_stanza::Kind;
        match self {
            Self::Bind(_) | Self::Probed { .. } => true,
            Self::Sent { stanza, .. } | Self::Received(stanza, _) => {
                !matches!(stanza.kind, Kind::Iq(kind) if !kind.is_request())
            }
            _ => false,
        }
    }
}
