//! What one stanza costs: reading, writing, answering, changing.

use bytes::Bytes;
use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use rookery_stanza::payload::delay::Delay;
use rookery_stanza::{Condition, Jid, Stanza, StanzaError, ns};
use rookery_xml::{Limits, StreamNamespaces};
use std::hint::black_box;

const MESSAGE: &[u8] = b"<message from='juliet@example.com/balcony' to='romeo@example.net/orchard' \
    id='c3f1a6f0-2f5b-4d36-9b57-4d1a1f4f3f5e' type='chat'><body>Art thou not Romeo, and a Montague?</body>\
    <active xmlns='http://jabber.org/protocol/chatstates'/><request xmlns='urn:xmpp:receipts'/>\
    <origin-id xmlns='urn:xmpp:sid:0' id='c3f1a6f0-2f5b-4d36-9b57-4d1a1f4f3f5e'/></message>";

fn namespaces() -> StreamNamespaces {
    StreamNamespaces::with_default(ns::CLIENT).and_prefix("stream", ns::STREAM)
}

fn read(frame: &Bytes, namespaces: &StreamNamespaces) -> Stanza {
    Stanza::parse(frame.clone(), namespaces, &Limits::default())
        .unwrap_or_else(|_| std::process::abort())
}

fn sender() -> Jid {
    Jid::parse("example.com").unwrap_or_else(|_| std::process::abort())
}

fn stanzas(criterion: &mut Criterion) {
    let namespaces = namespaces();
    let frame = Bytes::from_static(MESSAGE);
    let message = read(&frame, &namespaces);
    criterion.bench_function("parse a chat message", |bencher| {
        bencher.iter(|| read(black_box(&frame), &namespaces));
    });
    criterion.bench_function("write a chat message", |bencher| {
        let mut out = Vec::with_capacity(4096);
        bencher.iter(|| {
            out.clear();
            black_box(&message).write(&mut out);
        });
    });
    criterion.bench_function("copy a chat message", |bencher| {
        bencher.iter(|| black_box(&message).clone());
    });
    criterion.bench_function("make an error reply", |bencher| {
        let error = StanzaError::new(Condition::ServiceUnavailable);
        bencher.iter(|| black_box(&message).error_reply(&error));
    });
    criterion.bench_function("append a delay stamp", |bencher| {
        let delay = Delay::new(sender(), 1_031_699_305_000).to_element();
        bencher.iter_batched(
            || (message.clone(), delay.clone()),
            |(mut message, delay)| {
                message.append(delay);
                message
            },
            BatchSize::SmallInput,
        );
    });
}

fn jids(criterion: &mut Criterion) {
    for (name, text) in [
        ("ASCII", "juliet@example.com/balcony"),
        ("ASCII in capitals", "Juliet@Example.COM/balcony"),
        ("Unicode", "j\u{fc}rgen@b\u{fc}cher.example/K\u{fc}che"),
    ] {
        criterion.bench_function(&format!("parse a JID, {name}"), |bencher| {
            bencher.iter(|| Jid::parse(black_box(text)));
        });
    }
}

criterion_group!(benches, stanzas, jids);
criterion_main!(benches);
