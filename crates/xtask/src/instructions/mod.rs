//! What a stanza costs, in instructions and allocations, beside what it cost when somebody last looked.
//!
//! Counts repeat where times do not: valgrind counts each case of `benches/instructions` for two numbers of
//! repetitions, and the difference is what the case costs without its preparation.

mod baseline;
mod valgrind;

use std::collections::BTreeMap;
use std::io;
use std::num::NonZero;
use std::path::PathBuf;
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use crate::finding::{Finding, Report};
use crate::repository::{Repository, RepositoryError};
use baseline::{Baseline, Cost};

/// Where the costs are recorded.
const BASELINE: &str = "benches/instructions.toml";
/// How a change is recorded.
const RECORD: &str = "cargo xtask instructions --record \"why\"";

/// Why the costs cannot be counted.
#[derive(Debug, thiserror::Error)]
pub(crate) enum InstructionsError {
    #[error("cannot run {0}: {1}")]
    NoProgram(&'static str, #[source] io::Error),
    #[error("{program} failed\n{output}")]
    Failed {
        program: &'static str,
        output: String,
    },
    #[error("valgrind printed no {0}; the output was\n{1}")]
    NoCount(&'static str, String),
    #[error("{BASELINE} cannot be read: {0}")]
    Baseline(#[from] toml::de::Error),
    #[error("the reason why a cost changed is missing; {RECORD}")]
    NoReason,
    #[error(transparent)]
    Repository(#[from] RepositoryError),
}

/// Counts, and compares with the record. More than a tenth above it is a finding.
pub(crate) fn check(repository: &Repository) -> Result<Report, InstructionsError> {
    let baseline = Baseline::read(repository)?;
    if baseline.architecture != std::env::consts::ARCH {
        let summary = format!(
            "not compared: the record is of {}, this is {}",
            baseline.architecture,
            std::env::consts::ARCH
        );
        return Ok(Report {
            summary,
            findings: Vec::new(),
        });
    }
    let costs = count()?;
    print_costs(&costs, &baseline);
    let findings = baseline.compare(&costs);
    let fewer = baseline.improved(&costs);
    let fewer = match fewer {
        0 => String::new(),
        fewer => format!("; {fewer} of them cost a tenth less, record that"),
    };
    let summary = format!("{} cases cost what {BASELINE} says{fewer}", costs.len());
    Ok(Report { summary, findings })
}

/// Counts, and records every cost that changed by more than a tenth, with the reason.
pub(crate) fn record(repository: &Repository, reason: &str) -> Result<Report, InstructionsError> {
    if reason.trim().is_empty() {
        return Err(InstructionsError::NoReason);
    }
    let mut baseline = Baseline::read(repository)?;
    let costs = count()?;
    print_costs(&costs, &baseline);
    let changed = baseline.update(&costs, reason);
    repository.replace(BASELINE, &baseline.text())?;
    Ok(Report {
        summary: format!("{changed} cases recorded in {BASELINE}"),
        findings: Vec::new(),
    })
}

#[expect(clippy::print_stdout, reason = "the costs are for reading")]
fn print_costs(costs: &BTreeMap<String, Cost>, baseline: &Baseline) {
    for (case, cost) in costs {
        let before = baseline.cost(case).map_or(String::new(), |before| {
            format!(
                " (recorded: {} and {})",
                before.instructions, before.allocations
            )
        });
        println!(
            "{case}: {} instructions, {} allocations{before}",
            cost.instructions, cost.allocations
        );
    }
}

/// Builds the cases and counts all of them, as many at once as there are processors.
fn count() -> Result<BTreeMap<String, Cost>, InstructionsError> {
    let program = build()?;
    let listed = run(Command::new(&program), "rookery-instructions")?;
    let cases: Vec<&str> = listed.lines().collect();
    let next = AtomicUsize::new(0);
    let workers = thread::available_parallelism().map_or(1, NonZero::get);
    let work = || {
        let mut costs = Vec::new();
        while let Some(case) = cases.get(next.fetch_add(1, Ordering::Relaxed)) {
            costs.push(((*case).to_owned(), valgrind::cost(&program, case)?));
        }
        Ok(costs)
    };
    let found: Result<Vec<Vec<_>>, InstructionsError> = thread::scope(|scope| {
        let workers: Vec<_> = (0..workers).map(|_| scope.spawn(work)).collect();
        workers
            .into_iter()
            .map(|worker| {
                worker
                    .join()
                    .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
            })
            .collect()
    });
    Ok(found?.into_iter().flatten().collect())
}

fn build() -> Result<PathBuf, InstructionsError> {
    let mut cargo = Command::new("cargo");
    cargo.args([
        "build",
        "--quiet",
        "--release",
        "--package",
        "rookery-instructions",
    ]);
    run(cargo, "cargo")?;
    let target =
        std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| "target".into(), PathBuf::from);
    Ok(target.join("release/rookery-instructions"))
}

/// Runs a program to its end, and gives what it printed.
fn run(mut command: Command, program: &'static str) -> Result<String, InstructionsError> {
    let output = command
        .output()
        .map_err(|error| InstructionsError::NoProgram(program, error))?;
    if output.status.success() {
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    } else {
        let output = String::from_utf8_lossy(&output.stderr).into_owned();
        Err(InstructionsError::Failed { program, output })
    }
}

/// A finding about the record.
fn wrong(message: String) -> Finding {
    Finding::file(BASELINE, message)
}
