//! What stream management adds to one message, in either direction.

use bytes::Bytes;
use criterion::{Criterion, criterion_group, criterion_main};
use rookery_delivery::{Custody, Delivery};
use rookery_session::stream_management::{Enable, Limits, StreamManagement};
use rookery_stanza::{RowId, Stanza};
use std::hint::black_box;

const MESSAGE: &[u8] = b"<message from='juliet@example.com/balcony' to='romeo@example.net/orchard' \
    id='c3f1a6f0-2f5b-4d36-9b57-4d1a1f4f3f5e' type='chat'><body>Art thou not Romeo, and a Montague?</body></message>";

fn message() -> Delivery {
    let stanza = Stanza::parse_again(Bytes::from_static(MESSAGE));
    let mut delivery = Delivery::from(stanza.unwrap_or_else(|_| std::process::abort()));
    delivery.custody = Custody::Log(RowId::from_halves(1, 0));
    delivery
}

fn enabled() -> StreamManagement {
    let mut management = StreamManagement::new(Limits::default());
    management.enable(Enable::default(), true, None);
    management
}

fn messages(criterion: &mut Criterion) {
    criterion.bench_function("take, settle and acknowledge a stanza", |bencher| {
        let mut management = enabled();
        bencher.iter(|| {
            let number = management.received().unwrap_or_default();
            let told = management.settled(black_box(number));
            (told, management.requested())
        });
    });
    criterion.bench_function("keep 16 messages until they are acknowledged", |bencher| {
        let (message, now) = (message(), tokio::time::Instant::now());
        let mut management = enabled();
        let mut sent = 0;
        bencher.iter(|| {
            for _ in 0..16 {
                management.sent(black_box(&message), 0);
            }
            sent += 16;
            let request = management.flushed(now);
            (request, management.answered(sent, now))
        });
    });
}

criterion_group!(benches, messages);
criterion_main!(benches);
