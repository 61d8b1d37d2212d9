//! What the ports ask through: finds the server, bounds what waits, tries again what may be tried again.

use std::sync::Arc;
use std::time::Duration;

use redis::{Cmd, Pipeline, Value};
use rookery_storage::StoreError;
use tokio::sync::{Semaphore, oneshot};
use tokio::time::Instant;

use crate::address::Address;
use crate::dial::{self, Dialer};
use crate::failure::Failure;
use crate::keys::Keys;
use crate::lane::Job;
use crate::metrics::{Backend, Metrics, Operation, Outcome, Threads};
use crate::queue::{Crowded, Refused};
use crate::route::Routes;
use crate::scripts::Scripts;

/// The pause before a read is tried again.
const PAUSE: Duration = Duration::from_millis(50);

/// What is said when too much waits.
const CROWDED: &str = "too many operations wait for the store";
/// What is said at the end.
const CLOSED: &str = "the store is closed";

/// The way to the servers.
#[derive(Debug)]
pub(crate) struct Wire {
    pub(crate) dialer: Arc<Dialer>,
    pub(crate) routes: Arc<Routes>,
    pub(crate) scripts: Arc<Scripts>,
    pub(crate) metrics: Metrics,
    /// Reads that may be under way.
    reads: Semaphore,
}

// === impl Wire ===

impl Wire {
    pub(crate) fn new(
        dialer: Arc<Dialer>,
        routes: Arc<Routes>,
        scripts: Arc<Scripts>,
        metrics: Metrics,
    ) -> Self {
        let reads = Semaphore::new(dialer.config().queue.get());
        Self {
            dialer,
            routes,
            scripts,
            metrics,
            reads,
        }
    }

    /// The keys of an account.
    pub(crate) fn keys(&self, account: &rookery_stanza::BareJid) -> Keys {
        Keys::of(&self.dialer.config().prefix, account)
    }

    /// The keys of a part of a host's lists.
    pub(crate) fn part(&self, host: &str, part: u8) -> Keys {
        Keys::of_part(&self.dialer.config().prefix, host, part)
    }

    /// Measures an operation.
    pub(crate) async fn measured<T>(
        &self,
        operation: Operation,
        work: impl Future<Output = Result<T, StoreError>>,
    ) -> Result<T, StoreError> {
        let started = Instant::now();
        let result = work.await;
        let outcome = match &result {
            Ok(_) => Outcome::Ok,
            Err(StoreError::Unavailable(why))
                if why.as_str() == CROWDED || why.as_str() == CLOSED =>
            {
                Outcome::CircuitOpen
            }
            Err(_) if started.elapsed() >= self.dialer.config().patience() => Outcome::Timeout,
            Err(_) => Outcome::Error,
        };
        self.metrics
            .operations
            .of(Backend::Redis, operation, outcome)
            .increment();
        self.metrics
            .duration
            .of(Backend::Redis, operation)
            .observe(started.elapsed());
        result
    }

    /// Has commands carried out that write; they may be carried out more than once.
    pub(crate) async fn write(
        &self,
        keys: &Keys,
        commands: Vec<Cmd>,
        crowded: Crowded,
    ) -> Result<Vec<Value>, StoreError> {
        let deadline = Instant::now() + self.dialer.config().patience();
        let again = self.dialer.is_cluster().then(|| commands.clone());
        let mut commands = Some(commands);
        let mut asked: Option<Address> = None;
        loop {
            let failure = match self
                .submit(keys, &mut commands, asked.take(), crowded, deadline)
                .await
            {
                Ok(values) => return Ok(values),
                Err(failure) => failure,
            };
            let Some(again) = &again else {
                return Err(failure.into_error());
            };
            if Instant::now() >= deadline {
                return Err(failure.into_error());
            }
            match failure {
                Failure::Moved => drop(self.routes.map().await),
                Failure::Ask(to) => asked = Address::of(&to, self.speaks_tls()).ok(),
                Failure::Later(_) => {}
                Failure::Lost(_) | Failure::Refused(_) => return Err(failure.into_error()),
            }
            if commands.is_none() {
                commands = Some(again.clone());
            }
            if asked.is_none() {
                tokio::time::sleep(PAUSE).await;
            }
        }
    }

