//! A server under everything at once, for long: people who talk, people who come and go, people who do not
//! read, people who mean harm, phones whose streams are resumed (XEP-0198) or not, with their archives, carbons
//! and push. Memory, descriptors and the time of a message stay as they were.
//!
//! It takes a minute and a quarter. The long form is
//! `SOAK_MINUTES=30 cargo test --release --package rookery-hostile --test soak -- --nocapture`, after
//! `cargo build --release --package rookery-server`.

#![cfg(test)]

mod harm;
mod people;
mod phones;
mod vitals;

use std::time::Duration;

use futures_util::FutureExt as _;
use futures_util::future::{LocalBoxFuture, join, join_all};
use rookery_testkit::{Options, Server};
use tokio::time::Instant;

use crate::phones::Phones;
use crate::vitals::Vitals;

/// How many people talk to each other all the time: an even number.
const TALKERS: usize = 20;
const PASSERS_BY: usize = 4;
const SLOW_READERS: usize = 2;
const ATTACKERS: usize = 3;
const PHONES: usize = 6;

/// In how many windows the time is cut. The first five are for warming up, the others are compared.
const WINDOWS: u32 = 15;
const WARM_UP: usize = 5;
const SHORT: Duration = Duration::from_secs(75);

/// What the people of a soak know.
struct Soak {
    server: Server,
    vitals: Vitals,
    phones: Phones,
    start: Instant,
    /// When everybody leaves.
    end: Instant,
}

// === impl Soak ===

impl Soak {
    fn goes_on(&self) -> bool {
        Instant::now() < self.end
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "who starts a test has no other way to tell it something"
)]
fn length() -> Duration {
    let minutes = std::env::var("SOAK_MINUTES").ok();
    minutes.map_or(SHORT, |minutes| {
        Duration::from_secs(60 * minutes.parse::<u64>().unwrap())
    })
}

async fn server() -> Server {
    let talkers = (0..TALKERS).map(people::talker);
    let others = (0..PASSERS_BY).map(people::passer_by);
    let slow = (0..SLOW_READERS).flat_map(|number| [people::slow(number), people::flooder(number)]);
    let attackers = (0..ATTACKERS).map(harm::attacker);
    let phones = (0..PHONES).flat_map(|number| [phones::phone(number), phones::caller(number)]);
    let phones = phones.chain([phones::SERVICE.to_owned()]);
    let options = Options {
        accounts: talkers
            .chain(others)
            .chain(slow)
            .chain(attackers)
            .chain(phones)
            .collect(),
        extra:
            "[session]\nmax_outgoing_bytes = 1048576\nresume_timeout_seconds = 5\n[stream]\nnegotiation_timeout_seconds = 5\n\
                [auth]\niterations = 4096\n[log]\nlevel = \"warn\"\n"
                .to_owned(),
        ..Options::default()
    };
    Server::start(options).await.unwrap()
}

/// Nobody is left, and every descriptor that was opened for somebody is closed.
async fn assert_left(soak: &Soak, descriptors: usize) {
    soak.server
        .until_metric("rookery_sessions", 0.0)
        .await
        .unwrap();
    for listener in ["c2s", "c2s_tls"] {
        let connections = format!("rookery_connections{{listener=\"{listener}\"}}");
        soak.server.until_metric(&connections, 0.0).await.unwrap();
    }
    for nothing in ["rookery_sm_detached_sessions", "rookery_sm_unacked_stanzas"] {
        soak.server.until_metric(nothing, 0.0).await.unwrap();
    }
    let open = soak.vitals.descriptors(soak.server.pid());
    // The store opens some for itself when it first needs them.
    assert!(
        open <= descriptors + 8,
        "{open} descriptors after, {descriptors} before"
    );
    let slow = "rookery_connections_closed_total{listener=\"c2s\",reason=\"slow_consumer\"}";
    assert!(soak.server.metric(slow).await.unwrap() > Some(0.0));
    for zero in [
        "rookery_panics_total",
        "rookery_messages_lost_total{reason=\"overflow\"}",
    ] {
        assert_eq!(soak.server.metric(zero).await.unwrap(), Some(0.0), "{zero}");
    }
}

#[tokio::test]
async fn memory_descriptors_and_times_stay_as_they_were() {
    let server = server().await;
    server
        .log_in(&people::talker(0), "first")
        .await
        .unwrap()
        .log_out()
        .await
        .unwrap();
    server
        .until_metric("rookery_connections{listener=\"c2s\"}", 0.0)
        .await
        .unwrap();
    let vitals = Vitals::default();
    let descriptors = vitals.descriptors(server.pid());
    let start = Instant::now();
    let soak = Soak {
        server,
        vitals,
        phones: Phones::default(),
        start,
        end: start + length(),
    };

    let mut cast: Vec<LocalBoxFuture<'_, ()>> = Vec::new();
    cast.extend((0..TALKERS).map(|number| people::talks(&soak, number).boxed_local()));
    cast.extend((0..PASSERS_BY).map(|number| people::comes_and_goes(&soak, number).boxed_local()));
    cast.extend((0..SLOW_READERS).map(|number| people::does_not_read(&soak, number).boxed_local()));
    cast.extend((0..ATTACKERS).map(|number| harm::attacks(&soak, number).boxed_local()));
    cast.extend((0..PHONES).map(|number| phones::carries(&soak, number).boxed_local()));
    cast.extend((0..PHONES).map(|number| phones::calls(&soak, number).boxed_local()));
    cast.push(phones::serves(&soak).boxed_local());
    let watch = soak.vitals.watch(&soak.server, length() / WINDOWS, WINDOWS);
    join(join_all(cast), watch).await;

    soak.vitals.assert_all_heard();
    soak.phones.assert_used();
    soak.vitals.assert_steady(WARM_UP);
    assert_left(&soak, descriptors).await;
}
