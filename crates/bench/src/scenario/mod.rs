//! The scenarios, one file each.

mod away;
mod chat;
mod churn;
mod idle;
mod login;
mod presence;
mod rosters;

use crate::error::BenchError;
use crate::options::{Command, Scenario};
use crate::report::Report;
use crate::stage::Stage;

/// Runs a scenario to its end.
pub(crate) async fn run(command: &Command) -> Result<Report, BenchError> {
    command.options.check(command.scenario)?;
    let stage = Stage::new(command.options.clone())?;
    let work = async {
        match command.scenario {
            Scenario::Accounts => Err(BenchError::Options("accounts need no server")),
            Scenario::Rosters => Box::pin(rosters::run(&stage, command)).await,
            Scenario::Login => Box::pin(login::run(&stage, command)).await,
            Scenario::Idle { warm_up_logins } => {
                Box::pin(idle::run(&stage, command, warm_up_logins)).await
            }
            Scenario::Away { waiting } => Box::pin(away::run(&stage, command, waiting)).await,
            Scenario::Chat { .. } => Box::pin(chat::run(&stage, command)).await,
            Scenario::Presence => Box::pin(presence::run(&stage, command)).await,
            Scenario::Churn => Box::pin(churn::run(&stage, command)).await,
        }
    };
    stage.progress.show(command.scenario.name(), work).await
}
