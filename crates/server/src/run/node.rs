//! Puts the parts of a node together, in order, and takes them apart again.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use rookery_admin::{Operations, Sessions};
use rookery_auth::Authenticator;
use rookery_c2s::Listening;
use rookery_delivery::Close;
use rookery_extension::{Features, Hosts};
use rookery_features::archive::retention;
use rookery_lifecycle::{Clock, Drain, DrainSignal, TaskScope};
use rookery_router::Router;
use rookery_stanza::BareJid;
use rookery_storage_embedded::{EmbeddedLog, EmbeddedStore, LogConfig};
use rookery_telemetry::Registry;
use rookery_tls::CertificateStore;
use rookery_web::{Gate, Health, Heartbeats, Ops, Phase, State};
use tokio::runtime::Handle;

use super::accounts::{self, Accounts};
use super::directory::DataDirectory;
use super::error::StartError;
use super::stopwatch::Stopwatch;
use super::threads::{self, Arbiters};
use super::{certificates, gates, memory};
use crate::build;
use crate::config::Config;

/// Tasks of the node itself: heartbeat, gates, certificates, HTTP.
const OWN_TASKS: usize = 16;
/// One for each address that clients connect to.
const LISTENERS: usize = 256;
/// Tasks that wait for the store or a feature on behalf of accounts.
const ACCOUNT_TASKS: usize = 65_536;
/// Administration clients at one time, and the one who lets them in.
const ADMINISTRATORS: usize = 17;
/// How often is looked whether the clients have left.
const LOOK: Duration = Duration::from_millis(10);

/// One home may hand over to another, and that one back.
const QUIET_ROUNDS: u32 = 3;

/// A running node.
#[derive(Debug)]
pub(super) struct Node {
    ground: Ground,
    drain: Drain,
    arbiters: Arbiters,
    store: Arc<EmbeddedStore>,
    log: Arc<EmbeddedLog>,
    certificates: Arc<CertificateStore>,
    router: Router,
    operations: Operations,
    listening: Listening,
    ops: Option<Ops>,
}

/// What owns the tasks of the node, all on the control runtime.
#[derive(Debug)]
struct Scopes {
    own: TaskScope,
    listeners: TaskScope,
    accounts: TaskScope,
    admin: TaskScope,
}

/// What every part is made with.
#[derive(Debug)]
struct Ground {
    config: Config,
    clock: Clock,
    registry: Registry,
    control: Handle,
    signal: DrainSignal,
    hosts: Hosts,
    directory: DataDirectory,
    health: Health,
    scopes: Scopes,
}

/// Ends sessions for the administration.
#[derive(Debug)]
struct SessionsOf(Router);

/// Everything that is a feature, installed.
///
/// # Errors
/// When two of them do not fit together.
pub fn features(config: &Config, parts: &rookery_features::Parts) -> Result<Features, StartError> {
    let mut registry = rookery_extension::Registry::new();
    for feature in rookery_features::catalog(&config.features, parts) {
        registry.install(feature);
    }
    Ok(registry.freeze()?)
}

// === impl Node ===

