//! What an account wants done.

use std::fmt;

use futures_util::future::BoxFuture;
use rookery_delivery::{BoundResource, Close, Delivery, Limit, SessionId, SessionKey};
use rookery_extension::{Outcome, Results};
use rookery_stanza::payload::archive::Metadata;
use rookery_stanza::{Condition, Jid, Kind, RowId, Stanza, StanzaError};
use rookery_storage::message_log::IngressId;
use rookery_storage::{DataUpdate, RosterUpdate};
use rookery_xml::Element;

use super::appending::Append;
use crate::metrics::Outcome as Counted;

/// The result of an IQ request: the payload of the answer, if it has one, or an error.
pub(crate) type Answered = Result<Option<Element>, StanzaError>;

/// One thing to do.
pub(crate) enum Effect {
    /// Hand this to a session of the account.
    Deliver(SessionId, Delivery),
    /// Send this to the account in its `to`.
    Route(Stanza),
    /// Send this message of the account to the account in its `to`, with what a repeat is recognised by.
    PassOn(Stanza, IngressId),
    /// Send this to each of these addresses.
    FanOut {
        /// What; its `to` is replaced.
        stanza: Stanza,
        /// The accounts.
        to: Vec<Jid>,
    },
    /// Ask these accounts for their presence.
    Probe {
        /// The resource that asks.
        from: Jid,
        /// The accounts.
        to: Vec<Jid>,
    },
    /// Return this to its sender with an error.
    Bounce(Stanza, Box<StanzaError>),
    /// Return this to the session that sent it, past everything that filters what comes for the account.
    Return(SessionId, Stanza, Box<StanzaError>),
    /// Answer this request when the future is ready.
    Later(Box<Stanza>, BoxFuture<'static, Answered>),
    /// Send results to the session that sent this request, then answer it.
    Results(Box<Stanza>, Results),
    /// A message was taken up.
    Accepted,
    /// A stanza of this kind has left.
    Settled(Kind, Counted),
    /// A stored message could not be read.
    Unreadable,
    /// Nobody is owed these rows any more.
    Confirm(Vec<RowId>),
    /// Something is refused, since it is beyond this limit.
    Limited(Limit),
    /// Answer a request to bind.
    Bound(SessionId, Result<BoundResource, Box<StanzaError>>),
    /// Ask a session to end.
    Close(SessionId, Close),
    /// Ask all sessions of the account to end, and read its data again.
    End(Close),
    /// Tell the account when a session had its time to unbind.
    Expire(SessionId),
    /// The session has no connection.
    Detached(SessionId),
    /// The session has a connection again.
    Resumed(SessionId),
    /// The session is no longer bound.
    Forget(SessionId),
    /// The account got its first session (`true`) or lost its last (`false`).
    Online(bool),
}

/// Things to do, in order.
#[derive(Debug, Default)]
pub(crate) struct Effects(pub(crate) Vec<Effect>);

/// A change to the store, or a question to it, and what to do afterwards.
#[derive(Debug)]
pub(crate) struct Write {
    /// What the store shall do.
    pub(crate) change: Change,
    /// When it is durable.
    pub(crate) then: Effects,
    /// When the store has no room or no such account.
    pub(crate) refused: Effects,
    /// When the store failed.
    pub(crate) failed: Effects,
}

/// What the store shall do.
#[derive(Debug)]
pub(crate) enum Change {
    /// Change the roster.
    Roster(RosterUpdate),
    /// Change records of features.
    Data(DataUpdate),
    /// Let a feature ask the store about a request.
    Ask(Asking),
    /// Append a message to the account's log.
    Append(Box<Append>),
    /// Read rows that are owed, those after this one.
    Read(Option<RowId>),
    /// Survey the log for a session that has its resource now.
    Survey(SessionKey),
}

/// A request, and what a feature does about it.
pub(crate) struct Asking {
    /// The request.
    pub(crate) request: Box<Stanza>,
    /// What the feature does; taken when it is begun.
    pub(crate) outcome: Option<BoxFuture<'static, Outcome>>,
}

/// What an account wants done about one input: effects, then writes, each with the effects that came
/// after it.
#[derive(Debug, Default)]
pub(crate) struct Step {
    /// At once.
    pub(crate) effects: Effects,
    /// After the store has answered, in order.
    pub(crate) writes: Vec<(Write, Effects)>,
}

// === impl Effects ===

impl Effects {
    pub(crate) fn push(&mut self, effect: Effect) {
        self.0.push(effect);
    }

