//! Appending messages: one writer waiting for each, and many at once that share a sync; and reading.
#![expect(
    clippy::expect_used,
    reason = "a benchmark that cannot be set up ends there"
)]

use std::sync::Arc;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use futures_util::future::try_join_all;
use rookery_stanza::BareJid;
use rookery_storage::{
    AccountStore, Append, Credentials, OfflineLimit, OfflineMessage, OfflineStore, ScramKeys,
    StoreError,
};
use rookery_storage_embedded::{Config, EmbeddedStore};
use rookery_telemetry::Registry;
use tokio::runtime::Runtime;

/// Accounts that messages are spread over.
const ACCOUNTS: usize = 10_000;

fn account(number: usize) -> BareJid {
    BareJid::parse(&format!("user{number}@montague.example")).expect("a valid address")
}

fn credentials() -> Credentials {
    let keys = |length| ScramKeys {
        salt: vec![1; 16],
        iterations: 10_000,
        stored_key: vec![2; length],
        server_key: vec![3; length],
    };
    Credentials {
        sha1: keys(20),
        sha256: keys(32),
        sha512: keys(64),
    }
}

fn append(number: usize) -> Append {
    let message = OfflineMessage {
        received: 1_700_000_000_000,
        xml: vec![b'x'; 300],
    };
    Append {
        account: account(number % ACCOUNTS),
        message,
    }
}

async fn append_at_once(store: &EmbeddedStore, first: usize, at_once: usize) {
    let one = async |number| -> Result<(), StoreError> {
        store
            .append_offline(vec![append(number)], OfflineLimit::NONE)
            .await
            .map(drop)
    };
    let all = (first..first + at_once).map(one);
    try_join_all(all).await.expect("room for every message");
}

fn bench(criterion: &mut Criterion) {
    let runtime = Runtime::new().expect("a runtime");
    // The temporary directory may be in memory, where a sync costs nothing.
    let directory = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a directory");
    let path = directory.path().join("store.db");
    let config = Config::default();
    let store = EmbeddedStore::open(&path, &config, &Registry::new()).expect("a store");
    let accounts = (0..ACCOUNTS)
        .map(|number| (account(number), credentials()))
        .collect();
    runtime
        .block_on(store.create_accounts(accounts))
        .expect("accounts");

    let mut group = criterion.benchmark_group("append");
    let mut next = 0;
    for at_once in [1, 16, 256] {
        group.throughput(Throughput::Elements(at_once as u64));
        group.bench_function(format!("{at_once} at once"), |bencher| {
            bencher.iter(|| {
                runtime.block_on(append_at_once(&store, next, at_once));
                next += 7919;
            });
        });
    }
    group.finish();
    read(criterion, &runtime, &store);
    runtime.block_on(store.close());
}

fn read(criterion: &mut Criterion, runtime: &Runtime, store: &Arc<EmbeddedStore>) {
    let mut number = 0;
    criterion.bench_function("read an account's credentials", |bencher| {
        bencher.iter(|| {
            number = (number + 7919) % ACCOUNTS;
            runtime
                .block_on(store.credentials(&account(number)))
                .expect("credentials")
        });
    });
}

criterion_group!(benches, bench);
criterion_main!(benches);
