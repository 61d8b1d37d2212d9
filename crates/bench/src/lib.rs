//! A load generator for any XMPP server: `rookery bench`.
//!
//! Every stanza that is measured carries a number, so that a run also says what was lost, repeated or
//! reordered. The generator shares no protocol logic with the server: a mistake in one does not hide the
//! same mistake in the other.

mod accounts;
mod error;
mod latency;
mod ledger;
mod management;
mod options;
mod process;
mod progress;
mod report;
mod sasl;
mod scenario;
mod scram;
mod session;
mod stage;
mod stamp;
mod transport;

pub use error::BenchError;
pub use options::{Command, Options, Scenario};
pub use report::Report;

/// Runs a scenario, and gives what is to be printed on standard output.
///
/// # Errors
/// Options that contradict each other, and everything that keeps a scenario from being run to its end.
/// Lost stanzas are no error here: the report has them, and [`Outcome::is_clean`] says it.
pub fn run(command: &Command) -> Result<Outcome, BenchError> {
    let options = &command.options;
    if let Scenario::Accounts = command.scenario {
        return Ok(Outcome {
            text: accounts::lines(options),
            clean: true,
        });
    }
    // A system that refuses refuses a connection later, with an error that says so.
    drop(rlimit::increase_nofile_limit(u64::MAX));
    let mut builder = match options.threads {
        1 => tokio::runtime::Builder::new_current_thread(),
        threads => {
            let mut builder = tokio::runtime::Builder::new_multi_thread();
            builder.worker_threads(usize::from(threads));
            builder
        }
    };
    let runtime = builder.enable_all().build().map_err(BenchError::Runtime)?;
    let report = runtime.block_on(Box::pin(scenario::run(command)))?;
    let clean = report.is_clean();
    let text = match options.json.as_deref() {
        Some("-") => report.json()?,
        Some(file) => {
            std::fs::write(file, report.json()?)
                .map_err(|error| BenchError::File(file.to_owned(), error))?;
            report.table()
        }
        None => report.table(),
    };
    Ok(Outcome { text, clean })
}

/// What a command leads to.
#[derive(Debug)]
pub struct Outcome {
    /// For standard output.
    pub text: String,
    clean: bool,
}

// === impl Outcome ===

impl Outcome {
    /// Whether nothing was lost, repeated, reordered or refused.
    pub fn is_clean(&self) -> bool {
        self.clean
    }
}
