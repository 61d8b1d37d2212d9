//! The shell around a session: an actor on the arbiter of its connection and of its account's home.

use std::sync::Arc;
use std::time::Duration;

use actix::dev::SendError;
use actix::fut::wrap_future;
use actix::{Actor, ActorFutureExt, Addr, AsyncContext, Context, Handler, Message, Recipient};
use rookery_delivery::{
    BindRefused, BindRequest, BoundResource, Budget, Close, Custody, Delivery, Permit, SessionId,
};
use rookery_stanza::payload::client_state::ClientState;
use rookery_stanza::{Condition, Kind, RowId, Stanza, StanzaError};
use rookery_xml::Element;

use crate::client_state::Gate;
use crate::link::{
    Aside, Bound, ConnectionClosed, FromClient, Link, Said, ToConnection, Wanted, Written,
};
use crate::managed::Managed;
use crate::metrics::Limiter;
use crate::port::Port;
use crate::state::Session;
use crate::stream_management::DetachedEnd;
use crate::surroundings::Surroundings;

/// How many messages may wait in a session's mailbox.
const MAILBOX: usize = 4096;
/// How long a session waits before it asks a busy home again.
pub(crate) const RETRY: Duration = Duration::from_millis(20);

/// A session as an actor.
///
/// It asks the home for its resource itself, so that it learns of it and gives it back even when its
/// connection ends in the meantime. It ends by itself when nobody can reach it any more: its connection is gone
/// and the home has let go of its port. What the home delivered in between goes back to the home.
///
/// With stream management (`managed.rs`) it keeps what the client has not acknowledged, and can outlive its
/// connection (`detached.rs`).
pub struct SessionActor {
    pub(crate) session: Session,
    pub(crate) shared: Arc<Surroundings>,
    pub(crate) budget: Arc<Budget>,
    /// Which of its connections it has, or had last.
    pub(crate) link: Link,
    pub(crate) attachment: Attachment,
    /// Stream management, once the client has enabled it.
    pub(crate) managed: Option<Box<Managed>>,
    /// What waits while nobody looks at the client.
    pub(crate) gate: Gate,
    /// Deliveries that came after the end.
    late: Vec<Delivery>,
}

/// What a session has of a connection.
#[derive(Debug)]
pub(crate) enum Attachment {
    /// There is one.
    Connected(Recipient<ToConnection>),
    /// It was lost, and the client may come back.
    Detached,
    /// It was told how its stream shall end. When that is done, the session is over.
    Ending,
    /// The session is over.
    Over,
}

/// From the home, through the port.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct Deliver(pub(crate) Vec<Delivery>);

/// From the home, through the port.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct End(pub(crate) Close);

/// From the port: the home has let go of it, so that no more deliveries follow.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct Released;

// === impl SessionActor ===

impl SessionActor {
    /// Starts a session on this arbiter, which asks for its resource at once. Its connection is the first link.
    pub fn launch(
        session: SessionId,
        wanted: Wanted,
        connection: Recipient<ToConnection>,
        budget: Arc<Budget>,
        shared: Arc<Surroundings>,
    ) -> Addr<Self> {
        Self::create(|ctx| {
            let mut actor = Self {
                session: Session::new(session),
                shared,
                budget,
                link: Link::default(),
                attachment: Attachment::Connected(connection),
                managed: None,
                gate: Gate::default(),
                late: Vec::new(),
            };
            actor.bind(wanted, ctx);
            actor
        })
    }

    /// Asks the home for the resource. Where stream management is enabled along with it, whatever the home
    /// delivers counts.
    fn bind(&mut self, wanted: Wanted, ctx: &mut Context<Self>) {
        let Wanted {
            account,
            resource,
            enable,
            terms,
        } = wanted;
        let enabled = enable.map(|enable| self.enable_along(&enable, &account, ctx));
        let (budget, metrics) = (Arc::clone(&self.budget), Arc::clone(&self.shared.metrics));
        let request = BindRequest {
            account,
            resource,
            session: self.session.id(),
            port: Arc::new(Port::new(ctx.address(), budget, metrics)),
            terms,
        };
        let answered = |answer, act: &mut Self, ctx: &mut _| act.bound(answer, enabled, ctx);
        ctx.spawn(wrap_future(self.shared.homes.bind(request)).map(answered));
    }

