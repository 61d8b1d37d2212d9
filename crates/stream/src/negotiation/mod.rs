//! One stream of a client, from its first byte to its last (RFC 6120 §4.3).

mod authentication;
mod before_login;
mod binding;
mod closing;
mod encryption;
mod opening;
mod sasl2;
mod stream_management;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use rookery_stanza::{
    BareJid, Condition, ParseError, Stanza, StanzaFault, StreamCondition, StreamError, ns,
};
use rookery_xml::{Element, StreamNamespaces};

use self::sasl2::Extended;
use crate::config::{Config, StartTls};
use crate::effect::Effect;
use crate::framing::{Frame, Framing};
use crate::input::Input;
use crate::limit::Limit;
use crate::offer::Offer;
use crate::refusal::Refusal;
use crate::service::{Service, TlsFacts};

/// How many effects one call of [`Negotiation::receive`] has at most, give or take a few.
const AT_ONCE: usize = 64;

/// How a connection comes to be protected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Security {
    /// It begins without TLS (RFC 6120 §5).
    StartTls(StartTls),
    /// It begins with a TLS handshake (XEP-0368).
    DirectTls,
}

/// The server's side of one client stream.
///
/// It does no I/O and reads no clock: bytes go into [`receive`](Self::receive), everything else into
/// [`handle`](Self::handle), and what is to be done comes out as [`Effect`]s. It can be sent to another
/// thread between any two calls.
#[derive(Debug)]
pub struct Negotiation {
    config: Arc<Config>,
    service: Arc<dyn Service>,
    security: Security,
    /// Cuts the input, and has the limits that hold at present.
    framing: Framing,
    state: State,
    /// What is known of TLS, once it is there.
    tls: Option<Box<TlsFacts>>,
    /// The stream that was opened last, until it is replaced by another one (§4.3.3).
    stream: Option<OpenStream>,
    /// How the client was offered to authenticate on this stream.
    offered: Option<Arc<Offer>>,
    /// Who the client has proved to be.
    account: Option<BareJid>,
    /// What is under way by XEP-0388.
    extended: Option<Box<Extended>>,
    /// Requests before authentication, authentications and binds that the client began.
    early_requests: u8,
    authentications: u8,
    binds: u8,
    /// Where the client shall go as soon as it may be told so.
    redirect: Option<Box<str>>,
    /// Frames may be left in the buffer, since enough were taken at once.
    has_more: bool,
    /// When the client was last heard of or probed; before it is bound, when it connected.
    since: Instant,
}

/// A stream between its header and the next one.
#[derive(Debug)]
struct OpenStream {
    id: Box<str>,
    host: Box<str>,
    /// Who the client said it is (§4.7.1).
    from: Option<BareJid>,
    lang: Option<Arc<str>>,
    namespaces: StreamNamespaces,
}

/// What the stream waits for.
#[derive(Debug)]
enum State {
    /// The end of a TLS handshake.
    Handshake,
    /// A stream header.
    Header,
    /// The client's choice among the features.
    Features,
    /// The answer to this request from before authentication.
    Asking(Box<Stanza>),
    /// The authenticator; then, after a challenge, the client.
    Authenticating,
    Challenged,
    /// The owner of the connection, who may move it now.
    Authenticated,
    /// The answer to what was asked for along with an authentication by XEP-0388.
    Inlining,
    /// The answer to this request to bind a resource.
    Binding(Box<Stanza>),
    /// The answer to a request to resume another stream (XEP-0198 §5).
    Resuming,
    /// Stanzas.
    Bound,
    /// The end of the client's side, after ours; until then stanzas may still be taken.
    Closing {
        deadline: Instant,
        takes_stanzas: bool,
    },
    /// Nothing any more.
    Closed,
}

// === impl Negotiation ===

impl Negotiation {
    /// A stream on a connection that was just accepted.
    pub fn new(
        config: Arc<Config>,
        service: Arc<dyn Service>,
        security: Security,
        now: Instant,
    ) -> Self {
        Self {
            framing: Framing::new(&config.limits(false)),
            state: match security {
                Security::StartTls(_) => State::Header,
                Security::DirectTls => State::Handshake,
            },
            tls: None,
            stream: None,
            offered: None,
            account: None,
            extended: None,
            early_requests: 0,
            authentications: 0,
            binds: 0,
            redirect: None,
            has_more: false,
            since: now,
            config,
            service,
            security,
        }
    }

    /// Takes what the client sent, decrypted. Bytes that belong to a TLS handshake do not come here. When
    /// [`has_more`](Self::has_more) holds afterwards, it is called again before more is read.
    pub fn receive(&mut self, bytes: &[u8], now: Instant, effects: &mut Vec<Effect>) {
        match self.state {
            State::Closed | State::Handshake => return,
            State::Bound => self.since = now,
            State::Authenticated => self.go_on(now, effects),
            _ => {}
        }
        self.framing.push(bytes);
        self.read(now, effects);
        if self.holds_too_much() {
            self.fail(
                Refusal::exceeded(Limit::BytesBeforeAuth, "too many bytes at this stage"),
                now,
                effects,
            );
        }
    }

