//! Requests that are never answered, and answers to what was never asked (RFC 6120 §8.2.3).

use std::net::IpAddr;

use super::{Verdict, bound, check};
use crate::company::Company;

/// Thousands of requests to somebody who does not answer; who asked, who was asked and everybody else go on.
pub(super) async fn requests_that_nobody_answers_cost_nothing_that_stays(
    company: &Company,
    source: IpAddr,
) -> Verdict {
    let mut silent = company.server.log_in("silent", "here").await?;
    let mut asker = bound(&company.server, source, "asker").await?;
    for number in 0..3000 {
        let request = format!(
            "<iq type='get' id='{number}' to='silent@localhost/here'><x xmlns='urn:example:x'/></iq>"
        );
        asker.send(request).await?;
    }
    for number in 0..3000 {
        let asked = silent.element().await?;
        check(
            asked.attribute("id") == Some(number.to_string().as_str()),
            "a request is lost",
        )?;
    }
    asker.ping("localhost").await?;
    silent.log_out().await?;
    asker.ping("localhost").await?;
    Ok(())
}

/// The server pushes each change of the roster to a client that never says that it has it (RFC 6121 §2.1.6).
pub(super) async fn pushes_that_nobody_answers_cost_nothing_that_stays(
    company: &Company,
    source: IpAddr,
) -> Verdict {
    const CHANGES: usize = 300;
    let mut silent = company.server.log_in("asked", "here").await?;
    let roster = "<iq type='get' id='r'><query xmlns='jabber:iq:roster'/></iq>";
    silent.ask("r", roster).await?;
    let mut busy = bound(&company.server, source, "asked").await?;
    let changes = (0..CHANGES).map(|number| {
        format!(
            "<iq type='set' id='{number}'><query xmlns='jabber:iq:roster'>\
             <item jid='x@localhost' name='{number}'/></query></iq>"
        )
    });
    busy.send(changes.collect::<String>()).await?;
    for number in 0..CHANGES {
        let answer = busy.element().await?;
        let is_next = answer.attribute("id") == Some(number.to_string().as_str());
        check(is_next, format!("{number}: {answer:?}"))?;
        let push = silent.element().await?;
        check(push.attribute("type") == Some("set"), format!("{push:?}"))?;
    }
    silent.ping("localhost").await?;
    Ok(())
}

/// Ever new capabilities are shown, which the server wants to know (XEP-0115 §6.2). It does not ask more often than
/// it was given reason to; whether there is no answer, or one that is huge and wrong, nothing comes of it.
pub(super) async fn capabilities_that_nobody_explains_cost_nothing_that_stays(
    company: &Company,
    source: IpAddr,
) -> Verdict {
    const TIMES: usize = 500;
    let mut client = bound(&company.server, source, "greedy").await?;
    let presence = (0..TIMES).map(|number| {
        format!(
            "<presence><c xmlns='http://jabber.org/protocol/caps' hash='sha-1' \
             node='urn:example:x' ver='{number}AAAAAAAAAAAAAAAAAAAAAAAAAA='/></presence>"
        )
    });
    client.send(presence.collect::<Vec<_>>().concat()).await?;
    let ping = "<iq type='get' id='after'><ping xmlns='urn:xmpp:ping'/></iq>";
    client.send(ping).await?;
    let mut questions = Vec::new();
    loop {
        let element = client.element().await?;
        let id = element.attribute("id").unwrap_or_default();
        match element.attribute("type") {
            Some("result") if id == "after" => break,
            Some("get") => questions.push(id.to_owned()),
            _ => {}
        }
    }
    let asked = questions.len();
    check(asked > 0 && asked <= TIMES, format!("{asked} questions"))?;
    let features = (0..6000).map(|number| format!("<feature var='urn:example:{number}'/>"));
    let features = features.collect::<Vec<_>>().concat();
    for id in questions.iter().rev().take(5) {
        let answer = format!(
            "<iq type='result' id='{id}'>\
             <query xmlns='http://jabber.org/protocol/disco#info'>{features}</query></iq>"
        );
        client.send(answer).await?;
    }
    client.ping("localhost").await?;
    Ok(())
}

/// Answers to questions that the server never asked change nothing, whatever they say.
pub(super) async fn answers_to_nothing_change_nothing(
    company: &Company,
    source: IpAddr,
) -> Verdict {
    let mut client = bound(&company.server, source, "items").await?;
    let forged = (0..2000).map(|number| {
        format!(
            "<iq type='result' id='{number}'><query xmlns='jabber:iq:roster'>\
             <item jid='x{number}@localhost' subscription='both'/></query></iq>\
             <iq type='result' id='{number}' to='localhost'>\
             <query xmlns='http://jabber.org/protocol/disco#info'/></iq>"
        )
    });
    for answers in forged.collect::<Vec<_>>().chunks(100) {
        client.send(answers.concat()).await?;
    }
    let roster = "<iq type='get' id='r'><query xmlns='jabber:iq:roster'/></iq>";
    client.send(roster).await?;
    let next = client.element().await?;
    check(next.attribute("id") == Some("r"), format!("{next:?}"))?;
    let query = next.children().next().ok_or("no roster")?;
    check(
        query.children().count() == 0,
        "an answer changed the roster",
    )
}
