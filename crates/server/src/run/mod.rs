//! A node, from its start to its end.
//!
//! * `node.rs` puts the parts together, in order, and takes them apart again; `ground.rs` makes each of
//!   them;
//! * `directory.rs` is what lies in `data_dir` besides the store; `certificates.rs`, `accounts.rs` and
//!   `components.rs` make the parts that need more than their configuration;
//! * `threads.rs` starts the threads and has them beat; `gates.rs` watches what readiness depends on, and
//!   `memory.rs` how much memory is in use;
//! * `stores.rs` opens whichever store is configured; `stopwatch.rs` measures the start, in which `kept_messages.rs` moves
//!   what an earlier version kept;
//! * `signals.rs` and `panics.rs` are what comes from outside and what should never come;
//! * `development.rs` is for those who try it.

mod accounts;
mod certificates;
mod components;
mod development;
mod directory;
mod error;
mod gates;
mod ground;
mod kept_messages;
mod memory;
mod node;
mod panics;
mod signals;
mod stopwatch;
mod stores;
mod threads;

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use actix_rt::System;
use rookery_telemetry::{Description, Registry};
use tokio::runtime::Handle;

pub use accounts::{Accounts, hosts};
pub use certificates::check as check_certificates;
pub use components::check as check_components;
pub use directory::DataDirectory;
pub use error::StartError;
pub use ground::features;
pub use stores::Stores;
pub use threads::control_runtime;

use crate::config::{Config, Loaded, StoreKind};
use node::Node;
use signals::{Signal, Signals};

/// How long work that nobody waits for may hold up the very end.
const LAST_WORK: Duration = Duration::from_secs(1);

/// Runs a node until it is told to end.
///
/// # Errors
/// When it does not start; when its end takes too long or is forced.
pub fn serve(loaded: Loaded) -> Result<(), StartError> {
    rookery_telemetry::init_log(&loaded.config.log)?;
    threads::allow_many_files();
    let control = control_runtime(&loaded.config)?;
    let result = System::new().block_on(Box::pin(live(loaded, control.handle().clone())));
    control.shutdown_timeout(LAST_WORK);
    result
}

async fn live(loaded: Loaded, control: Handle) -> Result<(), StartError> {
    let mut signals = Signals::listen().map_err(StartError::Signals)?;
    let registry = Registry::new();
    panics::install(&registry);
    let development = development::is_meant(&loaded);
    let file = loaded
        .file
        .map_or_else(|| "none".to_owned(), |file| file.display().to_string());
    tracing::info!(file, "configuration read");
    let mut node = Node::start(loaded.config, control, registry).await?;
    if development {
        development::welcome(&node).await?;
    }
    while let Signal::Reload = signals.next().await {
        node.reload(&loaded.sources).await;
    }
    end(&mut node, &mut signals).await
}

/// Ends the node in order, if neither time nor patience runs out.
async fn end(node: &mut Node, signals: &mut Signals) -> Result<(), StartError> {
    let seconds = node.config().shutdown.timeout_seconds;
    tracing::info!(seconds, "ending; a second signal ends at once");
    tokio::select! {
        () = node.stop() => Ok(()),
        () = tokio::time::sleep(Duration::from_secs(seconds)) => Err(StartError::SlowEnd),
        () = signals.end() => Err(StartError::ForcedEnd),
    }
}

/// The descriptions of all metrics: those that a node has registered which listens nowhere.
///
/// # Errors
/// When it does not start, in a directory that is removed again.
pub fn metrics() -> Result<Vec<Description>, StartError> {
    let directory = Scratch::make()?;
    let mut config = Config {
        data_dir: directory.0.clone(),
        ..Config::default()
    };
    config.listener.c2s.address.clear();
    config.listener.c2s_tls.address.clear();
    config.listener.component.address.clear();
    config.listener.ops.address.clear();
    config.runtime.arbiters = 1;
    config.runtime.control_threads = 1;
    config.store.kind = StoreKind::Embedded;
    let control = control_runtime(&config)?;
    let registry = Registry::new();
    panics::describe(&registry);
    let described = System::new().block_on(Box::pin(async {
        let mut node = Node::start(config, control.handle().clone(), registry.clone()).await?;
        node.stop().await;
        Ok(registry.descriptions())
    }));
    control.shutdown_timeout(LAST_WORK);
    described
}

/// A directory that is removed with everything in it.
struct Scratch(PathBuf);

// === impl Scratch ===

impl Scratch {
    fn make() -> Result<Self, StartError> {
        let path = std::env::temp_dir().join(format!("rookery-{}", std::process::id()));
        // Not a directory that somebody else has put there.
        match fs::create_dir(&path) {
            Ok(()) => Ok(Self(path)),
            Err(source) => Err(StartError::Directory { path, source }),
        }
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_dir_all(&self.0) {
            tracing::debug!(%error, "a temporary directory is left behind");
        }
    }
}
