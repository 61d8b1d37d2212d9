//! Peers that take their time.

use std::net::IpAddr;
use std::time::Duration;

use rookery_testkit::{Client, Received};
use tokio::io::AsyncWriteExt as _;
use tokio::time::{Instant, sleep, timeout};

use super::{LONG, Verdict, bound, check, received, rest, tcp};
use crate::company::Company;
use crate::row::Stage;

/// How long a slow peer waits before its next byte.
const PAUSE: Duration = Duration::from_millis(100);

pub(super) async fn who_says_nothing_is_let_go(company: &Company, source: IpAddr) -> Verdict {
    let mut socket = tcp(source, company.hurried.c2s).await?;
    rest(&mut socket).await?;
    Ok(())
}

pub(super) async fn who_begins_no_handshake_is_let_go(
    company: &Company,
    source: IpAddr,
) -> Verdict {
    let mut socket = tcp(source, company.hurried.c2s_tls).await?;
    // At most an alert of TLS that says goodbye.
    let told = rest(&mut socket).await?;
    check(
        told.first().is_none_or(|kind| *kind == 21),
        format!("{told:?}"),
    )
}

/// Sends these bytes one by one, again and again, until the server has had enough.
async fn drip(company: &Company, source: IpAddr, bytes: &[u8]) -> Verdict {
    let mut socket = tcp(source, company.hurried.c2s).await?;
    let start = Instant::now();
    for byte in bytes.iter().cycle() {
        if socket.write_all(&[*byte]).await.is_err() {
            return Ok(());
        }
        sleep(PAUSE).await;
        check(start.elapsed() < LONG, "a slow peer is not let go")?;
    }
    Ok(())
}

pub(super) async fn a_header_byte_by_byte_takes_no_longer_than_allowed(
    company: &Company,
    source: IpAddr,
) -> Verdict {
    drip(
        company,
        source,
        b"<stream:stream a='b' c='d' e='f' g='h' i='j' k='l' m='n' o='p' q='r'",
    )
    .await
}

pub(super) async fn white_space_does_not_buy_time(company: &Company, source: IpAddr) -> Verdict {
    drip(company, source, b" ").await
}

pub(super) async fn half_a_handshake_takes_no_longer_than_allowed(
    company: &Company,
    source: IpAddr,
) -> Verdict {
    let mut socket = tcp(source, company.hurried.c2s_tls).await?;
    socket.write_all(&[0x16, 3, 1, 2, 0, 1, 0, 1, 0xfc]).await?;
    rest(&mut socket).await?;
    Ok(())
}

pub(super) async fn a_challenge_without_response_takes_no_longer_than_allowed(
    company: &Company,
    source: IpAddr,
) -> Verdict {
    let mut client = Company::bring(&company.hurried, source, "known", Stage::Secured).await?;
    client
        .send("<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'/>")
        .await?;
    received(&mut client).await?;
    Ok(())
}

pub(super) async fn who_never_binds_is_let_go(company: &Company, source: IpAddr) -> Verdict {
    let mut client = Company::bring(&company.hurried, source, "known", Stage::Reopened).await?;
    received(&mut client).await?;
    Ok(())
}

/// RFC 6120 §4.4: who is told that the stream is over, and does not end its own, is closed all the same.
pub(super) async fn who_does_not_close_is_closed(company: &Company, source: IpAddr) -> Verdict {
    let mut client = bound(&company.hurried, source, "known").await?;
    client.send("<!-- -->").await?;
    let told = received(&mut client).await?;
    check(
        told.iter().any(|it| it.name() == "error"),
        "no error was told",
    )
}

pub(super) async fn half_a_connection_is_a_closed_one(
    company: &Company,
    source: IpAddr,
) -> Verdict {
    let mut client = bound(&company.server, source, "known").await?;
    client.shut_down().await?;
    received(&mut client).await?;
    Ok(())
}

pub(super) async fn half_a_stanza_is_delivered_to_nobody(
    company: &Company,
    source: IpAddr,
) -> Verdict {
    let mut friend = company.server.log_in("friend", "here").await?;
    friend.become_available(0).await?;
    let mut client = bound(&company.server, source, "known").await?;
    client
        .send("<message to='friend@localhost/here'><body>whole</body></message>")
        .await?;
    client
        .send("<message to='friend@localhost/here'><body>half</body></messa")
        .await?;
    client.shut_down().await?;
    received(&mut client).await?;
    friend.hear().await?;
    friend
        .send("<iq type='get' id='after'><ping xmlns='urn:xmpp:ping'/></iq>")
        .await?;
    let next = friend.element().await?;
    check(
        next.attribute("id") == Some("after"),
        "half a stanza was delivered",
    )
}

pub(super) async fn a_stanza_byte_by_byte_arrives_whole(
    company: &Company,
    source: IpAddr,
) -> Verdict {
    let mut client: Client = bound(&company.hurried, source, "patient").await?;
    let stanza = format!(
        "<message to='{}'><body>\u{1f40c}</body></message>",
        client.jid()
    );
    for byte in stanza.bytes() {
        client.send([byte]).await?;
        sleep(PAUSE / 2).await;
    }
    let arrived = timeout(LONG, client.receive()).await??;
    check(
        matches!(arrived, Received::Element(it) if it.name() == "message"),
        "it did not arrive",
    )
}
