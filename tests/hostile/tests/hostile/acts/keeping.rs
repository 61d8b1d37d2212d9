//! What clients have the server keep for them: vCards, private elements, block lists.

use std::error::Error;
use std::net::IpAddr;

use rookery_testkit::Client;

use super::{Verdict, bound, check, has_error};
use crate::company::Company;

/// As the frugal server is set.
const VCARD_BYTES: usize = 4096;
const ELEMENTS: usize = 10;
const BLOCKED: usize = 20;

/// Sends a request to the client's account, and says what came of it: `result`, or the condition.
async fn set(client: &mut Client, payload: &str) -> Result<String, Box<dyn Error>> {
    let answer = client
        .ask("set", format!("<iq type='set' id='set'>{payload}</iq>"))
        .await?;
    let Some(error) = answer.child("error", "jabber:client") else {
        return Ok("result".to_owned());
    };
    let condition = error
        .children()
        .next()
        .ok_or("an error without condition")?;
    Ok(condition.name().to_owned())
}

async fn comes_to(client: &mut Client, payload: &str, wanted: &str) -> Verdict {
    let outcome = set(client, payload).await?;
    let shown: String = payload.chars().take(80).collect();
    check(outcome == wanted, format!("{shown}: {outcome}"))
}

fn vcard(bytes: usize) -> String {
    let text = "x".repeat(bytes);
    format!("<vCard xmlns='vcard-temp'><DESC>{text}</DESC></vCard>")
}

fn element(name: &str, bytes: usize) -> String {
    let text = "x".repeat(bytes);
    format!("<query xmlns='jabber:iq:private'><{name} xmlns='urn:x'>{text}</{name}></query>")
}

/// How many bytes of text a request gets.
async fn kept(client: &mut Client, payload: &str) -> Result<usize, Box<dyn Error>> {
    let request = format!("<iq type='get' id='get'>{payload}</iq>");
    let answer = client.ask("get", request).await?;
    let mut inner = answer.children().next().ok_or("an empty answer")?;
    while let Some(child) = inner.children().next() {
        inner = child;
    }
    Ok(inner.text().len())
}

/// One that is too large is refused, and the one before it stays; many that are not follow each other.
pub(super) async fn a_vcard_has_so_many_bytes(company: &Company, source: IpAddr) -> Verdict {
    let mut client = bound(&company.frugal, source, "vcards").await?;
    comes_to(&mut client, &vcard(VCARD_BYTES / 2), "result").await?;
    for bytes in [VCARD_BYTES, 10 * VCARD_BYTES, 50 * VCARD_BYTES] {
        comes_to(&mut client, &vcard(bytes), "not-acceptable").await?;
    }
    let get = "<vCard xmlns='vcard-temp'/>";
    let bytes = kept(&mut client, get).await?;
    check(bytes == VCARD_BYTES / 2, format!("{bytes} bytes are kept"))?;
    let flood = (0..100).map(|number| {
        let vcard = vcard(1000 + number);
        format!("<iq type='set' id='{number}'>{vcard}</iq>")
    });
    client.send(flood.collect::<String>()).await?;
    for number in 0..100 {
        let answer = client.element().await?;
        let is_next = answer.attribute("id") == Some(number.to_string().as_str());
        check(
            is_next && answer.attribute("type") == Some("result"),
            format!("{number}: {answer:?}"),
        )?;
    }
    let bytes = kept(&mut client, get).await?;
    check(bytes == 1099, format!("{bytes} bytes are kept of the last"))
}

pub(super) async fn private_elements_have_a_number(company: &Company, source: IpAddr) -> Verdict {
    let mut client = bound(&company.frugal, source, "elements").await?;
    for number in 0..ELEMENTS + 3 {
        let wanted = if number < ELEMENTS {
            "result"
        } else {
            "resource-constraint"
        };
        comes_to(&mut client, &element(&format!("e{number}"), 10), wanted).await?;
    }
    comes_to(&mut client, &element("e0", 20), "result").await?;
    comes_to(&mut client, &element("e0", 0), "result").await?;
    comes_to(&mut client, &element("another", 10), "result").await
}

