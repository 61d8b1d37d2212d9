//! Plays all scenes, or those whose names contain one of the arguments.
#![expect(
    clippy::print_stdout,
    reason = "shows how each scene went, as the test harness of Rust does"
)]

use std::path::Path;
use std::process::ExitCode;

use rookery_conformance::Company;

fn main() -> ExitCode {
    match run() {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            println!("scenes cannot be played: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Whether every scene went as written.
fn run() -> std::io::Result<bool> {
    let is_filter = |argument: &String| !argument.starts_with("--");
    let filters: Vec<_> = std::env::args().skip(1).filter(is_filter).collect();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("scenes");
    let company = Company::find(&folder, &filters)?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let outcomes = runtime.block_on(company.play())?;
    for outcome in &outcomes {
        let result = if outcome.failure.is_some() {
            "FAILED"
        } else {
            "ok"
        };
        println!("scene {} ... {result}", outcome.scene);
    }
    let failures = outcomes
        .iter()
        .filter_map(|outcome| Some((&outcome.scene, outcome.failure.as_ref()?)));
    for (scene, failure) in failures.clone() {
        println!("\n---- {scene}\n{failure}");
    }
    let failed = failures.count();
    println!(
        "\nscenes: {} passed, {failed} failed",
        outcomes.len() - failed
    );
    Ok(failed == 0)
}