impl Node {
    /// Starts a node: configuration, certificates, store, homes, listeners, in this order, so that nobody
    /// is let in before everything is there. Must be called within an actix system.
    pub(super) async fn start(
        config: Config,
        control: Handle,
        registry: Registry,
    ) -> Result<Self, StartError> {
        let (drain, signal) = Drain::new();
        let ground = Ground::lay(config, control, registry, signal)?;
        let mut watch = Stopwatch::new(ground.clock.clone(), ground.health.clone());
        let certificates = ground.certificates()?;
        watch.lap(Phase::Certificate);
        let store = ground.store().await?;
        let log = ground.log().await?;
        watch.lap(Phase::Store);
        let arbiters = ground.threads()?;
        let accounts = ground.accounts(store.clone(), log.clone())?;
        let authenticator = accounts.authenticator();
        let features = ground.features(
            (store.clone(), log.clone()),
            accounts.accounts(&authenticator),
        )?;
        let router = ground.router(features.clone(), (store.clone(), log.clone()), &arbiters);
        watch.lap(Phase::Runtime);
        let sessions: Arc<dyn Sessions> = Arc::new(SessionsOf(router.clone()));
        let operations = accounts.operations(&authenticator, Some(sessions));
        let listening =
            ground.clients(&arbiters, authenticator, &certificates, features, &router)?;
        ground.administrators(operations.clone())?;
        let ops = Some(ground.operators()?);
        watch.lap(Phase::Listeners);
        ground.serve((&store, &log), &certificates, &listening)?;
        let node = Self {
            ground,
            drain,
            arbiters,
            store,
            log,
            certificates,
            router,
            operations,
            listening,
            ops,
        };
        let Listening {
            starttls, direct, ..
        } = &node.listening;
        tracing::info!(?starttls, ?direct, ops = ?node.operators(), version = build::VERSION, "ready");
        Ok(node)
    }

    pub(super) fn config(&self) -> &Config {
        &self.ground.config
    }

    pub(super) fn directory(&self) -> &DataDirectory {
        &self.ground.directory
    }

    pub(super) fn operations(&self) -> &Operations {
        &self.operations
    }

    /// Where clients connect.
    pub(super) fn listening(&self) -> &Listening {
        &self.listening
    }

    /// Where operators look.
    pub(super) fn operators(&self) -> &[SocketAddr] {
        self.ops.as_ref().map(Ops::addresses).unwrap_or_default()
    }

    /// Takes changed certificates into use at once, instead of within seconds.
    pub(super) async fn reload(&self) {
        let certificates = self.certificates.clone();
        let reload = self
            .ground
            .control
            .spawn_blocking(move || certificates.reload());
        match reload.await {
            Ok(report) => tracing::info!(
                changed = report.changed.len(),
                refused = report.refused.len(),
                "certificates reloaded; every other setting needs a restart"
            ),
            Err(error) => tracing::error!(%error, "certificates could not be reloaded"),
        }
    }

    /// Ends the node: nobody is let in any more, clients are told, what is under way is finished, the store
    /// is closed.
    pub(super) async fn stop(&mut self) {
        let arbiters = std::mem::take(&mut self.arbiters);
        let Ground {
            health,
            scopes,
            control,
            ..
        } = &self.ground;
        health.enter(State::Draining);
        self.drain.start();
        self.router.close_all(Close::SystemShutdown).await;
        self.clients_gone().await;
        let grace = Duration::from_secs(1);
        scopes.listeners.close(grace).await;
        scopes.admin.close(grace).await;
        self.homes_quiet().await;
        scopes.accounts.close(grace).await;
        // Waiting for threads must stop neither the clock of the end nor its signals.
        if let Err(error) = control.spawn_blocking(move || arbiters.stop()).await {
            tracing::error!(%error, "waiting for the arbiters failed");
        }
        self.log.close().await;
        self.store.close().await;
        health.enter(State::Stopped);
        if let Some(ops) = self.ops.take() {
            ops.stop().await;
        }
        scopes.own.close(Duration::ZERO).await;
        tracing::info!("ended");
    }

    /// Waits until all sessions have ended and their streams are closed. A client that has not logged in,
    /// or does not close its side, is waited for no longer than the close of a stream may take.
    async fn clients_gone(&self) {
        while self.router.sessions().await > 0 {
            tokio::time::sleep(LOOK).await;
        }
        let patience = Duration::from_secs(self.ground.config.stream.close_timeout_seconds);
        let closed = async {
            while self.listening.connections() > 0 {
                tokio::time::sleep(LOOK).await;
            }
        };
        if tokio::time::timeout(patience, closed).await.is_err() {
            tracing::info!(
                connections = self.listening.connections(),
                "not waiting for the rest"
            );
        }
    }

