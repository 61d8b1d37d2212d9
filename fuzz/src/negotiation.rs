//! Whole streams: whatever the client sends, and whenever the server's other parts answer, nothing comes out of
//! order, nothing is granted that was not proved, and what the server writes is a stream.
//!
//! The first byte chooses how the stream is secured. The rest is what the client sends; bytes that UTF-8 never
//! has are events between it: see `happens`.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use rookery_lifecycle::Clock;
use rookery_stanza::{BareJid, Condition, Jid, StreamCondition};
use rookery_stream::{
    Config, Effect, Grants, Inline, Input, Mechanisms, Negotiation, Offer, SaslCondition,
    SaslReply, SaslRequest, Security, Service, Stage, StartTls, TlsFacts, write_features,
};
use rookery_xml::{Element, Limits, Scanner};

/// An event of its own; the others begin at [`EVENTS`].
const ANSWERED: u8 = 0xC0;
const EVENTS: u8 = 0xF5;
/// No event but a cut.
const CUT: u8 = 0xFF;

/// The most effects of one call: enough of them end a turn, and the last frame may have a few.
const MOST_AT_ONCE: usize = 64 + 8;

const HOST: &str = "h.example";
const ACCOUNT: &str = "juliet@h.example";

#[derive(Debug)]
struct Host;

/// A stream, with what has to have happened before what.
struct Play {
    stream: Negotiation,
    config: Arc<Config>,
    security: Security,
    now: Instant,
    /// What was sent since the stream was opened last.
    sent: Vec<u8>,
    has_tls: bool,
    wants_tls: bool,
    wants_verdict: bool,
    wants_resource: bool,
    /// Whether the resource that is wanted is that of another stream.
    wants_resume: bool,
    wants_answer: bool,
    /// The verdict or the resource that is being told.
    proved: bool,
    granted: bool,
    is_authenticated: bool,
    is_bound: bool,
    is_closing: bool,
    is_over: bool,
    logins: u32,
    binds: u32,
    /// All that happened, for comparison.
    transcript: Vec<String>,
}

/// Tries one stream, in pieces and whole.
pub fn check(bytes: &[u8]) {
    let Some((&security, said)) = bytes.split_first() else {
        return;
    };
    let now = Clock::system().now().into_std();
    let play = Play::new(security, now);
    // What comes right behind `<starttls/>` is refused, what comes later is for TLS (RFC 6120 §5.4.3.1).
    let has_starttls = play.offers_starttls();
    let in_pieces = play.run(said);
    if !has_starttls {
        let whole: Vec<u8> = said.iter().copied().filter(|&byte| byte != CUT).collect();
        let at_once = Play::new(security, now).run(&whole);
        assert_eq!(in_pieces, at_once, "cuts make a difference");
    }
}

fn is_event(byte: u8) -> bool {
    byte >= EVENTS || byte == ANSWERED
}

// === impl Host ===

impl Service for Host {
    fn default_host(&self) -> &str {
        HOST
    }

    fn serves(&self, host: &str) -> bool {
        host == HOST
    }

    fn offer(&self, _host: &str, tls: Option<&TlsFacts>) -> Arc<Offer> {
        let mechanisms = Mechanisms {
            names: vec!["SCRAM-SHA-1".into(), "PLAIN".into()],
            channel_bindings: tls
                .map(|tls| tls.channel_bindings.clone())
                .unwrap_or_default(),
            ..Mechanisms::default()
        };
        let inline = Inline {
            resume: true,
            ..Inline::default()
        };
        Arc::new(Offer::new(mechanisms, &inline, tls.is_some()))
    }

    fn features(&self, _host: &str, stage: Stage, _tls: Option<&TlsFacts>) -> Bytes {
        match stage {
            Stage::Authentication => Bytes::new(),
            Stage::Binding | Stage::Bound => {
                write_features(&[Element::new("ver", "urn:xmpp:features:rosterver")])
            }
        }
    }

    fn answers_before_login(&self, _: &str, namespace: &str, tls: Option<&TlsFacts>) -> bool {
        tls.is_some() && namespace == "jabber:iq:register"
    }

    fn stream_id(&self) -> String {
        "id".to_owned()
    }
}

// === impl Play ===