    pub(crate) fn route(&mut self, stanza: Stanza) {
        self.push(Effect::Route(stanza));
    }

    pub(crate) fn pass_on(&mut self, message: Stanza, ingress: IngressId) {
        self.push(Effect::PassOn(message, ingress));
    }

    /// Answers a request to bind: this session has its resource.
    pub(crate) fn bound(&mut self, session: SessionKey, archive: Option<Metadata>) {
        let SessionKey { jid, id } = session;
        self.push(Effect::Bound(id, Ok(BoundResource { jid, archive })));
    }

    /// Returns a stanza to its sender. Whether it is one that may be answered at all is seen later.
    pub(crate) fn bounce(&mut self, stanza: Stanza, error: impl Into<StanzaError>) {
        self.push(Effect::Bounce(stanza, Box::new(error.into())));
    }

    /// Returns a stanza to its sender, since it is beyond a limit.
    pub(crate) fn over_limit(&mut self, limit: Limit, stanza: Stanza) {
        self.push(Effect::Limited(limit));
        self.bounce(stanza, Condition::ResourceConstraint);
    }

    pub(crate) fn settled(&mut self, kind: Kind, outcome: Counted) {
        self.push(Effect::Settled(kind, outcome));
    }

    /// The stanza is ignored.
    pub(crate) fn ignore(&mut self, stanza: &Stanza) {
        self.settled(stanza.kind, Counted::Dropped);
    }

    /// Answers a request with a result or an error.
    pub(crate) fn answer(&mut self, request: Stanza, answer: Answered) {
        match answer {
            Ok(payload) => {
                self.settled(request.kind, Counted::Local);
                self.route(request.result_reply(payload));
            }
            Err(error) => self.bounce(request, error),
        }
    }
}

// === impl Write ===

impl Write {
    /// A change that nothing follows.
    pub(crate) fn new(change: Change) -> Self {
        Self {
            change,
            then: Effects::default(),
            refused: Effects::default(),
            failed: Effects::default(),
        }
    }

    /// Lets a feature ask the store before a request is answered.
    pub(crate) fn asking(request: Stanza, outcome: BoxFuture<'static, Outcome>) -> Self {
        let write = Self::new(Change::Ask(Asking {
            request: Box::new(request.clone()),
            outcome: Some(outcome),
        }));
        write.or_bounce(request, Condition::ResourceConstraint)
    }

    /// What follows when the store failed, or was not asked.
    pub(crate) fn into_failed(self) -> Effects {
        let mut failed = self.failed;
        if let Change::Append(append) = self.change {
            append.failed(&mut failed);
        }
        failed
    }

    /// Returns `stanza` with an error when the store does not do it.
    pub(crate) fn or_bounce(mut self, stanza: Stanza, refused: Condition) -> Self {
        self.refused.bounce(stanza.clone(), refused);
        self.failed.bounce(stanza, Condition::ResourceConstraint);
        self
    }
}

// === impl Change ===

impl Change {
    /// Whether what is handled next depends on what comes of it.
    fn is_depended_on(&self) -> bool {
        matches!(
            self,
            Self::Roster(_) | Self::Read(_) | Self::Ask(_) | Self::Survey(_)
        )
    }
}

// === impl Step ===

impl Step {
    /// Where the next effect goes: behind everything that was asked for so far.
    pub(crate) fn now(&mut self) -> &mut Effects {
        match self.writes.last_mut() {
            Some((_, after)) => after,
            None => &mut self.effects,
        }
    }

    /// Asks the store.
    pub(crate) fn write(&mut self, write: Write) {
        self.writes.push((write, Effects::default()));
    }

