//! One client's connection: an actor that owns the socket and drives the stream on it.
//!
//! The actor lives on the arbiter that accepted it until its client has authenticated; then it moves,
//! once, to the arbiter that is the home of the account, where its session lives too. All decisions about
//! the stream are made by [`Negotiation`]; this folder moves bytes and carries out effects:
//!
//! - `actor`: the actor around it
//! - `pump`: reads, writes, keeps time
//! - `farewell`: the last bytes, and the end of TLS and the socket
//! - `effects`: what a stream wants done
//! - `login`: SASL
//! - `binding`: the session
//! - `resuming`: the session of another connection
//! - `moving`: from one arbiter to another

mod actor;
mod binding;
mod effects;
mod farewell;
mod login;
mod moving;
mod pump;
mod resuming;

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::task::Waker;

use actix::Context;
use bytes::Bytes;
use rookery_auth::{Login, Profile};
use rookery_delivery::{Close, Delivery};
use rookery_stanza::{StreamCondition, StreamError};
use rookery_stream::{Input, Negotiation};
use tokio::time::Instant;

use crate::admission::Place;
use crate::edge::Edge;
use crate::metrics::{CloseReason, Listener};
use crate::newcomers::Turn;
use crate::outgoing::{Item, Outgoing};
use crate::pace::Pace;
use crate::security::Secured;
use crate::transport::Transport;
use actor::ConnectionActor;
pub(crate) use actor::accept;
use binding::Attached;

/// The context that a connection's methods act in.
type Ctx = Context<ConnectionActor>;

/// A connection as it was accepted.
#[derive(Debug)]
pub(crate) struct Accepted {
    pub(crate) listener: Listener,
    pub(crate) socket: std::net::TcpStream,
    pub(crate) peer: SocketAddr,
    pub(crate) place: Place,
}

/// A client's connection.
#[derive(Debug)]
struct Connection {
    edge: Arc<Edge>,
    /// The number of the arbiter that it lives on.
    arbiter: usize,
    about: About,
    transport: Transport,
    negotiation: Negotiation,
    /// What there is beside, until the client has authenticated.
    newcomer: Option<Box<Newcomer>>,
    login: Option<Login>,
    attached: Option<Attached>,
    outgoing: Outgoing,
    phase: Phase,
    /// The arbiter that it is about to move to.
    departure: Option<usize>,
    pace: Pace,
    /// When it was read from last.
    read: Instant,
    waker: Option<Waker>,
}

/// What is kept of a client that has not authenticated.
#[derive(Default)]
struct Newcomer {
    /// What the authenticator is told of TLS.
    tls: Option<rookery_auth::TlsFacts>,
    /// What is waited for before more is read.
    turn: Option<Turn>,
}

/// What stays the same for the life of a connection.
#[derive(Debug)]
struct About {
    listener: Listener,
    peer: SocketAddr,
    place: Place,
    accepted: Instant,
    counted: Counted,
    /// How the client has logged in, once it has.
    secured: Option<Secured>,
    profile: Profile,
}

/// An open connection as the metrics count it, wherever it may end: also between two arbiters.
#[derive(Debug)]
struct Counted {
    edge: Arc<Edge>,
    listener: Listener,
    /// Why it has ended, when it is dropped.
    reason: CloseReason,
}

/// How far the connection's life has gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// The stream is open, or on its way to be.
    Open,
    /// The stream ends: nothing of the session is sent any more.
    Closing(CloseReason),
    /// Both sides are through: what is left is flushed.
    Disconnecting(CloseReason),
}

// === impl Connection ===

impl Connection {
    /// Tells the stream of something, and carries out what it wants.
    fn tell(&mut self, input: Input, ctx: &mut Ctx) {
        let mut effects = Vec::new();
        let now = self.edge.clock.now();
        self.negotiation.handle(input, now.into_std(), &mut effects);
        self.carry_out(effects, ctx);
        self.wake();
    }

    /// Has the pump look at the connection again.
    fn wake(&self) {
        if let Some(waker) = &self.waker {
            waker.wake_by_ref();
        }
    }

    /// The connection ends, for the first reason that was given.
    fn closing(&mut self, reason: CloseReason) {
        if self.phase == Phase::Open {
            self.phase = Phase::Closing(reason);
        }
    }