impl Play {
    fn new(security: u8, now: Instant) -> Self {
        let security = match security % 4 {
            0 => Security::DirectTls,
            1 => Security::StartTls(StartTls::Required),
            2 => Security::StartTls(StartTls::Optional),
            _ => Security::StartTls(StartTls::Off),
        };
        let config = Arc::new(Config {
            max_bytes_before_auth: 2048,
            max_stanza_bytes_before_auth: 1024,
            max_stanza_bytes: 1024,
            max_depth: 8,
            ..Config::default()
        });
        Self {
            stream: Negotiation::new(config.clone(), Arc::new(Host), security, now),
            config,
            security,
            now,
            sent: Vec::new(),
            has_tls: false,
            wants_tls: security == Security::DirectTls,
            wants_verdict: false,
            wants_resource: false,
            wants_resume: false,
            wants_answer: false,
            proved: false,
            granted: false,
            is_authenticated: false,
            is_bound: false,
            is_closing: false,
            is_over: false,
            logins: 0,
            binds: 0,
            transcript: Vec::new(),
        }
    }

    fn offers_starttls(&self) -> bool {
        matches!(
            self.security,
            Security::StartTls(StartTls::Required | StartTls::Optional)
        )
    }

    /// Plays all of it, and tells what happened.
    fn run(mut self, said: &[u8]) -> Vec<String> {
        for piece in said.split_inclusive(|&byte| is_event(byte)) {
            match piece.split_last() {
                Some((&event, text)) if is_event(event) => {
                    self.hears(text);
                    self.happens(event);
                }
                _ => self.hears(piece),
            }
        }
        self.check_written();
        self.transcript
    }

    /// The client says something.
    fn hears(&mut self, text: &[u8]) {
        if text.is_empty() {
            return;
        }
        let mut effects = Vec::new();
        self.stream.receive(text, self.now, &mut effects);
        self.take(&effects);
        self.goes_on();
    }

    /// What was received already is read on, as the owner of a connection has to do.
    fn goes_on(&mut self) {
        while self.stream.has_more() || self.proved {
            self.proved = false;
            let mut effects = Vec::new();
            self.stream.receive(b"", self.now, &mut effects);
            self.take(&effects);
        }
    }

    /// Something happens outside of the stream, whether it was asked for or not.
    fn happens(&mut self, event: u8) {
        let input = match event {
            0xF5 => {
                self.has_tls |= self.wants_tls;
                self.wants_tls = false;
                Input::TlsEstablished(TlsFacts::default())
            }
            0xF6 => {
                self.proved = self.wants_verdict;
                self.verdict(BareJid::parse(ACCOUNT).ok())
            }
            0xF7 => self.verdict(None),
            0xF8 => {
                self.wants_verdict = false;
                Input::Sasl(SaslReply::Challenge(b"more".to_vec()))
            }
            0xF9 => {
                self.granted = std::mem::take(&mut self.wants_resource);
                match Jid::parse("juliet@h.example/balcony") {
                    Ok(jid) if std::mem::take(&mut self.wants_resume) => Input::Resumed {
                        jid,
                        reply: Element::new("resumed", "urn:xmpp:sm:3"),
                    },
                    Ok(jid) => Input::Bound {
                        jid,
                        outcomes: Vec::new(),
                    },
                    Err(_) => Input::Tick,
                }
            }
            0xFA => {
                self.wants_resource = false;
                if std::mem::take(&mut self.wants_resume) {
                    Input::ResumeRefused(Element::new("failed", "urn:xmpp:sm:3"))
                } else {
                    Input::BindRefused(Condition::Conflict.into())
                }
            }
            ANSWERED => {
                self.wants_answer = false;
                Input::Answered(Ok(None))
            }
            0xFB => {
                self.now += Duration::from_secs(7);
                Input::Tick
            }
            0xFC => Input::SeeOtherHost("o.example".into()),
            0xFD => Input::Shutdown(StreamCondition::SystemShutdown.into()),
            0xFE => Input::Close,
            _ => return,
        };
        let mut effects = Vec::new();
        self.stream.handle(input, self.now, &mut effects);
        self.take(&effects);
        self.goes_on();
    }

    fn verdict(&mut self, account: Option<BareJid>) -> Input {
        self.wants_verdict = false;
        Input::Sasl(match account {
            Some(jid) => SaslReply::Success {
                data: None,
                jid,
                grants: Grants::default(),
            },
            None => SaslReply::Failure {
                condition: SaslCondition::NotAuthorized,
                text: None,
                fatal: false,
            },
        })
    }