    fn bound(
        &mut self,
        answer: Result<BoundResource, BindRefused>,
        enabled: Option<Element>,
        ctx: &mut Context<Self>,
    ) {
        let answer = answer.map(|BoundResource { jid, archive }| {
            self.session.bind(jid.clone());
            let archive = archive.map(|archive| archive.to_element());
            Box::new(Bound {
                jid,
                outcomes: archive.into_iter().chain(enabled).collect(),
            })
        });
        let is_bound = answer.is_ok();
        self.tell(ToConnection::Bound(answer));
        if !is_bound || matches!(self.attachment, Attachment::Over) {
            // Nothing was bound, or the connection ended while it waited for it.
            self.finish(Vec::new(), ctx);
        }
    }

    /// Passes something to the connection, if there is one.
    ///
    /// Its mailbox is never too full: what waits there is bounded by the budget of the session, and by what is
    /// read from a client that leaves its answers unread.
    pub(crate) fn tell(&mut self, message: ToConnection) {
        let Attachment::Connected(connection) = &self.attachment else {
            return;
        };
        let refused = match connection.try_send(message) {
            Ok(()) => return,
            Err(SendError::Full(message)) => {
                let full = self.shared.metrics.limited.of(Limiter::ConnectionQueue);
                full.increment();
                // actix grants each sender one place beyond the capacity, and a clone is another one.
                match connection.clone().try_send(message) {
                    Ok(()) => return,
                    Err(error) => error.into_inner(),
                }
            }
            Err(SendError::Closed(message)) => message,
        };
        // It has ended, and says so in a moment.
        if let ToConnection::Deliver(batch) = refused {
            self.late.extend(batch);
        }
    }

    /// Has the connection end its stream, and then the session; without a connection it ends at once.
    pub(crate) fn end(&mut self, last: ToConnection, ctx: &mut Context<Self>) {
        match self.attachment {
            Attachment::Connected(_) => {
                self.tell(last);
                self.attachment = Attachment::Ending;
            }
            Attachment::Detached => self.detached_ends(DetachedEnd::Closed, ctx),
            Attachment::Ending | Attachment::Over => {}
        }
    }

    /// Stamps stanzas and hands them to the home.
    fn submit(&mut self, stanzas: Vec<Stanza>, permit: Permit, ctx: &mut Context<Self>) {
        if self.session.key().is_none() {
            return;
        }
        let permit = self.number(stanzas.len(), permit);
        let mut stamped = Vec::with_capacity(stanzas.len());
        for stanza in stanzas {
            if is_answer(&stanza)
                && let Some(managed) = &mut self.managed
            {
                managed.core.answers(&stanza);
            }
            if let Some(outbound) = self.session.stamp(stanza) {
                if outbound.spoofed {
                    self.shared.metrics.spoofed.increment();
                }
                stamped.push(outbound.stanza);
            }
        }
        self.offer(stamped, permit, ctx);
    }

    /// Hands stanzas to the home. What it refuses is answered here; an answer is offered again, since its request
    /// gets no other (RFC 6120 §8.2.3).
    fn offer(&mut self, stanzas: Vec<Stanza>, permit: Permit, ctx: &mut Context<Self>) {
        let Some(key) = self.session.key() else {
            return;
        };
        let spare = stanzas.iter().any(is_answer).then(|| permit.clone());
        let Err(refused) = self.shared.homes.submit(&key, stanzas, permit) else {
            return;
        };
        let metrics = &self.shared.metrics;
        let limited = metrics.limited.of(Limiter::HomeQueue);
        limited.add(refused.0.len() as u64);
        let (answers, refused): (Vec<_>, Vec<_>) = refused.0.into_iter().partition(is_answer);
        if let (Some(permit), false) = (spare, answers.is_empty()) {
            ctx.run_later(RETRY, move |act, ctx| act.offer(answers, permit, ctx));
        }
        let busy = StanzaError::new(Condition::ResourceConstraint);
        let answered = |stanza: &Stanza| {
            let reply = stanza.error_reply(&busy)?;
            metrics.shared.answered(stanza.kind, busy.condition);
            Some(Delivery::from(reply))
        };
        let replies = refused.iter().filter_map(answered).collect();
        self.answer(replies, ctx);
    }