    /// Takes out what the log is to note of what clients have, as far as it waits for nothing.
    pub(crate) fn take_confirmed(&mut self) -> Vec<Effect> {
        let is_confirmed = |effect: &mut Effect| matches!(effect, Effect::Confirm(_));
        self.effects.0.extract_if(.., is_confirmed).collect()
    }

    /// Whether nothing may be handled before the store has answered: later inputs depend on the answer.
    pub(crate) fn ends_batch(&self) -> bool {
        self.writes
            .iter()
            .any(|(write, _)| write.change.is_depended_on())
    }
}

impl Effect {
    /// How many messages are in flight as long as this has not been done.
    fn messages(&self) -> i64 {
        match self {
            Self::Accepted => -1,
            Self::PassOn(..) => 1,
            Self::Route(stanza) | Self::Bounce(stanza, _) | Self::Return(_, stanza, _) => {
                messages(stanza.kind)
            }
            Self::Settled(kind, _) => messages(*kind),
            _ => 0,
        }
    }
}

impl Step {
    /// How many messages are in flight as long as this has not been done.
    pub(crate) fn messages(&self) -> i64 {
        let of = |effects: &Effects| effects.0.iter().map(Effect::messages).sum::<i64>();
        let written = |(write, after): &(Write, Effects)| match write.change {
            Change::Append(_) => 1 + of(after),
            _ => of(after),
        };
        of(&self.effects) + self.writes.iter().map(written).sum::<i64>()
    }
}

/// Whether this is a message, as a number.
pub(crate) fn messages(kind: Kind) -> i64 {
    match kind {
        Kind::Message(_) => 1,
        Kind::Presence(_) | Kind::Iq(_) => 0,
    }
}

impl fmt::Debug for Asking {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Asking").field(&self.request).finish()
    }
}

impl fmt::Debug for Effect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Deliver(session, delivery) => f
                .debug_tuple("Deliver")
                .field(session)
                .field(delivery)
                .finish(),
            Self::Route(stanza) => f.debug_tuple("Route").field(stanza).finish(),
            Self::PassOn(stanza, ingress) => f
                .debug_tuple("PassOn")
                .field(stanza)
                .field(ingress)
                .finish(),
            Self::FanOut { stanza, to } => f
                .debug_struct("FanOut")
                .field("stanza", stanza)
                .field("to", to)
                .finish(),
            Self::Probe { from, to } => f
                .debug_struct("Probe")
                .field("from", from)
                .field("to", to)
                .finish(),
            Self::Bounce(stanza, error) => {
                f.debug_tuple("Bounce").field(stanza).field(error).finish()
            }
            Self::Return(session, stanza, error) => f
                .debug_tuple("Return")
                .field(session)
                .field(stanza)
                .field(error)
                .finish(),
            Self::Later(request, _) => f.debug_tuple("Later").field(request).finish(),
            Self::Results(request, _) => f.debug_tuple("Results").field(request).finish(),
            Self::Accepted => f.write_str("Accepted"),
            Self::Settled(kind, outcome) => {
                f.debug_tuple("Settled").field(kind).field(outcome).finish()
            }
            Self::Unreadable => f.write_str("Unreadable"),
            Self::Confirm(rows) => f.debug_tuple("Confirm").field(rows).finish(),
            Self::Limited(limit) => f.debug_tuple("Limited").field(limit).finish(),
            Self::Bound(session, jid) => f.debug_tuple("Bound").field(session).field(jid).finish(),
            Self::Close(session, why) => f.debug_tuple("Close").field(session).field(why).finish(),
            Self::End(why) => f.debug_tuple("End").field(why).finish(),
            Self::Expire(session) => f.debug_tuple("Expire").field(session).finish(),
            Self::Detached(session) => f.debug_tuple("Detached").field(session).finish(),
            Self::Resumed(session) => f.debug_tuple("Resumed").field(session).finish(),
            Self::Forget(session) => f.debug_tuple("Forget").field(session).finish(),
            Self::Online(online) => f.debug_tuple("Online").field(online).finish(),
        }
    }
}
