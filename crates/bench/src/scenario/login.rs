//! Every account logs in once and stays.

use crate::error::BenchError;
use crate::options::Command;
use crate::report::Report;
use crate::stage::Stage;

pub(super) async fn run(stage: &Stage, command: &Command) -> Result<Report, BenchError> {
    let users = command.options.users;
    // The generator derives the keys of all passwords beforehand, so that it is not what is measured.
    let (sessions, _) = stage.log_in(0..users).await?;
    stage.leave(sessions).await?;
    let begun = stage.mark()?;
    let (sessions, latency) = stage.log_in(0..users).await?;
    let used = begun.used(stage)?;
    stage.leave(sessions).await?;
    Ok(Report::new(command, "logins", u64::from(users), used).with_latency(&latency))
}
