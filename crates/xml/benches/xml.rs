//! What the XML layer costs per stanza: boundaries, the strict check, the tree, and writing it.

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use rookery_xml::{Element, Frame, Limits, Scanner, StreamNamespaces, read_top};

const HEADER: &str = "<?xml version='1.0'?><stream:stream to='example.org' version='1.0' \
     xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams'>";

/// A chat message with a body of 100 bytes, chat state, receipt request and origin id.
const MESSAGE: &str = "<message type='chat' to='juliet@example.org/balcony' \
     id='b9f6a4c2-6d3b-4c11-9a56-0d3f1f1f9f4e' xml:lang='en'>\
     <body>But soft! What light through yonder window breaks? It is the east, and \
     Juliet is the sun. Arise, sun</body>\
     <active xmlns='http://jabber.org/protocol/chatstates'/><request xmlns='urn:xmpp:receipts'/>\
     <origin-id xmlns='urn:xmpp:sid:0' id='b9f6a4c2-6d3b-4c11-9a56-0d3f1f1f9f4e'/></message>";

const PRESENCE: &str = "<presence id='p1'><show>away</show><priority>5</priority>\
     <c xmlns='http://jabber.org/protocol/caps' hash='sha-1' node='https://example.org/client' \
     ver='QgayPKawpkPSDYmwT/WM94uAlu0='/></presence>";

const IQ: &str = "<iq type='get' id='disco-1' to='example.org'>\
     <query xmlns='http://jabber.org/protocol/disco#info' node='https://example.org/client'/></iq>";

const STANZAS: [(&str, &str); 3] = [("message", MESSAGE), ("presence", PRESENCE), ("iq", IQ)];

fn bench(c: &mut Criterion) {
    let limits = Limits::default();
    let namespaces = StreamNamespaces::with_default("jabber:client");

    let mut group = c.benchmark_group("scan");
    for (name, stanza) in STANZAS {
        let mut scanner = Scanner::new(&limits);
        assert!(matches!(
            scanner.scan(HEADER.as_bytes()),
            Ok(Some(Frame::Header { .. }))
        ));
        group.throughput(Throughput::Bytes(stanza.len() as u64));
        group.bench_function(name, |b| {
            b.iter(|| scanner.scan(black_box(stanza.as_bytes())).is_ok());
        });
    }
    group.finish();

    let mut group = c.benchmark_group("read_top");
    for (name, stanza) in STANZAS {
        group.throughput(Throughput::Bytes(stanza.len() as u64));
        group.bench_function(name, |b| {
            b.iter(|| {
                read_top(black_box(stanza.as_bytes()), &namespaces, &limits).is_ok_and(|t| t.plain)
            });
        });
    }
    group.finish();

    let mut group = c.benchmark_group("parse");
    for (name, stanza) in STANZAS {
        group.throughput(Throughput::Bytes(stanza.len() as u64));
        group.bench_function(name, |b| {
            b.iter(|| Element::parse(black_box(stanza.as_bytes()), &namespaces, &limits));
        });
    }
    group.finish();

    let mut group = c.benchmark_group("write");
    for (name, stanza) in STANZAS {
        let Ok(element) = Element::parse(stanza.as_bytes(), &namespaces, &limits) else {
            continue;
        };
        let mut out = Vec::new();
        group.throughput(Throughput::Bytes(stanza.len() as u64));
        group.bench_function(name, |b| {
            b.iter(|| {
                out.clear();
                black_box(&element).write("jabber:client", &mut out);
                out.len()
            });
        });
    }
    group.finish();
}

criterion_group!(benches, bench);
criterion_main!(benches);
