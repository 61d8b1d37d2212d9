//! From the bytes of a read to stanzas: what a bound client's chat messages cost.

use std::hint::black_box;
use std::sync::Arc;

use bytes::Bytes;
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use rookery_lifecycle::Clock;
use rookery_stanza::{BareJid, Jid, Stanza};
use rookery_stream::{
    Config, Effect, Frame, Framing, Grants, Inline, Input, Mechanisms, Negotiation, Offer,
    SaslReply, Security, Service, Stage, StartTls, TlsFacts,
};
use rookery_xml::StreamNamespaces;

const HELLO: &str = "<stream:stream to='im.example.com' version='1.0' xml:lang='en' \
    xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams'>";

const MESSAGE: &str = "<message type='chat' to='romeo@im.example.com/orchard' \
    id='b1a2c3d4-0000-4000-8000-9f8e7d6c5b4a'><body>Wherefore art thou, Romeo? Deny thy father and \
    refuse thy name.</body><active xmlns='http://jabber.org/protocol/chatstates'/>\
    <request xmlns='urn:xmpp:receipts'/><origin-id xmlns='urn:xmpp:sid:0' \
    id='b1a2c3d4-0000-4000-8000-9f8e7d6c5b4a'/></message>";

#[derive(Debug)]
struct Server;

impl Service for Server {
    fn default_host(&self) -> &'static str {
        "im.example.com"
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

    fn answers_before_login(&self, _: &str, _: &str, _: Option<&TlsFacts>) -> bool {
        false
    }

    fn features(&self, _host: &str, _stage: Stage, _tls: Option<&TlsFacts>) -> Bytes {
        Bytes::new()
    }

    fn stream_id(&self) -> String {
        "id".to_owned()
    }
}

/// A stream whose client is bound.
#[expect(clippy::unwrap_used, reason = "addresses that are known to be good")]
fn bound(clock: &Clock) -> Negotiation {
    let now = clock.now().into_std();
    let security = Security::StartTls(StartTls::Off);
    let mut stream = Negotiation::new(Arc::new(Config::default()), Arc::new(Server), security, now);
    let mut effects = Vec::new();
    let auth = "<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='EXTERNAL'/>";
    stream.receive([HELLO, auth].concat().as_bytes(), now, &mut effects);
    let jid = BareJid::parse("juliet@im.example.com").unwrap();
    stream.handle(
        Input::Sasl(SaslReply::Success {
            data: None,
            jid,
            grants: Grants::default(),
        }),
        now,
        &mut effects,
    );
    let bind = "<iq id='b' type='set'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/></iq>";
    stream.receive([HELLO, bind].concat().as_bytes(), now, &mut effects);
    let jid = Jid::parse("juliet@im.example.com/balcony").unwrap();
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

fn messages(criterion: &mut Criterion) {
    let clock = Clock::system();
    let mut group = criterion.benchmark_group("messages_per_read");
    for count in [1_u8, 10] {
        let read = MESSAGE.repeat(count.into());
        let mut stream = bound(&clock);
        let now = clock.now().into_std();
        let mut effects: Vec<Effect> = Vec::new();
        group.throughput(Throughput::Elements(count.into()));
        group.bench_function(BenchmarkId::from_parameter(count), |bencher| {
            bencher.iter(|| {
                effects.clear();
                stream.receive(black_box(read.as_bytes()), now, &mut effects);
                assert_eq!(effects.len(), usize::from(count));
            });
        });
    }
    group.finish();
}

/// The part of it that finds and copies frames.
fn frames(criterion: &mut Criterion) {
    let mut framing = Framing::new(&Config::default().limits(true));
    framing.push(HELLO.as_bytes());
    assert!(matches!(framing.next_frame(), Ok(Some(Frame::Header(_)))));
    criterion.bench_function("frame", |bencher| {
        bencher.iter(|| {
            framing.push(black_box(MESSAGE.as_bytes()));
            black_box(framing.next_frame())
        });
    });
}

/// The part of it that reads a stanza.
fn stanzas(criterion: &mut Criterion) {
    let limits = Config::default().limits(true);
    let namespaces = StreamNamespaces::with_default("jabber:client");
    criterion.bench_function("parse", |bencher| {
        bencher.iter(|| {
            let frame = Bytes::copy_from_slice(black_box(MESSAGE.as_bytes()));
            black_box(Stanza::parse(frame, &namespaces, &limits))
        });
    });
}

criterion_group!(benches, messages, frames, stanzas);
criterion_main!(benches);