    /// Sends answers of the session's own, within the budget.
    fn answer(&mut self, replies: Vec<Delivery>, ctx: &mut Context<Self>) {
        if self.budget.take(sizes(&replies)) {
            self.deliver(replies, ctx);
        } else {
            let limited = &self.shared.metrics.limited;
            limited.of(Limiter::OutgoingBytes).increment();
            self.end(ToConnection::Close(Close::SlowConsumer), ctx);
        }
    }

    /// Something between the stanzas of the client.
    fn said(&mut self, what: Said, ctx: &mut Context<Self>) {
        match what {
            Said::Nonza(element) => match ClientState::parse(&element) {
                Some(state) => {
                    let waited = self.gate.indicate(state);
                    self.send(waited, ctx);
                }
                None => self.nonza(&element, ctx),
            },
            Said::Fault(reply) => {
                self.count_fault();
                if let Some(reply) = reply {
                    self.answer(vec![Delivery::from(*reply)], ctx);
                }
            }
        }
    }

    /// Takes what the home delivers. For a client that is away it waits, if there is a place for it.
    fn take_in(&mut self, batch: Vec<Delivery>, ctx: &mut Context<Self>) {
        if self.has_place(&batch) {
            self.deliver(batch, ctx);
        } else {
            self.late.extend(batch);
            self.detached_ends(DetachedEnd::Full, ctx);
        }
    }

    /// Sends what the client needs now, and has the rest wait (XEP-0352).
    fn deliver(&mut self, batch: Vec<Delivery>, ctx: &mut Context<Self>) {
        if self.gate.is_open() {
            return self.send(batch, ctx);
        }
        let shared = &self.shared;
        let passed = self.gate.deliver(batch, &shared.config.client_state);
        shared.client_state.passed(&passed);
        self.budget.give_back(passed.replaced_bytes);
        self.give_place_back(passed.replaced_bytes);
        self.send(passed.send, ctx);
    }

    /// What waited is sent, since a client is active on each connection (XEP-0352 §5.2).
    pub(crate) fn open_gate(&mut self, ctx: &mut Context<Self>) {
        let waited = self.gate.open();
        self.send(waited, ctx);
    }

    /// What a connection was passed before stream management was enabled, and has not sent.
    fn send_late(&mut self, batch: Vec<Delivery>, ctx: &mut Context<Self>) {
        if self.has_place(&batch) {
            self.send(batch, ctx);
        } else {
            self.late.extend(batch);
            self.detached_ends(DetachedEnd::Full, ctx);
        }
    }

    fn send(&mut self, batch: Vec<Delivery>, ctx: &mut Context<Self>) {
        if batch.is_empty() {
            return;
        }
        match (&self.attachment, &self.managed) {
            (Attachment::Ending | Attachment::Over, _) => self.late.extend(batch),
            (_, Some(_)) => self.keep(batch, ctx),
            (_, None) => self.tell(ToConnection::Deliver(batch)),
        }
    }

    /// The client has these rows; a home that is busy is told again.
    pub(crate) fn confirm(&self, rows: Vec<RowId>, ctx: &mut Context<Self>) {
        let Some(key) = self.session.key() else {
            return;
        };
        if let Err(busy) = self.shared.homes.confirmed(&key, rows) {
            let limited = self.shared.metrics.limited.of(Limiter::HomeQueue);
            limited.increment();
            ctx.run_later(RETRY, move |act, ctx| act.confirm(busy.0, ctx));
        }
    }

    /// The session is over: everything goes back that the client did not get.
    pub(crate) fn finish(&mut self, mut undelivered: Vec<Delivery>, ctx: &mut Context<Self>) {
        self.attachment = Attachment::Over;
        undelivered.extend(self.let_management_go(ctx));
        undelivered.extend(self.gate.open());
        undelivered.append(&mut self.late);
        self.budget.give_back(sizes(&undelivered));
        undelivered.retain(is_missed);
        self.unbind(undelivered, ctx);
    }

