//! The actor around a connection.

use std::sync::Arc;

use actix::{Actor, AsyncContext, Context, Handler};
use rookery_auth::Profile;
use rookery_session::ToConnection;
use rookery_stream::{Negotiation, Security};
use tokio::net::TcpStream;

use super::pump::Pump;
use super::{About, Accepted, Connection, Counted, Phase};
use crate::edge::Edge;
use crate::metrics::Listener;
use crate::outgoing::{Item, Outgoing};
use crate::pace::Pace;
use crate::transport::Transport;

/// How many messages of its session may wait in a connection's mailbox.
const MAILBOX: usize = 4096;

/// Owns a connection until that ends, or moves to another arbiter.
#[derive(Debug)]
pub(super) struct ConnectionActor {
    pub(super) connection: Option<Box<Connection>>,
}

/// Starts a connection on this arbiter, which is number `arbiter`.
pub(crate) fn accept(accepted: Accepted, edge: Arc<Edge>, arbiter: usize) {
    let Accepted {
        listener,
        socket,
        peer,
        place,
    } = accepted;
    let accepted = edge.clock.now();
    let mut transport = match TcpStream::from_std(socket) {
        Ok(socket) => Transport::new(socket),
        Err(error) => return tracing::warn!(%peer, %error, "the arbiter has no place"),
    };
    let security = match listener {
        Listener::C2s => Security::StartTls(edge.policy),
        Listener::C2sTls => Security::DirectTls,
    };
    if listener == Listener::C2sTls
        && let Err(error) = transport.secure(&edge.direct)
    {
        return tracing::error!(%peer, %error, "no TLS session for a connection");
    }
    let (config, service) = (Arc::clone(&edge.stream), Arc::clone(&edge.service));
    let negotiation = Negotiation::new(config, service, security, accepted.into_std());
    let counted = Counted::new(Arc::clone(&edge), listener);
    let pace = Pace::new(&edge.rates, accepted);
    let connection = Connection {
        edge,
        arbiter,
        about: About {
            listener,
            peer,
            place,
            accepted,
            counted,
            secured: None,
            profile: Profile::Legacy,
        },
        transport,
        negotiation,
        newcomer: Some(Box::default()),
        login: None,
        attached: None,
        outgoing: Outgoing::default(),
        phase: Phase::Open,
        departure: None,
        pace,
        read: accepted,
        waker: None,
    };
    ConnectionActor::launch(connection);
}

// === impl ConnectionActor ===

impl ConnectionActor {
    /// Starts the actor on this arbiter.
    pub(super) fn launch(connection: Connection) {
        Self {
            connection: Some(Box::new(connection)),
        }
        .start();
    }
}

impl Actor for ConnectionActor {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        ctx.set_mailbox_capacity(MAILBOX);
        if let Some(connection) = &mut self.connection {
            ctx.spawn(Pump::new(connection.edge.drain.clone()));
            connection.arrived(ctx);
        }
    }

    fn stopped(&mut self, _: &mut Self::Context) {
        if let Some(connection) = self.connection.take() {
            connection.ended();
        }
    }
}

impl Handler<ToConnection> for ConnectionActor {
    type Result = ();

    fn handle(&mut self, message: ToConnection, ctx: &mut Self::Context) {
        let Some(connection) = &mut self.connection else {
            return;
        };
        match message {
            ToConnection::Bound(answer) => connection.bound(answer, ctx),
            ToConnection::Resumed(answer) => connection.resumed(answer, ctx),
            ToConnection::Deliver(batch) => connection.deliver(batch, Item::Delivery),
            ToConnection::Kept(batch) => connection.deliver(batch, |one| Item::Kept(one.stanza)),
            ToConnection::Reply(bytes) => connection.reply(bytes),
            ToConnection::Close(close) => connection.shut_down(close, ctx),
            ToConnection::Fail(error) => connection.fail(*error, ctx),
            ToConnection::Abandon => connection.abandon(),
        }
    }
}