    /// Waits until the homes have kept what their sessions gave back: no task of theirs runs, and asking
    /// every home, which answers after all that was sent to it before, brings no new one forth.
    async fn homes_quiet(&self) {
        let mut quiet = 0;
        while quiet < QUIET_ROUNDS {
            self.router.sessions().await;
            quiet = if self.ground.scopes.accounts.running() == 0 {
                quiet + 1
            } else {
                0
            };
            tokio::time::sleep(LOOK).await;
        }
    }
}

// === impl Ground ===

impl Ground {
    fn lay(
        config: Config,
        control: Handle,
        registry: Registry,
        signal: DrainSignal,
    ) -> Result<Self, StartError> {
        let clock = Clock::system();
        build::register(&registry);
        let heartbeats = Heartbeats::new(threads::names(&config), clock.now());
        let health = Health::new(&registry, heartbeats);
        let directory = DataDirectory::prepare(&config.data_dir)?;
        health.set(Gate::Config, true);
        let scope = |name, limit| TaskScope::new(name, control.clone(), limit);
        let scopes = Scopes {
            own: scope("node", OWN_TASKS),
            listeners: scope("listeners", LISTENERS),
            accounts: scope("accounts", ACCOUNT_TASKS),
            admin: scope("admin", ADMINISTRATORS),
        };
        let hosts = accounts::hosts(&config);
        Ok(Self {
            config,
            clock,
            registry,
            control,
            signal,
            hosts,
            directory,
            health,
            scopes,
        })
    }

    fn certificates(&self) -> Result<Arc<CertificateStore>, StartError> {
        let store = certificates::load(&self.config, &self.directory, &self.clock, &self.registry)?;
        rookery_tls::watch(store.clone(), &self.scopes.own, self.signal.clone())?;
        Ok(store)
    }

    async fn store(&self) -> Result<Arc<EmbeddedStore>, StartError> {
        let (path, config) = (self.directory.store(), self.config.store.embedded.clone());
        let registry = self.registry.clone();
        let open = move || EmbeddedStore::open(&path, &config, &registry);
        let opened = self.control.spawn_blocking(open).await;
        Ok(opened.map_err(|error| StartError::Threads(error.into()))??)
    }

    /// The message log, beside the store.
    async fn log(&self) -> Result<Arc<EmbeddedLog>, StartError> {
        let (path, registry) = (self.directory.messages()?, self.registry.clone());
        let open = move || EmbeddedLog::open(&path, &LogConfig::default(), &registry);
        let opened = self.control.spawn_blocking(open).await;
        let log = opened.map_err(|error| StartError::Threads(error.into()))??;
        self.health.set(Gate::Store, true);
        Ok(log)
    }

    /// The arbiters, and what shows that they and the control runtime live.
    fn threads(&self) -> Result<Arbiters, StartError> {
        let heartbeats = self.health.heartbeats();
        threads::beat_control(&self.config, heartbeats, &self.clock, &self.scopes.own)?;
        Ok(Arbiters::start(
            &self.config,
            heartbeats,
            &self.clock,
            &self.registry,
        ))
    }

    /// Everything that is a feature, installed.
    fn features(
        &self,
        (store, log): (Arc<EmbeddedStore>, Arc<EmbeddedLog>),
        accounts: rookery_auth::Accounts,
    ) -> Result<Features, StartError> {
        self.retain(log.clone())?;
        let parts = rookery_features::Parts {
            clock: self.clock.clone(),
            store,
            log,
            archive: self.config.archive.clone(),
            accounts,
            metrics: self.registry.clone(),
        };
        features(&self.config, &parts)
    }

    /// Has old messages leave the log.
    fn retain(&self, log: Arc<EmbeddedLog>) -> Result<(), StartError> {
        let parts = retention::Parts {
            log,
            hosts: self.hosts.iter().map(|host| host.name().to_owned()).collect(),
            clock: self.clock.clone(),
            metrics: self.registry.clone(),
        };
        Ok(retention::start(&self.config.archive, parts, &self.scopes.own)?)
    }

