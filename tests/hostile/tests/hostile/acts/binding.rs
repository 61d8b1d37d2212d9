//! Exchanges of SCRAM in which everything is right but one thing (RFC 5802 §5, §6, RFC 5929, RFC 9266).

use std::error::Error;
use std::net::IpAddr;

use rookery_testkit::Client;
use sha2::{Digest as _, Sha256};

use super::{Verdict, check};
use crate::company::Company;
use crate::row::Stage;
use crate::scram::Attempt;

const USER: &str = "bound";
const EXPORTER: &str = "p=tls-exporter,,";
const END_POINT: &str = "p=tls-server-end-point,,";

async fn secured(company: &Company, source: IpAddr) -> Result<Client, Box<dyn Error>> {
    Ok(Company::bring(&company.server, source, USER, Stage::Secured).await?)
}

fn exporter(client: &Client) -> Result<[u8; 32], Box<dyn Error>> {
    client.exporter().ok_or_else(|| "no TLS".into())
}

/// RFC 5929 §4: the certificate is signed with SHA-256.
fn end_point(client: &Client) -> Result<Vec<u8>, Box<dyn Error>> {
    let certificate = client.certificate().ok_or("no certificate")?;
    Ok(Sha256::digest(certificate).to_vec())
}

/// Plays an attempt on a connection, and holds what comes of it against what has to.
async fn comes_to(client: &mut Client, attempt: &Attempt, wanted: &str) -> Verdict {
    let verdict = attempt.play(client, USER).await?;
    check(verdict == wanted, format!("{attempt:?}: {verdict}"))
}

pub(super) async fn what_is_right_in_all_is_accepted(company: &Company, source: IpAddr) -> Verdict {
    let mut client = secured(company, source).await?;
    comes_to(&mut client, &Attempt::right("n,,", &[]), "success").await?;
    let mut client = secured(company, source).await?;
    let bound = Attempt::right(EXPORTER, &exporter(&client)?);
    comes_to(&mut client, &bound, "success").await?;
    let mut client = secured(company, source).await?;
    let bound = Attempt::right(END_POINT, &end_point(&client)?);
    comes_to(&mut client, &bound, "success").await
}

/// Whoever sits in between has a connection to each side, and no way to make them the same.
pub(super) async fn a_proof_for_another_connection_is_refused(
    company: &Company,
    source: IpAddr,
) -> Verdict {
    let other = exporter(&secured(company, source).await?)?;
    let mut client = secured(company, source).await?;
    comes_to(
        &mut client,
        &Attempt::right(EXPORTER, &other),
        "not-authorized",
    )
    .await?;
    let none = Attempt::right(EXPORTER, &[]);
    comes_to(&mut client, &none, "not-authorized").await?;
    let longer = [&exporter(&client)?[..], &[0]].concat();
    let longer = Attempt::right(EXPORTER, &longer);
    comes_to(&mut client, &longer, "not-authorized").await
}

pub(super) async fn a_proof_for_another_certificate_is_refused(
    company: &Company,
    source: IpAddr,
) -> Verdict {
    let mut client = secured(company, source).await?;
    let other = Sha256::digest(b"the certificate of somebody in between").to_vec();
    comes_to(
        &mut client,
        &Attempt::right(END_POINT, &other),
        "not-authorized",
    )
    .await?;
    // Data of one type under the name of the other.
    let swapped = Attempt::right(END_POINT, &exporter(&client)?);
    comes_to(&mut client, &swapped, "not-authorized").await
}

/// The flag says that no binding was offered, and one was: somebody took it from the list.
pub(super) async fn a_downgrade_is_refused_whatever_is_proved(
    company: &Company,
    source: IpAddr,
) -> Verdict {
    let mut client = secured(company, source).await?;
    comes_to(&mut client, &Attempt::right("y,,", &[]), "not-authorized").await?;
    let plus = Attempt {
        mechanism: "SCRAM-SHA-256-PLUS",
        ..Attempt::right("y,,", &[])
    };
    comes_to(&mut client, &plus, "not-authorized").await
}

/// Both messages have to say the same of the binding, or somebody changed one of them.
pub(super) async fn a_header_that_changed_is_refused(company: &Company, source: IpAddr) -> Verdict {
    let mut client = secured(company, source).await?;
    let data = exporter(&client)?.to_vec();
    let attempts = [
        Attempt {
            repeated: "y,,",
            ..Attempt::right("n,,", &[])
        },
        Attempt {
            repeated: EXPORTER,
            data,
            ..Attempt::right("n,,", &[])
        },
    ];
    for attempt in &attempts {
        comes_to(&mut client, attempt, "not-authorized").await?;
    }
    let stripped = Attempt {
        repeated: "n,,",
        ..Attempt::right(EXPORTER, &[])
    };
    comes_to(&mut client, &stripped, "not-authorized").await
}

pub(super) async fn a_nonce_without_the_servers_part_is_refused(
    company: &Company,
    source: IpAddr,
) -> Verdict {
    let mut client = secured(company, source).await?;
    for nonce in ["rOprNGfwEbeRWgbNEkqO", "another", "x"] {
        let attempt = Attempt {
            nonce: Some(nonce),
            ..Attempt::right("n,,", &[])
        };
        comes_to(&mut client, &attempt, "not-authorized").await?;
    }
    Ok(())
}
