//! Who comes too often, too fast, or with too many at once (RFC 6120 §13.12), at servers of their own.

use std::error::Error;
use std::net::IpAddr;
use std::time::Duration;

use futures_util::future::join_all;
use rookery_testkit::{Client, ClientError, Received, Server};
use tokio::time::{Instant, timeout};

use super::logins::{begin, secured};
use super::{LONG, Verdict, bound, check, received};
use crate::company::{self, Company, Witness};

const CONNECTIONS: usize = 5;
const PER_MINUTE: usize = 20;
/// The least that can be set.
const LOGINS: usize = 16;
/// Nothing is expected to come: a server with much to do only says still less in this time.
const MOMENT: Duration = Duration::from_millis(300);

/// Whether a connection is refused as soon as it is made, and told why.
async fn is_turned_away(server: &Server, source: IpAddr) -> Result<bool, Box<dyn Error>> {
    let mut client = Client::connect_from(source, server.c2s).await?;
    match client.receive_until(Instant::now() + MOMENT).await {
        Err(ClientError::Silence) => Ok(false),
        Ok(Received::Header(_)) => {
            let told = received(&mut client).await?;
            let told = told.first().and_then(|error| error.children().next());
            let told = told.ok_or("refused without a word")?;
            check(told.name() == "resource-constraint", told.name())?;
            Ok(true)
        }
        other => Err(format!("{other:?}").into()),
    }
}

/// What is refused may come a little later than a moment: one of a few tries is.
async fn is_soon_turned_away(server: &Server, source: IpAddr) -> Result<bool, Box<dyn Error>> {
    for _ in 0..5 {
        if is_turned_away(server, source).await? {
            return Ok(true);
        }
    }
    Ok(false)
}

pub(super) async fn an_address_has_so_many_connections(
    _company: &Company,
    source: IpAddr,
) -> Verdict {
    let limits = format!("[limits]\nconnections_per_address = {CONNECTIONS}\n");
    let server = Company::alone(&limits, &["crowd", "friend"]).await?;
    let mut there = Vec::new();
    for _ in 0..CONNECTIONS {
        there.push(secured(&server, source).await?);
    }
    check(is_turned_away(&server, source).await?, "one more gets in")?;
    let mut other = bound(&server, company::source(99, 4), "friend").await?;
    other.ping("localhost").await?;
    // Whoever goes makes room for another one.
    let mut last = there.pop().ok_or("nobody")?;
    last.send("</stream:stream>").await?;
    received(&mut last).await?;
    drop(last);
    server
        .until_metric("rookery_logins_in_progress", 4.0)
        .await?;
    bound(&server, source, "crowd").await?;
    Ok(())
}

pub(super) async fn an_address_connects_so_often_in_a_minute(
    _company: &Company,
    source: IpAddr,
) -> Verdict {
    let limits = format!("[limits]\nnew_connections_per_address_and_minute = {PER_MINUTE}\n");
    let server = Company::alone(&limits, &["friend"]).await?;
    for _ in 0..PER_MINUTE {
        secured(&server, source).await?;
    }
    check(
        is_soon_turned_away(&server, source).await?,
        "there is no end to it",
    )?;
    let mut other = bound(&server, company::source(99, 5), "friend").await?;
    other.ping("localhost").await?;
    Ok(())
}

/// As many logins are worked on as may be; the next waits until one of them is over, and loses nothing.
pub(super) async fn more_logins_wait_for_their_turn(_company: &Company, source: IpAddr) -> Verdict {
    let limits = format!("[limits]\nlogins_in_progress = {LOGINS}\n");
    let server = Company::alone(&limits, &["friend", "patient"]).await?;
    let mut witness = Witness::arrive(&server, "friend").await;
    let mut silent = Vec::new();
    for number in 0..LOGINS {
        silent.push(Client::connect_from(company::source(98, number), server.c2s).await?);
    }
    server
        .until_metric("rookery_logins_in_progress", 16.0)
        .await?;
    let late = bound(&server, source, "patient");
    tokio::pin!(late);
    let waits = timeout(MOMENT, &mut late).await.is_err();
    check(waits, "one more is served while as many log in as may")?;
    witness.is_served().await?;
    silent.pop();
    let mut late = timeout(LONG, late).await??;
    late.ping("localhost").await?;
    let waits = server.metric("rookery_login_waits_total").await?;
    check(waits >= Some(1.0), format!("{waits:?} have waited"))
}

/// Passwords to be hashed queue up only so far. Who finds the queue full is told to come again, and may.
pub(super) async fn logins_beyond_the_queue_of_hashers_are_put_off(
    _company: &Company,
    source: IpAddr,
) -> Verdict {
    let auth = "[auth]\nhashers = 1\nhasher_queue = 1\niterations = 200000\n\
                failures_per_address = 1000\n";
    let server = Company::alone(auth, &["known", "friend"]).await?;
    let mut witness = Witness::arrive(&server, "friend").await;
    let flood = (0..12).map(|_| async {
        let mut client = secured(&server, source).await?;
        let (_, condition) = begin(&mut client, "PLAIN", "\0known\0wrong").await?;
        Ok::<_, ClientError>((client, condition))
    });
    let (flood, served) = futures_util::future::join(join_all(flood), witness.is_served()).await;
    served?;
    let mut put_off = Vec::new();
    for attempt in flood {
        let (client, condition) = attempt?;
        match condition.as_str() {
            "temporary-auth-failure" => put_off.push(client),
            condition => check(condition == "not-authorized", condition)?,
        }
    }
    let again = put_off.first_mut().ok_or("nobody is put off")?;
    let right = format!("\0known\0{}", Server::PASSWORD);
    let (name, condition) = begin(again, "PLAIN", &right).await?;
    check(name == "success", condition)
}

/// A bucket of two seconds' worth, and then the rate: nothing is lost, nobody else is slower.
pub(super) async fn who_sends_faster_than_allowed_is_slowed(
    _company: &Company,
    source: IpAddr,
) -> Verdict {
    let limits = "[limits]\nstanzas_per_second = 100\nbytes_per_second = 50000\n";
    let server = Company::alone(limits, &["writer", "flooder", "friend"]).await?;
    let mut witness = Witness::arrive(&server, "friend").await;
    let mut many = bound(&server, source, "writer").await?;
    let mut large = bound(&server, source, "flooder").await?;
    let start = Instant::now();
    let pings = (0..400)
        .map(|number| format!("<iq type='get' id='{number}'><ping xmlns='urn:xmpp:ping'/></iq>"));
    many.send(pings.collect::<String>()).await?;
    let body = "x".repeat(20_000);
    let message = format!(
        "<message to='{}'><body>{body}</body></message>",
        large.jid()
    );
    large.send(message.repeat(10)).await?;
    witness.is_served().await?;
    check(
        start.elapsed() < Duration::from_millis(1500),
        "somebody else is slowed as well",
    )?;
    for number in 0..400 {
        let answer = many.element().await?;
        let is_next = answer.attribute("id") == Some(number.to_string().as_str());
        check(is_next, format!("{number}: {answer:?}"))?;
    }
    check(
        start.elapsed() > Duration::from_secs(1),
        "stanzas were not slowed",
    )?;
    for _ in 0..10 {
        large.hear().await?;
    }
    check(
        start.elapsed() > Duration::from_secs(1),
        "bytes were not slowed",
    )
}