    /// Takes what happened elsewhere.
    pub fn handle(&mut self, input: Input, now: Instant, effects: &mut Vec<Effect>) {
        match input {
            Input::TlsEstablished(facts) => self.tls_established(facts),
            Input::Sasl(reply) => self.authenticator_replied(reply, now, effects),
            Input::Answered(answer) => self.answered(answer, effects),
            Input::Bound { jid, outcomes } => self.bound(&jid, outcomes, now, effects),
            Input::BindRefused(error) => self.bind_refused(&error, now, effects),
            Input::Resumed { jid, reply } => self.resumed(&jid, &reply, now, effects),
            Input::ResumeRefused(reply) => self.resume_refused(&reply, now, effects),
            Input::Tick => self.tick(now, effects),
            Input::SeeOtherHost(host) => {
                self.redirect = Some(host);
                self.redirect_if_open(now, effects);
            }
            Input::Shutdown(error) => self.fail(error.into(), now, effects),
            Input::Close => self.close(now, effects),
        }
        self.read(now, effects);
    }

    /// When [`Input::Tick`] is due, unless something happens before.
    pub fn deadline(&self) -> Option<Instant> {
        match self.state {
            State::Bound => self.since.checked_add(self.config.keepalive()?),
            State::Closing { deadline, .. } => Some(deadline),
            State::Closed => None,
            _ => self.since.checked_add(self.config.negotiation_timeout()),
        }
    }

    /// Whether [`receive`](Self::receive), of no bytes, may find more in what was received already. A small
    /// stanza can cause much work, such as presence to many contacts, so that a client's turn ends after so
    /// many and not only with what one read gave.
    pub fn has_more(&self) -> bool {
        self.has_more && self.reads()
    }

    /// Whether it is of use to read from the connection. While it is not, reading on would only fill
    /// memory.
    pub fn wants_input(&self) -> bool {
        self.reads() || matches!(self.state, State::Handshake)
    }

    /// The host that the client asked for on the present stream.
    pub fn host(&self) -> Option<&str> {
        self.stream.as_ref().map(|stream| &*stream.host)
    }

    /// The id of the present stream (§4.7.3); empty before there is one.
    pub fn stream_id(&self) -> &str {
        self.stream.as_ref().map_or("", |stream| &*stream.id)
    }

    /// The account that the client has proved to be.
    pub fn account(&self) -> Option<&BareJid> {
        self.account.as_ref()
    }

    /// What is known of the TLS session, once there is one.
    pub fn tls(&self) -> Option<&TlsFacts> {
        self.tls.as_deref()
    }

    /// Whether stanzas are exchanged.
    pub fn is_bound(&self) -> bool {
        matches!(self.state, State::Bound)
    }

    /// Whether the stream has ended or is about to.
    pub fn is_ending(&self) -> bool {
        matches!(self.state, State::Closing { .. } | State::Closed)
    }

    /// Whether frames are taken at present, and not left in the buffer until an answer comes.
    fn reads(&self) -> bool {
        match self.state {
            State::Header
            | State::Features
            | State::Challenged
            | State::Bound
            | State::Closing { .. } => true,
            State::Handshake
            | State::Asking(_)
            | State::Authenticating
            | State::Authenticated
            | State::Inlining
            | State::Binding(_)
            | State::Resuming
            | State::Closed => false,
        }
    }

    /// Before authentication all bytes count (§13.12). After it, what is read has a limit of its own, and
    /// only what arrives while nothing is read has to be bounded.
    fn holds_too_much(&self) -> bool {
        let (taken, buffered) = (self.framing.taken(), self.framing.buffered());
        match self.account {
            None => taken.saturating_add(buffered) > self.config.max_bytes_before_auth,
            Some(_) if self.has_more => false,
            Some(_) => buffered > self.config.max_stanza_bytes.saturating_mul(2),
        }
    }

    /// Takes frames as long as they can be taken.
    fn read(&mut self, now: Instant, effects: &mut Vec<Effect>) {
        let enough = effects.len().saturating_add(AT_ONCE);
        self.has_more = false;
        while self.reads() {
            if effects.len() >= enough {
                self.has_more = true;
                return;
            }
            match self.framing.next_frame() {
                Ok(Some(frame)) => self.frame(frame, now, effects),
                Ok(None) => break,
                Err(refused) => self.fail(refused.into(), now, effects),
            }
        }
    }

