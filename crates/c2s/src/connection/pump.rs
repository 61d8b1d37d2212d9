//! The pump of a connection: one future that reads, writes and keeps time, in batches.
//!
//! actix polls an actor's mailbox before its futures: what the session delivers in a wake-up is written
//! in the same wake-up, with one system call.

use std::pin::Pin;
use std::task::{Context as TaskContext, Poll, ready};

use actix::ActorContext;
use actix::fut::ActorFuture;
use bytes::BytesMut;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use rookery_delivery::Close;
use rookery_lifecycle::DrainSignal;
use rookery_session::{Limiter, Written};
use rookery_stream::Input;
use tokio::time::{Instant, Sleep};

use super::actor::ConnectionActor;
use super::binding::Attached;
use super::farewell::Farewell;
use super::{Connection, Ctx, Phase};
use crate::metrics::CloseReason;
use crate::newcomers::Step;
use crate::transport::{Read, TransportError};

/// How many reads one wake-up makes before others have their turn.
const READS: usize = 4;
/// Nothing is read while more than this waits to be written: the client shall read first.
const WRITE_FIRST: usize = 256 * 1024;

/// Drives one connection; ends when the connection ends or moves.
pub(super) struct Pump {
    timer: Option<Pin<Box<Sleep>>>,
    farewell: Farewell,
    /// The end of the node, until there is a session: that is told by its home.
    node_stops: Option<BoxFuture<'static, ()>>,
}

impl ActorFuture<ConnectionActor> for Pump {
    type Output = ();

    fn poll(
        mut self: Pin<&mut Self>,
        actor: &mut ConnectionActor,
        ctx: &mut Ctx,
        cx: &mut TaskContext<'_>,
    ) -> Poll<()> {
        let Some(connection) = &mut actor.connection else {
            return Poll::Ready(());
        };
        connection.remember(cx);
        self.poll_node(connection, ctx, cx);
        self.poll_timer(connection, ctx, cx);
        connection.poll_read(ctx, cx);
        if let Some(target) = connection.departure {
            if let Some(connection) = actor.connection.take() {
                connection.depart(target);
            }
            ctx.stop();
            return Poll::Ready(());
        }
        let wrote_first = connection.writes_first();
        connection.poll_write(ctx, cx);
        if wrote_first && !connection.writes_first() {
            // Nothing else tells that it may be read again: what there is to read was announced already.
            cx.waker().wake_by_ref();
        }
        if let Phase::Disconnecting(reason) = connection.phase
            && self.farewell.poll(connection, reason, cx).is_ready()
        {
            ctx.stop();
            return Poll::Ready(());
        }
        // The deadline may have changed with what was read.
        self.poll_timer(connection, ctx, cx);
        Poll::Pending
    }
}

// === impl Pump ===

impl Pump {
    /// A pump that ends the stream when the drain begins, as long as there is no session.
    pub(super) fn new(mut drain: DrainSignal) -> Self {
        Self {
            timer: None,
            farewell: Farewell::default(),
            node_stops: Some(async move { drain.draining().await }.boxed()),
        }
    }

    fn poll_node(&mut self, connection: &mut Connection, ctx: &mut Ctx, cx: &mut TaskContext<'_>) {
        match &connection.attached {
            Some(attached) if attached.bound => self.node_stops = None,
            // What is to be done is decided when the home has answered.
            Some(_) => {}
            None => {
                if let Some(stops) = &mut self.node_stops
                    && stops.as_mut().poll(cx).is_ready()
                {
                    self.node_stops = None;
                    connection.shut_down(Close::SystemShutdown, ctx);
                }
            }
        }
    }

    fn deadline(&mut self, connection: &Connection) -> Option<Instant> {
        if let Phase::Disconnecting(_) = connection.phase {
            return Some(self.farewell.deadline(connection));
        }
        let stream = connection.negotiation.deadline().map(Instant::from_std);
        let pause = connection.pace.paused_until();
        stream.into_iter().chain(pause).min()
    }

    /// Sets the timer to the next deadline, and reports it when it is reached.
    fn poll_timer(&mut self, connection: &mut Connection, ctx: &mut Ctx, cx: &mut TaskContext<'_>) {
        loop {
            let Some(deadline) = self.deadline(connection) else {
                self.timer = None;
                return;
            };
            let timer = match &mut self.timer {
                // A timer that fires early finds a later deadline and is set again: that is cheaper
                // than to move it with each stanza.
                Some(timer) if timer.deadline() <= deadline => timer,
                timer => timer.insert(Box::pin(tokio::time::sleep_until(deadline))),
            };
            if timer.as_mut().poll(cx).is_pending() {
                return;
            }
            self.timer = None;
            let now = connection.edge.clock.now();
            if now < deadline {
                continue;
            }
            if connection.pace.resume(now) {
                cx.waker().wake_by_ref(); // What there is to read was announced already.
                continue;
            }
            match connection.phase {
                Phase::Disconnecting(_) if self.farewell.is_late() => return ctx.stop(),
                Phase::Disconnecting(_) => {
                    self.farewell.end(connection);
                    cx.waker().wake_by_ref();
                }
                _ => connection.tell(Input::Tick, ctx),
            }
        }
    }
}

// === impl Connection ===

impl Connection {
    fn remember(&mut self, cx: &TaskContext<'_>) {
        if !self
            .waker
            .as_ref()
            .is_some_and(|waker| waker.will_wake(cx.waker()))
        {
            self.waker = Some(cx.waker().clone());
        }
    }

