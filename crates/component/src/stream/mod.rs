//! One stream of a component, from its first byte to its last, without I/O (XEP-0114 §3).
//!
//! ```text
//! header → handshake → stanzas → end
//! ```

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use rookery_stanza::{ParseError, Stanza, StanzaFault, StreamCondition, StreamError, ns};
use rookery_stream::{Config, Frame, Framing, stream_error};
use rookery_xml::{Element, StreamNamespaces, read_header};

use crate::header::{self, ACCEPT, Greeting};
use crate::secret::Secret;

/// How many effects one call of [`Stream::receive`] has at most, give or take a few.
const AT_ONCE: usize = 64;
/// The end tag of the server's streams.
const END: &[u8] = b"</stream:stream>";

/// Which components there are.
pub(crate) trait Directory: Send + Sync + std::fmt::Debug {
    /// The secret of the component of this prepared name.
    fn secret(&self, component: &str) -> Option<Secret>;
}

/// What a stream wants done. Effects are carried out in their order.
#[derive(Debug)]
pub(crate) enum Effect {
    /// Write these bytes.
    Send(Bytes),
    /// The peer has proved to be this component: it has the component's queue from now on.
    Opened(String),
    /// A stanza of the component, with a sender of its domain and a recipient.
    Stanza(Stanza),
    /// A stanza that has to be answered with an error; the stream goes on.
    Fault(Box<StanzaFault>),
    /// The stream ends: nothing of the component's queue is written any more.
    Closing(Ending),
    /// Both sides are through: close the connection.
    Disconnect,
}

/// Why a stream ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    /// The component closed it, or sent a stream error.
    ByPeer,
    /// This error is sent to the component.
    Error(StreamError),
}

/// The server's side of one stream.
#[derive(Debug)]
pub(crate) struct Stream {
    config: Arc<Config>,
    directory: Arc<dyn Directory>,
    framing: Framing,
    state: State,
    /// Unguessable.
    id: String,
    greeting: Option<Opened>,
    /// Frames may be left in the buffer, since enough were taken at once.
    has_more: bool,
    /// When the component was last heard of or probed; before it is known, when it connected.
    since: Instant,
}

/// What the component's header said.
#[derive(Debug)]
struct Opened {
    greeting: Greeting,
    as_of_client: StreamNamespaces,
}

/// What the stream waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// The stream header.
    Header,
    /// The proof that the peer knows the secret.
    Handshake,
    /// Stanzas.
    Open,
    /// The end of the component's side, after ours.
    Closing(Instant),
    /// Nothing any more.
    Closed,
}

// === impl Stream ===

impl Stream {
    /// A stream on a connection that was just accepted. Its `id` is known to nobody else.
    pub(crate) fn new(
        config: Arc<Config>,
        directory: Arc<dyn Directory>,
        id: String,
        now: Instant,
    ) -> Self {
        Self {
            framing: Framing::new(&config.limits(false)),
            config,
            directory,
            state: State::Header,
            id,
            greeting: None,
            has_more: false,
            since: now,
        }
    }

    /// Takes what the component sent. When [`has_more`](Self::has_more) holds afterwards, it is called again
    /// before more is read.
    pub(crate) fn receive(&mut self, bytes: &[u8], now: Instant, effects: &mut Vec<Effect>) {
        if self.state == State::Closed {
            return;
        }
        if self.state == State::Open {
            self.since = now;
        }
        self.framing.push(bytes);
        self.has_more = false;
        let enough = effects.len().saturating_add(AT_ONCE);
        while self.state != State::Closed {
            if effects.len() >= enough {
                self.has_more = true;
                return;
            }
            match self.framing.next_frame() {
                Ok(Some(frame)) => self.frame(frame, now, effects),
                Ok(None) => break,
                Err(refused) => self.fail(stream_error(refused), now, effects),
            }
        }
        if self.sent_too_much() {
            let error = StreamError::new(StreamCondition::PolicyViolation);
            let error = error.with_text("too many bytes before the handshake");
            self.fail(error, now, effects);
        }
    }

    /// Ends the stream with this error.
    pub(crate) fn shut_down(
        &mut self,
        error: StreamError,
        now: Instant,
        effects: &mut Vec<Effect>,
    ) {
        self.fail(error, now, effects);
    }

    /// Does what is due at [`deadline`](Self::deadline).
    pub(crate) fn tick(&mut self, now: Instant, effects: &mut Vec<Effect>) {
        if self.deadline().is_none_or(|deadline| now < deadline) {
            return;
        }
        match self.state {
            // RFC 6120 §4.6.1: a space between stanzas finds out whether the connection is alive.
            State::Open => {
                effects.push(Effect::Send(Bytes::from_static(b" ")));
                self.since = now;
            }
            State::Closing(_) => self.disconnect(effects),
            _ => self.fail(StreamCondition::ConnectionTimeout.into(), now, effects),
        }
    }

