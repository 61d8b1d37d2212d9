//! The way of all writes to one server: whatever waits goes there in one pipeline, with one wait for its replicas.
//!
//! An answer is given only when the replicas have what was written on this very connection. When they have not, or the
//! connection is lost, or a command timed out, what was in the pipeline is sent again, in the same order and before
//! anything that came later: every write is made so that it counts once.

use std::sync::Arc;
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::{Cmd, Pipeline, Value};
use tokio::sync::oneshot;
use tokio::time::Instant;

use crate::config::{Config, Durability};
use crate::dial::{self, Dialer, Target};
use crate::failure::{self, Failure};
use crate::metrics::{Backend, Metrics};
use crate::queue::Queue;
use crate::route::Routes;

/// The first pause after a failure; each further one is twice as long.
const PAUSE: Duration = Duration::from_millis(20);
/// The longest pause.
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// What is answered to a request: an answer for each command.
pub(crate) type Answer = Result<Vec<Value>, Failure>;

/// A request for a server.
#[derive(Debug)]
pub(crate) struct Job {
    pub(crate) commands: Vec<Cmd>,
    /// A key that is in one slot with those that are written.
    pub(crate) mark: String,
    /// Until when it is tried.
    pub(crate) deadline: Instant,
    pub(crate) caller: oneshot::Sender<Answer>,
}

/// The way to one server.
pub(crate) struct Lane {
    pub(crate) target: Target,
    pub(crate) dialer: Arc<Dialer>,
    pub(crate) routes: Arc<Routes>,
    pub(crate) queue: Arc<Queue>,
    pub(crate) metrics: Metrics,
    pub(crate) connection: Option<MultiplexedConnection>,
    /// Whether there was a connection before.
    pub(crate) connected: bool,
}

/// Requests that are sent together.
struct Batch {
    pipe: Pipeline,
    asked: Vec<Asked>,
}

/// A request that was sent.
struct Asked {
    commands: usize,
    mark: String,
    deadline: Instant,
    caller: oneshot::Sender<Answer>,
}

// === impl Lane ===

impl Lane {
    /// Carries requests until nobody can make any more.
    pub(crate) async fn run(mut self) {
        let most = self.dialer.config().batch.get();
        loop {
            let jobs = self.queue.take(most).await;
            if jobs.is_empty() {
                return;
            }
            self.carry(Batch::of(jobs, self.dialer.config())).await;
        }
    }