    /// Gives the resource back; a home that is busy is asked again.
    fn unbind(&mut self, undelivered: Vec<Delivery>, ctx: &mut Context<Self>) {
        let Some(key) = self.session.key() else {
            return;
        };
        if let Err(busy) = self.shared.homes.unbind(&key, undelivered) {
            let limited = self.shared.metrics.limited.of(Limiter::HomeQueue);
            limited.increment();
            ctx.run_later(RETRY, move |act, ctx| act.unbind(busy.0, ctx));
        }
    }
}

/// The bytes of stanzas, as a budget counts them.
fn sizes(batch: &[Delivery]) -> usize {
    batch.iter().map(|delivery| delivery.stanza.size()).sum()
}

/// Whether it answers a request.
fn is_answer(stanza: &Stanza) -> bool {
    matches!(stanza.kind, Kind::Iq(kind) if !kind.is_request())
}

/// Whether anybody would miss it: messages find another way, and requests want an answer. Presence and
/// results are for this client only.
fn is_missed(delivery: &Delivery) -> bool {
    let is_wanted = match delivery.stanza.kind {
        Kind::Message(_) => true,
        Kind::Iq(kind) => kind.is_request(),
        Kind::Presence(_) => false,
    };
    is_wanted && delivery.custody != Custody::Copy
}

impl Actor for SessionActor {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        ctx.set_mailbox_capacity(MAILBOX);
    }
}

impl Handler<FromClient> for SessionActor {
    type Result = ();

    fn handle(&mut self, batch: FromClient, ctx: &mut Self::Context) {
        if batch.link != self.link || matches!(self.attachment, Attachment::Detached) {
            // What a client sent on a connection that was lost or replaced, it sends again (XEP-0198 §5).
            return;
        }
        self.shared.metrics.received(&batch.stanzas);
        let FromClient {
            stanzas,
            asides,
            permit,
            ..
        } = batch;
        if asides.is_empty() {
            return self.submit(stanzas, permit, ctx);
        }
        let (mut rest, mut taken) = (stanzas.into_iter(), 0);
        for Aside { behind, what } in asides {
            let piece: Vec<_> = rest.by_ref().take(behind - taken).collect();
            taken = behind;
            if !piece.is_empty() {
                self.submit(piece, permit.clone(), ctx);
            }
            self.said(what, ctx);
        }
        if rest.len() > 0 {
            self.submit(rest.collect(), permit, ctx);
        }
    }
}

impl Handler<Written> for SessionActor {
    type Result = ();

    fn handle(&mut self, Written(rows): Written, ctx: &mut Self::Context) {
        self.confirm(rows, ctx);
    }
}

impl Handler<ConnectionClosed> for SessionActor {
    type Result = ();

    fn handle(&mut self, closed: ConnectionClosed, ctx: &mut Self::Context) {
        let is_present = closed.link == self.link;
        match self.attachment {
            Attachment::Connected(_) if is_present => {
                if !closed.finished && self.detach(ctx) {
                    self.send_late(closed.undelivered, ctx);
                    self.tell_home(ctx);
                } else {
                    self.finish(closed.undelivered, ctx);
                }
            }
            Attachment::Ending | Attachment::Over if is_present => {
                self.finish(closed.undelivered, ctx);
            }
            _ => self.send_late(closed.undelivered, ctx),
        }
    }
}

impl Handler<Deliver> for SessionActor {
    type Result = ();

    fn handle(&mut self, Deliver(batch): Deliver, ctx: &mut Self::Context) {
        self.take_in(batch, ctx);
    }
}

impl Handler<End> for SessionActor {
    type Result = ();

    fn handle(&mut self, End(reason): End, ctx: &mut Self::Context) {
        self.end(ToConnection::Close(reason), ctx);
    }
}

impl Handler<Released> for SessionActor {
    type Result = ();

    fn handle(&mut self, _: Released, ctx: &mut Self::Context) {
        if !self.late.is_empty() {
            self.finish(Vec::new(), ctx);
        }
    }
}
