//! Logins that try to learn something, or too often.

use std::net::IpAddr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rookery_testkit::{Client, ClientError, Server};

use super::enumeration::challenge;
use super::{Verdict, check, received};
use crate::company::{self, Company};
use crate::row::Stage;

pub(super) const SASL: &str = "urn:ietf:params:xml:ns:xmpp-sasl";
pub(super) async fn secured(server: &Server, source: IpAddr) -> Result<Client, ClientError> {
    Company::bring(server, source, "", Stage::Secured).await
}

/// Begins an exchange, and gives the name of the answer and what it holds.
pub(super) async fn begin(
    client: &mut Client,
    mechanism: &str,
    message: &str,
) -> Result<(String, String), ClientError> {
    let message = STANDARD.encode(message);
    client
        .send(format!(
            "<auth xmlns='{SASL}' mechanism='{mechanism}'>{message}</auth>"
        ))
        .await?;
    let answer = client.element().await?;
    let condition = answer.children().next().map(|it| it.name().to_owned());
    let data = STANDARD
        .decode(answer.text().as_bytes())
        .unwrap_or_default();
    let data = String::from_utf8_lossy(&data).into_owned();
    Ok((answer.name().to_owned(), condition.unwrap_or(data)))
}

/// The server in a hurry bears three failures of an address.
pub(super) async fn an_address_that_fails_too_often_is_refused(
    company: &Company,
    source: IpAddr,
) -> Verdict {
    for attempt in 0..3 {
        let mut client = secured(&company.hurried, source).await?;
        let (_, condition) = begin(&mut client, "PLAIN", "\0known\0wrong").await?;
        check(
            condition == "not-authorized",
            format!("attempt {attempt}: {condition}"),
        )?;
    }
    let right = format!("\0known\0{}", Server::PASSWORD);
    let mut client = secured(&company.hurried, source).await?;
    let (name, condition) = begin(&mut client, "PLAIN", &right).await?;
    check(name == "failure", format!("{name} {condition}"))?;
    let other = company::source(99, 1);
    let mut client = secured(&company.hurried, other).await?;
    let (name, _) = begin(&mut client, "PLAIN", &right).await?;
    check(name == "success", "another address suffers")
}

pub(super) async fn nonces_of_the_server_are_never_the_same(
    company: &Company,
    source: IpAddr,
) -> Verdict {
    let mut nonces = Vec::new();
    for _ in 0..20 {
        nonces.push(challenge(company, source, "known").await?.swap_remove(0));
    }
    check(
        nonces
            .iter()
            .all(|nonce| nonce.starts_with("r=abc") && nonce.len() > 20),
        format!("{nonces:?}"),
    )?;
    nonces.sort();
    nonces.dedup();
    check(nonces.len() == 20, "a nonce came twice")
}

pub(super) async fn elements_that_cost_nothing_are_counted(
    company: &Company,
    source: IpAddr,
) -> Verdict {
    let mut client = secured(&company.server, source).await?;
    let aborts = format!("<abort xmlns='{SASL}'/>").repeat(3000);
    drop(client.send(aborts).await);
    drop(client.send("</stream:stream>").await);
    let answers = received(&mut client).await?;
    let last = answers.last().and_then(|it| it.children().next());
    check(
        last.is_some_and(|it| it.name() == "policy-violation"),
        format!("{last:?}"),
    )
}