    fn frame(&mut self, frame: Frame, now: Instant, effects: &mut Vec<Effect>) {
        if self.account.is_none() && self.framing.taken() > self.config.max_bytes_before_auth {
            self.fail(
                Refusal::exceeded(
                    Limit::BytesBeforeAuth,
                    "too many bytes before authentication",
                ),
                now,
                effects,
            );
        }
        match (&self.state, frame) {
            (
                State::Bound
                | State::Closing {
                    takes_stanzas: true,
                    ..
                },
                Frame::Element(bytes),
            ) => {
                self.stanza(bytes, now, effects);
            }
            (State::Closing { .. }, Frame::End) => self.disconnect(effects),
            (State::Closing { .. }, _) | (_, Frame::Whitespace) => {}
            (State::Header, Frame::Header(bytes)) => self.open(&bytes, now, effects),
            (_, Frame::End) => self.peer_closed(effects),
            // Without a restart it is but a first-level element, and one that nobody understands.
            (_, Frame::Header(_)) => self.unsupported(now, effects),
            (_, Frame::Element(bytes)) => self.element(bytes, now, effects),
        }
    }

    /// A first-level element of a bound client.
    fn stanza(&mut self, bytes: Bytes, now: Instant, effects: &mut Vec<Effect>) {
        let Some(stream) = &self.stream else { return };
        if has_prefix(&bytes) {
            return self.element(bytes, now, effects);
        }
        match Stanza::parse(bytes.clone(), &stream.namespaces, self.framing.limits()) {
            Ok(mut stanza) => {
                if stanza.lang.is_none() {
                    stanza.lang.clone_from(&stream.lang);
                }
                if self.binds_again(&stanza) {
                    let error = Condition::NotAllowed.into();
                    let fault = Box::new(StanzaFault { stanza, error });
                    return effects.push(Effect::StanzaFault(fault));
                }
                effects.push(Effect::Stanza(stanza));
            }
            Err(ParseError::Stanza(fault)) => effects.push(Effect::StanzaFault(fault)),
            // §4.8.3, §4.8.4: which other namespace it is decides.
            Err(ParseError::UnsupportedStanzaType | ParseError::InvalidNamespace) => {
                self.element(bytes, now, effects);
            }
            Err(refused) => self.fail(refused.into(), now, effects),
        }
    }

    /// A first-level element that is not, or not known to be, a stanza of a bound client.
    fn element(&mut self, bytes: Bytes, now: Instant, effects: &mut Vec<Effect>) {
        if self.is_ending() {
            return;
        }
        let none = StreamNamespaces::default();
        let namespaces = self
            .stream
            .as_ref()
            .map_or(&none, |stream| &stream.namespaces);
        let element = match Element::parse(&bytes, namespaces, self.framing.limits()) {
            Ok(element) => element,
            Err(refused) => return self.fail(refused.into(), now, effects),
        };
        match (element.namespace(), element.name()) {
            (ns::STREAM, "error") => self.peer_failed(StreamError::parse(&element), now, effects),
            // §4.8.5: what is in the content namespace must not have a prefix.
            // XEP-0388 §"During Authentication".
            (namespace, _) if self.is_exchanging() && namespace != ns::SASL2 => {
                self.fail(StreamCondition::NotAuthorized.into(), now, effects);
            }
            (ns::CLIENT, _) if has_prefix(&bytes) => {
                self.fail(StreamCondition::BadNamespacePrefix.into(), now, effects);
            }
            (ns::CLIENT, "message" | "presence" | "iq") => {
                self.early(bytes, &element, now, effects);
            }
            (ns::CLIENT, _) => self.unsupported(now, effects),
            // §4.8.3: the content namespaces of other streams, and none at all.
            (ns::SERVER | "", _) => {
                self.fail(StreamCondition::InvalidNamespace.into(), now, effects);
            }
            (ns::TLS, "starttls") if !self.is_bound() => self.starttls(&element, effects),
            (ns::SASL, _) if !self.is_bound() => self.sasl(&element, now, effects),
            (ns::STREAM_MANAGEMENT, _) => self.stream_management(element, now, effects),
            (ns::CLIENT_STATE, "active" | "inactive") if self.is_bound() => {
                effects.push(Effect::Nonza(element));
            }
            (ns::SASL2, _) if !self.is_bound() => self.sasl2(&element, now, effects),
            _ => self.unsupported(now, effects),
        }
    }

    /// §4.9.3.24.
    fn unsupported(&mut self, now: Instant, effects: &mut Vec<Effect>) {
        self.fail(StreamCondition::UnsupportedStanzaType.into(), now, effects);
    }

    /// Sends a stanza of the server's own.
    fn send(stanza: &Stanza, effects: &mut Vec<Effect>) {
        let mut out = Vec::with_capacity(256);
        stanza.write(&mut out);
        effects.push(Effect::Send(out.into()));
    }
}

/// Whether the name of an element has a prefix.
fn has_prefix(element: &[u8]) -> bool {
    let mut name = element
        .iter()
        .take_while(|byte| !matches!(byte, b' ' | b'>' | b'/' | b'\n' | b'\t' | b'\r'));
    name.any(|&byte| byte == b':')
}
