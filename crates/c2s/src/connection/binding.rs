//! Resource binding, and the session that it attaches to the connection (RFC 6120 §7).

use std::sync::Arc;

use actix::{Addr, AsyncContext};
use rookery_auth::Profile;
use rookery_delivery::{BindRefused, Budget, Close, Credit, Delivery, Load, SessionId};
use rookery_session::{ConnectionClosed, Session, SessionActor, Wanted};
use rookery_stanza::{Condition, IqType, Jid, Kind, StanzaError};
use rookery_stream::Input;

use super::{Connection, Ctx};
use crate::security::Counted;

/// The session of a connection.
#[derive(Debug)]
pub(super) struct Attached {
    pub(super) session: Addr<SessionActor>,
    pub(super) budget: Arc<Budget>,
    pub(super) credit: Arc<Credit>,
    /// Whether the client knows its resource.
    pub(super) bound: bool,
    /// Its place among the sessions that are counted, once it is bound.
    pub(super) counted: Option<Counted>,
    /// Whether the session was told that nothing more is sent to the client.
    pub(super) over: bool,
    /// Stanzas for a client that does not know its resource yet, or whose stream has ended.
    pub(super) held: Vec<Delivery>,
}

// === impl Attached ===

impl Attached {
    /// Nothing more is sent to the client: what it did not get goes back through the session.
    pub(super) fn give_back(&mut self, mut undelivered: Vec<Delivery>) {
        self.over = true;
        undelivered.append(&mut self.held);
        // A fresh clone of an address always has a place in the mailbox (actix grants each sender one),
        // so that only a session that died of a panic refuses.
        let closed = ConnectionClosed { undelivered };
        if self.session.clone().try_send(closed).is_err() {
            tracing::error!("the session of a connection is gone");
        }
    }
}

// === impl Connection ===

impl Connection {
    /// Makes a session, which asks the home to be bound. Nothing is read until the home has answered.
    pub(super) fn bind(&mut self, resource: Option<String>, ctx: &mut Ctx) {
        let Some(account) = self.negotiation.account().cloned() else {
            return;
        };
        let Some(session) = random() else {
            return self.refuse_bind(Condition::InternalServerError.into(), ctx);
        };
        let limits = &self.edge.session;
        let budget = Arc::new(Budget::new(
            limits.max_outgoing_bytes,
            self.edge.session_metrics.shared.queued.clone(),
        ));
        let credit = Credit::new(Load {
            stanzas: limits.max_in_flight_stanzas,
            bytes: limits.max_in_flight_bytes,
        });
        let session = SessionActor::launch(
            Session::new(session),
            Wanted { account, resource },
            Arc::clone(&self.edge.homes),
            ctx.address().recipient(),
            Arc::clone(&budget),
            Arc::clone(&self.edge.session_metrics),
        );
        self.attached = Some(Attached {
            session,
            budget,
            credit,
            bound: false,
            counted: None,
            over: false,
            held: Vec::new(),
        });
    }

    /// The home has answered the session.
    pub(super) fn bound(&mut self, answer: Result<Jid, BindRefused>, ctx: &mut Ctx) {
        match answer {
            Ok(jid) => {
                let stream = self.negotiation.stream_id();
                tracing::debug!(stream, %jid, peer = %self.about.peer, "session bound");
                let login = self.edge.metrics.login_seconds.of(Profile::Legacy);
                login.observe(self.about.accepted.elapsed());
                self.tell(Input::Bound(jid), ctx);
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
    fn release(&mut self) {
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
