//! Sessions come, are available, and leave, as many at once as `--parallel` says.

use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::error::BenchError;
use crate::latency::Latency;
use crate::options::Command;
use crate::report::Report;
use crate::stage::{Stage, Window};

pub(super) async fn run(stage: &Stage, command: &Command) -> Result<Report, BenchError> {
    let window = stage.window();
    let workers = command.options.parallel.min(command.options.users);
    let mut tasks = JoinSet::new();
    for worker in 0..workers {
        tasks.spawn(cycles(stage.clone(), window, worker, workers));
    }
    let used = stage.measure(window).await?;
    let mut latency = Latency::new();
    let mut done = 0;
    while let Some(task) = tasks.join_next().await {
        let (cycles, took) = task??;
        done += cycles;
        latency.add(&took);
    }
    Ok(Report::new(command, "cycles", done, used).with_latency(&latency))
}

/// Every `step`th account in turn, until the window closes.
async fn cycles(
    stage: Stage,
    window: Window,
    first: u32,
    step: u32,
) -> Result<(u64, Latency), BenchError> {
    let users = stage.options().users;
    let mut latency = Latency::new();
    let mut done = 0;
    let mut accounts = (first..users)
        .step_by(usize::try_from(step).unwrap_or(1))
        .cycle();
    while let Some(index) = accounts.next().filter(|_| Instant::now() < window.until) {
        let begun = Instant::now();
        let mut session = stage.login.log_in(index).await?;
        session.output.extend_from_slice(b"<presence/>");
        session.leave(stage.options()).await?;
        let ended = Instant::now();
        if window.contains(ended) {
            done += 1;
            latency.record(ended - begun);
        }
        stage.progress.count(1);
    }
    Ok((done, latency))
}
