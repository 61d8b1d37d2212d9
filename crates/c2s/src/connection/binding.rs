//! Resource binding, and the session that it attaches to the connection (RFC 6120 §7).

use std::sync::Arc;

use actix::{Addr, AsyncContext};
use rookery_delivery::{BindRefused, BindTerms, Budget, Close, Credit, Delivery, Load, SessionId};
use rookery_session::{Bound, Claim, ConnectionClosed, Link, SessionActor, Wanted};
use rookery_stanza::{Condition, IqType, Kind, StanzaError};
use rookery_stream::{BindWish, Input};

use super::{Connection, Ctx};
use crate::edge::Edge;
use crate::outgoing::Item;
use crate::security::Counted;

/// The session of a connection.
#[derive(Debug)]
pub(super) struct Attached {
    pub(super) session: Addr<SessionActor>,
    /// Which of the session's connections this is.
    pub(super) link: Link,
    pub(super) budget: Arc<Budget>,
    pub(super) credit: Arc<Credit>,
    /// Whether the client knows its resource.
    pub(super) bound: bool,
    /// Its place among the sessions that are counted, once it is bound.
    pub(super) counted: Option<Counted>,
    /// Whether the session was told that nothing more is sent to the client.
    pub(super) over: bool,
    /// What is for a client that does not know its resource yet, or whose stream has ended.
    pub(super) held: Vec<Item>,
}

// === impl Attached ===

impl Attached {
    /// What connects this connection with a session.
    fn new(session: Addr<SessionActor>, link: Link, budget: Arc<Budget>, edge: &Edge) -> Self {
        let limits = &edge.sessions.config;
        Self {
            session,
            link,
            budget,
            credit: Credit::new(Load {
                stanzas: limits.max_in_flight_stanzas,
                bytes: limits.max_in_flight_bytes,
            }),
            bound: false,
            counted: None,
            over: false,
            held: Vec::new(),
        }
    }

    /// A session that was resumed here (XEP-0198 §5).
    pub(super) fn resumed(claim: Claim, budget: Arc<Budget>, edge: &Edge) -> Option<Self> {
        let (session, link) = claim.take()?;
        Some(Self::new(session, link, budget, edge))
    }

    /// Nothing more is sent to the client: what it did not get goes back through the session. `finished` says
    /// that its stream is over, and not only the connection.
    pub(super) fn give_back(&mut self, mut undelivered: Vec<Delivery>, finished: bool) {
        self.over = true;
        undelivered.extend(self.held.drain(..).filter_map(Item::delivery));
        // A fresh clone of an address always has a place in the mailbox (actix grants each sender one),
        // so that only a session that died of a panic refuses.
        let closed = ConnectionClosed {
            link: self.link,
            undelivered,
            finished,
        };
        if self.session.clone().try_send(closed).is_err() {
            tracing::error!("the session of a connection is gone");
        }
    }
}

// === impl Connection ===

impl Connection {
    /// Makes a session, which asks the home to be bound. Nothing is read until the home has answered.
    pub(super) fn bind(&mut self, wish: BindWish, ctx: &mut Ctx) {
        let Some(account) = self.negotiation.account().cloned() else {
            return;
        };
        let Some(session) = random() else {
            return self.refuse_bind(Condition::InternalServerError.into(), ctx);
        };
        let budget = Arc::new(Budget::new(
            self.edge.sessions.config.max_outgoing_bytes,
            self.edge.session_metrics.shared.queued.clone(),
        ));
        let session = SessionActor::launch(
            session,
            Wanted {
                account,
                resource: wish.resource,
                terms: BindTerms {
                    client: wish.client,
                    carbons: wish.bind2.as_ref().is_some_and(|bind2| bind2.carbons),
                    archive: wish.bind2.is_some(),
                },
                enable: wish.bind2.and_then(|bind2| bind2.enable),
            },
            ctx.address().recipient(),
            Arc::clone(&budget),
            Arc::clone(&self.edge.sessions),
        );
        let link = Link::default();
        self.attached = Some(Attached::new(session, link, budget, &self.edge));
    }

    /// The home has answered the session.
    pub(super) fn bound(&mut self, answer: Result<Box<Bound>, BindRefused>, ctx: &mut Ctx) {
        match answer {
            Ok(bound) => {
                let Bound { jid, outcomes } = *bound;
                let stream = self.negotiation.stream_id();
                tracing::debug!(stream, %jid, peer = %self.about.peer, "session bound");
                let login = self.edge.metrics.login_seconds.of(self.about.profile);
                login.observe(self.about.accepted.elapsed());
                self.tell(Input::Bound { jid, outcomes }, ctx);
                self.release();
                if self.edge.drain.is_draining() {
                    // The home may have told its sessions before it knew this one.
                    self.shut_down(Close::SystemShutdown, ctx);
                }
            }
            Err(BindRefused(error)) => {
                self.attached = None;
                self.refuse_bind(error, ctx);
            }
        }
    }

    fn refuse_bind(&mut self, error: StanzaError, ctx: &mut Ctx) {
        self.edge.answered(Kind::Iq(IqType::Set), error.condition);
        self.tell(Input::BindRefused(error), ctx);
    }

    /// The client knows its resource: what was held for it follows.
    pub(super) fn release(&mut self) {
        let Some(attached) = &mut self.attached else {
            return;
        };
        attached.bound = true;
        attached.counted = self
            .about
            .secured
            .map(|how| self.edge.metrics.sessions.count(how));
        self.outgoing.push(std::mem::take(&mut attached.held));
    }
}

/// A session id that was never given before and cannot be guessed.
fn random() -> Option<SessionId> {
    getrandom::u64().ok().map(SessionId)
}