/// All that is kept for an account is counted together. Who is full may still take away, and nobody else is.
pub(super) async fn an_account_keeps_so_many_bytes(company: &Company, source: IpAddr) -> Verdict {
    let mut client = bound(&company.frugal, source, "hoarder").await?;
    let mut number = 0;
    loop {
        let outcome = set(&mut client, &element(&format!("e{number}"), 3000)).await?;
        if outcome == "resource-constraint" {
            break;
        }
        check(outcome == "result", outcome)?;
        number += 1;
        check(number < ELEMENTS, "there is no end to it")?;
    }
    comes_to(&mut client, &vcard(3000), "resource-constraint").await?;
    comes_to(&mut client, &element("e0", 0), "result").await?;
    comes_to(&mut client, &vcard(3000), "result").await?;
    let bytes = kept(&mut client, &element("e1", 0)).await?;
    check(bytes == 3000, format!("{bytes} bytes are left of another"))?;
    let mut other = bound(&company.frugal, source, "modest").await?;
    comes_to(&mut other, &vcard(3000), "result").await
}

/// What is asked for again and again in one request is told once, or the answer would grow beyond all bounds.
pub(super) async fn an_element_is_told_once_however_often_asked(
    company: &Company,
    source: IpAddr,
) -> Verdict {
    let mut client = bound(&company.frugal, source, "repeater").await?;
    comes_to(&mut client, &element("a", 3000), "result").await?;
    let names = "<a xmlns='urn:x'/><b xmlns='urn:x'/>".repeat(5000);
    let get =
        format!("<iq type='get' id='get'><query xmlns='jabber:iq:private'>{names}</query></iq>");
    client.ask("get", get).await?;
    let bytes = client.raw().len();
    check(bytes < 4000, format!("{bytes} bytes"))?;
    let names = (0..6000).map(|number| format!("<n{number} xmlns='urn:x'/>"));
    let names = names.collect::<Vec<_>>().concat();
    let get =
        format!("<iq type='get' id='get'><query xmlns='jabber:iq:private'>{names}</query></iq>");
    let answer = client.ask("get", get).await?;
    check(
        answer.attribute("type") == Some("result"),
        "many names are no fault",
    )
}

pub(super) async fn a_block_list_has_so_many_items(company: &Company, source: IpAddr) -> Verdict {
    let mut client = bound(&company.frugal, source, "blocker").await?;
    let block =
        |name: &str| format!("<block xmlns='urn:xmpp:blocking'><item jid='{name}'/></block>");
    for number in 0..BLOCKED {
        comes_to(
            &mut client,
            &block(&format!("x{number}@localhost")),
            "result",
        )
        .await?;
    }
    comes_to(&mut client, &block("more@localhost"), "resource-constraint").await?;
    comes_to(&mut client, &block("x0@localhost"), "result").await?;
    let many = (0..3000).map(|number| format!("<item jid='y{number}@localhost'/>"));
    let many = many.collect::<Vec<_>>().concat();
    let many = format!("<block xmlns='urn:xmpp:blocking'>{many}</block>");
    comes_to(&mut client, &many, "resource-constraint").await?;
    let request = "<iq type='get' id='all'><blocklist xmlns='urn:xmpp:blocking'/></iq>";
    let list = client.ask("all", request).await?;
    let list = list.children().next().ok_or("no list")?;
    check(
        list.children().count() == BLOCKED,
        "what is there does not stay",
    )?;
    let mut blocked = "<message to='x1@localhost'><body>x</body></message>".to_owned();
    blocked.push_str("<message to='more@localhost'><body>x</body></message>");
    client.send(blocked).await?;
    check(
        has_error(&client.hear().await?, "not-acceptable"),
        "x1 is not blocked",
    )?;
    check(
        has_error(&client.hear().await?, "service-unavailable"),
        "more is blocked",
    )?;
    comes_to(
        &mut client,
        "<unblock xmlns='urn:xmpp:blocking'/>",
        "result",
    )
    .await?;
    comes_to(&mut client, &block("more@localhost"), "result").await
}

pub(super) async fn a_roster_has_so_many_bytes(company: &Company, source: IpAddr) -> Verdict {
    let mut client = bound(&company.frugal, source, "namer").await?;
    let name = "x".repeat(500);
    let item = |number| {
        let jid = format!("contact{number}@localhost");
        format!("<query xmlns='jabber:iq:roster'><item jid='{jid}' name='{name}'/></query>")
    };
    let mut number = 0;
    loop {
        let outcome = set(&mut client, &item(number)).await?;
        if outcome == "resource-constraint" {
            break;
        }
        check(outcome == "result", outcome)?;
        number += 1;
        check(number < 5, "there is no end to it")?;
    }
    let removal = "<query xmlns='jabber:iq:roster'>\
                   <item jid='contact0@localhost' subscription='remove'/></query>";
    comes_to(&mut client, removal, "result").await?;
    comes_to(&mut client, &item(9), "result").await
}
