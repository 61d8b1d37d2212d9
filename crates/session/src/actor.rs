//! The shell around a session: an actor on the arbiter of its connection and of its account's home.

use std::sync::Arc;
use std::time::Duration;

use actix::dev::SendError;
use actix::fut::wrap_future;
use actix::{Actor, ActorFutureExt, Addr, AsyncContext, Context, Handler, Message, Recipient};
use rookery_delivery::{
    BindRefused, BindRequest, Budget, Close, Delivery, Homes, Permit, SessionId, SessionKey,
};
use rookery_stanza::{BareJid, Condition, Jid, RowId, Stanza, StanzaError};

use crate::metrics::{Limiter, Metrics};
use crate::port::Port;
use crate::state::Session;

/// How many messages may wait in a session's mailbox.
const MAILBOX: usize = 4096;
/// How long a session waits before it asks a busy home again.
const RETRY: Duration = Duration::from_millis(20);

/// A session as an actor.
///
/// It asks the home for its resource itself, so that it learns of it and gives it back even when its
/// connection ends in the meantime. It ends by itself when nobody can reach it any more: its connection is gone and the home has let go
/// of its port. What the home delivered in between goes back to the home.
pub struct SessionActor {
    session: Session,
    homes: Arc<dyn Homes>,
    connection: Recipient<ToConnection>,
    budget: Arc<Budget>,
    metrics: Arc<Metrics>,
    // Whether the connection takes nothing more.
    closed: bool,
    // Deliveries that came after that.
    late: Vec<Delivery>,
}

/// The resource that a client asks for (RFC 6120 §7).
#[derive(Clone, Debug)]
pub struct Wanted {
    /// The authenticated account.
    pub account: BareJid,
    /// The resource, not yet prepared; `None` lets the server choose.
    pub resource: Option<String>,
}

/// For the connection: what its client shall receive, or how its stream shall end.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub enum ToConnection {
    /// The home has answered, once: the JID that is bound, or why none is.
    Bound(Result<Jid, BindRefused>),
    /// Stanzas for the client, in order.
    Deliver(Vec<Delivery>),
    /// The stream shall be closed.
    Close(Close),
}

