//! One connection of a component: an actor that owns the socket and drives the stream on it.
//!
//! All decisions about the stream are made by [`Stream`], all about what waits by the component's queue;
//! this actor moves bytes between both and the socket.

use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context as TaskContext, Poll, ready};
use std::time::Duration;

use actix::fut::ActorFuture;
use actix::{Actor, ActorContext, AsyncContext, Context};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use rookery_delivery::{Credit, Load};
use rookery_stanza::{Jid, Stanza, StanzaFault, StreamCondition, StreamError};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Instant, Sleep};

use crate::edge::{Edge, Place};
use crate::metrics::{Attempt, Direction};
use crate::queue::ConnectionId;
use crate::stream::{Effect, Ending, Stream};

/// How much one read takes at most.
const READ: usize = 64 * 1024;
/// How many reads one wake-up makes before others have their turn.
const READS: usize = 4;
/// About how much is written at once.
const PIECE: usize = 64 * 1024;
/// Nothing is read while more than this waits to be written: the component shall read first.
const WRITE_FIRST: usize = 256 * 1024;
/// How long the last bytes may take, and the component to close its side after them.
const PATIENCE: Duration = Duration::from_secs(2);
/// How many random bytes are in the id of a stream.
const ID: usize = 16;

/// A connection.
#[derive(Debug)]
struct Connection {
    edge: Arc<Edge>,
    id: ConnectionId,
    peer: SocketAddr,
    _place: Place,
    socket: TcpStream,
    stream: Stream,
    /// Which component it is, once it has proved that.
    component: Option<String>,
    credit: Arc<Credit>,
    input: Box<[u8]>,
    output: Output,
    phase: Phase,
}

/// What the socket has yet to take.
#[derive(Debug, Default)]
struct Output {
    /// What was in the buffer before and is written.
    before: u64,
    buffer: Vec<u8>,
    /// How much of the buffer is written.
    sent: usize,
}

/// How far the connection's life has gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// The stream is open, or on its way to be.
    Open,
    /// The stream ends.
    Closing,
    /// Both sides are through: what is left is written, until then at the latest.
    Leaving(Instant),
}

/// Reads, writes and keeps time.
struct Pump {
    timer: Option<Pin<Box<Sleep>>>,
    /// The end of the node.
    ends: Option<BoxFuture<'static, ()>>,
}

/// Starts a connection on this arbiter.
pub(crate) fn accept(socket: std::net::TcpStream, peer: SocketAddr, place: Place, edge: Arc<Edge>) {
    let mut random = [0; ID];
    if let Err(error) = getrandom::fill(&mut random) {
        // The proof of a stream whose id can be guessed could be used again.
        return tracing::error!(%error, "the system gives no randomness");
    }
    let socket = match TcpStream::from_std(socket) {
        Ok(socket) => socket,
        Err(error) => return tracing::warn!(%peer, %error, "the arbiter has no place"),
    };
    let stream = Stream::new(
        Arc::clone(&edge.stream),
        Arc::new(edge.components.clone()),
        URL_SAFE_NO_PAD.encode(random),
        edge.clock.now().into_std(),
    );
    let connection = Connection {
        id: edge.components.next_id(),
        peer,
        _place: place,
        socket,
        stream,
        component: None,
        credit: Credit::new(edge.in_flight),
        input: vec![0; READ].into_boxed_slice(),
        output: Output::default(),
        phase: Phase::Open,
        edge,
    };
    connection.start();
}

// === impl Connection ===

impl Actor for Connection {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        let mut drain = self.edge.drain.clone();
        ctx.spawn(Pump {
            timer: None,
            ends: Some(async move { drain.draining().await }.boxed()),
        });
    }

    fn stopped(&mut self, _: &mut Self::Context) {
        self.let_go();
        if self.phase == Phase::Open {
            self.failed(Attempt::Incomplete);
        }
        let component = self.component.as_deref();
        tracing::info!(peer = %self.peer, component, "a component's connection ended");
    }
}

impl Connection {
    /// Has the stream do something, and carries out what it wants.
    fn drive(&mut self, act: impl FnOnce(&mut Stream, std::time::Instant, &mut Vec<Effect>)) {
        let now = self.edge.clock.now();
        let (mut effects, mut stanzas) = (Vec::new(), Vec::new());
        act(&mut self.stream, now.into_std(), &mut effects);
        for effect in effects {
            match effect {
                Effect::Send(bytes) => self.output.buffer.extend_from_slice(&bytes),
                Effect::Opened(component) => self.opened(component),
                Effect::Stanza(stanza) => stanzas.push(stanza),
                Effect::Fault(fault) => self.refuse(&fault),
                Effect::Closing(ending) => {
                    self.submit(std::mem::take(&mut stanzas), now);
                    self.closing(&ending);
                }
                Effect::Disconnect => self.phase = Phase::Leaving(now + PATIENCE),
            }
        }
        self.submit(stanzas, now);
    }

