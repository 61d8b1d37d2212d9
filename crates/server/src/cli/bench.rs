//! `rookery bench`: load on any server.

use rookery_bench::{BenchError, Command};

use super::exit::Failure;
use super::output;

pub(super) fn execute(command: &Command) -> Result<(), Failure> {
    let outcome = rookery_bench::run(command)?;
    output::print(&outcome.text)?;
    if outcome.is_clean() {
        Ok(())
    } else {
        Err(Failure::Failed(
            "stanzas were lost, repeated, reordered or refused".to_owned(),
        ))
    }
}

// === impl Failure ===

impl From<BenchError> for Failure {
    fn from(error: BenchError) -> Self {
        match error {
            BenchError::Options(_) => Self::Usage(error.to_string()),
            _ => Self::Failed(error.to_string()),
        }
    }
}