    /// Sends a batch until everything in it is answered.
    async fn carry(&mut self, mut batch: Batch) {
        let mut pause = PAUSE;
        loop {
            let started = Instant::now();
            let result = self.attempt(&batch.pipe).await;
            if result.is_ok() {
                self.metrics.committed(started.elapsed());
            }
            let lost = matches!(result, Err(Failure::Lost(_)));
            batch = batch.answer(result, self.dialer.config(), |values| self.look(values));
            if batch.asked.is_empty() {
                return;
            }
            if lost && self.dialer.is_cluster() && self.routes.has_lost(&self.target).await {
                batch.give_back();
                return;
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    /// Sends everything once.
    async fn attempt(&mut self, pipe: &Pipeline) -> Answer {
        let mut connection = match self.connection.take() {
            Some(connection) => connection,
            None => self.dial().await?,
        };
        let values = dial::send(&mut connection, pipe).await?;
        // Only a connection that has answered is kept.
        let lost = matches!(failure::among(&values), Some(Failure::Lost(_)));
        self.connection = (!lost).then_some(connection);
        Ok(values)
    }

    async fn dial(&mut self) -> Result<MultiplexedConnection, Failure> {
        if self.connected {
            self.metrics.reconnects.of(Backend::Redis).increment();
        }
        let connection = self.dialer.dial(&self.target).await.inspect_err(
            |failure| tracing::debug!(?failure, target = ?self.target, "no connection for writes"),
        )?;
        self.connected = true;
        Ok(connection)
    }

    /// Whether enough replicas have what was written.
    fn look(&self, tail: &[Value]) -> Result<(), Failure> {
        let config = self.dialer.config();
        let short = |had: i64| {
            self.metrics.degraded.of(Backend::Redis).increment();
            let replicas = config.replicas;
            Failure::Later(format!(
                "{had} of {replicas} replicas have what was written"
            ))
        };
        let enough = i64::from(config.replicas);
        match (config.durability, tail) {
            (Durability::Reply, []) => Ok(()),
            (Durability::Wait, [_, Value::Int(had)]) if *had >= enough => Ok(()),
            (Durability::Wait, [_, Value::Int(had)]) => Err(short(*had)),
            (Durability::WaitAof, [_, Value::Array(synced)]) => match synced.as_slice() {
                [Value::Int(1..), Value::Int(had)] if *had >= enough => Ok(()),
                [Value::Int(1..), Value::Int(had)] => Err(short(*had)),
                _ => Err(Failure::Later(
                    "the primary has not synced what was written".to_owned(),
                )),
            },
            (_, tail) => Err(failure::among(tail).unwrap_or_else(|| {
                Failure::Lost("the wait for replicas has no answer".to_owned())
            })),
        }
    }
}

// === impl Batch ===

impl Batch {
    fn of(jobs: Vec<Job>, config: &Config) -> Self {
        let mut pipe = Pipeline::new();
        let mut asked = Vec::with_capacity(jobs.len());
        for job in jobs {
            asked.push(Asked {
                commands: job.commands.len(),
                mark: job.mark,
                deadline: job.deadline,
                caller: job.caller,
            });
            for command in job.commands {
                pipe.add_command(command);
            }
        }
        let mut batch = Self { pipe, asked };
        batch.finish(config);
        batch
    }

    /// Adds the wait for replicas. It covers what was written by the connection that waits, and everything before that:
    /// so something is written first, for what is in the batch may have been written by an earlier connection.
    fn finish(&mut self, config: &Config) {
        let Some(first) = self.asked.first() else {
            return;
        };
        if config.durability == Durability::Reply {
            return;
        }
        self.pipe
            .cmd("SET")
            .arg(&first.mark)
            .arg("")
            .arg("PX")
            .arg(60_000);
        match config.durability {
            Durability::Wait => self.pipe.cmd("WAIT"),
            _ => self.pipe.cmd("WAITAOF").arg(1),
        };
        self.pipe.arg(config.replicas).arg(config.wait_ms.get());
    }

    /// Answers what can be answered; what is left has to be sent again.
    fn answer(
        self,
        result: Answer,
        config: &Config,
        look: impl FnOnce(&[Value]) -> Result<(), Failure>,
    ) -> Self {
        let now = Instant::now();
        let mut values = match result {
            Ok(values) => values,
            Err(failure) => return self.all(&failure, now, config),
        };
        let commands = self.asked.iter().map(|asked| asked.commands).sum();
        let tail = values.split_off(values.len().min(commands));
        let durable = look(&tail);
        let mut left = Self {
            pipe: Pipeline::new(),
            asked: Vec::new(),
        };
        let mut commands = self.pipe.cmd_iter();
        let mut values = values.into_iter();
        for asked in self.asked {
            let answers: Vec<Value> = values.by_ref().take(asked.commands).collect();
            let sent = commands.by_ref().take(asked.commands);
            let failure = failure::among(&answers).or_else(|| durable.as_ref().err().cloned());
            match failure {
                None => asked.say(Ok(answers)),
                Some(Failure::Lost(_) | Failure::Later(_)) if now < asked.deadline => {
                    left.send_again(sent.cloned().collect());
                    left.asked.push(asked);
                }
                Some(failure) => {
                    sent.for_each(drop);
                    asked.say(Err(failure));
                }
            }
        }
        left.finish(config);
        left
    }

    /// Nothing was answered.
    fn all(self, failure: &Failure, now: Instant, config: &Config) -> Self {
        let again = matches!(failure, Failure::Lost(_) | Failure::Later(_));
        if again && self.asked.iter().all(|asked| now < asked.deadline) {
            return self;
        }
        let mut left = Self {
            pipe: Pipeline::new(),
            asked: Vec::new(),
        };
        let mut commands = self.pipe.cmd_iter();
        for asked in self.asked {
            let sent = commands.by_ref().take(asked.commands);
            if again && now < asked.deadline {
                left.send_again(sent.cloned().collect());
                left.asked.push(asked);
            } else {
                sent.for_each(drop);
                asked.say(Err(failure.clone()));
            }
        }
        left.finish(config);
        left
    }

    fn send_again(&mut self, commands: Vec<Cmd>) {
        for command in commands {
            self.pipe.add_command(command);
        }
    }

    /// The slots are elsewhere.
    fn give_back(self) {
        for asked in self.asked {
            asked.say(Err(Failure::Moved));
        }
    }
}

// === impl Asked ===

impl Asked {
    fn say(self, answer: Answer) {
        // Whoever asked may have gone; what was written is written.
        drop(self.caller.send(answer));
    }
}
