//! SIGTERM while clients are online: nobody new is let in, everybody is told, nothing is lost, and the
//! server ends by itself.

use std::time::Duration;

use futures_util::future::{join, join_all};
use rookery_testkit::{Client, Received, Server};
use rookery_xml::Element;
use tokio::sync::Semaphore;
use tokio::time::Instant;

use crate::stage::{available, log_in_direct, number, text, with_accounts};

const CLIENTS: usize = 20;
/// An end takes less than this, though one client does not do its part.
const PATIENCE: Duration = Duration::from_secs(30);

fn is_shutdown(element: &Element) -> bool {
    element.is("error", "http://etherx.jabber.org/streams")
        && element
            .child("system-shutdown", "urn:ietf:params:xml:ns:xmpp-streams")
            .is_some()
}

/// Reads until the server says that it ends (RFC 6120 §4.9.3.18).
async fn is_told(client: &mut Client) {
    client.until(is_shutdown).await.unwrap();
    // §4.9.1.1: the error is followed by the end of the stream.
    assert_eq!(client.receive().await.unwrap(), Received::StreamEnd);
}

/// Whether somebody new is let in.
async fn is_let_in(server: &Server) -> bool {
    match Client::connect(server.c2s).await {
        Ok(mut client) => client.open("localhost").await.is_ok(),
        Err(_) => false,
    }
}

#[tokio::test]
async fn clients_are_told_that_the_server_ends_s4_9_3_18() {
    let names: Vec<_> = (0..CLIENTS).map(|index| format!("user{index}")).collect();
    let mut server = Server::start(with_accounts(&names)).await.unwrap();
    let mut clients = Vec::new();
    for (index, name) in names.iter().enumerate() {
        clients.push(if index % 2 == 0 {
            available(&server, name, 0).await
        } else {
            log_in_direct(&server, name).await.unwrap()
        });
    }
    // This one never closes its stream, and that one has not even logged in.
    let mut sulking = clients.pop().unwrap();
    let mut stranger = Client::connect(server.c2s).await.unwrap();
    stranger.open("localhost").await.unwrap();

    let start = Instant::now();
    server.signal("TERM").unwrap();
    is_told(&mut sulking).await;
    is_told(&mut stranger).await;
    stranger.log_out().await.unwrap();
    assert!(!is_let_in(&server).await);
    assert_eq!(server.get("/readyz").await.unwrap().0, 503);
    join_all(clients.iter_mut().map(async |client| {
        is_told(client).await;
        client.send("</stream:stream>").await.unwrap();
        client.closed().await.unwrap();
    }))
    .await;
    let status = server.exited().await.unwrap();
    assert_eq!(status.code(), Some(0), "{}", server.log());
    assert!(start.elapsed() < PATIENCE, "{:?}", start.elapsed());
    sulking.closed().await.unwrap();
}

#[tokio::test]
async fn who_logs_in_while_the_server_ends_is_told_or_refused_and_does_not_hold_it_up() {
    let names: Vec<_> = (0..40).map(|index| format!("user{index}")).collect();
    let mut server = Server::start(with_accounts(&names)).await.unwrap();
    let some_are_in = Semaphore::new(0);
    let log_in = async |name: &String| {
        if let Ok(mut client) = server.log_in(name, "desk").await {
            some_are_in.add_permits(1);
            is_told(&mut client).await;
            client.log_out().await.unwrap();
        }
    };
    let end = async {
        some_are_in.acquire_many(8).await.unwrap().forget();
        server.signal("TERM").unwrap();
    };
    join(join_all(names.iter().map(log_in)), end).await;

    let start = Instant::now();
    assert_eq!(
        server.exited().await.unwrap().code(),
        Some(0),
        "{}",
        server.log()
    );
    assert!(start.elapsed() < PATIENCE, "{:?}", start.elapsed());
    assert_eq!(server.log().matches("panic").count(), 0, "{}", server.log());
}

#[tokio::test]
async fn what_was_sent_before_the_end_is_kept() {
    let names = ["romeo", "juliet"];
    let mut server = Server::start(with_accounts(&names)).await.unwrap();
    let mut romeo = available(&server, "romeo", 0).await;
    for number in 1..=200 {
        let text = text(number, 1000);
        romeo.tell("juliet@localhost", &text).await.unwrap();
    }
    romeo.ping("localhost").await.unwrap();
    server.signal("TERM").unwrap();
    is_told(&mut romeo).await;
    drop(romeo);
    assert_eq!(server.exited().await.unwrap().code(), Some(0));

    server.restart().await.unwrap();
    let mut juliet = available(&server, "juliet", 0).await;
    for expected in 1..=200 {
        assert_eq!(number(&juliet.hear().await.unwrap()), expected);
    }
}
