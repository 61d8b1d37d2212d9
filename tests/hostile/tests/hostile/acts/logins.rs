//! Logins that try to learn something, or too often.

use std::net::IpAddr;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rookery_testkit::{Client, ClientError, Server};
use tokio::time::Instant;

use super::{Verdict, check, received};
use crate::company::{self, Company};
use crate::row::Stage;

const SASL: &str = "urn:ietf:params:xml:ns:xmpp-sasl";
/// One that nobody has.
const UNKNOWN: &str = "unknown";
/// How often each name is tried when time is measured.
const SAMPLES: usize = 25;
/// What one kind may take more than the other, as a share. Hashing a password is most of what a login takes,
/// so that a server which spared itself the hash would be far beyond it.
const DIFFERENCE: f64 = 0.5;

async fn secured(server: &Server, source: IpAddr) -> Result<Client, ClientError> {
    Company::bring(server, source, "", Stage::Secured).await
}

/// Begins an exchange, and gives the name of the answer and what it holds.
async fn begin(
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

/// A challenge of SCRAM: nonce, salt, iterations and what follows.
async fn challenge(
    company: &Company,
    source: IpAddr,
    user: &str,
) -> Result<Vec<String>, ClientError> {
    let mut client = secured(&company.server, source).await?;
    let (_, challenge) = begin(&mut client, "SCRAM-SHA-256", &format!("n,,n={user},r=abc")).await?;
    Ok(challenge.split(',').map(str::to_owned).collect())
}

pub(super) async fn answers_do_not_tell_who_exists(company: &Company, source: IpAddr) -> Verdict {
    for mechanism in ["SCRAM-SHA-1", "SCRAM-SHA-256", "SCRAM-SHA-512"] {
        let mut shapes = Vec::new();
        for user in ["known", UNKNOWN] {
            let mut client = secured(&company.server, source).await?;
            let (name, data) = begin(&mut client, mechanism, &format!("n,,n={user},r=abc")).await?;
            let shape: Vec<_> = data
                .split(',')
                .map(|part| match part.split_once('=') {
                    Some(("i", iterations)) => format!("i={iterations}"),
                    _ => format!("{} {}", part.chars().next().unwrap_or_default(), part.len()),
                })
                .collect();
            client
                .send(format!(
                    "<response xmlns='{SASL}'>{}</response>",
                    STANDARD.encode("c=biws,r=abc,p=AAAA")
                ))
                .await?;
            let failure = client.element().await?;
            shapes.push((name, shape, failure));
        }
        check(shapes[0] == shapes[1], format!("{mechanism}: {shapes:?}"))?;
    }
    let mut failures = Vec::new();
    for user in ["known", UNKNOWN] {
        let mut client = secured(&company.server, source).await?;
        failures.push(begin(&mut client, "PLAIN", &format!("\0{user}\0wrong")).await?);
    }
    check(failures[0] == failures[1], format!("{failures:?}"))
}

/// The least time that a wrong password takes, for a name that exists and for one that does not.
pub(super) async fn time_does_not_tell_who_exists(company: &Company, source: IpAddr) -> Verdict {
    let IpAddr::V4(source) = source else {
        return Err("no IPv4 address".into());
    };
    let [a, b, _, d] = source.octets();
    let mut times = [Vec::new(), Vec::new()];
    for sample in 0..SAMPLES {
        let source = IpAddr::from([a, b, 100 + u8::try_from(sample)?, d]);
        // Side by side, so that whatever else the machine does hits both.
        let mut both: Vec<_> = ["known", UNKNOWN].into_iter().zip(&mut times).collect();
        if sample % 2 == 1 {
            both.reverse();
        }
        for (user, times) in both {
            let mut client = secured(&company.server, source).await?;
            let start = Instant::now();
            begin(&mut client, "PLAIN", &format!("\0{user}\0wrong")).await?;
            times.push(start.elapsed());
        }
    }
    let [known, unknown] = times.map(least);
    let larger = known.max(unknown).as_secs_f64();
    let smaller = known.min(unknown).as_secs_f64();
    check(
        larger - smaller < DIFFERENCE * larger,
        format!("{known:?} and {unknown:?}"),
    )
}

/// What the machine's other work adds, it adds to all but the least.
fn least(times: Vec<Duration>) -> Duration {
    times.into_iter().min().unwrap_or_default()
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

pub(super) async fn salts_of_unknown_names_stay(company: &Company, source: IpAddr) -> Verdict {
    let first = challenge(company, source, UNKNOWN).await?;
    let again = challenge(company, source, UNKNOWN).await?;
    let other = challenge(company, source, "unknown2").await?;
    check(first[1..] == again[1..], "the salt of a name changes")?;
    check(first[1] != other[1], "all unknown names have one salt")
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
