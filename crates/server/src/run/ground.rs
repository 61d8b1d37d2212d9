//! What every part of a node is made with, and how each part is made of it.

use std::sync::Arc;

use rookery_admin::Operations;
use rookery_auth::Authenticator;
use rookery_c2s::Listening;
use rookery_component::Components;
use rookery_extension::{Features, Hosts};
use rookery_features::archive::retention;
use rookery_lifecycle::{Clock, DrainSignal, ListenError, TaskScope};
use rookery_router::Router;
use rookery_storage::message_log::MessageLog;
use rookery_telemetry::Registry;
use rookery_tls::CertificateStore;
use rookery_web::{Gate, Health, Heartbeats, Ops, State};
use tokio::runtime::Handle;

use super::accounts::{self, Accounts};
use super::directory::DataDirectory;
use super::error::StartError;
use super::stores::Stores;
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

/// What owns the tasks of the node, all on the control runtime.
#[derive(Debug)]
pub(super) struct Scopes {
    pub(super) own: TaskScope,
    pub(super) listeners: TaskScope,
    pub(super) accounts: TaskScope,
    pub(super) admin: TaskScope,
}

/// What every part is made with.
#[derive(Debug)]
pub(super) struct Ground {
    pub(super) config: Config,
    pub(super) clock: Clock,
    pub(super) registry: Registry,
    pub(super) control: Handle,
    pub(super) signal: DrainSignal,
    pub(super) hosts: Hosts,
    pub(super) directory: DataDirectory,
    pub(super) health: Health,
    pub(super) scopes: Scopes,
}

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

// === impl Ground ===

impl Ground {
    pub(super) fn lay(
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

    pub(super) fn certificates(&self) -> Result<Arc<CertificateStore>, StartError> {
        let store = certificates::load(&self.config, &self.directory, &self.clock, &self.registry)?;
        rookery_tls::watch(store.clone(), &self.scopes.own, self.signal.clone())?;
        Ok(store)
    }

    /// The store, with the message log.
    pub(super) async fn stores(&self) -> Result<Stores, StartError> {
        let config = &self.config.store;
        let stores = Stores::open(config, &self.directory, &self.control, &self.registry).await?;
        stores.bring_up_to_date().await?;
        self.health.set(Gate::Store, stores.health().is_ok());
        Ok(stores)
    }

    /// The arbiters, and what shows that they and the control runtime live.
    pub(super) fn threads(&self) -> Result<Arbiters, StartError> {
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
    pub(super) fn features(
        &self,
        stores: &Stores,
        accounts: rookery_auth::Accounts,
    ) -> Result<Features, StartError> {
        self.retain(stores.log())?;
        let parts = rookery_features::Parts {
            clock: self.clock.clone(),
            store: stores.store(),
            log: stores.log(),
            archive: self.config.archive.clone(),
            accounts,
            metrics: self.registry.clone(),
        };
        features(&self.config, &parts)
    }

    /// Has old messages leave the log.
    fn retain(&self, log: Arc<dyn MessageLog>) -> Result<(), StartError> {
        let parts = retention::Parts {
            log,
            hosts: self
                .hosts
                .iter()
                .map(|host| host.name().to_owned())
                .collect(),
            clock: self.clock.clone(),
            metrics: self.registry.clone(),
        };
        Ok(retention::start(
            &self.config.archive,
            parts,
            &self.scopes.own,
        )?)
    }

    pub(super) fn router(
        &self,
        features: Features,
        stores: &Stores,
        components: Components,
        arbiters: &Arbiters,
    ) -> Router {
        let parts = rookery_router::Parts {
            config: self.config.router.clone(),
            hosts: self.hosts.clone(),
            domains: Arc::new(components),
            features,
            store: stores.store(),
            log: stores.log(),
            scope: self.scopes.accounts.clone(),
            clock: self.clock.clone(),
            registry: self.registry.clone(),
        };
        Router::start(parts, &arbiters.handles())
    }

    pub(super) fn accounts(&self, stores: &Stores) -> Result<Accounts<'_>, StartError> {
        Ok(Accounts {
            config: &self.config,
            hosts: &self.hosts,
            stores: stores.clone(),
            runtime: &self.control,
            registry: &self.registry,
            secret: self.directory.secret()?,
        })
    }

    pub(super) fn clients(
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
        rookery_c2s::listen(config, services).map_err(|error| self.not_listening(error))
    }

    pub(super) fn components(
        &self,
        arbiters: &Arbiters,
        components: Components,
        router: &Router,
    ) -> Result<rookery_component::Listening, StartError> {
        let services = rookery_component::Services {
            arbiters: arbiters.handles(),
            clock: self.clock.clone(),
            components,
            inlet: Arc::new(router.clone()),
            scope: self.scopes.listeners.clone(),
            stream: self.config.stream.clone(),
        };
        let listening = rookery_component::listen(&self.config.listener.component, services);
        listening.map_err(|error| self.not_listening(error))
    }

    fn not_listening(&self, error: ListenError) -> StartError {
        match error {
            ListenError::Bind { address, source } => {
                StartError::address(&self.config, address, &source)
            }
            ListenError::Scope(error) => error.into(),
        }
    }

    pub(super) fn administrators(&self, operations: Operations) -> Result<(), StartError> {
        let (path, drain) = (self.config.admin_socket(), self.signal.clone());
        Ok(rookery_admin::listen(
            &path,
            operations,
            &self.scopes.admin,
            drain,
        )?)
    }

    pub(super) fn operators(&self) -> Result<Ops, StartError> {
        let (registry, health) = (self.registry.clone(), self.health.clone());
        let (config, clock) = (&self.config.listener.ops, self.clock.clone());
        let listening = rookery_web::listen(config, registry, health, clock, &self.scopes.own);
        listening.map_err(|error| self.not_listening(error))
    }

    /// Opens the last gates: everything is there.
    pub(super) fn serve(
        &self,
        stores: &Stores,
        certificates: &Arc<CertificateStore>,
        clients: &Listening,
    ) -> Result<(), StartError> {
        let limits = &self.config.limits;
        memory::watch(limits, clients.clone(), &self.registry, &self.scopes.own)?;
        let (health, clock) = (self.health.clone(), self.clock.clone());
        gates::watch(
            stores.clone(),
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