    /// Reads while the socket has something, up to a fair share.
    fn poll_read(&mut self, ctx: &mut Ctx, cx: &mut TaskContext<'_>) {
        let mut plaintext = BytesMut::new();
        for _ in 0..READS {
            if !self.may_read(cx) {
                return self.give_turn_up();
            }
            if self.negotiation.has_more() {
                self.receive(&[], ctx);
                continue;
            }
            if self.poll_turn(cx).is_pending() {
                return;
            }
            let was_handshaking = self.transport.is_handshaking();
            let read = match self.transport.poll_read(cx, &mut plaintext) {
                Poll::Pending => return,
                Poll::Ready(read) => read,
            };
            if was_handshaking {
                self.handshake(read.as_ref().err(), ctx);
            }
            self.receive(&plaintext, ctx);
            plaintext.clear();
            match read {
                Ok(Read::Some) => {}
                Ok(Read::End) => return self.broken(CloseReason::Client),
                Err(TransportError::Tls(error)) => {
                    tracing::debug!(peer = %self.about.peer, %error, "TLS failed");
                    return self.broken(CloseReason::Tls);
                }
                Err(TransportError::Socket(error)) => {
                    tracing::debug!(peer = %self.about.peer, %error, "the connection broke");
                    return self.broken(CloseReason::TcpReset);
                }
            }
        }
        cx.waker().wake_by_ref(); // There may be more; others first.
    }

    /// Ready when the socket may be read from: a newcomer waits for its turn when there is something.
    fn poll_turn(&mut self, cx: &mut TaskContext<'_>) -> Poll<()> {
        let Some(newcomer) = &mut self.newcomer else {
            return Poll::Ready(());
        };
        if newcomer.turn.is_none() {
            ready!(self.transport.poll_readable(cx));
            let step = if self.transport.awaits_key_exchange() {
                Step::KeyExchange
            } else {
                Step::Small
            };
            newcomer.turn = self.edge.newcomers.wait(self.arbiter, step);
        }
        if let Some(turn) = &mut newcomer.turn {
            ready!(turn.as_mut().poll(cx));
            newcomer.turn = None;
        }
        Poll::Ready(())
    }

    /// Who does not read holds up nobody who would.
    fn give_turn_up(&mut self) {
        if let Some(newcomer) = &mut self.newcomer {
            newcomer.turn = None;
        }
    }

    fn may_read(&self, cx: &TaskContext<'_>) -> bool {
        if !self.negotiation.wants_input() || matches!(self.phase, Phase::Disconnecting(_)) {
            return false;
        }
        if self.pace.paused_until().is_some() {
            return false;
        }
        let has_credit = |attached: &Attached| attached.credit.available(cx.waker());
        let limiter = if self.writes_first() {
            Limiter::UnreadBytes
        } else if self.attached.as_ref().is_none_or(has_credit) {
            return true;
        } else {
            Limiter::InFlight
        };
        self.edge.session_metrics.limited.of(limiter).increment();
        false
    }

    /// Whether so much waits for the client that it shall read before it is listened to.
    fn writes_first(&self) -> bool {
        self.outgoing.bytes() >= WRITE_FIRST
    }

    /// Gives the stream what arrived, in plain text.
    pub(super) fn receive(&mut self, plaintext: &[u8], ctx: &mut Ctx) {
        let began = self.edge.clock.now();
        self.read = began;
        let mut effects = Vec::new();
        self.negotiation
            .receive(plaintext, began.into_std(), &mut effects);
        let limit = self
            .pace
            .read(&self.edge.rates, plaintext.len(), effects.len(), began);
        if let Some(limit) = limit {
            self.edge.session_metrics.limited.of(limit).increment();
        }
        self.carry_out(effects, ctx);
        if self.attached.is_some() {
            self.edge
                .metrics
                .processing_seconds
                .observe(began.elapsed());
        }
    }

    /// The transport is at its end: what it still has is flushed, and nothing is expected any more.
    pub(super) fn broken(&mut self, reason: CloseReason) {
        self.closing(reason);
        self.phase = Phase::Disconnecting(self.phase.reason().unwrap_or(reason));
    }

    /// Writes until the socket takes no more or nothing is left.
    fn poll_write(&mut self, ctx: &mut Ctx, cx: &mut TaskContext<'_>) {
        loop {
            match self.transport.poll_flush(cx) {
                Poll::Pending => return,
                Poll::Ready(Ok(())) => self.confirm(),
                Poll::Ready(Err(error)) => {
                    tracing::debug!(peer = %self.about.peer, %error, "the connection broke");
                    self.broken(CloseReason::TcpReset);
                    return ctx.stop();
                }
            }
            if self.outgoing.is_empty() || !self.pass_on() {
                return;
            }
        }
    }

    /// Passes the next piece of what waits to the transport; `false` when the transport refuses.
    pub(super) fn pass_on(&mut self) -> bool {
        if self.transport.is_handshaking() {
            return false;
        }
        let mut piece = Vec::new();
        self.outgoing.next_piece(&mut piece);
        if let Err(error) = self.transport.send(&piece) {
            tracing::debug!(peer = %self.about.peer, %error, "TLS failed");
            self.broken(CloseReason::Tls);
            return false;
        }
        true
    }

    /// The socket has taken everything that was passed on.
    fn confirm(&mut self) {
        let flushed = self.outgoing.flushed();
        let Some(attached) = &self.attached else {
            return;
        };
        attached.budget.give_back(flushed.bytes);
        if !flushed.rows.is_empty() && attached.session.try_send(Written(flushed.rows)).is_err() {
            // The messages stay owed and are delivered again.
            tracing::debug!(peer = %self.about.peer, "a confirmation found no session");
        }
    }
}