    /// Takes what the session passes on for the client.
    fn deliver(&mut self, batch: Vec<Delivery>, item: impl Fn(Delivery) -> Item) {
        let Some(attached) = &mut self.attached else {
            return;
        };
        let is_open = self.phase == Phase::Open;
        if is_open && !attached.over {
            self.edge.session_metrics.delivered(&batch);
        }
        let items = batch.into_iter().map(item);
        if attached.over {
            attached.give_back(items.filter_map(Item::delivery).collect(), true);
        } else if attached.bound && is_open {
            self.outgoing.push(items);
        } else {
            // Until the client knows its resource, and after the end of its stream, stanzas wait.
            attached.held.extend(items);
        }
    }

    /// Takes what the session itself says to the client.
    fn reply(&mut self, bytes: Bytes) {
        match &mut self.attached {
            Some(attached) if !attached.bound => attached.held.push(Item::Raw(bytes)),
            Some(_) if self.phase == Phase::Open => self.outgoing.push_raw(bytes),
            _ => {}
        }
    }

    /// Ends the stream on the server's account.
    fn shut_down(&mut self, close: Close, ctx: &mut Ctx) {
        let (condition, reason) = match close {
            Close::Conflict => (StreamCondition::Conflict, CloseReason::Policy),
            Close::NotAuthorized => (StreamCondition::NotAuthorized, CloseReason::Policy),
            Close::SystemShutdown => (StreamCondition::SystemShutdown, CloseReason::Shutdown),
            Close::SlowConsumer => (StreamCondition::PolicyViolation, CloseReason::SlowConsumer),
            Close::Internal => (StreamCondition::InternalServerError, CloseReason::Internal),
        };
        let mut error = StreamError::new(condition);
        if close == Close::SlowConsumer {
            error = error.with_text("you do not read what is sent to you");
        }
        self.closing(reason);
        if close == Close::NotAuthorized {
            // The client that removed its account is told so before it has none (XEP-0077 §3.2).
            self.pass_on();
        }
        if close != Close::SystemShutdown {
            // Somebody may wait for the session to end, such as the one that takes its resource, and this
            // client may never read again: the session goes now, the connection in its own time.
            self.let_session_go();
        }
        self.tell(Input::Shutdown(error), ctx);
    }

    /// Ends the stream with this error, as the session wants.
    fn fail(&mut self, error: StreamError, ctx: &mut Ctx) {
        self.closing(CloseReason::StreamError);
        // What the session has said before is still of use.
        self.pass_on();
        self.let_session_go();
        self.tell(Input::Shutdown(error), ctx);
    }

    /// Ends the connection and leaves the stream as it is: the client does not answer.
    fn abandon(&mut self) {
        self.closing(CloseReason::Timeout);
        self.let_session_go();
        self.broken(CloseReason::Timeout);
        self.wake();
    }

    /// Parts with the session, and gives back what the client did not get. A session whose stream has not
    /// ended may go on at another connection.
    fn let_session_go(&mut self) {
        if let Some(attached) = &mut self.attached
            && !attached.over
        {
            let finished = !attached.bound || self.negotiation.is_ending();
            attached.give_back(self.outgoing.undelivered(), finished);
        }
    }

    /// The connection is over.
    fn ended(mut self) {
        let reason = self.phase.reason().unwrap_or(CloseReason::Internal);
        self.about.counted.reason = reason;
        let stream = self.negotiation.stream_id();
        tracing::debug!(stream, peer = %self.about.peer, ?reason, "connection ended");
        self.let_session_go();
    }
}

// === impl Counted ===

impl Counted {
    fn new(edge: Arc<Edge>, listener: Listener) -> Self {
        edge.metrics.connections.of(listener).add(1);
        Self {
            edge,
            listener,
            reason: CloseReason::Internal,
        }
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        let metrics = &self.edge.metrics;
        metrics.connections.of(self.listener).add(-1);
        metrics.closed.of(self.listener, self.reason).increment();
    }
}

// === impl Newcomer ===

impl fmt::Debug for Newcomer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Newcomer")
            .field("waits", &self.turn.is_some())
            .finish_non_exhaustive()
    }
}

// === impl Phase ===

impl Phase {
    fn reason(self) -> Option<CloseReason> {
        match self {
            Self::Open => None,
            Self::Closing(reason) | Self::Disconnecting(reason) => Some(reason),
        }
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn an_idle_connection_takes_a_kibibyte_beside_its_tls() {
        let size = size_of::<super::Connection>();
        assert!(size <= 1024, "{size}");
    }
}