    /// Holds each effect against what has happened before it.
    fn take(&mut self, effects: &[Effect]) {
        assert!(
            effects.len() <= MOST_AT_ONCE,
            "{} effects at once",
            effects.len()
        );
        let had_proof = self.proved;
        self.proved = false;
        for effect in effects {
            assert!(!self.is_over, "{effect:?} after the end");
            if !matches!(effect, Effect::Send(_)) {
                self.transcript.push(format!("{effect:?}"));
            }
            match effect {
                Effect::Send(bytes) => self.writes(bytes, had_proof),
                Effect::StartTls => self.starts_tls(),
                Effect::Sasl(request) => self.logs_in(request),
                Effect::BeforeLogin(request) => {
                    assert!(
                        self.has_tls && !self.is_authenticated,
                        "{request:?} out of turn"
                    );
                    assert!(!self.wants_answer && !self.wants_verdict);
                    self.wants_answer = true;
                }
                Effect::Authenticated(account) => {
                    assert!(
                        had_proof && !self.is_authenticated,
                        "nobody has proved anything"
                    );
                    assert_eq!(account.as_str(), ACCOUNT);
                    self.is_authenticated = true;
                    self.proved = true;
                }
                Effect::Bind(_) | Effect::Resume(_) => {
                    self.wants_resume = matches!(effect, Effect::Resume(_));
                    assert!(self.is_authenticated && !self.is_bound && !self.wants_resource);
                    self.binds += 1;
                    assert!(self.binds <= 1 + self.config.bind_retries, "too many binds");
                    self.wants_resource = true;
                }
                Effect::Stanza(_) | Effect::StanzaFault(_) | Effect::Nonza(_) => {
                    self.is_bound |= self.granted;
                    assert!(self.is_bound, "a stanza before a resource");
                }
                Effect::Closing(_) => {
                    assert!(!self.is_closing, "it ends twice");
                    self.is_closing = true;
                }
                Effect::Disconnect => {
                    assert!(self.is_closing, "the connection is closed without a reason");
                    self.is_over = true;
                }
            }
        }
        self.is_bound |= self.granted;
        assert_eq!(self.stream.is_ending(), self.is_closing);
        assert!(!self.stream.is_bound() || self.is_bound, "bound to nothing");
        assert_eq!(self.stream.account().is_some(), self.is_authenticated);
    }

    fn starts_tls(&mut self) {
        assert!(!self.has_tls && !self.is_authenticated, "TLS within TLS");
        assert!(self.offers_starttls(), "TLS that was not offered");
        self.wants_tls = true;
    }

    fn logs_in(&mut self, request: &SaslRequest) {
        let is_ready = self.has_tls
            || matches!(
                self.security,
                Security::StartTls(StartTls::Optional | StartTls::Off)
            );
        assert!(is_ready, "a login without the TLS that is required");
        assert!(
            !self.is_authenticated && !self.wants_verdict,
            "a login out of turn"
        );
        match request {
            SaslRequest::Start { mechanism, .. } => {
                assert!(
                    self.has_tls || mechanism != "PLAIN",
                    "a password in the clear"
                );
                assert!(["SCRAM-SHA-1", "PLAIN"].contains(&mechanism.as_str()));
                self.logins += 1;
                assert!(
                    self.logins <= 1 + self.config.sasl_retries,
                    "too many logins"
                );
                self.wants_verdict = true;
            }
            SaslRequest::Response(_) | SaslRequest::Next(_) | SaslRequest::TaskData(_) => {
                self.wants_verdict = true;
            }
            SaslRequest::Abort => {}
        }
    }

    /// What the server writes is what it may say now.
    fn writes(&mut self, bytes: &[u8], had_proof: bool) {
        let text = String::from_utf8_lossy(bytes);
        self.transcript.push(text.clone().into_owned());
        let says = |what: &str| text.starts_with(what);
        assert!(
            !says("<success") || had_proof || self.is_authenticated,
            "success without a proof"
        );
        assert!(
            !text.contains("<bind xmlns='urn:ietf") || self.is_authenticated,
            "binding is offered too early"
        );
        assert!(
            !text.contains(">PLAIN<") || self.has_tls,
            "PLAIN is offered in the clear"
        );
        assert!(
            !(text.contains("<mechanisms") && self.is_authenticated),
            "SASL is offered again"
        );
        assert!(
            !(text.contains("<starttls") && self.has_tls),
            "STARTTLS is offered again"
        );
        if says("<?xml") {
            self.check_written();
            self.sent.clear();
        }
        self.sent.extend_from_slice(bytes);
    }

    /// What was sent since the last header is a stream, or the beginning of one.
    fn check_written(&self) {
        let mut scanner = Scanner::new(&Limits::default());
        let mut rest = self.sent.as_slice();
        loop {
            let frame = scanner.scan(rest);
            assert!(
                frame.is_ok(),
                "{frame:?} in {}",
                String::from_utf8_lossy(&self.sent)
            );
            let Ok(Some(frame)) = frame else { break };
            let (rookery_xml::Frame::Header { len }
            | rookery_xml::Frame::Stanza { len }
            | rookery_xml::Frame::Whitespace { len }
            | rookery_xml::Frame::End { len }) = frame;
            rest = rest.get(len..).unwrap_or_default();
        }
        assert!(rest.is_empty(), "half an element is sent");
    }
}
