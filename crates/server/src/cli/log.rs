//! `rookery log`: looking through the message log, and repairing it.

use clap::Subcommand;
use rookery_storage_embedded::{OpenError, check_log, repair_log};

use super::exit::Failure;
use super::output;
use crate::config::Config;
use crate::run::{DataDirectory, StartError};

#[derive(Clone, Copy, Debug, Subcommand)]
pub(super) enum LogCommand {
    /// Read all of the message log and say what of it is damaged: exit code 0 or 3. No server may run
    Check,
    /// Give up what of the message log cannot be read, and say what that is. Damaged files are kept. No server may run
    Repair,
}

pub(super) fn execute(command: LogCommand, config: &Config) -> Result<(), Failure> {
    let path = DataDirectory::prepare(&config.data_dir)?.messages()?;
    let failed = |error: OpenError| Failure::from(StartError::from(error));
    match command {
        LogCommand::Check => {
            let found = check_log(&path).map_err(failed)?;
            output::print(&found.to_string())?;
            if found.is_whole() {
                return Ok(());
            }
            let what = "the message log is damaged: restore a backup, or give up what is named above with `rookery log repair`";
            Err(Failure::Refused(what.to_owned()))
        }
        LogCommand::Repair => {
            let found = repair_log(&path).map_err(failed)?;
            output::print(&found.to_string())?;
            output::print(if found.is_whole() {
                "there was nothing to repair\n"
            } else {
                "what is named above is lost; the damaged files are kept, with `.damaged` after their names\n"
            })
        }
    }
}