/// From the connection: what the client sent, in order.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct FromClient {
    /// The stanzas.
    pub stanzas: Vec<Stanza>,
    /// The credit that they took.
    pub permit: Permit,
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
    /// What the client did not get, in order.
    pub undelivered: Vec<Delivery>,
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
    /// Starts a session on this arbiter, which asks for its resource at once.
    pub fn launch(
        session: Session,
        wanted: Wanted,
        homes: Arc<dyn Homes>,
        connection: Recipient<ToConnection>,
        budget: Arc<Budget>,
        metrics: Arc<Metrics>,
    ) -> Addr<Self> {
        Self::create(|ctx| {
            let actor = Self {
                session,
                homes,
                connection,
                budget,
                metrics,
                closed: false,
                late: Vec::new(),
            };
            actor.bind(wanted, ctx);
            actor
        })
    }

    /// Which session it is.
    pub fn id(&self) -> SessionId {
        self.session.id()
    }

    /// Asks the home for the resource.
    fn bind(&self, wanted: Wanted, ctx: &mut Context<Self>) {
        let Wanted { account, resource } = wanted;
        let (budget, metrics) = (Arc::clone(&self.budget), Arc::clone(&self.metrics));
        let request = BindRequest {
            account,
            resource,
            session: self.session.id(),
            port: Arc::new(Port::new(ctx.address(), budget, metrics)),
        };
        let answered = |answer, act: &mut Self, ctx: &mut _| act.bound(answer, ctx);
        ctx.spawn(wrap_future(self.homes.bind(request)).map(answered));
    }

    fn bound(&mut self, answer: Result<Jid, BindRefused>, ctx: &mut Context<Self>) {
        if let Ok(jid) = &answer {
            self.session.bind(jid.clone());
        }
        if self.closed {
            // The connection ended while it waited for the resource.
            return self.unbind(Vec::new(), ctx);
        }
        if self
            .connection
            .try_send(ToConnection::Bound(answer))
            .is_err()
        {
            tracing::debug!(
                session = self.session.id().0,
                "bound for a connection that has ended"
            );
        }
    }

    /// Has the connection end its stream.
    fn end(&self, reason: Close) {
        if self
            .connection
            .try_send(ToConnection::Close(reason))
            .is_err()
        {
            tracing::debug!(session = self.session.id().0, ?reason, "closed twice");
        }
    }

    /// Hands stamped stanzas to the home; what it refuses is answered here.
    fn submit(&mut self, key: &SessionKey, stanzas: Vec<Stanza>, permit: Permit) {
        let Err(refused) = self.homes.submit(key, stanzas, permit) else {
            return;
        };
        self.metrics
            .limited
            .of(Limiter::HomeQueue)
            .add(refused.0.len() as u64);
        let busy = StanzaError::new(Condition::ResourceConstraint);
        let answered = |stanza: &Stanza| {
            let reply = stanza.error_reply(&busy)?;
            self.metrics.shared.answered(stanza.kind, busy.condition);
            Some(Delivery::from(reply))
        };
        let replies: Vec<_> = refused.0.iter().filter_map(answered).collect();
        let bytes = replies.iter().map(|reply| reply.stanza.size()).sum();
        if self.budget.take(bytes) {
            self.deliver(replies);
        } else {
            self.metrics.limited.of(Limiter::OutgoingBytes).increment();
            self.end(Close::SlowConsumer);
        }
    }

    fn deliver(&mut self, batch: Vec<Delivery>) {
        if self.closed {
            return self.late.extend(batch);
        }
        self.metrics.delivered(&batch);
        let (full, refused) = match self.connection.try_send(ToConnection::Deliver(batch)) {
            Err(SendError::Full(ToConnection::Deliver(batch))) => (true, batch),
            Err(SendError::Closed(ToConnection::Deliver(batch))) => (false, batch),
            _ => return,
        };
        if full {
            self.metrics
                .limited
                .of(Limiter::ConnectionQueue)
                .increment();
        }
        self.late.extend(refused);
    }

    /// Gives everything back that the client did not get; a home that is busy is asked again.
    fn unbind(&mut self, mut undelivered: Vec<Delivery>, ctx: &mut Context<Self>) {
        let Some(key) = self.session.key() else {
            return;
        };
        undelivered.append(&mut self.late);
        let bytes = undelivered
            .iter()
            .map(|delivery| delivery.stanza.size())
            .sum();
        self.budget.give_back(bytes);
        if let Err(busy) = self.homes.unbind(&key, undelivered) {
            self.metrics.limited.of(Limiter::HomeQueue).increment();
            ctx.run_later(RETRY, move |act, ctx| act.unbind(busy.0, ctx));
        }
    }
}

impl Actor for SessionActor {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        ctx.set_mailbox_capacity(MAILBOX);
    }
}

impl Handler<FromClient> for SessionActor {
    type Result = ();

    fn handle(&mut self, batch: FromClient, _: &mut Self::Context) {
        let Some(key) = self.session.key() else {
            return;
        };
        self.metrics.received(&batch.stanzas);
        let mut stamped = Vec::with_capacity(batch.stanzas.len());
        for stanza in batch.stanzas {
            if let Some(outbound) = self.session.stamp(stanza) {
                if outbound.spoofed {
                    self.metrics.spoofed.increment();
                }
                stamped.push(outbound.stanza);
            }
        }
        self.submit(&key, stamped, batch.permit);
    }
}

impl Handler<Written> for SessionActor {
    type Result = ();

    fn handle(&mut self, Written(rows): Written, ctx: &mut Self::Context) {
        let Some(key) = self.session.key() else {
            return;
        };
        if let Err(busy) = self.homes.confirmed(&key, rows) {
            self.metrics.limited.of(Limiter::HomeQueue).increment();
            ctx.notify_later(Written(busy.0), RETRY);
        }
    }
}

impl Handler<ConnectionClosed> for SessionActor {
    type Result = ();

    fn handle(&mut self, closed: ConnectionClosed, ctx: &mut Self::Context) {
        self.closed = true;
        self.unbind(closed.undelivered, ctx);
    }
}

impl Handler<Deliver> for SessionActor {
    type Result = ();

    fn handle(&mut self, Deliver(batch): Deliver, _: &mut Self::Context) {
        self.deliver(batch);
    }
}

impl Handler<End> for SessionActor {
    type Result = ();

    fn handle(&mut self, End(reason): End, _: &mut Self::Context) {
        self.end(reason);
    }
}

impl Handler<Released> for SessionActor {
    type Result = ();

    fn handle(&mut self, _: Released, ctx: &mut Self::Context) {
        if !self.late.is_empty() {
            self.unbind(Vec::new(), ctx);
        }
    }
}
