//! Puts the parts of a node together, in order, and takes them apart again.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use rookery_admin::{Operations, Sessions};
use rookery_c2s::Listening;
use rookery_delivery::Close;
use rookery_lifecycle::Drain;
use rookery_router::Router;
use rookery_stanza::BareJid;
use rookery_telemetry::Registry;
use rookery_tls::CertificateStore;
use rookery_web::{Ops, Phase, State};
use tokio::runtime::Handle;

use super::components;
use super::directory::DataDirectory;
use super::error::StartError;
use super::ground::Ground;
use super::stopwatch::Stopwatch;
use super::stores::Stores;
use super::threads::Arbiters;
use crate::build;
use crate::config::{Config, Sources};

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
    stores: Stores,
    certificates: Arc<CertificateStore>,
    router: Router,
    operations: Operations,
    listening: Listening,
    component: rookery_component::Listening,
    components: rookery_component::Components,
    ops: Option<Ops>,
}

/// Ends sessions for the administration.
#[derive(Debug)]
struct SessionsOf(Router);

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
        let stores = ground.stores().await?;
        watch.lap(Phase::Store);
        let arbiters = ground.threads()?;
        let accounts = ground.accounts(&stores)?;
        let authenticator = accounts.authenticator();
        let features = ground.features(&stores, accounts.accounts(&authenticator))?;
        let components = components::load(&ground.config, &ground.registry)?;
        let router = ground.router(features.clone(), &stores, components.clone(), &arbiters);
        watch.lap(Phase::Runtime);
        let sessions: Arc<dyn Sessions> = Arc::new(SessionsOf(router.clone()));
        let operations = accounts.operations(&authenticator, Some(sessions));
        let listening =
            ground.clients(&arbiters, authenticator, &certificates, features, &router)?;
        let component = ground.components(&arbiters, components.clone(), &router)?;
        ground.administrators(operations.clone())?;
        let ops = Some(ground.operators()?);
        watch.lap(Phase::Listeners);
        ground.serve(&stores, &certificates, &listening)?;
        let node = Self {
            ground,
            drain,
            arbiters,
            stores,
            certificates,
            router,
            operations,
            listening,
            component,
            components,
            ops,
        };
        let Listening {
            starttls, direct, ..
        } = &node.listening;
        let component = &node.component.addresses;
        tracing::info!(?starttls, ?direct, ?component, ops = ?node.operators(), version = build::VERSION, "ready");
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

    /// Takes changed certificates into use at once, instead of within seconds, and changed secrets of components.
    pub(super) async fn reload(&self, sources: &Sources) {
        let certificates = self.certificates.clone();
        let (components, sources) = (self.components.clone(), sources.clone());
        let reload = self.ground.control.spawn_blocking(move || {
            let report = certificates.reload();
            (report, components::reload(&components, &sources))
        });
        let (report, secrets) = match reload.await {
            Ok(done) => done,
            Err(error) => return tracing::error!(%error, "nothing could be reloaded"),
        };
        tracing::info!(
            changed = report.changed.len(),
            refused = report.refused.len(),
            "certificates reloaded"
        );
        match secrets {
            Ok(changed) => tracing::info!(
                changed,
                "secrets of components reloaded; every other setting needs a restart"
            ),
            Err(error) => tracing::error!(%error, "secrets of components stay as they were"),
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
        // After the clients, so that components hear that these are gone.
        self.component.stop(self.patience()).await;
        let grace = Duration::from_secs(1);
        scopes.listeners.close(grace).await;
        scopes.admin.close(grace).await;
        self.homes_quiet().await;
        scopes.accounts.close(grace).await;
        // Waiting for threads must stop neither the clock of the end nor its signals.
        if let Err(error) = control.spawn_blocking(move || arbiters.stop()).await {
            tracing::error!(%error, "waiting for the arbiters failed");
        }
        self.stores.close().await;
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
        let patience = self.patience();
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

    /// How long the close of a stream may take.
    fn patience(&self) -> Duration {
        Duration::from_secs(self.ground.config.stream.close_timeout_seconds)
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

// === impl SessionsOf ===

#[async_trait]
impl Sessions for SessionsOf {
    async fn end(&self, account: &BareJid) {
        self.0.close_account(account).await;
    }
}
