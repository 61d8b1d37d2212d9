//! Whole streams: what the client says, and what comes of it.

mod authentication;
mod before_login;
mod binding;
mod closing;
mod encryption;
mod limits;
mod opening;
mod properties;
mod sasl2;
mod stanzas;
mod stream_management;

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use rookery_lifecycle::Clock;
use rookery_stanza::{BareJid, Jid, ns};
use rookery_xml::Element;

use super::{Negotiation, Security};
use crate::{
    Bind2, BindWish, Config, Effect, Ending, Grants, Inline, Input, Mechanisms, Offer, SaslReply,
    SaslRequest, Service, Stage, StartTls, TlsFacts, write_features,
};

const HOST: &str = "im.example.com";
const ACCOUNT: &str = "juliet@im.example.com";

/// What a client of `HOST` says first.
const HELLO: &str = "<?xml version='1.0'?><stream:stream to='im.example.com' version='1.0' \
    xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams'>";

const AUTH: &str =
    "<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='SCRAM-SHA-1'>biws</auth>";
const BIND: &str = "<iq id='b1' type='set'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/></iq>";
const STARTTLS: &str = "<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>";

/// A server with two hosts; its stream ids count.
#[derive(Debug, Default)]
struct TestService {
    streams: AtomicU32,
}

impl Service for TestService {
    fn default_host(&self) -> &str {
        HOST
    }

    fn serves(&self, host: &str) -> bool {
        matches!(host, HOST | "other.example")
    }

    fn offer(&self, _host: &str, tls: Option<&TlsFacts>) -> Arc<Offer> {
        let mechanisms = Mechanisms {
            names: vec!["SCRAM-SHA-1".into(), "PLAIN".into()],
            channel_bindings: tls
                .map(|tls| tls.channel_bindings.clone())
                .unwrap_or_default(),
            tokens: vec!["HT-SHA-256-EXPR"],
            upgrades: vec!["UPGR-SCRAM-SHA-256"],
        };
        let inline = Inline {
            bind: vec![ns::CARBONS],
            resume: true,
        };
        Arc::new(Offer::new(mechanisms, &inline, tls.is_some()))
    }

    fn answers_before_login(&self, host: &str, namespace: &str, tls: Option<&TlsFacts>) -> bool {
        host == HOST && namespace == "jabber:iq:register" && tls.is_some()
    }

    fn features(&self, _host: &str, stage: Stage, _tls: Option<&TlsFacts>) -> Bytes {
        match stage {
            Stage::Authentication => Bytes::new(),
            Stage::Binding | Stage::Bound => {
                write_features(&[Element::new("ver", ns::ROSTER_VERSIONING)])
            }
        }
    }

    fn stream_id(&self) -> String {
        format!("id{}", self.streams.fetch_add(1, Ordering::Relaxed) + 1)
    }
}

/// A stream, and the time in which it happens. Every method returns what came of it, written down.
struct Play {
    stream: Negotiation,
    now: Instant,
}

impl Play {
    fn new(security: Security) -> Self {
        Self::with(Config::default(), security)
    }

    fn with(config: Config, security: Security) -> Self {
        let now = Clock::system().now().into_std();
        let service = Arc::<TestService>::default();
        Self {
            stream: Negotiation::new(Arc::new(config), service, security, now),
            now,
        }
    }

    /// Before the first header, TLS off.
    fn clear() -> Self {
        Self::new(Security::StartTls(StartTls::Off))
    }

    /// Before the first header, inside TLS.
    fn secure() -> Self {
        Self::secure_with(Config::default())
    }

    fn secure_with(config: Config) -> Self {
        let mut play = Self::with(config, Security::DirectTls);
        play.told(Input::TlsEstablished(TlsFacts {
            channel_bindings: vec!["tls-exporter", "tls-server-end-point"],
            ..TlsFacts::default()
        }));
        play
    }

    /// Features are sent, SASL is next.
    fn greeted() -> Self {
        let mut play = Self::secure();
        play.hears(HELLO);
        play
    }

    /// Authenticated, features are sent, binding is next.
    fn authenticated() -> Self {
        Self::authenticated_with(Config::default())
    }

    fn authenticated_with(config: Config) -> Self {
        let mut play = Self::secure_with(config);
        play.hears(HELLO);
        play.hears(AUTH);
        play.told(success());
        play.hears(HELLO);
        play
    }

    fn bound() -> Self {
        Self::bound_with(Config::default())
    }

