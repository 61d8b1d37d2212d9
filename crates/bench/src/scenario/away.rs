//! Sessions whose connections are lost, which wait for their clients (XEP-0198 §5): what memory each takes, and what
//! each message that waits in them.

use std::time::Duration;

use tokio::time::sleep;

use crate::accounts;
use crate::error::BenchError;
use crate::options::Command;
use crate::report::{Away, Report};
use crate::stage::Stage;

/// Messages that are sent at once.
const BATCH: u32 = 100;

pub(super) async fn run(
    stage: &Stage,
    command: &Command,
    waiting: u32,
) -> Result<Report, BenchError> {
    let users = command.options.users;
    let rest = Duration::from_secs(command.options.settle);
    let (mut senders, _) = stage.log_in(1..2).await?;
    let before = stage.memory()?;
    let begun = stage.mark()?;
    let (mut sessions, latency) = stage.log_in((0..users).step_by(2)).await?;
    for session in &mut sessions {
        session.output.extend_from_slice(b"<presence/>");
        session.flush().await?;
    }
    sleep(rest).await;
    let connected = stage.memory()?;
    let count = u64::try_from(sessions.len()).unwrap_or(u64::MAX).max(1);
    // The streams are left as they are.
    drop(sessions);
    sleep(rest).await;
    let lost = stage.memory()?;
    if let Some(sender) = senders.first_mut() {
        for index in (0..users).step_by(2) {
            let to = accounts::jid(&command.options, index);
            let body = "x".repeat(100);
            let message = format!("<message to='{to}' type='chat'><body>{body}</body></message>");
            for number in 0..waiting {
                sender.output.extend_from_slice(message.as_bytes());
                if number % BATCH == BATCH - 1 {
                    sender.flush().await?;
                }
            }
            sender.flush().await?;
        }
    }
    sleep(rest).await;
    let full = stage.memory()?;
    let used = begun.used(stage)?;
    let mut report = Report::new(command, "sessions", count, used).with_latency(&latency);
    report.away = Some(Away {
        before,
        connected,
        lost,
        full,
        per_session: lost.saturating_sub(before) / count,
        per_message: full.saturating_sub(lost) / (count * u64::from(waiting.max(1))),
    });
    Ok(report)
}
