//! A client that does not read what is sent to it: it is let go when too much waits for it, what it did not
//! get finds another way, and nobody else notices.

use std::time::Duration;

use futures_util::future::join;
use rookery_testkit::{Client, Options, Received, Server};
use tokio::time::Instant;

use crate::stage::{available, number, text};

/// More than what the kernel and the server keep for one client.
const MESSAGES: u64 = 160;
const BYTES: usize = 64 * 1024;
/// A chat message takes less than this to somebody who reads, whatever others do.
const TIMELY: Duration = Duration::from_secs(5);

async fn server() -> Server {
    let names = ["romeo", "juliet", "benvolio", "mercutio"];
    let options = Options {
        accounts: names.map(str::to_owned).to_vec(),
        extra: "[session]\nmax_outgoing_bytes = 1048576\n[router]\noffline_bytes = 16777216\n"
            .to_owned(),
        ..Options::default()
    };
    Server::start(options).await.unwrap()
}

/// A client of juliet's that takes in little of what it does not read.
async fn slow_reader(server: &Server, priority: i8) -> Client {
    let mut client = Client::connect_narrow(server.c2s, 64 * 1024).await.unwrap();
    let trust = server.trust(&[]).unwrap();
    let account = ("juliet", "localhost");
    client
        .secure_and_bind(&trust, account, Server::PASSWORD, "slow")
        .await
        .unwrap();
    client.become_available(priority).await.unwrap();
    client
}

/// Sends more than juliet's client takes. The server has dealt with each message before the next one comes.
async fn flood(romeo: &mut Client) {
    for number in 1..=MESSAGES {
        let text = text(number, BYTES);
        romeo.tell("juliet@localhost", &text).await.unwrap();
        romeo.ping("juliet@localhost").await.unwrap();
    }
}

/// Two others talk. Gives the longest time that a message took.
async fn talk(benvolio: &mut Client, mercutio: &mut Client) -> Duration {
    let mut longest = Duration::ZERO;
    for number in 1..=200 {
        let start = Instant::now();
        benvolio
            .tell("mercutio@localhost", &text(number, 100))
            .await
            .unwrap();
        assert_eq!(self::number(&mercutio.hear().await.unwrap()), number);
        longest = longest.max(start.elapsed());
    }
    longest
}

/// The messages that are left in a connection that the server has given up.
async fn rest(client: &mut Client) -> Vec<u64> {
    let mut rest = Vec::new();
    loop {
        match client.receive().await.unwrap() {
            Received::Element(it) if it.name() == "message" => rest.push(number(&it)),
            Received::Closed => return rest,
            _ => {}
        }
    }
}

/// Messages until the last one.
async fn until_last(client: &mut Client) -> Vec<u64> {
    let mut heard = Vec::new();
    while heard.last() != Some(&MESSAGES) {
        heard.push(number(&client.hear().await.unwrap()));
    }
    heard
}

/// Nothing is missing between what the slow reader had in its connection and what came another way. The
/// message that was on its way when the connection was given up may come both ways: without XEP-0198 the
/// server cannot know whether it arrived.
fn assert_nothing_missing(slow: &[u64], other: &[u64]) {
    let split = slow.len() as u64;
    assert!(split > 0 && split < MESSAGES, "{slow:?}");
    assert!(slow.iter().copied().eq(1..=split), "{slow:?}");
    let from = other.first().copied().unwrap();
    assert!(from == split || from == split + 1, "{split} then {from}");
    assert!(other.iter().copied().eq(from..=MESSAGES), "{other:?}");
}

#[tokio::test]
async fn what_a_slow_reader_did_not_get_waits_for_it_and_others_do_not() {
    let server = server().await;
    let mut slow = slow_reader(&server, 0).await;
    let mut romeo = available(&server, "romeo", 0).await;
    let mut benvolio = available(&server, "benvolio", 0).await;
    let mut mercutio = available(&server, "mercutio", 0).await;

    let ((), longest) = join(flood(&mut romeo), talk(&mut benvolio, &mut mercutio)).await;
    assert!(longest < TIMELY, "a message took {longest:?}");
    let closed = "rookery_connections_closed_total{listener=\"c2s\",reason=\"slow_consumer\"}";
    server.until_metric(closed, 1.0).await.unwrap();

    let slow = rest(&mut slow).await;
    let mut again = available(&server, "juliet", 0).await;
    assert_nothing_missing(&slow, &until_last(&mut again).await);
    let lost = "rookery_messages_lost_total{reason=\"overflow\"}";
    assert_eq!(server.metric(lost).await.unwrap(), Some(0.0));
}

#[tokio::test]
async fn what_a_slow_reader_did_not_get_goes_to_another_device() {
    let server = server().await;
    let mut slow = slow_reader(&server, 5).await;
    let mut desk = server.log_in("juliet", "desk").await.unwrap();
    desk.become_available(1).await.unwrap();
    let mut romeo = available(&server, "romeo", 0).await;

    let ((), other) = join(flood(&mut romeo), until_last(&mut desk)).await;
    assert_nothing_missing(&rest(&mut slow).await, &other);
}
