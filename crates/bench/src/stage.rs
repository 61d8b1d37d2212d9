//! What all scenarios share: logging in, and measuring between two moments.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until};

use crate::error::BenchError;
use crate::latency::Latency;
use crate::options::Options;
use crate::process::Tree;
use crate::progress::Progress;
use crate::report::Used;
use crate::session::{Login, Session};
use crate::stamp;

/// What a scenario has to work with.
#[derive(Clone, Debug)]
pub(crate) struct Stage {
    pub(crate) login: Arc<Login>,
    pub(crate) progress: Progress,
    /// What tells stanzas of this run from those of others.
    pub(crate) run: u32,
    /// Times in stanzas count from here.
    epoch: Instant,
    server: Option<Tree>,
}

/// When it is measured.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Window {
    pub(crate) from: Instant,
    pub(crate) until: Instant,
    /// When what has not come is lost.
    pub(crate) patience: Instant,
}

/// Paces what may not happen too often.
#[derive(Debug)]
struct Pace(Option<tokio::time::Interval>);

/// The number of a run, which hardly any other has.
fn run() -> Result<u32, BenchError> {
    let mut bytes = [0; 4];
    getrandom::fill(&mut bytes).map_err(|error| std::io::Error::other(error.to_string()))?;
    Ok(u32::from_be_bytes(bytes) % stamp::RUNS)
}

// === impl Stage ===

impl Stage {
    pub(crate) fn new(options: Options) -> Result<Self, BenchError> {
        Ok(Self {
            server: options.pid.map(Tree::new),
            login: Arc::new(Login::new(options)?),
            progress: Progress::default(),
            run: run()?,
            epoch: Instant::now(),
        })
    }

    pub(crate) fn options(&self) -> &Options {
        &self.login.options
    }

    /// Nanoseconds since the generator began.
    pub(crate) fn nanoseconds(&self, at: Instant) -> u64 {
        u64::try_from((at - self.epoch).as_nanos()).unwrap_or(u64::MAX)
    }

    /// The time since a moment that is given in nanoseconds since the generator began.
    pub(crate) fn since(&self, nanoseconds: u64, now: Instant) -> Duration {
        Duration::from_nanos(self.nanoseconds(now).saturating_sub(nanoseconds))
    }

    /// Logs these accounts in; the sessions come in the same order, and what each login took.
    pub(crate) async fn log_in(
        &self,
        accounts: impl Iterator<Item = u32>,
    ) -> Result<(Vec<Session>, Latency), BenchError> {
        let parallel = usize::try_from(self.options().parallel).unwrap_or(1);
        let permits = Arc::new(Semaphore::new(parallel));
        let mut pace = Pace::new(self.options().login_rate);
        let mut logins = JoinSet::new();
        let mut sessions = Vec::new();
        let mut latency = Latency::new();
        for index in accounts {
            pace.wait().await;
            let stage = self.clone();
            // It is never closed.
            let Ok(permit) = permits.clone().acquire_owned().await else {
                break;
            };
            logins.spawn(async move {
                let begun = Instant::now();
                let session = stage.login.log_in(index).await?;
                drop(permit);
                stage.progress.count(1);
                Ok::<_, BenchError>((index, session, begun.elapsed()))
            });
            while let Some(done) = logins.try_join_next() {
                let (index, session, took) = done??;
                latency.record(took);
                sessions.push((index, session));
            }
        }
        while let Some(done) = logins.join_next().await {
            let (index, session, took) = done??;
            latency.record(took);
            sessions.push((index, session));
        }
        sessions.sort_unstable_by_key(|(index, _)| *index);
        let sessions = sessions.into_iter().map(|(_, session)| session).collect();
        Ok((sessions, latency))
    }

    /// The window that begins now with its warm-up.
    pub(crate) fn window(&self) -> Window {
        let options = self.options();
        let from = Instant::now() + Duration::from_secs(options.warm_up);
        let until = from + Duration::from_secs(options.seconds);
        let patience = until + Duration::from_secs(options.settle);
        Window {
            from,
            until,
            patience,
        }
    }

    /// Waits the window out, and says what was used in it.
    pub(crate) async fn measure(&self, window: Window) -> Result<Used, BenchError> {
        sleep_until(window.from).await;
        let begun = self.mark()?;
        sleep_until(window.until).await;
        begun.used(self)
    }

    /// A mark to measure from.
    pub(crate) fn mark(&self) -> Result<Mark, BenchError> {
        Ok(Mark {
            at: Instant::now(),
            server: self.server.map(Tree::cpu).transpose()?,
            generator: Tree::new(std::process::id()).cpu()?,
        })
    }

    /// Resident memory of the server.
    pub(crate) fn memory(&self) -> Result<u64, BenchError> {
        self.server.map_or(Ok(0), Tree::memory)
    }

    /// Ends all sessions in order, as many at once as may log in at once.
    pub(crate) async fn leave(&self, sessions: Vec<Session>) -> Result<(), BenchError> {
        let parallel = usize::try_from(self.options().parallel).unwrap_or(1);
        let mut leaving = JoinSet::new();
        for session in sessions {
            let login = self.login.clone();
            leaving.spawn(async move { session.leave(&login.options).await });
            if leaving.len() >= parallel {
                leaving.join_next().await.transpose()?.transpose()?;
            }
        }
        while let Some(left) = leaving.join_next().await {
            left??;
        }
        Ok(())
    }
}

/// Where a measurement began.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Mark {
    at: Instant,
    server: Option<Duration>,
    generator: Duration,
}

// === impl Mark ===

impl Mark {
    /// What was used since.
    pub(crate) fn used(self, stage: &Stage) -> Result<Used, BenchError> {
        let now = stage.mark()?;
        let server = now.server.zip(self.server);
        Ok(Used {
            time: now.at - self.at,
            server: server.map(|(now, then)| now.saturating_sub(then)),
            generator: now.generator.saturating_sub(self.generator),
        })
    }
}

// === impl Window ===

impl Window {
    pub(crate) fn contains(&self, at: Instant) -> bool {
        self.from <= at && at < self.until
    }
}

// === impl Pace ===

impl Pace {
    fn new(rate: Option<u32>) -> Self {
        Self(rate.map(|rate| {
            let mut interval = interval(Duration::from_secs(1) / rate.max(1));
            interval.set_missed_tick_behavior(MissedTickBehavior::Burst);
            interval
        }))
    }

    async fn wait(&mut self) {
        if let Some(interval) = &mut self.0 {
            interval.tick().await;
        }
    }
}
