//! Keeps certificates current while their files change.

use std::sync::Arc;
use std::time::Duration;

use rookery_lifecycle::{DrainSignal, ScopeClosed, TaskScope};
use tokio::time::MissedTickBehavior;

use crate::store::CertificateStore;

/// How often the files are looked at. By content, because this sees everything: files written in place,
/// renamed over, and the swap of a Kubernetes volume's `..data` link.
const PERIOD: Duration = Duration::from_secs(2);

/// Starts a task that reloads what has changed, until the drain starts or the scope ends.
pub fn watch(
    store: Arc<CertificateStore>,
    scope: &TaskScope,
    mut drain: DrainSignal,
) -> Result<(), ScopeClosed> {
    scope.spawn("certificate_watch", async move {
        let mut ticks = tokio::time::interval(PERIOD);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        while !drain.is_draining() {
            tokio::select! {
                () = drain.draining() => break,
                _ = ticks.tick() => {}
            }
            let store = Arc::clone(&store);
            let reload = tokio::task::spawn_blocking(move || store.reload());
            if let Err(error) = reload.await {
                tracing::error!(%error, "certificates could not be checked for changes");
            }
        }
    })
}
