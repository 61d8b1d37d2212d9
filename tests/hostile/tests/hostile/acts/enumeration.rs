//! Who tries to learn which accounts exist: by what is answered, by how long it takes, by what it costs.

use std::collections::BTreeMap;
use std::error::Error;
use std::net::IpAddr;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rookery_testkit::{ClientError, Server};
use tokio::time::Instant;

use super::logins::{SASL, begin, secured};
use super::{Verdict, check};
use crate::company::{self, Company};

/// One that nobody has, as long as the one that somebody has.
const KNOWN: &str = "known";
const UNKNOWN: &str = "nobod";
/// How often each name is tried when time is measured.
const LEAST_SAMPLES: usize = 20;
const MOST_SAMPLES: usize = 250;
/// What one kind may take more than the other, as a share. Hashing a password is most of what a login takes,
/// so that a server which spared itself the hash would be far beyond it.
const DIFFERENCE: f64 = 0.5;
/// What a server counts of its work.
const WORK: [&str; 4] = [
    "rookery_store_operations_total",
    "rookery_logins_total",
    "rookery_route_total",
    "rookery_stanza_errors_total",
];

/// A challenge of SCRAM: nonce, salt, iterations and what follows.
pub(super) async fn challenge(
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
        for user in [KNOWN, UNKNOWN] {
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
    for user in [KNOWN, UNKNOWN] {
        let mut client = secured(&company.server, source).await?;
        failures.push(begin(&mut client, "PLAIN", &format!("\0{user}\0wrong")).await?);
    }
    check(failures[0] == failures[1], format!("{failures:?}"))
}

pub(super) async fn salts_of_unknown_names_stay(company: &Company, source: IpAddr) -> Verdict {
    let first = challenge(company, source, UNKNOWN).await?;
    let again = challenge(company, source, UNKNOWN).await?;
    let other = challenge(company, source, "unknown2").await?;
    check(first[1..] == again[1..], "the salt of a name changes")?;
    check(first[1] != other[1], "all unknown names have one salt")
}

/// The least time that a wrong password takes, for a name that exists and for one that does not. A machine with
/// much else to do shows it only now and then: it is tried again and again until the two are close.
pub(super) async fn time_does_not_tell_who_exists(company: &Company, source: IpAddr) -> Verdict {
    let IpAddr::V4(source) = source else {
        return Err("no IPv4 address".into());
    };
    let [a, b, _, d] = source.octets();
    let mut least = [Duration::MAX; 2];
    for sample in 0..MOST_SAMPLES {
        // No address fails too often.
        let source = IpAddr::from([a, b, 100 + u8::try_from(sample / 5)?, d]);
        for at in [sample % 2, 1 - sample % 2] {
            let mut client = secured(&company.server, source).await?;
            let start = Instant::now();
            let message = format!("\0{}\0wrong", [KNOWN, UNKNOWN][at]);
            begin(&mut client, "PLAIN", &message).await?;
            least[at] = least[at].min(start.elapsed());
        }
        if sample >= LEAST_SAMPLES && are_close(least) {
            return Ok(());
        }
    }
    Err(format!("{least:?}").into())
}

fn are_close(times: [Duration; 2]) -> bool {
    let [one, other] = times.map(|time| time.as_secs_f64());
    (one - other).abs() < DIFFERENCE * one.max(other)
}

/// What a server that serves nobody else counts, for names that exist and for names that do not. It takes no
/// clock, so that the difference may be as small as it likes. Each account is asked once: one that exists is
/// in memory for a while from then on, and who asks again can notice that.
pub(super) async fn the_same_work_is_done_for_who_does_not_exist(
    _company: &Company,
    source: IpAddr,
) -> Verdict {
    let named = |user: &str| {
        (0..REQUESTS.len())
            .map(|number| format!("{user}{number}"))
            .collect()
    };
    let [known, unknown]: [Vec<String>; 2] = [KNOWN, UNKNOWN].map(named);
    let mut accounts: Vec<_> = known.iter().map(String::as_str).collect();
    accounts.push("asker");
    let server = Company::alone("[auth]\nfailures_per_address = 1000\n", &accounts).await?;
    let mut asker = super::bound(&server, company::source(99, 3), "asker").await?;
    let mut costs = Vec::new();
    for users in [&known, &unknown] {
        let before = work(&server).await?;
        for user in users {
            log_in_wrongly(&server, source, user).await?;
        }
        let logged_in = work(&server).await?;
        for (user, request) in users.iter().zip(REQUESTS) {
            let iq = format!("<iq type='get' id='a' to='{user}@localhost'>{request}</iq>");
            asker.ask("a", iq).await?;
        }
        let asked = work(&server).await?;
        costs.push((since(&before, &logged_in), since(&logged_in, &asked)));
    }
    check(costs[0] == costs[1], format!("{costs:?}"))
}

/// What a stranger may ask an account.
const REQUESTS: [&str; 7] = [
    "<query xmlns='http://jabber.org/protocol/disco#info'/>",
    "<query xmlns='http://jabber.org/protocol/disco#items'/>",
    "<query xmlns='jabber:iq:version'/>",
    "<query xmlns='jabber:iq:last'/>",
    "<query xmlns='jabber:iq:roster'/>",
    "<ping xmlns='urn:xmpp:ping'/>",
    "<x xmlns='urn:example:x'/>",
];

async fn log_in_wrongly(server: &Server, source: IpAddr, user: &str) -> Result<(), ClientError> {
    let mut client = secured(server, source).await?;
    begin(&mut client, "PLAIN", &format!("\0{user}\0wrong")).await?;
    begin(&mut client, "SCRAM-SHA-512", &format!("n,,n={user},r=abc")).await?;
    let response = STANDARD.encode("c=biws,r=abc,p=AAAA");
    client
        .send(format!("<response xmlns='{SASL}'>{response}</response>"))
        .await?;
    client.element().await?;
    Ok(())
}

/// How often the server has done what.
async fn work(server: &Server) -> Result<BTreeMap<String, f64>, Box<dyn Error>> {
    let (_, page) = server.get("/metrics").await?;
    let lines = page.lines().filter_map(|line| line.rsplit_once(' '));
    let of_work = lines.filter(|(name, _)| WORK.iter().any(|work| name.starts_with(work)));
    of_work
        .map(|(name, value)| Ok((name.to_owned(), value.parse()?)))
        .collect()
}

/// What was done meanwhile.
fn since(before: &BTreeMap<String, f64>, after: &BTreeMap<String, f64>) -> BTreeMap<String, f64> {
    let grown = after
        .iter()
        .map(|(name, value)| (name.clone(), value - before.get(name).unwrap_or(&0.0)));
    grown.filter(|(_, times)| *times > 0.0).collect()
}
