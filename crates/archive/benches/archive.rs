//! What an archive adds to one message: judging it, copying it, handing it out.

use bytes::Bytes;
use criterion::{Criterion, criterion_group, criterion_main};
use rookery_archive::{Side, Treatment};
use rookery_stanza::payload::archive::QueryResult;
use rookery_stanza::payload::carbon::{Carbon, Direction};
use rookery_stanza::payload::delay::Delay;
use rookery_stanza::payload::forwarded::Forwarded;
use rookery_stanza::payload::stanza_id::StanzaId;
use rookery_stanza::{BareJid, MessageType, Stanza};
use std::hint::black_box;

const MESSAGE: &[u8] = b"<message from='juliet@example.com/balcony' to='romeo@example.net/orchard' \
    id='c3f1a6f0-2f5b-4d36-9b57-4d1a1f4f3f5e' type='chat'><body>Art thou not Romeo, and a Montague?</body>\
    <active xmlns='http://jabber.org/protocol/chatstates'/><request xmlns='urn:xmpp:receipts'/>\
    <origin-id xmlns='urn:xmpp:sid:0' id='c3f1a6f0-2f5b-4d36-9b57-4d1a1f4f3f5e'/></message>";

const UNKNOWN: &[u8] =
    b"<message from='juliet@example.com/balcony' to='romeo@example.net/orchard' type='chat'>\
    <x xmlns='urn:example:one'/><x xmlns='urn:example:two'/></message>";

fn stanza(xml: &'static [u8]) -> Stanza {
    Stanza::parse_again(Bytes::from_static(xml)).unwrap_or_else(|_| std::process::abort())
}

fn romeo() -> BareJid {
    BareJid::parse("romeo@example.net").unwrap_or_else(|_| std::process::abort())
}

fn messages(criterion: &mut Criterion) {
    let (message, unknown) = (stanza(MESSAGE), stanza(UNKNOWN));
    let account = romeo();
    criterion.bench_function("judge a chat message", |bencher| {
        bencher.iter(|| Treatment::of(black_box(&message), Side::Recipient));
    });
    criterion.bench_function("judge a message of unknown payloads", |bencher| {
        bencher.iter(|| Treatment::of(black_box(&unknown), Side::Recipient));
    });
    criterion.bench_function(
        "look for forged stanza ids where there are none",
        |bencher| {
            let mut message = message.clone();
            bencher.iter(|| StanzaId::remove_forged(black_box(&mut message), &account));
        },
    );
    criterion.bench_function("make a carbon copy", |bencher| {
        bencher.iter(|| {
            Carbon::new(Direction::Received, black_box(&message))
                .into_message(&account, MessageType::Chat)
        });
    });
    criterion.bench_function("make a result of a query", |bencher| {
        let result = QueryResult {
            query_id: Some("f27".into()),
            id: "28482-98726-73623".into(),
            message: Forwarded {
                delay: Some(Delay {
                    from: None,
                    stamp: 1_278_803_305_000,
                    reason: None,
                }),
                stanza: Bytes::from_static(MESSAGE),
            },
        };
        bencher.iter(|| black_box(&result).to_message());
    });
}

criterion_group!(benches, messages);
criterion_main!(benches);