    /// The peer is this component. A component that lost its connection comes back while the server still
    /// takes the old one for alive: the newer one is right (RFC 6120 §4.9.3.3 leaves the choice), and
    /// has proved to be the same.
    fn opened(&mut self, component: String) {
        let components = &self.edge.components;
        let attempts = &components.metrics().attempts;
        attempts.of(Attempt::Accepted).increment();
        if components.take_over(&component, self.id) {
            tracing::warn!(peer = %self.peer, component, "a component connected again; the older connection ends");
        } else {
            tracing::info!(peer = %self.peer, component, "a component connected");
        }
        self.component = Some(component);
    }

    fn submit(&mut self, stanzas: Vec<Stanza>, now: Instant) {
        let Some(component) = self.component.as_deref() else {
            return;
        };
        if stanzas.is_empty() {
            return;
        }
        let metrics = self.edge.components.metrics();
        for stanza in &stanzas {
            metrics.passed(component, Direction::In, stanza.kind);
        }
        let load = Load {
            stanzas: stanzas.len(),
            bytes: stanzas.iter().map(Stanza::size).sum(),
        };
        let permit = self.credit.take(load, now.into_std());
        self.edge.inlet.submit(stanzas, permit);
    }

    /// Answers a stanza that could not be read.
    fn refuse(&mut self, fault: &StanzaFault) {
        let Some(mut reply) = fault.reply() else {
            return;
        };
        if reply.from.is_none() {
            // Every stanza on the stream has a sender.
            let component = self.component.as_deref().map(Jid::parse);
            reply.from = component.and_then(Result::ok);
        }
        let metrics = self.edge.components.metrics();
        metrics
            .shared
            .answered(fault.stanza.kind, fault.error.condition);
        reply.write(&mut self.output.buffer);
    }

    fn closing(&mut self, ending: &Ending) {
        if self.component.is_none() {
            let attempt = match ending {
                Ending::ByPeer => Attempt::Incomplete,
                Ending::Error(error) => match error.condition {
                    StreamCondition::NotAuthorized => Attempt::NotAuthorized,
                    StreamCondition::HostUnknown => Attempt::HostUnknown,
                    StreamCondition::ConnectionTimeout | StreamCondition::SystemShutdown => {
                        Attempt::Incomplete
                    }
                    _ => Attempt::StreamError,
                },
            };
            self.failed(attempt);
        }
        if let Ending::Error(error) = ending {
            let component = self.component.as_deref();
            tracing::warn!(peer = %self.peer, component, %error, "a component's stream ends");
        }
        self.phase = Phase::Closing;
        self.let_go();
    }

    /// The peer has not become a component.
    fn failed(&self, attempt: Attempt) {
        if self.component.is_none() {
            let metrics = self.edge.components.metrics();
            metrics.attempts.of(attempt).increment();
        }
    }

    /// Parts with the component's queue, and has returned what the component did not get.
    fn let_go(&mut self) {
        let Some(component) = self.component.as_deref() else {
            return;
        };
        let left = self.edge.components.leave(component, self.id);
        if left.is_empty() {
            return;
        }
        tracing::info!(
            component,
            stanzas = left.len(),
            "returning what a component did not read"
        );
        let returning = self.edge.inlet.returned(left);
        if let Err(error) = self.edge.scope.spawn("component-returns", returning) {
            tracing::error!(%error, "stanzas for a component could not be returned");
        }
    }

    /// Whether the connection is to be read from now.
    fn may_read(&self, cx: &TaskContext<'_>) -> bool {
        self.output.waiting() < WRITE_FIRST && self.credit.available(cx.waker())
    }

    /// Reads while the socket has something, up to a fair share; ready when the connection is at its end.
    fn poll_read(&mut self, cx: &mut TaskContext<'_>) -> Poll<()> {
        for _ in 0..READS {
            if self.stream.has_more() {
                if !self.may_read(cx) {
                    return Poll::Pending;
                }
                self.drive(|stream, now, effects| stream.receive(&[], now, effects));
                continue;
            }
            // What comes at the end is read and left alone, or the end would be a reset.
            if !matches!(self.phase, Phase::Leaving(_)) && !self.may_read(cx) {
                return Poll::Pending;
            }
            let mut input = std::mem::take(&mut self.input);
            let mut buffer = ReadBuf::new(&mut input);
            let read = Pin::new(&mut self.socket).poll_read(cx, &mut buffer);
            let arrived = buffer.filled();
            let is_end = read.is_ready() && arrived.is_empty();
            if !arrived.is_empty() {
                self.drive(|stream, now, effects| stream.receive(arrived, now, effects));
            }
            self.input = input;
            match read {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(Ok(())) if !is_end => {}
                Poll::Ready(_) => return Poll::Ready(()),
            }
        }
        cx.waker().wake_by_ref(); // There may be more; others first.
        Poll::Pending
    }

