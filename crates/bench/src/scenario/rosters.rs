//! Makes each account and its neighbours in the ring contacts of each other (RFC 6121 §3).
//!
//! It can be run again: accounts that have their contacts stay as they are.

use std::collections::HashSet;
use std::time::Duration;

use memchr::memmem;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};

use crate::accounts;
use crate::error::BenchError;
use crate::options::{Command, Options};
use crate::report::Report;
use crate::session::Session;
use crate::stage::Stage;

const ROSTER: &str = "<iq type='get' id='roster'><query xmlns='jabber:iq:roster'/></iq>";
/// How long subscriptions may take, however many they are.
const PATIENCE: Duration = Duration::from_secs(300);
/// How often an account looks whether it is done.
const LOOK: Duration = Duration::from_secs(1);
/// How many contacts it asks again then.
const AGAIN: usize = 5;

pub(super) async fn run(stage: &Stage, command: &Command) -> Result<Report, BenchError> {
    let users = command.options.users;
    let begun = stage.mark()?;
    let (sessions, _) = stage.log_in(0..users).await?;
    let (done, _) = watch::channel(0_u32);
    let mut tasks = JoinSet::new();
    for (index, session) in (0..).zip(sessions) {
        tasks.spawn(befriend(stage.clone(), session, index, done.clone()));
    }
    while let Some(task) = tasks.join_next().await {
        task??;
    }
    let used = begun.used(stage)?;
    Ok(Report::new(command, "rosters", u64::from(users), used))
}

/// Asks all neighbours, agrees to what they ask, and stays until all accounts are done.
async fn befriend(
    stage: Stage,
    mut session: Session,
    index: u32,
    done: watch::Sender<u32>,
) -> Result<(), BenchError> {
    let options = stage.options();
    let users = options.users;
    let mut everybody = done.subscribe();
    // Requests come from the first presence on (RFC 6121 §3.1.3), and none may be overlooked.
    let roster = session.ask("roster", ROSTER).await?;
    session.output.extend_from_slice(b"<presence/>");
    let mut ready = is_ready(&mutual(&roster), options);
    let neighbours: Vec<String> = options
        .neighbours(index)
        .map(|neighbour| accounts::jid(options, neighbour))
        .collect();
    if ready {
        done.send_modify(|done| *done += 1);
    } else {
        for jid in &neighbours {
            put(&mut session, "subscribe", jid);
        }
        session.flush().await?;
    }
    let deadline = Instant::now() + PATIENCE;
    let mut look = Instant::now() + LOOK;
    loop {
        let roster = take(&mut session)?;
        if let Some(roster) = roster.filter(|_| !ready) {
            let mutual = mutual(&roster);
            ready = is_ready(&mutual, options);
            if ready {
                stage.progress.count(1);
                done.send_modify(|done| *done += 1);
            }
            // A server may have refused what was too much at once: the request, or the consent.
            let missing = neighbours
                .iter()
                .filter(|jid| !mutual.contains(jid.as_str()));
            for jid in missing.take(AGAIN) {
                put(&mut session, "subscribe", jid);
                put(&mut session, "subscribed", jid);
            }
        }
        session.flush().await?;
        if *everybody.borrow_and_update() >= users {
            return session.leave(options).await;
        }
        if Instant::now() > deadline {
            return Err(BenchError::Unprepared(
                "the server does not complete the subscriptions",
            ));
        }
        tokio::select! {
            filled = session.fill() => filled?,
            changed = everybody.changed() => if changed.is_err() { return Ok(()) },
            () = sleep_until(look) => {
                look = Instant::now() + LOOK;
                if !ready {
                    session.output.extend_from_slice(ROSTER.as_bytes());
                }
            }
        }
    }
}

/// Agrees to what has come, and gives the roster, if that has come.
fn take(session: &mut Session) -> Result<Option<String>, BenchError> {
    let mut answers = Vec::new();
    let mut roster = None;
    session.stanzas(|stanza| {
        agree(stanza, &mut answers);
        // The answer to the request for it; pushes come with ids of their own (RFC 6121 §2.1.6).
        let ids = [&b"id='roster'"[..], b"id=\"roster\""];
        let is_answer = ids.iter().any(|id| memmem::find(stanza, id).is_some());
        if stanza.starts_with(b"<iq") && is_answer {
            roster = Some(String::from_utf8_lossy(stanza).into_owned());
        }
        Ok(())
    })?;
    session.output.extend_from_slice(&answers);
    Ok(roster)
}

/// Asks an account for its presence, or consents to its request (RFC 6121 §3.1.1, §3.1.4).
fn put(session: &mut Session, kind: &str, jid: &str) {
    let presence = format!("<presence type='{kind}' to='{jid}'/>");
    session.output.extend_from_slice(presence.as_bytes());
}

/// The contacts in a roster whose subscription goes both ways.
fn mutual(roster: &str) -> HashSet<&str> {
    let items = roster.split("<item ").skip(1);
    let items = items.filter_map(|rest| rest.split('>').next());
    items
        .filter(|item| attribute(item, "subscription") == Some("both"))
        .filter_map(|item| attribute(item, "jid"))
        .collect()
}

/// Whether these are all the contacts that an account is to have.
fn is_ready(mutual: &HashSet<&str>, options: &Options) -> bool {
    u32::try_from(mutual.len()).is_ok_and(|mutual| mutual >= options.contacts)
}

/// The value of an attribute in a start tag, if the tag has it.
fn attribute<'a>(tag: &'a str, name: &str) -> Option<&'a str> {
    let value = |quote: char| {
        let (_, rest) = tag.split_once(&format!("{name}={quote}"))?;
        Some(rest.split_once(quote)?.0)
    };
    value('\'').or_else(|| value('"'))
}

/// Answers a request to subscribe with consent (RFC 6121 §3.1.4).
fn agree(stanza: &[u8], answers: &mut Vec<u8>) {
    let is_request = [&b"type='subscribe'"[..], b"type=\"subscribe\""]
        .iter()
        .any(|kind| memmem::find(stanza, kind).is_some());
    if stanza.starts_with(b"<presence") && is_request {
        let text = String::from_utf8_lossy(stanza);
        if let Some(from) = attribute(&text, " from") {
            let consent = format!("<presence type='subscribed' to='{from}'/>");
            answers.extend_from_slice(consent.as_bytes());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_agreed_to_and_nothing_else_is() {
        let mut answers = Vec::new();
        agree(b"<presence from='a@b' type='subscribe'/>", &mut answers);
        agree(b"<presence type=\"subscribe\" from=\"c@d\"/>", &mut answers);
        agree(b"<presence from='e@f' type='subscribed'/>", &mut answers);
        agree(b"<message from='g@h' type='subscribe'/>", &mut answers);
        let answers = String::from_utf8(answers).unwrap();
        assert_eq!(
            answers,
            "<presence type='subscribed' to='a@b'/><presence type='subscribed' to='c@d'/>"
        );
    }

    #[test]
    fn a_roster_is_ready_when_it_has_all_contacts_in_both_directions() {
        let options = Options {
            contacts: 2,
            ..Options::default()
        };
        let [first, to, second] = [
            "<item jid='a@b' subscription='both'/>",
            "<item subscription=\"to\" jid=\"c@d\"/>",
            "<item subscription=\"both\" jid=\"e@f\"><group>g</group></item>",
        ];
        let ready = |roster: &str| is_ready(&mutual(roster), &options);
        assert!(ready(&format!("{first}{to}{second}")));
        assert!(!ready(&format!("{first}{to}")));
        assert!(!ready(&format!("{first}{first}")));
    }
}