    async fn submit(
        &self,
        keys: &Keys,
        commands: &mut Option<Vec<Cmd>>,
        asked: Option<Address>,
        crowded: Crowded,
        deadline: Instant,
    ) -> Result<Vec<Value>, Failure> {
        let asking = asked.is_some();
        let server = match asked {
            Some(address) => self.routes.at(address)?,
            None => self.routes.of(keys.slot).await?,
        };
        let commands = commands.take().unwrap_or_default();
        let commands = if asking {
            with_asking(commands)
        } else {
            commands
        };
        let (caller, answer) = oneshot::channel();
        let job = Job {
            commands,
            mark: keys.key("mark"),
            deadline,
            caller,
        };
        server.queue.push(job, crowded).map_err(|refused| {
            let why = match refused {
                Refused::Crowded => CROWDED,
                Refused::Closed => CLOSED,
            };
            Failure::Refused(StoreError::Unavailable(why.to_owned()))
        })?;
        let closed = |_| Failure::Refused(StoreError::Unavailable(CLOSED.to_owned()));
        let mut values = answer.await.map_err(closed)??;
        if asking {
            let mut nth = 0;
            values.retain(|_| {
                nth += 1;
                nth % 2 == 0
            });
        }
        Ok(values)
    }

    fn speaks_tls(&self) -> bool {
        self.dialer
            .config()
            .addresses()
            .iter()
            .any(|address| address.tls)
    }

    /// Asks what changes nothing.
    pub(crate) async fn read(
        &self,
        keys: &Keys,
        commands: Vec<Cmd>,
    ) -> Result<Vec<Value>, StoreError> {
        let permit = self.reads.try_acquire();
        let _permit = permit.map_err(|_| StoreError::Unavailable(CROWDED.to_owned()))?;
        let under_way = self.metrics.waiting.of(Backend::Redis, Threads::Readers);
        under_way.add(1);
        let result = self.ask(keys, commands).await;
        under_way.add(-1);
        result
    }

    async fn ask(&self, keys: &Keys, commands: Vec<Cmd>) -> Result<Vec<Value>, StoreError> {
        let deadline = Instant::now() + self.dialer.config().patience();
        let mut pipe = Pipeline::with_capacity(commands.len());
        for command in commands {
            pipe.add_command(command);
        }
        let mut asked: Option<Address> = None;
        loop {
            let failure = match self.ask_once(keys, &pipe, asked.take()).await {
                Ok(values) => return Ok(values),
                Err(failure) => failure,
            };
            if matches!(failure, Failure::Refused(_)) || Instant::now() >= deadline {
                return Err(failure.into_error());
            }
            if let Failure::Ask(to) = &failure {
                asked = Address::of(to, self.speaks_tls()).ok();
                continue;
            }
            if self.dialer.is_cluster() {
                drop(self.routes.map().await);
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    async fn ask_once(
        &self,
        keys: &Keys,
        pipe: &Pipeline,
        asked: Option<Address>,
    ) -> Result<Vec<Value>, Failure> {
        let asking = asked.is_some();
        let server = match asked {
            Some(address) => self.routes.at(address)?,
            None => self.routes.of(keys.slot).await?,
        };
        let mut connection = server.reading(&self.dialer).await?;
        let answered = if asking {
            let mut asking = Pipeline::new();
            for command in with_asking(pipe.cmd_iter().cloned().collect()) {
                asking.add_command(command);
            }
            let values = dial::ask(&mut connection, &asking).await;
            values.map(|values| values.into_iter().skip(1).step_by(2).collect())
        } else {
            dial::ask(&mut connection, pipe).await
        };
        if matches!(answered, Err(Failure::Lost(_))) {
            server.forget().await;
        }
        answered
    }
}

/// The commands for a server that gets their slot just now.
fn with_asking(commands: Vec<Cmd>) -> Vec<Cmd> {
    let pairs = commands
        .into_iter()
        .flat_map(|command| [redis::cmd("ASKING"), command]);
    pairs.collect()
}