    fn bound_with(config: Config) -> Self {
        let mut play = Self::authenticated_with(config);
        play.hears(BIND);
        play.told(bound("balcony"));
        assert!(play.stream.is_bound());
        play
    }

    fn hears(&mut self, text: &str) -> String {
        let mut effects = Vec::new();
        self.stream.receive(text.as_bytes(), self.now, &mut effects);
        written(&effects)
    }

    fn told(&mut self, input: Input) -> String {
        let mut effects = Vec::new();
        self.stream.handle(input, self.now, &mut effects);
        written(&effects)
    }

    fn waits(&mut self, seconds: u64) -> String {
        self.now += Duration::from_secs(seconds);
        self.told(Input::Tick)
    }
}

fn success() -> Input {
    Input::Sasl(SaslReply::Success {
        data: None,
        jid: BareJid::parse(ACCOUNT).unwrap(),
        grants: Grants::default(),
    })
}

fn bound(resource: &str) -> Input {
    Input::Bound {
        jid: Jid::parse(&format!("{ACCOUNT}/{resource}")).unwrap(),
        outcomes: Vec::new(),
    }
}

fn resumed() -> Input {
    Input::Resumed {
        jid: Jid::parse(&format!("{ACCOUNT}/balcony")).unwrap(),
        reply: Element::new("resumed", ns::STREAM_MANAGEMENT),
    }
}

/// Effects as text: what is sent, and the rest in brackets.
fn written(effects: &[Effect]) -> String {
    let bytes = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let one = |effect: &Effect| match effect {
        Effect::Send(data) => bytes(data),
        Effect::StartTls => "[starttls]".into(),
        Effect::Sasl(SaslRequest::Start {
            mechanism, initial, ..
        }) => {
            format!("[start {mechanism} {:?}]", initial.as_deref().map(bytes))
        }
        Effect::Sasl(SaslRequest::Next(task)) => format!("[next {task}]"),
        Effect::Sasl(SaslRequest::TaskData(_)) => "[task data]".into(),
        Effect::Sasl(SaslRequest::Response(data)) => format!("[response {:?}]", bytes(data)),
        Effect::Sasl(SaslRequest::Abort) => "[abort]".into(),
        Effect::BeforeLogin(request) => format!("[before login {request:?}]"),
        Effect::Authenticated(account) => format!("[authenticated {account}]"),
        Effect::Bind(BindWish {
            resource, bind2, ..
        }) => match bind2 {
            None => format!("[bind {resource:?}]"),
            Some(Bind2 { carbons, enable }) => {
                let enable = enable.is_some();
                format!("[bind2 {resource:?} carbons={carbons} enable={enable}]")
            }
        },
        Effect::Stanza(stanza) => {
            let mut out = Vec::new();
            stanza.write(&mut out);
            format!("[stanza {}]", bytes(&out))
        }
        Effect::Resume(request) => {
            let previous = request.attribute("previd").unwrap_or_default();
            format!("[resume {previous}]")
        }
        Effect::Nonza(element) => format!("[nonza {}]", element.name()),
        Effect::StanzaFault(fault) => format!("[fault {}]", fault.error.condition.as_str()),
        // Which limit it is, is told beside the error: `limits` looks at that.
        Effect::Closing(Ending::Exceeded(..)) => "[closing Error]".into(),
        Effect::Closing(ending) => {
            let text = format!("{ending:?}");
            format!(
                "[closing {}]",
                text.split_once('(').map_or(&*text, |(name, _)| name)
            )
        }
        Effect::Disconnect => "[disconnect]".into(),
    };
    effects.iter().map(one).collect()
}

/// The server's header with this id; `to` and `version` as given, with a space before.
fn header(id: u32, rest: &str) -> String {
    format!(
        "<?xml version='1.0'?><stream:stream from='{HOST}' id='id{id}'{rest} xml:lang='en' \
         xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams'>"
    )
}

/// The end by this error, which has a text or not.
fn error(condition: &str) -> String {
    format!(
        "[closing Error]<stream:error><{condition} xmlns='{}'/></stream:error></stream:stream>",
        ns::STREAM_ERRORS
    )
}

/// Asserts that the transcript ends with this stream error, whatever its text.
#[track_caller]
fn assert_error(transcript: &str, condition: &str) {
    let begin = format!(
        "[closing Error]<stream:error><{condition} xmlns='{}'",
        ns::STREAM_ERRORS
    );
    assert!(transcript.contains(&begin), "{condition}: {transcript}");
    assert!(
        transcript.ends_with("</stream:error></stream:stream>"),
        "{transcript}"
    );
}
