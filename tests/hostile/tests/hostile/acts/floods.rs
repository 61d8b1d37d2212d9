//! Too many of something, and peers that do not read.

use std::error::Error;
use std::net::IpAddr;
use std::time::Duration;

use futures_util::future::join_all;
use rookery_testkit::{Client, Server};
use tokio::io::AsyncWriteExt as _;
use tokio::time::{Instant, timeout};

use super::{LONG, Verdict, bound, check, has_error, received, rest, tcp};
use crate::company::{self, Company, Witness};
use crate::row::Stage;

/// As the frugal server is set, and the one in a hurry.
const SESSIONS: usize = 5;
const ITEMS: usize = 20;
const REQUESTS: usize = 3;
const KEPT: usize = 3;
const STRANGERS: usize = 20;
/// A message takes less than this while many log in.
const TIMELY: Duration = Duration::from_secs(5);

pub(super) async fn an_account_has_so_many_sessions(company: &Company, source: IpAddr) -> Verdict {
    let mut there = Vec::new();
    for number in 0..=SESSIONS {
        let mut client = Company::bring(&company.frugal, source, "crowd", Stage::Reopened).await?;
        let bound = client.bind(&format!("r{number}")).await;
        check(
            bound.is_ok() == (number < SESSIONS),
            format!("{number}: {bound:?}"),
        )?;
        there.push(client);
    }
    for client in &mut there[..SESSIONS] {
        client.ping("localhost").await?;
    }
    Ok(())
}

pub(super) async fn a_roster_has_so_many_items(company: &Company, source: IpAddr) -> Verdict {
    let mut client = bound(&company.frugal, source, "items").await?;
    for number in 0..ITEMS + 5 {
        let request = format!(
            "<iq type='set' id='{number}'><query xmlns='jabber:iq:roster'>\
             <item jid='contact{number}@localhost'/></query></iq>"
        );
        let answer = client.ask(&number.to_string(), request).await?;
        let refused = has_error(&answer, "resource-constraint");
        check(
            refused == (number >= ITEMS),
            format!("{number}: {answer:?}"),
        )?;
    }
    let request = "<iq type='get' id='all'><query xmlns='jabber:iq:roster'/></iq>";
    let roster = client.ask("all", request).await?;
    let query = roster
        .child("query", "jabber:iq:roster")
        .ok_or("no roster")?;
    check(
        query.children().count() == ITEMS,
        "what is there does not stay",
    )
}

/// Requests beyond the bound are not kept, and those that are kept reach whom they are for.
pub(super) async fn requests_to_subscribe_are_kept_up_to_a_bound(
    company: &Company,
    source: IpAddr,
) -> Verdict {
    for user in ["suitor0", "suitor1", "suitor2", "suitor3", "suitor4"] {
        let mut client = bound(&company.frugal, source, user).await?;
        client
            .send("<presence type='subscribe' to='asked@localhost'/>")
            .await?;
        client.ping("localhost").await?;
        client.log_out().await?;
    }
    let mut asked = bound(&company.frugal, source, "asked").await?;
    asked.send("<presence/>").await?;
    let ping = "<iq type='get' id='after'><ping xmlns='urn:xmpp:ping'/></iq>";
    asked.send(ping).await?;
    let mut requests = 0;
    loop {
        let element = asked.element().await?;
        requests += usize::from(element.attribute("type") == Some("subscribe"));
        if element.attribute("id") == Some("after") {
            return check(requests == REQUESTS, format!("{requests} requests"));
        }
    }
}

pub(super) async fn messages_are_kept_up_to_a_bound(company: &Company, source: IpAddr) -> Verdict {
    let mut writer = bound(&company.frugal, source, "writer").await?;
    for number in 0..KEPT {
        writer
            .tell("away@localhost", &format!("kept {number}"))
            .await?;
    }
    writer.tell("away@localhost", "one more").await?;
    let error = writer.hear().await?;
    check(
        has_error(&error, "service-unavailable"),
        format!("{error:?}"),
    )?;
    let mut away = company.frugal.log_in("away", "back").await?;
    away.send("<presence/>").await?;
    for number in 0..KEPT {
        let message = away.hear().await?;
        let body = message.child("body", "jabber:client").ok_or("no body")?;
        check(
            body.text() == format!("kept {number}"),
            format!("{message:?}"),
        )?;
    }
    Ok(())
}

/// Waits until this many have been let go because they did not read.
async fn let_go(server: &Server, before: f64) -> Result<(), Box<dyn Error>> {
    let deadline = Instant::now() + LONG;
    while slow_consumers(server).await? <= before {
        check(Instant::now() < deadline, "who does not read is not let go")?;
    }
    Ok(())
}

