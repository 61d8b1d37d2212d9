//! The port of the homes: where the sessions of an account hand over what their clients send.
//!
//! The home of an account is the one place that, at any moment, sequences everything that the account
//! sends and everything addressed to it.

use std::fmt;
use std::sync::Arc;

use futures_util::future::BoxFuture;
use rookery_stanza::payload::archive::Metadata;
use rookery_stanza::{BareJid, ClientId, Jid, RowId, Stanza, StanzaError};

use crate::credit::Permit;
use crate::session::{Delivery, SessionId, SessionKey, SessionPort};

/// A client asks for a resource (RFC 6120 §7).
#[derive(Debug)]
pub struct BindRequest {
    /// The authenticated account.
    pub account: BareJid,
    /// The resource that the client asked for, not yet prepared; `None` lets the server choose.
    pub resource: Option<String>,
    /// The session that will have it.
    pub session: SessionId,
    /// Where the session takes deliveries.
    pub port: Arc<dyn SessionPort>,
    /// What comes along with the resource.
    pub terms: BindTerms,
}

/// What a client gets along with its resource (XEP-0386 §"Performing the bind"); by RFC 6120, nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BindTerms {
    /// Which client of the account it is, if that is known: its earlier sessions end.
    pub client: Option<ClientId>,
    /// Whether it gets copies of the messages of other sessions (XEP-0280).
    pub carbons: bool,
    /// Whether it reads what it missed from the archive: it learns where that ends, and what it can read there is owed
    /// no longer.
    pub archive: bool,
}

/// A resource that is bound.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BoundResource {
    /// The full JID.
    pub jid: Jid,
    /// What the archive held at that moment; `None` where the client did not want to know, or nothing is archived.
    pub archive: Option<Metadata>,
}

/// Why a resource was not bound; the error that the client gets (RFC 6120 §7.6, §7.7).
#[derive(Clone, Debug, thiserror::Error)]
#[error("resource not bound: {0}")]
pub struct BindRefused(pub StanzaError);

/// The home could not take a batch; here it is back.
#[derive(Debug)]
pub struct Overloaded<T>(pub T);

/// The homes of all accounts.
pub trait Homes: Send + Sync + fmt::Debug {
    /// Which arbiter is the home of `account`, as an index below the number of arbiters: its sessions
    /// and connections run there too.
    fn arbiter(&self, account: &BareJid) -> usize;

    /// Binds a resource. Answered once no other session has it.
    fn bind(&self, request: BindRequest) -> BoxFuture<'static, Result<BoundResource, BindRefused>>;

    /// Ends a binding, with the deliveries that the client did not get, in order. The home tells
    /// contacts, and finds another way for what was returned.
    ///
    /// A session that is refused asks again later; it stays bound until then.
    fn unbind(
        &self,
        session: &SessionKey,
        undelivered: Vec<Delivery>,
    ) -> Result<(), Overloaded<Vec<Delivery>>>;

    /// Hands over what a client sent, in order, with `from` stamped. Stanzas without `to` are for the
    /// account itself.
    fn submit(
        &self,
        session: &SessionKey,
        batch: Vec<Stanza>,
        permit: Permit,
    ) -> Result<(), Overloaded<Vec<Stanza>>>;

    /// The client has these rows of the account's log, in the order in which they were delivered.
    fn confirmed(
        &self,
        session: &SessionKey,
        rows: Vec<RowId>,
    ) -> Result<(), Overloaded<Vec<RowId>>>;

    /// The session has no connection, and waits for its client (XEP-0198 §5). It stays bound. `waiting` are messages of
    /// the account's log, in order, that wait with it: what its client has not acknowledged when the connection is lost,
    /// and then whatever it is handed.
    fn detached(
        &self,
        session: &SessionKey,
        waiting: Vec<Delivery>,
    ) -> Result<(), Overloaded<Vec<Delivery>>>;

    /// The client of a session that had no connection is back.
    fn resumed(&self, session: &SessionKey) -> Result<(), Overloaded<()>>;
}
