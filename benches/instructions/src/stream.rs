//! From the bytes of a read to stanzas, at a stream whose client is bound.

use std::hint::black_box;
use std::sync::Arc;

use bytes::Bytes;
use rookery_lifecycle::Clock;
use rookery_stanza::{BareJid, Jid};
use rookery_stream::{
    Config, Effect, Grants, Inline, Input, Mechanisms, Negotiation, Offer, SaslReply, Security,
    Service, Stage, StartTls, TlsFacts,
};

const HELLO: &str = "<stream:stream to='example.com' version='1.0' xml:lang='en' \
    xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams'>";

#[derive(Debug)]
struct Server;

impl Service for Server {
    fn default_host(&self) -> &'static str {
        "example.com"
    }

    fn serves(&self, _host: &str) -> bool {
        true
    }

    fn offer(&self, _host: &str, _tls: Option<&TlsFacts>) -> Arc<Offer> {
        let mechanisms = Mechanisms {
            names: vec!["EXTERNAL".into()],
            ..Mechanisms::default()
        };
        Arc::new(Offer::new(mechanisms, &Inline::default(), false))
    }

    fn features(&self, _host: &str, _stage: Stage, _tls: Option<&TlsFacts>) -> Bytes {
        Bytes::new()
    }

    fn answers_before_login(&self, _: &str, _: &str, _: Option<&TlsFacts>) -> bool {
        false
    }

    fn stream_id(&self) -> String {
        "id".to_owned()
    }
}

fn bound(clock: &Clock) -> Negotiation {
    let now = clock.now().into_std();
    let security = Security::StartTls(StartTls::Off);
    let config = Arc::new(Config::default());
    let mut stream = Negotiation::new(config, Arc::new(Server), security, now);
    let mut effects = Vec::new();
    let auth = "<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='EXTERNAL'/>";
    stream.receive([HELLO, auth].concat().as_bytes(), now, &mut effects);
    let jid = BareJid::parse("juliet@example.com").unwrap();
    let success = Input::Sasl(SaslReply::Success {
        data: None,
        jid,
        grants: Grants::default(),
    });
    stream.handle(success, now, &mut effects);
    let bind = "<iq id='b' type='set'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/></iq>";
    stream.receive([HELLO, bind].concat().as_bytes(), now, &mut effects);
    let jid = Jid::parse("juliet@example.com/balcony").unwrap();
    stream.handle(
        Input::Bound {
            jid,
            outcomes: Vec::new(),
        },
        now,
        &mut effects,
    );
    assert!(stream.is_bound());
    stream
}

/// `count` messages that come in one read.
pub(crate) fn receive(count: usize) -> Box<dyn FnMut()> {
    let clock = Clock::system();
    let read = crate::samples::MESSAGE.repeat(count);
    let mut stream = bound(&clock);
    let now = clock.now().into_std();
    let mut effects: Vec<Effect> = Vec::new();
    Box::new(move || {
        effects.clear();
        stream.receive(black_box(read.as_bytes()), now, &mut effects);
        assert_eq!(effects.len(), count);
    })
}