async fn slow_consumers(server: &Server) -> Result<f64, Box<dyn Error>> {
    let closed = "rookery_connections_closed_total{listener=\"c2s\",reason=\"slow_consumer\"}";
    Ok(server.metric(closed).await?.unwrap_or_default())
}

pub(super) async fn who_never_reads_is_let_go(company: &Company, source: IpAddr) -> Verdict {
    let server = &company.frugal;
    let mut slow = Client::connect_narrow(server.c2s, 16 * 1024).await?;
    slow.secure_and_bind(
        &server.trust(&[])?,
        ("slow", "localhost"),
        Server::PASSWORD,
        "slow",
    )
    .await?;
    let mut flooder = bound(server, source, "torrent").await?;
    let before = slow_consumers(server).await?;
    let body = "x".repeat(100_000);
    let headline =
        format!("<message type='headline' to='slow@localhost/slow'><body>{body}</body></message>");
    for _ in 0..100 {
        flooder.send(&headline).await?;
        flooder.ping("localhost").await?;
    }
    let_go(server, before).await
}

/// Who asks for much and reads none of it is either not read from any more or let go: memory is bounded, and
/// others are served.
pub(super) async fn who_asks_and_never_reads_is_slowed_or_let_go(
    company: &Company,
    source: IpAddr,
) -> Verdict {
    let server = &company.frugal;
    let mut greedy = bound(server, source, "greedy").await?;
    let request = format!(
        "<iq type='get' id='{}' to='localhost'><ping xmlns='urn:xmpp:ping'/></iq>",
        "x".repeat(50_000)
    );
    let ask = async { while greedy.send(&request).await.is_ok() {} };
    // Either the server ends it, or it stands still until somebody has enough.
    drop(timeout(Duration::from_secs(5), ask).await);
    let mut witness = Witness::arrive(server, "friend").await;
    Ok(witness.is_served().await?)
}

pub(super) async fn an_address_has_so_many_strangers(company: &Company, source: IpAddr) -> Verdict {
    let address = company.hurried.c2s;
    let mut strangers = Vec::new();
    for _ in 0..STRANGERS {
        strangers.push(tcp(source, address).await?);
    }
    let mut refused = 0;
    for _ in 0..5 {
        let mut socket = tcp(source, address).await?;
        let start = Instant::now();
        rest(&mut socket).await?;
        refused += usize::from(start.elapsed() < Duration::from_secs(1));
    }
    check(refused > 0, "one more is not closed at once")?;
    let mut other =
        Company::bring(&company.hurried, company::source(99, 2), "", Stage::Clear).await?;
    other.send("</stream:stream>").await?;
    received(&mut other).await?;
    Ok(())
}

pub(super) async fn hundreds_that_connect_and_go_leave_nothing(
    company: &Company,
    source: IpAddr,
) -> Verdict {
    for number in 0..300 {
        let mut socket = tcp(source, company.server.c2s).await?;
        if number % 2 == 0 {
            socket.write_all(b"<?xml version='1.0'?><stre").await?;
        }
    }
    // Until the server has noticed that they are gone, there may be as many as there may be.
    let deadline = Instant::now() + LONG;
    let mut client = loop {
        match Company::bring(&company.server, source, "", Stage::Clear).await {
            Ok(client) => break client,
            Err(error) if Instant::now() > deadline => return Err(error.into()),
            Err(_) => {}
        }
    };
    client.send("</stream:stream>").await?;
    received(&mut client).await?;
    Ok(())
}

/// Thirty log in at once, again and again, while somebody talks.
pub(super) async fn a_storm_of_logins_leaves_others_in_peace(
    company: &Company,
    source: IpAddr,
) -> Verdict {
    let mut witness = Witness::arrive(&company.server, "storm").await;
    let storm = join_all((0..30).map(|_| async {
        let client = Company::bring(&company.server, source, "storm", Stage::Reopened).await;
        client.map(drop)
    }));
    let talk = async {
        let mut longest = Duration::ZERO;
        for _ in 0..20 {
            let start = Instant::now();
            witness.is_served().await?;
            longest = longest.max(start.elapsed());
        }
        Ok::<_, String>(longest)
    };
    let (logins, longest) = futures_util::future::join(storm, talk).await;
    for login in logins {
        login?;
    }
    let longest = longest?;
    check(longest < TIMELY, format!("a message took {longest:?}"))
}
