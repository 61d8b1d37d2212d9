//! People who mean harm, again and again.

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use rookery_testkit::{Client, ClientError, Received, Server};
use tokio::time::{sleep, timeout};

use crate::{Soak, people};

const PAUSE: Duration = Duration::from_millis(250);
/// How long an attacker waits for an end before it goes by itself.
const LINGER: Duration = Duration::from_secs(8);

pub(crate) fn attacker(number: usize) -> String {
    format!("attacker{number}")
}

/// Tries one thing after the other until the end.
pub(crate) async fn attacks(soak: &Soak, number: usize) {
    let mut attack = number;
    while soak.goes_on() {
        attack += 1;
        // Whatever breaks, breaks for the attacker.
        drop(attempt(&soak.server, &attacker(number), attack).await);
        soak.vitals.attacked();
        sleep(PAUSE).await;
    }
}

async fn attempt(server: &Server, user: &str, attack: usize) -> Result<(), ClientError> {
    match attack % 12 {
        0 => {
            say(
                connect(server, attack).await?,
                b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n",
            )
            .await
        }
        1 => {
            let client = Client::connect_from(source(attack), server.c2s_tls).await?;
            say(client, &[0x16, 3, 1, 0xff, 0xff, 1, 2, 3, 4]).await
        }
        2 => half_a_login(server, attack).await,
        3 => {
            let mut client = connect(server, attack).await?;
            client
                .send("<?xml version='1.0'?><stream:stream to='loc")
                .await?;
            client.abort();
            Ok(())
        }
        4 => say(connect(server, attack).await?, b"").await,
        5 => guess_passwords(server, user, attack).await,
        6 => inside(server, user, "<!DOCTYPE a [<!ENTITY b 'c'>]>").await,
        7 => inside(server, user, &"<a>".repeat(10_000)).await,
        8 => {
            inside(
                server,
                user,
                &format!("<message><body>{}", "x".repeat(400_000)),
            )
            .await
        }
        9 => inside(server, user, &many_attributes()).await,
        10 => pile_up(server, user).await,
        _ => flood_roster(server, user).await,
    }
}

/// Another address for each attack.
fn source(attack: usize) -> IpAddr {
    let [.., high, low] = attack.to_be_bytes();
    IpAddr::V4(Ipv4Addr::new(127, 1, high, low))
}

async fn connect(server: &Server, attack: usize) -> Result<Client, ClientError> {
    Client::connect_from(source(attack), server.c2s).await
}

/// Says something, and waits for the end.
async fn say(mut client: Client, bytes: &[u8]) -> Result<(), ClientError> {
    client.send(bytes).await?;
    drop(timeout(LINGER, client.closed()).await);
    Ok(())
}

async fn inside(server: &Server, user: &str, bytes: &str) -> Result<(), ClientError> {
    let client = server.log_in(user, "harm").await?;
    say(client, bytes.as_bytes()).await
}

async fn half_a_login(server: &Server, attack: usize) -> Result<(), ClientError> {
    let mut client = connect(server, attack).await?;
    client.open("localhost").await?;
    client
        .send("<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>")
        .await?;
    client.element().await?;
    say(client, &[0x16, 3, 1, 2, 0, 1, 0, 1, 0xfc]).await
}

async fn guess_passwords(server: &Server, user: &str, attack: usize) -> Result<(), ClientError> {
    let mut client = connect(server, attack).await?;
    client.open("localhost").await?;
    client.start_tls(&server.trust(&[])?, "localhost").await?;
    client.open("localhost").await?;
    while let Err(ClientError::Unexpected { received, .. }) =
        client.authenticate(user, "1234").await
    {
        if matches!(*received, Received::StreamEnd | Received::Closed) {
            break;
        }
    }
    Ok(())
}

fn many_attributes() -> String {
    let attributes = (0..20_000).map(|number| format!("a{number}='x'"));
    format!("<message {}/>", attributes.collect::<Vec<_>>().join(" "))
}

/// Requests that nobody answers, to people who are there and people who are not, and nothing is read.
async fn pile_up(server: &Server, user: &str) -> Result<(), ClientError> {
    let mut client = server.log_in(user, "harm").await?;
    for number in 0..500 {
        let to = people::talker(number % 10);
        client
            .send(format!(
                "<iq type='get' id='{number}' to='{to}@localhost/desk'><x xmlns='urn:example:x'/></iq>"
            ))
            .await?;
    }
    client.abort();
    Ok(())
}

async fn flood_roster(server: &Server, user: &str) -> Result<(), ClientError> {
    let mut client = server.log_in(user, "harm").await?;
    for (subscription, count) in [("none", 50), ("remove", 50)] {
        for number in 0..count {
            let id = format!("{subscription}{number}");
            let request = format!(
                "<iq type='set' id='{id}'><query xmlns='jabber:iq:roster'>\
                 <item jid='contact{number}@localhost' subscription='{subscription}'/></query></iq>"
            );
            client.ask(&id, request).await?;
        }
    }
    client.log_out().await
}