    /// Writes until the socket takes no more or nothing is left; ready then.
    fn poll_write(&mut self, cx: &mut TaskContext<'_>) -> Poll<std::io::Result<()>> {
        loop {
            let flushed = self.output.poll_flush(&mut self.socket, cx);
            if let Some(component) = &self.component {
                let through =
                    self.edge
                        .components
                        .written(component, self.id, self.output.written());
                for kind in through {
                    self.edge.inlet.written(kind);
                }
            }
            ready!(flushed)?;
            let (Some(component), Phase::Open) = (&self.component, self.phase) else {
                return Poll::Ready(Ok(()));
            };
            let (before, buffer) = (self.output.before, &mut self.output.buffer);
            let components = &self.edge.components;
            if !components.write(component, self.id, before, buffer, PIECE) {
                return Poll::Ready(Ok(()));
            }
        }
    }

    /// Ends the stream when a newer connection is the component's.
    fn watch_owner(&mut self, cx: &TaskContext<'_>) {
        let (Some(component), Phase::Open) = (&self.component, self.phase) else {
            return;
        };
        if !self.edge.components.owns(component, self.id, cx.waker()) {
            let error = StreamError::new(StreamCondition::Conflict);
            self.drive(|stream, now, effects| stream.shut_down(error, now, effects));
        }
    }
}

// === impl Output ===

impl Output {
    /// How many bytes wait.
    fn waiting(&self) -> usize {
        self.buffer.len().saturating_sub(self.sent)
    }

    /// How many bytes the socket has taken in all.
    fn written(&self) -> u64 {
        self.before.saturating_add(self.sent as u64)
    }

    fn poll_flush(
        &mut self,
        socket: &mut TcpStream,
        cx: &mut TaskContext<'_>,
    ) -> Poll<std::io::Result<()>> {
        while let Some(rest @ [_, ..]) = self.buffer.get(self.sent..) {
            let taken = ready!(Pin::new(&mut *socket).poll_write(cx, rest))?;
            if taken == 0 {
                return Poll::Ready(Err(std::io::ErrorKind::WriteZero.into()));
            }
            self.sent += taken;
        }
        self.before = self.written();
        // An idle component keeps no large buffer.
        self.buffer = Vec::new();
        self.sent = 0;
        Poll::Ready(Ok(()))
    }
}

// === impl Pump ===

impl ActorFuture<Connection> for Pump {
    type Output = ();

    fn poll(
        mut self: Pin<&mut Self>,
        connection: &mut Connection,
        ctx: &mut Context<Connection>,
        cx: &mut TaskContext<'_>,
    ) -> Poll<()> {
        if let Some(ends) = &mut self.ends
            && ends.as_mut().poll(cx).is_ready()
        {
            self.ends = None;
            let error = StreamError::new(StreamCondition::SystemShutdown);
            connection.drive(|stream, now, effects| stream.shut_down(error, now, effects));
        }
        let ended = connection.poll_read(cx).is_ready();
        // After the handshake may have been read, and before what waits is looked at.
        connection.watch_owner(cx);
        let wrote_first = connection.output.waiting() >= WRITE_FIRST;
        let written = connection.poll_write(cx);
        if wrote_first && connection.output.waiting() < WRITE_FIRST {
            // Nothing else tells that it may be read again.
            cx.waker().wake_by_ref();
        }
        let broken = matches!(&written, Poll::Ready(Err(_)));
        if let (Phase::Leaving(_), Poll::Ready(Ok(()))) = (connection.phase, &written) {
            // The component closes its side when it sees the end of ours.
            drop(Pin::new(&mut connection.socket).poll_shutdown(cx));
        }
        if ended || broken || self.poll_timer(connection, cx).is_ready() {
            ctx.stop();
            return Poll::Ready(());
        }
        Poll::Pending
    }
}

impl Pump {
    /// Sets the timer to the next deadline, and does what is due; ready when nobody waits any longer.
    fn poll_timer(&mut self, connection: &mut Connection, cx: &mut TaskContext<'_>) -> Poll<()> {
        loop {
            let stream = connection.stream.deadline().map(Instant::from_std);
            let leaving = match connection.phase {
                Phase::Leaving(deadline) => Some(deadline),
                Phase::Open | Phase::Closing => None,
            };
            let Some(deadline) = leaving.or(stream) else {
                self.timer = None;
                return Poll::Pending;
            };
            let timer = match &mut self.timer {
                // One that fires early finds a later deadline and is set again.
                Some(timer) if timer.deadline() <= deadline => timer,
                timer => timer.insert(Box::pin(tokio::time::sleep_until(deadline))),
            };
            ready!(timer.as_mut().poll(cx));
            self.timer = None;
            if connection.edge.clock.now() < deadline {
                continue;
            }
            if leaving.is_some() {
                return Poll::Ready(());
            }
            connection.drive(Stream::tick);
            cx.waker().wake_by_ref();
        }
    }
}
