//! The extension point for IQ requests that the server answers, for a host or on behalf of an account.

use std::fmt;
use std::sync::Arc;

use futures_util::future::BoxFuture;
use rookery_stanza::{BareJid, Condition, Jid, StanzaError};
use rookery_xml::Element;

use crate::account::AccountView;
use crate::features::Features;
use crate::host::Host;
use crate::order::Outcome;
use crate::results::Results;

/// Whether something is asked or changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IqMethod {
    /// `type='get'`.
    Get,
    /// `type='set'`.
    Set,
}

/// How the sender stands to the account that it asks, from the closest to the farthest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Relation {
    /// A session of the account itself.
    Own,
    /// A contact that is allowed to see the account's presence.
    Subscriber,
    /// Anybody else, who must not learn whether the account exists (RFC 6120 §13.11).
    Stranger,
}

/// Whom a request is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Addressee {
    /// The host itself.
    Host,
    /// An account, which the server speaks for.
    Account(BareJid, Relation),
}

/// On whose behalf a handler answers. What is outside gets `service-unavailable`, just as if nothing
/// understood the request, or there were no such account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Scope {
    /// Whether it answers for a host.
    pub host: bool,
    /// The farthest senders that it answers for an account; `None`: it never does.
    pub account: Option<Relation>,
}

/// What a handler knows of a request besides its payload.
#[derive(Clone, Copy, Debug)]
pub struct IqContext<'a> {
    /// Get or set.
    pub method: IqMethod,
    /// The sender's full JID.
    pub from: &'a Jid,
    /// Whom it is for.
    pub addressee: &'a Addressee,
    /// The host of the addressee.
    pub host: &'a Arc<Host>,
    /// The account at whose home the request is handled: the addressed one; for a host, the sender's.
    pub account: AccountView<'a>,
    /// Everything that is installed.
    pub features: &'a Features,
}

/// The answer to a request: the payload of the result, if it has one, or an error.
pub enum Answer {
    /// Known at once.
    Now(Result<Option<Element>, StanzaError>),
    /// Known after something was awaited; it holds up nothing else.
    Later(BoxFuture<'static, Result<Option<Element>, StanzaError>>),
    /// Known after the store was asked. Whatever else happens to the account at whose home the request is
    /// handled waits until then: what its client sends next finds the change made (RFC 6120 §10.1).
    Ordered(BoxFuture<'static, Outcome>),
    /// Known after results were sent to the session that asked, which is one of the account's own; it holds up
    /// nothing else. Anybody else who asks gets `service-unavailable`.
    Results(Results),
}

/// The payload of a request that a handler understands.
pub trait IqRequest: Sized {
    /// The name of the payload's element.
    const NAME: &'static str;
    /// Its namespace: what a request is recognised by, together with the name.
    const NAMESPACE: &'static str;

    /// Reads the payload, or says what is wrong with it: usually `bad-request`. Most requests exist with
    /// one method only, which [`IqMethod::must_be`] checks.
    fn parse(method: IqMethod, payload: &Element) -> Result<Self, StanzaError>;
}

/// Answers one kind of request.
pub trait IqHandler: Send + Sync + 'static {
    /// The request.
    type Request: IqRequest;
    /// On whose behalf it answers.
    const SCOPE: Scope;

    /// Answers it.
    fn handle(&self, request: Self::Request, context: IqContext<'_>) -> Answer;
}

/// A handler without its type, as the registry keeps it.
pub(crate) trait ErasedIqHandler: Send + Sync {
    /// `None`: it does not answer on behalf of this addressee.
    fn handle(&self, payload: &Element, context: IqContext<'_>) -> Option<Answer>;
}

/// Gives a handler its erased form.
pub(crate) struct Erase<H>(pub(crate) H);

// === impl IqMethod ===

impl IqMethod {
    /// Refuses any other method than this one (RFC 6120 §8.3.3.1).
    ///
    /// # Errors
    /// `bad-request`.
    pub fn must_be(self, only: Self) -> Result<(), StanzaError> {
        if self == only {
            Ok(())
        } else {
            Err(Condition::BadRequest.into())
        }
    }
}

// === impl IqContext ===

impl IqContext<'_> {
    /// Whether a session of the account itself asks it.
    pub fn is_own(&self) -> bool {
        matches!(self.addressee, Addressee::Account(_, Relation::Own))
    }
}

// === impl Scope ===

impl Scope {
    fn covers(self, addressee: &Addressee) -> bool {
        match addressee {
            Addressee::Host => self.host,
            Addressee::Account(_, relation) => {
                self.account.is_some_and(|farthest| *relation <= farthest)
            }
        }
    }
}

// === impl Erase ===

impl<H: IqHandler> ErasedIqHandler for Erase<H> {
    fn handle(&self, payload: &Element, context: IqContext<'_>) -> Option<Answer> {
        if !H::SCOPE.covers(context.addressee) {
            return None;
        }
        Some(match H::Request::parse(context.method, payload) {
            Ok(request) => self.0.handle(request, context),
            Err(error) => Answer::Now(Err(error)),
        })
    }
}

impl fmt::Debug for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Now(answer) => f.debug_tuple("Now").field(answer).finish(),
            Self::Later(_) => f.write_str("Later"),
            Self::Ordered(_) => f.write_str("Ordered"),
            Self::Results(results) => f.debug_tuple("Results").field(results).finish(),
        }
    }
}
