//! Sessions that have asked for their roster, are available, and do nothing: what memory each takes.
//!
//! Every second account logs in, so that half of the contacts of each are there.

use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::sleep;

use crate::error::BenchError;
use crate::options::Command;
use crate::report::{Memory, Report};
use crate::session::Session;
use crate::stage::Stage;

const ROSTER: &str = "<iq type='get' id='roster'><query xmlns='jabber:iq:roster'/></iq>";

pub(super) async fn run(
    stage: &Stage,
    command: &Command,
    warm_up_logins: u32,
) -> Result<Report, BenchError> {
    let users = command.options.users;
    let rest = Duration::from_secs(command.options.settle);
    let (sessions, _) = stage.log_in(0..warm_up_logins.min(users)).await?;
    stage.leave(sessions).await?;
    sleep(rest).await;
    let before = stage.memory()?;
    let begun = stage.mark()?;
    let (sessions, latency) = stage.log_in((0..users).step_by(2)).await?;
    let count = u64::try_from(sessions.len()).unwrap_or(u64::MAX);
    let mut tasks = JoinSet::new();
    for session in sessions {
        tasks.spawn(settle(session, rest, command.options.is_relay()));
    }
    let mut sessions = Vec::new();
    while let Some(session) = tasks.join_next().await {
        sessions.push(session??);
    }
    let with_sessions = stage.memory()?;
    let used = begun.used(stage)?;
    stage.leave(sessions).await?;
    sleep(rest).await;
    let memory = Memory {
        before,
        with_sessions,
        after: stage.memory()?,
        per_session: with_sessions.saturating_sub(before) / count.max(1),
    };
    let mut report = Report::new(command, "sessions", count, used).with_latency(&latency);
    report.memory = Some(memory);
    Ok(report)
}

/// Asks for the roster, becomes available, and reads what comes for a while.
async fn settle(
    mut session: Session,
    rest: Duration,
    is_relay: bool,
) -> Result<Session, BenchError> {
    if !is_relay {
        session.ask("roster", ROSTER).await?;
    }
    session.output.extend_from_slice(b"<presence/>");
    session.flush().await?;
    let mut rest = std::pin::pin!(sleep(rest));
    loop {
        session.stanzas(|_| Ok(()))?;
        tokio::select! {
            () = &mut rest => return Ok(session),
            filled = session.fill() => filled?,
        }
    }
}
