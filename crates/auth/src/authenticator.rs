//! The shell around the exchanges: the store, the hashing of passwords, and the limits on attempts.

use std::collections::HashMap;
use std::fmt;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use rookery_lifecycle::{AddressLimiter, Clock, TaskScope};
use rookery_storage::{Store, StoreError};
use rookery_stream::SaslCondition;
use rookery_telemetry::{Label as _, Registry};
use zeroize::Zeroizing;

use crate::clients::Clients;
use crate::config::{Config, HostConfig};
use crate::decoy::Decoys;
use crate::exchange::{Context, Entropy, Exchange, Failure, Found, Outcome, Wanted};
use crate::extended::{begin_task, finish_task};
use crate::hashing::Hashing;
use crate::login::{Known, Login, Origin, Reply, Request};
use crate::mechanism::Mechanism;
use crate::metrics::{LoginResult, MechanismLabel, Metrics};
use crate::offer::{Offer, Protection, TlsFacts};
use crate::upgrade;

/// Logs clients in. Cheap to clone; all clones are the same authenticator.
#[derive(Clone)]
pub struct Authenticator {
    pub(crate) inner: Arc<Inner>,
}

pub(crate) struct Inner {
    hosts: HashMap<String, HostConfig>,
    pub(crate) store: Arc<dyn Store>,
    pub(crate) clients: Clients,
    hashing: Hashing,
    clock: Clock,
    decoys: Decoys,
    pub(crate) iterations: u32,
    failures: Mutex<AddressLimiter>,
    metrics: Metrics,
}

/// What an [`Authenticator`] is given to work with.
pub struct Services {
    /// The accounts, and what is kept of their clients.
    pub store: Arc<dyn Store>,
    /// Whose runtime hashes passwords, on its blocking threads.
    pub scope: TaskScope,
    /// The time.
    pub clock: Clock,
    /// Where metrics are registered.
    pub registry: Registry,
    /// A secret of the server that stays the same over restarts, and is the same on all nodes: salts of
    /// accounts that do not exist are made from it.
    pub secret: [u8; 32],
}

/// A step of a login, done or under way.
#[must_use]
pub enum Step {
    /// Done at once.
    Done(Login, Reply),
    /// The store is asked. No other step can be made meanwhile, since the login is in the future; when
    /// the future is dropped, so is the login.
    Pending(Pin<Box<dyn Future<Output = (Login, Reply)> + Send>>),
}

/// A failure, and what it counts as.
pub(crate) struct Refusal {
    failure: Failure,
    mechanism: Option<Mechanism>,
    result: LoginResult,
    close: bool,
}

// === impl Authenticator ===

impl Authenticator {
    /// An authenticator for these hosts, which are prepared domains.
    pub fn new(
        config: &Config,
        hosts: impl IntoIterator<Item = (String, HostConfig)>,
        services: Services,
    ) -> Self {
        let metrics = Metrics::new(&services.registry);
        let window = Duration::from_secs(config.window_seconds);
        let failures = AddressLimiter::new(config.failures_per_address, window, config.addresses);
        let queue = metrics.queue.clone();
        let clients = Clients::new(
            config,
            services.store.clone(),
            services.clock.clone(),
            services.secret,
            metrics.tokens.clone(),
        );
        let inner = Inner {
            hosts: hosts.into_iter().collect(),
            store: services.store,
            clients,
            hashing: Hashing::new(
                &services.scope,
                config.hashers(),
                config.hasher_queue,
                queue,
            ),
            clock: services.clock,
            decoys: Decoys::new(services.secret, config.iterations),
            iterations: config.iterations,
            failures: Mutex::new(failures),
            metrics,
        };
        Self {
            inner: Arc::new(inner),
        }
    }

    /// The hashing of passwords, to share with [`Accounts`](crate::Accounts).
    pub fn hashing(&self) -> &Hashing {
        &self.inner.hashing
    }

    /// What is remembered of the clients of accounts.
    pub fn clients(&self) -> &Clients {
        &self.inner.clients
    }

    /// What the features of a stream list: the mechanisms and channel bindings of `host`, a prepared
    /// domain, over a connection that is protected like this. A login on the stream has to be begun with
    /// the facts that this was asked with, since clients check it (XEP-0474).
    pub fn offer(&self, host: &str, protection: Option<&Protection>) -> Offer {
        let unknown = HostConfig::default();
        Offer::new(
            host,
            self.inner.hosts.get(host).unwrap_or(&unknown),
            protection,
        )
    }

    /// Begins a login to `host`, a prepared domain, over a stream from `origin`. `tls` holds the facts
    /// about TLS once it is in use; without them, nothing is offered that needs it.
    pub fn begin(&self, host: &str, tls: Option<TlsFacts>, origin: Origin) -> Login {
        let protection = tls.as_ref().map(TlsFacts::protection);
        let offer = self.offer(host, protection.as_ref());
        let host = host.to_owned();
        Login::new(origin, Context { host, offer, tls })
    }