    fn router(
        &self,
        features: Features,
        (store, log): (Arc<EmbeddedStore>, Arc<EmbeddedLog>),
        arbiters: &Arbiters,
    ) -> Router {
        let parts = rookery_router::Parts {
            config: self.config.router.clone(),
            hosts: self.hosts.clone(),
            domains: Arc::new(rookery_delivery::NoDomains),
            features,
            store,
            log,
            scope: self.scopes.accounts.clone(),
            clock: self.clock.clone(),
            registry: self.registry.clone(),
        };
        Router::start(parts, &arbiters.handles())
    }

    fn accounts(
        &self,
        store: Arc<EmbeddedStore>,
        log: Arc<EmbeddedLog>,
    ) -> Result<Accounts<'_>, StartError> {
        Ok(Accounts {
            config: &self.config,
            hosts: &self.hosts,
            store,
            log,
            runtime: &self.control,
            registry: &self.registry,
            secret: self.directory.secret()?,
        })
    }

    fn clients(
        &self,
        arbiters: &Arbiters,
        authenticator: Authenticator,
        certificates: &Arc<CertificateStore>,
        features: Features,
        router: &Router,
    ) -> Result<Listening, StartError> {
        let config = rookery_c2s::Config {
            starttls: self.config.listener.c2s.clone(),
            direct: self.config.listener.c2s_tls.clone(),
            limits: self.config.limits.clone(),
            session: self.config.session.clone(),
            stream: self.config.stream.clone(),
        };
        let first = accounts::prepared(&self.config).next();
        let services = rookery_c2s::Services {
            arbiters: arbiters.handles(),
            authenticator,
            certificates: certificates.clone(),
            clock: self.clock.clone(),
            features,
            homes: Arc::new(router.clone()),
            hosts: self.hosts.clone(),
            default_host: first
                .map(|(jid, _)| jid.domain().to_owned())
                .unwrap_or_default(),
            registry: self.registry.clone(),
            scope: self.scopes.listeners.clone(),
            drain: self.signal.clone(),
        };
        rookery_c2s::listen(config, services).map_err(|error| match error {
            rookery_c2s::ListenError::Bind { address, source } => {
                StartError::address(&self.config, address, &source)
            }
            rookery_c2s::ListenError::Scope(error) => error.into(),
        })
    }

    fn administrators(&self, operations: Operations) -> Result<(), StartError> {
        let (path, drain) = (self.config.admin_socket(), self.signal.clone());
        Ok(rookery_admin::listen(
            &path,
            operations,
            &self.scopes.admin,
            drain,
        )?)
    }

    fn operators(&self) -> Result<Ops, StartError> {
        let (registry, health) = (self.registry.clone(), self.health.clone());
        let (config, clock) = (&self.config.listener.ops, self.clock.clone());
        let listening = rookery_web::listen(config, registry, health, clock, &self.scopes.own);
        listening.map_err(|error| match error {
            rookery_web::ListenError::Bind { address, source } => {
                StartError::address(&self.config, address, &source)
            }
            rookery_web::ListenError::Scope(error) => error.into(),
        })
    }

    /// Opens the last gates: everything is there.
    fn serve(
        &self,
        (store, log): (&Arc<EmbeddedStore>, &Arc<EmbeddedLog>),
        certificates: &Arc<CertificateStore>,
        clients: &Listening,
    ) -> Result<(), StartError> {
        let limits = &self.config.limits;
        memory::watch(limits, clients.clone(), &self.registry, &self.scopes.own)?;
        let (health, clock) = (self.health.clone(), self.clock.clone());
        gates::watch(
            store.clone(),
            log.clone(),
            certificates.clone(),
            health,
            clock,
            &self.scopes.own,
        )?;
        self.health.set(Gate::Listeners, true);
        self.health.enter(State::Serving);
        Ok(())
    }
}

// === impl SessionsOf ===

#[async_trait]
impl Sessions for SessionsOf {
    async fn end(&self, account: &BareJid) {
        self.0.close_account(account).await;
    }
}
