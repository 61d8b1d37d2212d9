//! What a shard is told.

use actix::Message;
use rookery_delivery::{
    BindRefused, BindRequest, BoundResource, Close, Delivery, Permit, SessionKey,
};
use rookery_stanza::{BareJid, Jid, RowId, Stanza};
use rookery_storage::message_log::{IngressId, Tail};
use rookery_storage::{AccountState, StoreError};
use tokio::sync::oneshot;

use super::store::Answers;
use crate::account::{Answered, messages};

/// A client sent a batch.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct Submit {
    pub(crate) session: SessionKey,
    pub(crate) batch: Vec<Stanza>,
    pub(crate) permit: Permit,
}

/// A client asks for a resource.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct Bind {
    pub(crate) request: BindRequest,
    pub(crate) answer: oneshot::Sender<Result<BoundResource, BindRefused>>,
}

/// A session has ended.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct Unbind {
    pub(crate) session: SessionKey,
    pub(crate) undelivered: Vec<Delivery>,
}

/// A session has lost its connection, or was handed something while it has none.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct Detached {
    pub(crate) session: SessionKey,
    pub(crate) waiting: Vec<Delivery>,
}

/// A session has a connection again.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct Resumed(pub(crate) SessionKey);

/// A client has these rows.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct Confirmed {
    pub(crate) session: SessionKey,
    pub(crate) rows: Vec<RowId>,
}

/// The log was asked to note that clients have these rows.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(super) struct Noted {
    pub(super) account: BareJid,
    pub(super) rows: Vec<RowId>,
    /// Whether it has.
    pub(super) is_noted: bool,
}

/// Stanzas for accounts of the shard, in order.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct Hop(pub(crate) Vec<Parcel>);

/// A stanza on its way to the home of its recipient, with the credit of whoever caused it.
#[derive(Debug)]
pub(crate) struct Parcel {
    pub(crate) content: Content,
    pub(crate) permit: Option<Permit>,
}

/// What is on its way.
#[derive(Debug)]
pub(crate) enum Content {
    /// A stanza for the account in its `to`; a message, with what a repeat is recognised by, if its sender's
    /// home has said.
    One(Stanza, Option<IngressId>),
    /// A stanza for each of several accounts.
    Many(Stanza, Vec<Jid>),
    /// A resource asks several accounts for their presence.
    Probe(Jid, Vec<Jid>),
}

/// The store's answer about an account that was not in memory.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct Loaded {
    pub(crate) account: BareJid,
    pub(crate) state: Result<Option<(AccountState, Tail)>, StoreError>,
}

/// The store's answers to an account's writes.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct Written {
    pub(crate) account: BareJid,
    pub(crate) answers: Answers,
}

/// A feature has answered a request.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct Replied {
    pub(crate) request: Stanza,
    pub(crate) answer: Answered,
    pub(crate) permit: Option<Permit>,
}

/// All sessions shall end.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct CloseAll(pub(crate) Close);

/// The sessions of an account shall end, and its data are to be read again.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct CloseAccount(pub(crate) BareJid, pub(crate) Close);

/// How many sessions are bound?
#[derive(Debug, Message)]
#[rtype(result = "usize")]
pub(crate) struct CountSessions;

/// About how many bytes of memory an address takes.
const ADDRESS: usize = 100;

// === impl Content ===

impl Content {
    /// About how many bytes of memory it takes.
    pub(crate) fn size(&self) -> usize {
        match self {
            Self::One(stanza, _) => stanza.size(),
            Self::Many(stanza, to) => stanza.size() + to.len() * ADDRESS,
            Self::Probe(_, to) => to.len() * ADDRESS,
        }
    }
}

impl Parcel {
    /// How many messages it is.
    pub(crate) fn messages(&self) -> i64 {
        match &self.content {
            Content::One(stanza, _) => messages(stanza.kind),
            Content::Many(stanza, to) => {
                messages(stanza.kind) * i64::try_from(to.len()).unwrap_or(0)
            }
            Content::Probe(..) => 0,
        }
    }
}

impl Hop {
    /// How many messages it is.
    pub(crate) fn messages(&self) -> i64 {
        self.0.iter().map(Parcel::messages).sum()
    }
}