    /// Makes one step of a login: what the client asked for goes in, what it is told comes out.
    pub fn step(&self, mut login: Login, request: Request) -> Step {
        if let Request::TaskData(payload) = &request {
            return match finish_task(&mut login, payload.as_ref()) {
                Ok((tasks, keys)) => {
                    let this = self.clone();
                    Step::Pending(Box::pin(async move {
                        let outcome = this.keep_keys(&mut login, tasks, keys).await;
                        this.settle(login, outcome)
                    }))
                }
                Err(refusal) => {
                    let (login, reply) = self.settle(login, Err(refusal));
                    Step::Done(login, reply)
                }
            };
        }
        match self.receive(&mut login, request) {
            Ok(Outcome::Find(wanted)) => {
                let this = self.clone();
                Step::Pending(Box::pin(async move {
                    let found = this.find(&mut login, wanted).await;
                    let outcome = this.conclude(&mut login, found).await;
                    this.settle(login, outcome)
                }))
            }
            Ok(Outcome::FindTokens(claim)) => {
                let this = self.clone();
                Step::Pending(Box::pin(async move {
                    let outcome = this.find_tokens(&mut login, &claim).await;
                    this.settle(login, outcome)
                }))
            }
            Ok(Outcome::Success(success)) if login.wishes().is_some() => {
                let this = self.clone();
                Step::Pending(Box::pin(async move {
                    let outcome = this
                        .conclude(&mut login, Ok(Outcome::Success(success)))
                        .await;
                    this.settle(login, outcome)
                }))
            }
            outcome => {
                let (login, reply) = self.settle(login, outcome);
                Step::Done(login, reply)
            }
        }
    }

    /// Takes note of a login whose client did not go on in time.
    pub fn timed_out(&self, login: &Login) {
        if let Some(mechanism) = login.mechanism() {
            self.count(login, Some(mechanism), LoginResult::Timeout);
        }
    }

    fn receive(&self, login: &mut Login, request: Request) -> Result<Outcome, Refusal> {
        match request {
            Request::Start {
                mechanism,
                initial,
                wishes,
            } => {
                let initial = initial.map(Zeroizing::new);
                // A running exchange is discarded (RFC 6120 §6.4.2).
                login.set_exchange(None);
                login.set_known(Known::default());
                drop(login.take_tasks());
                login.set_wishes(wishes);
                let mechanism = offered(login, &mechanism)?;
                self.admit(login, mechanism)?;
                let entropy = Entropy::random().map_err(|_| Refusal::internal())?;
                login.set_exchange(Some(Exchange::new(mechanism, entropy)));
                Ok(login.with_exchange(|exchange, context| match &initial {
                    Some(initial) => exchange.receive(context, initial),
                    None => exchange.invite(context),
                }))
            }
            Request::Response(message) => {
                let message = Zeroizing::new(message);
                if let Some(mechanism) = login.mechanism() {
                    self.admit(login, mechanism)?;
                }
                Ok(login.with_exchange(|exchange, context| exchange.receive(context, &message)))
            }
            Request::Abort => Ok(Outcome::Failure(SaslCondition::Aborted.into())),
            Request::Next(task) => begin_task(login, &task),
            // It is dealt with where it arrives.
            Request::TaskData(_) => Err(Refusal::internal()),
        }
    }

    /// Refuses an address that has failed too often.
    fn admit(&self, login: &Login, mechanism: Mechanism) -> Result<(), Refusal> {
        let now = self.inner.clock.now();
        if !self
            .inner
            .failures
            .lock()
            .is_blocked(login.origin().address, now)
        {
            return Ok(());
        }
        Err(Refusal {
            failure: Failure {
                condition: SaslCondition::TemporaryAuthFailure,
                text: Some("too many failed logins; try again later"),
            },
            mechanism: Some(mechanism),
            result: LoginResult::Policy,
            close: true,
        })
    }

    /// Finds the wanted keys, and goes on to where the client's next message is awaited.
    async fn find(&self, login: &mut Login, wanted: Wanted) -> Result<Outcome, Refusal> {
        let found = self.look_up(login.host(), &wanted).await;
        let (found, known) = found.map_err(|_| Refusal::temporary(LoginResult::StoreError))?;
        login.set_known(known);
        match login.with_exchange(|exchange, context| exchange.found(context, found)) {
            Outcome::Verify(check) => {
                let right = self.inner.hashing.run(move || check.run()).await;
                let right = right.map_err(|_| Refusal::busy())?;
                Ok(login.with_exchange(|exchange, _| exchange.verified(right)))
            }
            outcome => Ok(outcome),
        }
    }

    /// The keys of an account, or a decoy's. The decoy is made in any case, so that both take the same
    /// time.
    async fn look_up(&self, host: &str, wanted: &Wanted) -> Result<(Found, Known), StoreError> {
        let decoy = self.inner.decoys.keys(wanted.hash, host, &wanted.claim);
        let credentials = match wanted.claim.account() {
            Some(account) => self.inner.store.credentials(account).await?,
            None => None,
        };
        let (keys, known) = match &credentials {
            Some(credentials) => (credentials.keys(wanted.hash).clone(), true),
            None => (decoy, false),
        };
        let of_account = credentials.map(|credentials| Known {
            outdated: upgrade::outdated(&credentials, self.inner.iterations),
            salt: Some(credentials.sha1.salt),
        });
        Ok((Found { keys, known }, of_account.unwrap_or_default()))
    }

