//! Checks and generators of the workspace: `cargo xtask help` lists them.
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a command line tool talks to its user"
)]

mod documents;
mod finding;
mod instructions;
mod layers;
mod musts;
mod repository;
mod tidy;

use std::error::Error;
use std::process::ExitCode;

use finding::Report;
use repository::Repository;

const HELP: &str = "\
usage: cargo xtask COMMAND

  layers         a crate depends only on crates of lower layers (table: Cargo.toml)
  tidy           size, names and first lines of sources; paths and words in documents
  musts          every demand of a standard has a scene, a test or a reason
  docs           write the generated documents
  docs --check   the generated documents are what the code would write
  instructions   what a stanza costs in instructions and allocations is what benches/instructions.toml says;
                 --record REASON writes there what changed
  help           this text

exit codes: 0 all is well, 1 something was found, 2 the check could not run";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let outcome = match arguments.as_slice() {
        ["layers"] => layers::run().map_err(Into::into),
        ["tidy"] => in_repository(tidy::run),
        ["musts"] => in_repository(musts::run),
        ["docs"] => in_repository(documents::write),
        ["docs", "--check"] => in_repository(documents::check),
        ["instructions"] => in_repository(instructions::check),
        ["instructions", "--record", reason] => {
            in_repository(|repository| instructions::record(repository, reason))
        }
        ["help" | "--help" | "-h"] => {
            println!("{HELP}");
            return ExitCode::SUCCESS;
        }
        _ => {
            eprintln!("{HELP}");
            return ExitCode::from(2);
        }
    };
    show(&arguments.join(" "), outcome)
}

/// Runs a command that works on the files of the repository.
fn in_repository<E: Error + 'static>(
    command: impl FnOnce(&Repository) -> Result<Report, E>,
) -> Result<Report, Box<dyn Error>> {
    Ok(command(&Repository::open()?)?)
}

/// Prints what a command found, and says so in the exit code.
fn show(command: &str, outcome: Result<Report, Box<dyn Error>>) -> ExitCode {
    match outcome {
        Ok(report) if report.findings.is_empty() => {
            println!("{command}: {}", report.summary);
            ExitCode::SUCCESS
        }
        Ok(report) => {
            for finding in &report.findings {
                eprintln!("{finding}");
            }
            eprintln!("{command}: {} found", report.findings.len());
            ExitCode::from(1)
        }
        Err(error) => {
            eprintln!("{command}: {error}");
            ExitCode::from(2)
        }
    }
}
