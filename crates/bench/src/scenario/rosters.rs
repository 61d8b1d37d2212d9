//! Makes each account and its neighbours in the ring contacts of each other (RFC 6121 §3).
//!
//! It can be run again: accounts that have their contacts stay as they are.

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
    session.output.extend_from_slice(b"<presence/>");
    let mut ready = is_ready(&session.ask("roster", ROSTER).await?, options);
    if ready {
        done.send_modify(|done| *done += 1);
    } else {
        for neighbour in options.neighbours(index) {
            let jid = accounts::jid(options, neighbour);
            let request = format!("<presence type='subscribe' to='{jid}'/>");
            session.output.extend_from_slice(request.as_bytes());
        }
        session.flush().await?;
    }
    let deadline = Instant::now() + PATIENCE;
    let mut look = Instant::now() + LOOK;
    loop {
        let mut answers = Vec::new();
        let mut now_ready = false;
        session.stanzas(|stanza| {
            agree(stanza, &mut answers);
            let text = String::from_utf8_lossy(stanza);
            now_ready |= stanza.starts_with(b"<iq") && is_ready(&text, options);
            Ok(())
        })?;
        if now_ready && !ready {
            ready = true;
            stage.progress.count(1);
            done.send_modify(|done| *done += 1);
        }
        session.output.extend_from_slice(&answers);
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

/// Whether a roster has all the contacts, in both directions.
fn is_ready(roster: &str, options: &Options) -> bool {
    let both = roster.matches("subscription='both'").count()
        + roster.matches("subscription=\"both\"").count();
    u32::try_from(both).is_ok_and(|both| both >= options.contacts)
}

/// Answers a request to subscribe with consent (RFC 6121 §3.1.4).
fn agree(stanza: &[u8], answers: &mut Vec<u8>) {
    let is_request = [&b"type='subscribe'"[..], b"type=\"subscribe\""]
        .iter()
        .any(|kind| memmem::find(stanza, kind).is_some());
    if stanza.starts_with(b"<presence") && is_request {
        let text = String::from_utf8_lossy(stanza);
        let from = |quote: char| {
            let (_, rest) = text.split_once(&format!(" from={quote}"))?;
            Some(rest.split_once(quote)?.0.to_owned())
        };
        if let Some(from) = from('\'').or_else(|| from('"')) {
            answers
                .extend_from_slice(format!("<presence type='subscribed' to='{from}'/>").as_bytes());
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
        let [both, to] = ["<item subscription='both'/>", "<item subscription=\"to\"/>"];
        assert!(is_ready(&format!("{both}{to}{both}"), &options));
        assert!(!is_ready(&format!("{both}{to}"), &options));
    }
}