    /// Turns an outcome into a reply, and counts it.
    fn settle(&self, mut login: Login, outcome: Result<Outcome, Refusal>) -> (Login, Reply) {
        let refusal = match outcome {
            Ok(Outcome::Challenge(challenge)) => return (login, Reply::Challenge(challenge)),
            Ok(Outcome::Task { data, task }) => return (login, Reply::Continue { data, task }),
            Ok(Outcome::TaskData(payload)) => return (login, Reply::TaskData(payload)),
            Ok(Outcome::Success(success)) => {
                self.count(&login, Some(success.mechanism), LoginResult::Success);
                login.set_exchange(None);
                return (login, Reply::Success(success));
            }
            Ok(Outcome::Failure(failure)) => Refusal::new(failure, LoginResult::AuthFailed),
            // They are dealt with where they arise.
            Ok(Outcome::Find(_) | Outcome::FindTokens(_) | Outcome::Verify(_)) => {
                Refusal::internal()
            }
            Err(refusal) => refusal,
        };
        let reply = self.refuse(&mut login, &refusal);
        (login, reply)
    }

    fn refuse(&self, login: &mut Login, refusal: &Refusal) -> Reply {
        let mechanism = login.mechanism().or(refusal.mechanism);
        login.set_exchange(None);
        drop(login.take_tasks());
        self.count(login, mechanism, refusal.result);
        let Failure { condition, text } = refusal.failure;
        if condition == SaslCondition::NotAuthorized {
            self.remember_failure(login.origin().address);
        }
        // A certificate does not get better by another attempt (XEP-0178 step 11).
        let certified = mechanism == Some(Mechanism::External);
        let close = refusal.close || (certified && refusal.result == LoginResult::AuthFailed);
        tracing::debug!(
            host = login.host(),
            address = %login.origin().address,
            mechanism = MechanismLabel(mechanism).value(),
            condition = condition.as_str(),
            close,
            "login refused"
        );
        Reply::Failure {
            condition,
            text,
            close,
        }
    }

    fn remember_failure(&self, address: IpAddr) {
        let mut failures = self.inner.failures.lock();
        failures.count(address, self.inner.clock.now());
        let networks = i64::try_from(failures.networks()).unwrap_or(i64::MAX);
        drop(failures);
        self.inner.metrics.addresses.set(networks);
    }

    fn count(&self, login: &Login, mechanism: Option<Mechanism>, result: LoginResult) {
        self.inner
            .metrics
            .logins
            .of(
                login.origin().transport,
                login.profile(),
                MechanismLabel(mechanism),
                result,
            )
            .increment();
    }
}

impl fmt::Debug for Authenticator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Authenticator")
            .field("hosts", &self.inner.hosts)
            .finish_non_exhaustive()
    }
}

/// The mechanism of this name, if it is offered. Those that take a token are offered to those who say that they have
/// one (XEP-0484 §"Client authenticates using FAST").
fn offered(login: &Login, name: &str) -> Result<Mechanism, Refusal> {
    let offer = login.offer();
    let mechanism = Mechanism::named(name);
    let has_token = login.wishes().is_some_and(|wishes| wishes.fast.is_some());
    let condition = match mechanism {
        Some(mechanism) if offer.mechanisms().contains(&mechanism) => return Ok(mechanism),
        Some(mechanism) if has_token && offer.tokens().contains(&mechanism) => {
            return Ok(mechanism);
        }
        Some(Mechanism::Plain) if !offer.is_encrypted() => SaslCondition::EncryptionRequired,
        Some(Mechanism::Plain) => SaslCondition::MechanismTooWeak,
        _ => SaslCondition::InvalidMechanism,
    };
    Err(Refusal {
        mechanism,
        ..Refusal::new(condition.into(), LoginResult::Policy)
    })
}

// === impl Refusal ===

impl From<SaslCondition> for Refusal {
    fn from(condition: SaslCondition) -> Self {
        Self::new(condition.into(), LoginResult::AuthFailed)
    }
}

impl Refusal {
    fn new(failure: Failure, result: LoginResult) -> Self {
        Self {
            failure,
            mechanism: None,
            result,
            close: false,
        }
    }

    pub(crate) fn temporary(result: LoginResult) -> Self {
        Self::new(SaslCondition::TemporaryAuthFailure.into(), result)
    }

    /// As many passwords as may wait for a hasher do (RFC 6120 §6.5.11).
    fn busy() -> Self {
        let failure = Failure {
            condition: SaslCondition::TemporaryAuthFailure,
            text: Some("the server is busy; try again later"),
        };
        Self::new(failure, LoginResult::Internal)
    }

    pub(crate) fn internal() -> Self {
        Self::temporary(LoginResult::Internal)
    }
}

impl fmt::Debug for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Done(_, reply) => write!(f, "Done({reply:?})"),
            Self::Pending(_) => f.write_str("Pending"),
        }
    }
}
