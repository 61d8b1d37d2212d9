//! Who makes accounts by the dozen, or reaches for those of others (XEP-0077), where anybody may register.

use std::error::Error;
use std::net::IpAddr;

use rookery_testkit::{Client, Server};

use super::logins::{begin, secured};
use super::{Verdict, check};
use crate::company::{self, Company};

/// As the frugal server is set.
const ACCOUNTS: usize = 2;
/// A limit of every stream, and of every address for each account that it may make.
const TRIES: usize = 10;

/// Sends a request about accounts, and says what came of it: `result`, or the condition.
async fn ask(client: &mut Client, inside: &str) -> Result<String, Box<dyn Error>> {
    let request =
        format!("<iq type='set' id='r'><query xmlns='jabber:iq:register'>{inside}</query></iq>");
    let answer = client.ask("r", request).await?;
    let Some(error) = answer.child("error", "jabber:client") else {
        return Ok("result".to_owned());
    };
    let condition = error
        .children()
        .next()
        .ok_or("an error without condition")?;
    Ok(condition.name().to_owned())
}

async fn register(client: &mut Client, name: &str) -> Result<String, Box<dyn Error>> {
    let inside = format!("<username>{name}</username><password>pencil</password>");
    ask(client, &inside).await
}

/// Whether a password is that of an account.
async fn is_right(
    company: &Company,
    source: IpAddr,
    user: &str,
    password: &str,
) -> Result<bool, Box<dyn Error>> {
    let mut client = secured(&company.frugal, source).await?;
    let (name, _) = begin(&mut client, "PLAIN", &format!("\0{user}\0{password}")).await?;
    Ok(name == "success")
}

/// Neither another name nor another connection gets an address around its limit, and others are not held to it.
pub(super) async fn an_address_makes_so_many_accounts(
    company: &Company,
    source: IpAddr,
) -> Verdict {
    let mut client = secured(&company.frugal, source).await?;
    for number in 0..ACCOUNTS {
        let outcome = register(&mut client, &format!("newcomer{number}")).await?;
        check(outcome == "result", outcome)?;
    }
    for _ in 0..2 {
        let outcome = register(&mut client, "onemore").await?;
        check(outcome == "resource-constraint", outcome)?;
        client = secured(&company.frugal, source).await?;
    }
    check(
        !is_right(company, source, "onemore", "pencil").await?,
        "an account was made all the same",
    )?;
    check(
        is_right(company, source, "newcomer0", "pencil").await?,
        "who was made before cannot log in",
    )?;
    let mut other = secured(&company.frugal, company::source(97, 1)).await?;
    let outcome = register(&mut other, "another").await?;
    check(outcome == "result", outcome)
}

/// Which names are taken is told only so often.
pub(super) async fn names_are_tried_only_so_often(company: &Company, source: IpAddr) -> Verdict {
    let mut outcomes = Vec::new();
    for _ in 0..ACCOUNTS {
        let mut client = secured(&company.frugal, source).await?;
        for _ in 0..TRIES {
            outcomes.push(register(&mut client, "known").await?);
        }
        let outcome = register(&mut client, "known").await?;
        check(
            outcome == "not-acceptable",
            format!("on one stream: {outcome}"),
        )?;
    }
    check(
        outcomes.iter().all(|outcome| outcome == "conflict"),
        format!("{outcomes:?}"),
    )?;
    let mut client = secured(&company.frugal, source).await?;
    for name in ["known", "nobody-of-that-name"] {
        let outcome = register(&mut client, name).await?;
        check(
            outcome == "resource-constraint",
            format!("{name}: {outcome}"),
        )?;
    }
    Ok(())
}

/// Before a login there is no account whose password could be changed, nor one to be removed.
pub(super) async fn nobody_touches_an_account_before_login(
    company: &Company,
    source: IpAddr,
) -> Verdict {
    let mut client = secured(&company.frugal, source).await?;
    let form = "<x xmlns='jabber:x:data' type='submit'>\
                <field var='FORM_TYPE'><value>jabber:iq:register:changepassword</value></field>\
                <field var='username'><value>known</value></field>\
                <field var='old_password'><value>x</value></field>\
                <field var='password'><value>pencil</value></field></x>";
    for (inside, wanted) in [
        (
            "<username>known</username><password>pencil</password>",
            "conflict",
        ),
        (form, "conflict"),
        ("<remove/>", "unexpected-request"),
        ("<remove/><username>known</username>", "bad-request"),
    ] {
        let outcome = ask(&mut client, inside).await?;
        check(outcome == wanted, format!("{inside}: {outcome}"))?;
    }
    // In somebody's name.
    client
        .send(
            "<iq type='set' id='r' from='known@localhost'><query xmlns='jabber:iq:register'>\
             <username>known</username><password>pencil</password></query></iq>",
        )
        .await?;
    super::received(&mut client).await?;
    check(
        !is_right(company, source, "known", "pencil").await?,
        "the password was changed",
    )?;
    check(
        is_right(company, source, "known", Server::PASSWORD).await?,
        "the old password is gone",
    )
}

/// Who has an account makes no second one by way of it, and takes no password from anybody else.
pub(super) async fn nobody_touches_the_account_of_another(
    company: &Company,
    source: IpAddr,
) -> Verdict {
    let mut client = super::bound(&company.frugal, source, "patient").await?;
    let outcome = register(&mut client, "known").await?;
    check(outcome == "not-acceptable", outcome)?;
    let outcome = register(&mut client, "second").await?;
    check(outcome == "not-acceptable", outcome)?;
    for inside in [
        "<username>known</username><password>pencil</password>",
        "<remove/>",
    ] {
        let request = format!(
            "<iq type='set' id='r' to='known@localhost'>\
             <query xmlns='jabber:iq:register'>{inside}</query></iq>"
        );
        let answer = client.ask("r", request).await?;
        check(
            super::has_error(&answer, "service-unavailable"),
            format!("{answer:?}"),
        )?;
    }
    check(
        is_right(company, source, "known", Server::PASSWORD).await?,
        "the account of another was touched",
    )
}
