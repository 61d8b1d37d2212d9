//! People who use a server as they may: who talk, who come and go, who do not read.

use std::time::Duration;

use rookery_testkit::{Client, ClientError, Received, Server};
use rookery_xml::Element;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep};

use crate::Soak;

/// A talker says something this often.
const PACE: Duration = Duration::from_millis(100);
/// Every so many messages a talker shows another presence.
const MESSAGES_PER_PRESENCE: u64 = 20;
/// How long the last message may take.
const LAST_WORDS: Duration = Duration::from_secs(10);
/// How many messages of 64 KiB are more than kernel and server keep for one client.
const FLOOD: usize = 160;
const PAUSE: Duration = Duration::from_millis(200);

pub(crate) fn talker(number: usize) -> String {
    format!("talker{number}")
}

pub(crate) fn passer_by(number: usize) -> String {
    format!("passer{number}")
}

pub(crate) fn slow(number: usize) -> String {
    format!("slow{number}")
}

pub(crate) fn flooder(number: usize) -> String {
    format!("flooder{number}")
}

/// Talks with a friend until the end. Every message carries the time at which it was sent.
pub(crate) async fn talks(soak: &Soak, number: usize) {
    let mut client = soak.server.log_in(&talker(number), "desk").await.unwrap();
    let friend = format!("{}@localhost", talker(number ^ 1));
    client.become_available(0).await.unwrap();
    for kind in ["subscribe", "subscribed"] {
        let presence = format!("<presence to='{friend}' type='{kind}'/>");
        client.send(presence).await.unwrap();
    }
    // What the other one got before it was there it would get late.
    let is_there = |from: &str| from.starts_with(&friend) && from != friend;
    let comes = |it: &Element| {
        it.is("presence", "jabber:client") && it.attribute("from").is_some_and(is_there)
    };
    client.until(comes).await.unwrap();
    let mut pace = interval(PACE);
    pace.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut said = 0_u64;
    while soak.goes_on() {
        tokio::select! {
            _ = pace.tick() => {
                said += 1;
                soak.vitals.sent();
                client.tell(&friend, &format!("sent {}", soak.start.elapsed().as_micros())).await.unwrap();
                if said.is_multiple_of(MESSAGES_PER_PRESENCE) {
                    client.send(format!("<presence><status>{said}</status></presence>")).await.unwrap();
                }
            }
            received = client.receive() => listen(soak, received.unwrap()),
        }
    }
    let enough = Instant::now() + LAST_WORDS;
    while let Ok(received) = client.receive_until(enough).await {
        listen(soak, received);
    }
    client.log_out().await.unwrap();
}

fn listen(soak: &Soak, received: Received) {
    let Received::Element(element) = received else {
        panic!("{received:?}");
    };
    let body = element
        .child("body", "jabber:client")
        .map(|body| body.text().into_owned());
    let sent = body.as_deref().and_then(|body| body.strip_prefix("sent "));
    if let Some(sent) = sent {
        let sent = soak.start + Duration::from_micros(sent.parse().unwrap());
        soak.vitals.heard(sent.elapsed());
    }
}

/// Logs in, does this and that, and leaves: politely, in silence, or in the middle of a word.
pub(crate) async fn comes_and_goes(soak: &Soak, number: usize) {
    let mut visits = 0_usize;
    while soak.goes_on() {
        visits += 1;
        let mut client = soak
            .server
            .log_in(&passer_by(number), "door")
            .await
            .unwrap();
        let roster = "<iq type='get' id='roster'><query xmlns='jabber:iq:roster'/></iq>";
        client.ask("roster", roster).await.unwrap();
        client.become_available(0).await.unwrap();
        client
            .tell(&format!("{}@localhost", talker(0)), "good day")
            .await
            .unwrap();
        client.ping("localhost").await.unwrap();
        match visits % 3 {
            0 => client.log_out().await.unwrap(),
            1 => client.abort(),
            _ => {
                client.send("<message to='talker0@localh").await.unwrap();
                client.shut_down().await.unwrap();
            }
        }
        soak.vitals.visited();
        sleep(PAUSE).await;
    }
}

/// Is sent more than it reads, again and again. The server lets it go before it does by itself.
pub(crate) async fn does_not_read(soak: &Soak, number: usize) {
    let mut flooder = soak.server.log_in(&flooder(number), "here").await.unwrap();
    let headline = format!(
        "<message to='{}@localhost/slow' type='headline'><body>{}</body></message>",
        slow(number),
        "a".repeat(64 * 1024)
    );
    while soak.goes_on() {
        let client = slow_reader(&soak.server, &slow(number)).await.unwrap();
        for _ in 0..FLOOD {
            flooder.send(&headline).await.unwrap();
            flooder.ping("localhost").await.unwrap();
        }
        client.abort();
        soak.vitals.visited();
        sleep(10 * PAUSE).await;
    }
    flooder.log_out().await.unwrap();
}

async fn slow_reader(server: &Server, user: &str) -> Result<Client, ClientError> {
    let mut client = Client::connect_narrow(server.c2s, 64 * 1024).await?;
    let trust = server.trust(&[])?;
    client
        .secure_and_bind(&trust, (user, "localhost"), Server::PASSWORD, "slow")
        .await?;
    client.become_available(0).await?;
    Ok(client)
}