    /// When [`tick`](Self::tick) is due, unless something happens before.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        let seconds = match self.state {
            State::Open if self.config.keepalive_seconds == 0 => return None,
            State::Open => self.config.keepalive_seconds,
            State::Closing(deadline) => return Some(deadline),
            State::Closed => return None,
            State::Header | State::Handshake => self.config.negotiation_timeout_seconds,
        };
        self.since.checked_add(Duration::from_secs(seconds))
    }

    /// Whether [`receive`](Self::receive), of no bytes, may find more in what was received already.
    pub(crate) fn has_more(&self) -> bool {
        self.has_more && self.state != State::Closed
    }

    /// Whether the stream has ended or is about to.
    pub(crate) fn is_ending(&self) -> bool {
        matches!(self.state, State::Closing(_) | State::Closed)
    }

    /// RFC 6120 §13.12: whoever has not proved anything is not listened to for long.
    fn sent_too_much(&self) -> bool {
        let bytes = self.framing.taken().saturating_add(self.framing.buffered());
        let unproved = matches!(self.state, State::Header | State::Handshake);
        unproved && bytes > self.config.max_bytes_before_auth
    }

    fn frame(&mut self, frame: Frame, now: Instant, effects: &mut Vec<Effect>) {
        match (self.state, frame) {
            (State::Closing(_), Frame::End) => self.disconnect(effects),
            (State::Closing(_) | State::Closed, _) | (_, Frame::Whitespace) => {}
            (State::Header, Frame::Header(bytes)) => self.open(&bytes, now, effects),
            (_, Frame::End) => {
                effects.push(Effect::Closing(Ending::ByPeer));
                effects.push(Effect::Send(Bytes::from_static(END)));
                self.disconnect(effects);
            }
            (State::Handshake, Frame::Element(bytes)) => self.handshake(&bytes, now, effects),
            (State::Open, Frame::Element(bytes)) => self.stanza(bytes, now, effects),
            (_, Frame::Header(_) | Frame::Element(_)) => self.unsupported(now, effects),
        }
    }

    /// The component's header, answered with ours.
    fn open(&mut self, header: &[u8], now: Instant, effects: &mut Vec<Effect>) {
        let header = match read_header(header, self.framing.limits()) {
            Ok(header) => header,
            Err(refused) => return self.fail(stream_error(refused), now, effects),
        };
        let greeting = match Greeting::read(header) {
            Ok(greeting) if self.directory.secret(&greeting.component).is_some() => greeting,
            Ok(_) => return self.fail(StreamCondition::HostUnknown.into(), now, effects),
            Err(condition) => return self.fail(condition.into(), now, effects),
        };
        self.greet(Some(&greeting.component), effects);
        self.greeting = Some(Opened {
            as_of_client: greeting.as_of_client(),
            greeting,
        });
        self.state = State::Handshake;
    }

    fn greet(&self, from: Option<&str>, effects: &mut Vec<Effect>) {
        let mut out = Vec::with_capacity(256);
        header::write(from, &self.id, &mut out);
        effects.push(Effect::Send(out.into()));
    }

    /// The proof. Everything else before it is not authorized (RFC 6120 §4.9.3.12).
    fn handshake(&mut self, bytes: &[u8], now: Instant, effects: &mut Vec<Effect>) {
        let Some(Opened { greeting, .. }) = &self.greeting else {
            return;
        };
        let element = match Element::parse(bytes, &greeting.declared, self.framing.limits()) {
            Ok(element) => element,
            Err(refused) => return self.fail(stream_error(refused), now, effects),
        };
        let secret = self.directory.secret(&greeting.component);
        let is_proof = |secret: Secret| secret.is_proved_by(element.text().trim(), &self.id);
        if element.is("error", ns::STREAM) {
            return self.peer_failed(&element, now, effects);
        }
        if !element.is("handshake", ACCEPT) || !secret.is_some_and(is_proof) {
            return self.fail(StreamCondition::NotAuthorized.into(), now, effects);
        }
        effects.push(Effect::Opened(greeting.component.clone()));
        effects.push(Effect::Send(Bytes::from_static(b"<handshake/>")));
        self.framing.set_limits(&self.config.limits(true));
        self.state = State::Open;
        self.since = now;
    }

    fn stanza(&mut self, bytes: Bytes, now: Instant, effects: &mut Vec<Effect>) {
        let Some(opened) = &self.greeting else { return };
        let limits = self.framing.limits();
        let parsed = Stanza::parse(bytes.clone(), &opened.as_of_client, limits);
        let parsed = match parsed {
            Ok(stanza) if !names_content(&stanza) => Ok(stanza),
            Ok(_) | Err(ParseError::InvalidNamespace) => self.parse_as_declared(&bytes),
            Err(error) => Err(error),
        };
        match parsed {
            Ok(mut stanza) => {
                if stanza.lang.is_none() {
                    stanza.lang.clone_from(&opened.greeting.lang);
                }
                match addressing(&stanza, &opened.greeting.component) {
                    Some(fault) => self.fail(fault.into(), now, effects),
                    None => effects.push(Effect::Stanza(stanza)),
                }
            }
            Err(ParseError::Stanza(fault)) => {
                match addressing(&fault.stanza, &opened.greeting.component) {
                    Some(StreamCondition::InvalidFrom) => {
                        self.fail(StreamCondition::InvalidFrom.into(), now, effects);
                    }
                    _ => effects.push(Effect::Fault(fault)),
                }
            }
            Err(ParseError::UnsupportedStanzaType) => self.other(&bytes, now, effects),
            Err(ParseError::InvalidNamespace) => {
                self.fail(StreamCondition::InvalidNamespace.into(), now, effects);
            }
            Err(ParseError::InvalidFrom) => {
                self.fail(StreamCondition::InvalidFrom.into(), now, effects);
            }
            Err(ParseError::Xml(refused)) => self.fail(stream_error(refused), now, effects),
        }
    }

    /// A stanza that names its content namespace again: it is written anew.
    fn parse_as_declared(&self, bytes: &[u8]) -> Result<Stanza, ParseError> {
        let Some(Opened { greeting, .. }) = &self.greeting else {
            return Err(ParseError::InvalidNamespace);
        };
        let element = Element::parse(bytes, &greeting.declared, self.framing.limits())?;
        let element = element.with_namespace_replaced(ACCEPT, ns::CLIENT);
        Stanza::parse_again(element.to_bytes(ns::CLIENT))
    }

    /// A first-level element that is no stanza.
    fn other(&mut self, bytes: &[u8], now: Instant, effects: &mut Vec<Effect>) {
        let Some(Opened { greeting, .. }) = &self.greeting else {
            return;
        };
        match Element::parse(bytes, &greeting.declared, self.framing.limits()) {
            Ok(element) if element.is("error", ns::STREAM) => {
                self.peer_failed(&element, now, effects);
            }
            _ => self.unsupported(now, effects),
        }
    }

    /// RFC 6120 §4.9.1.1: both sides end the stream.
    fn peer_failed(&mut self, error: &Element, now: Instant, effects: &mut Vec<Effect>) {
        let error = StreamError::parse(error);
        tracing::debug!(stream = self.id, %error, "a component reports an error");
        effects.push(Effect::Closing(Ending::ByPeer));
        effects.push(Effect::Send(Bytes::from_static(END)));
        self.await_end(now);
    }

    /// RFC 6120 §4.9.3.24.
    fn unsupported(&mut self, now: Instant, effects: &mut Vec<Effect>) {
        self.fail(StreamCondition::UnsupportedStanzaType.into(), now, effects);
    }

    /// Ends the stream with an error; where the server has not opened its side yet, it does so first
    /// (RFC 6120 §4.9.1.2).
    fn fail(&mut self, error: StreamError, now: Instant, effects: &mut Vec<Effect>) {
        if self.is_ending() {
            return;
        }
        if self.state == State::Header {
            self.greet(None, effects);
        }
        let mut out = error.to_bytes().to_vec();
        out.extend_from_slice(END);
        effects.push(Effect::Closing(Ending::Error(error)));
        effects.push(Effect::Send(out.into()));
        self.await_end(now);
    }

    fn await_end(&mut self, now: Instant) {
        let patience = Duration::from_secs(self.config.close_timeout_seconds);
        self.state = State::Closing(now.checked_add(patience).unwrap_or(now));
    }

    fn disconnect(&mut self, effects: &mut Vec<Effect>) {
        effects.push(Effect::Disconnect);
        self.state = State::Closed;
    }
}

/// Whether a child of the stanza is in the content namespace by a declaration of its own.
fn names_content(stanza: &Stanza) -> bool {
    let mut names = stanza.names().iter();
    names.any(|name| name.namespace() == ACCEPT)
}

/// What is wrong with the addresses of a stanza: it has to have both, and to come from the component's own
/// domain.
fn addressing(stanza: &Stanza, component: &str) -> Option<StreamCondition> {
    match (&stanza.from, &stanza.to) {
        (Some(from), _) if from.domain() != component => Some(StreamCondition::InvalidFrom),
        // RFC 6120 §4.9.3.7.
        (Some(_), Some(_)) => None,
        _ => Some(StreamCondition::ImproperAddressing),
    }
}

#[cfg(test)]
mod tests;
