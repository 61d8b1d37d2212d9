//! What a session and the connection of its client tell each other.

use actix::{Addr, Message, Recipient};
use bytes::Bytes;
use rookery_delivery::{BindRefused, BindTerms, Budget, Close, Delivery, Permit};
use rookery_stanza::{BareJid, Jid, RowId, Stanza, StreamError};
use rookery_xml::Element;
use std::sync::Arc;

use crate::actor::SessionActor;
use crate::stream_management::{Failed, Resume};

/// Names one of the connections that a session has had. What one says that was replaced by another is known
/// by it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Link(u32);

/// The resource that a client asks for (RFC 6120 §7).
#[derive(Clone, Debug)]
pub struct Wanted {
    /// The authenticated account.
    pub account: BareJid,
    /// The resource, not yet prepared; `None` lets the server choose.
    pub resource: Option<String>,
    /// The `<enable/>` of a client that enables stream management in one step with binding (XEP-0386): it is
    /// carried out once the resource is bound.
    pub enable: Option<Element>,
    /// What else comes along with the resource.
    pub terms: BindTerms,
}

/// What a client has got.
#[derive(Debug)]
pub struct Bound {
    /// Its full JID.
    pub jid: Jid,
    /// What it is told along with that (XEP-0386): what its archive holds, and the answer to its `<enable/>`.
    pub outcomes: Vec<Element>,
}

/// For the connection: what its client shall receive, or how its stream shall end.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub enum ToConnection {
    /// The home has answered, once: what is bound, or why nothing is.
    Bound(Result<Box<Bound>, BindRefused>),
    /// The session has answered, once, to the wish to resume it.
    Resumed(Result<Box<Resumed>, NotResumed>),
    /// Stanzas for the client, in order.
    Deliver(Vec<Delivery>),
    /// Stanzas for the client, in order, that the session keeps until the client acknowledges them
    /// (XEP-0198 §4): nothing is reported of them.
    Kept(Vec<Delivery>),
    /// An element of the session's own for the client, written out.
    Reply(Bytes),
    /// The stream shall be closed.
    Close(Close),
    /// The stream shall be closed with this error.
    Fail(Box<StreamError>),
    /// The client does not answer: the connection shall be closed, and the stream left as it is
    /// (XEP-0198 §7).
    Abandon,
}

/// A session that goes on at another connection (XEP-0198 §5).
#[derive(Debug)]
pub struct Resumed {
    /// The session, which the connection has to take.
    pub claim: Claim,
    /// What its client has not acknowledged.
    pub budget: Arc<Budget>,
    /// Its full JID.
    pub jid: Jid,
    /// `<resumed/>`.
    pub reply: Element,
}

/// A session on its way to a connection. If nobody takes it, because the connection has ended, that is lost to the
/// session like any other.
#[derive(Debug)]
pub struct Claim {
    /// `None` once it was taken.
    session: Option<Addr<SessionActor>>,
    link: Link,
}

/// Why a session does not go on at another connection.
#[derive(Debug)]
pub enum NotResumed {
    /// The client may bind a resource instead.
    Failed(Failed),
    /// The client acknowledges what it was never sent (XEP-0198 §6).
    Error(Box<StreamError>),
}

/// From the connection: what the client sent, in order.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct FromClient {
    /// Which connection.
    pub link: Link,
    /// The stanzas.
    pub stanzas: Vec<Stanza>,
    /// What else there was.
    pub asides: Vec<Aside>,
    /// The credit that all of it took.
    pub permit: Permit,
}

/// Something between the stanzas of a client.
#[derive(Debug)]
pub struct Aside {
    /// How many of the stanzas come before it.
    pub behind: usize,
    /// What it is.
    pub what: Said,
}

/// What a client says besides stanzas that can be taken.
#[derive(Debug)]
pub enum Said {
    /// An element that is no stanza.
    Nonza(Element),
    /// A stanza that could not be read, or is not allowed, and its answer, if it gets one. It counts like any
    /// other (XEP-0198 §4).
    Fault(Option<Box<Stanza>>),
}

/// From the connection: these rows of the account's log were written.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct Written(pub Vec<RowId>);

/// From the connection: it sends nothing more to its client, and this was not written. What reaches it
/// later all the same comes back in another message.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct ConnectionClosed {
    /// Which connection.
    pub link: Link,
    /// What the client did not get, in order.
    pub undelivered: Vec<Delivery>,
    /// Whether the stream was closed, by either side, and not only the connection lost: then the session
    /// cannot be resumed (XEP-0198 §7).
    pub finished: bool,
}

/// From a connection: its client wants the session to go on there, and may ask for it.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct Takeover {
    /// The connection.
    pub connection: Recipient<ToConnection>,
    /// How many stanzas the client has handled, modulo 2^32 (XEP-0198 §5).
    pub handled: u32,
}

// === impl Link ===

impl Link {
    /// The connection after this one.
    pub(crate) fn next(self) -> Self {
        Self(self.0.wrapping_add(1))
    }
}

// === impl Claim ===

impl Claim {
    pub(crate) fn new(session: Addr<SessionActor>, link: Link) -> Self {
        Self {
            session: Some(session),
            link,
        }
    }

    /// The session, and which of its connections this is. Whoever takes it tells it when that ends.
    pub fn take(mut self) -> Option<(Addr<SessionActor>, Link)> {
        Some((self.session.take()?, self.link))
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        let Some(session) = self.session.take() else {
            return;
        };
        let closed = ConnectionClosed {
            link: self.link,
            undelivered: Vec::new(),
            finished: false,
        };
        // An address that nobody has used always has a place in the mailbox (actix grants each sender one).
        if session.try_send(closed).is_err() {
            tracing::debug!("a session that nobody took has ended");
        }
    }
}

// === impl Takeover ===

impl Takeover {
    /// What a client asks for on this connection.
    pub fn new(request: &Resume, connection: Recipient<ToConnection>) -> Self {
        Self {
            connection,
            handled: request.handled,
        }
    }

    /// Tells the connection that it does not get the session.
    pub(crate) fn refuse(self, why: NotResumed) {
        if self
            .connection
            .try_send(ToConnection::Resumed(Err(why)))
            .is_err()
        {
            tracing::debug!("who wanted to resume a session has left");
        }
    }
}
