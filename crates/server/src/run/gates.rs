//! Watches what readiness depends on while the node serves: the store and the certificates.

use std::sync::Arc;
use std::time::Duration;

use rookery_lifecycle::{Clock, TaskScope};
use rookery_tls::CertificateStore;
use rookery_web::{Gate, Health};
use tokio::time::Instant;

use super::error::StartError;
use super::stores::Stores;

/// How often is looked.
const PERIOD: Duration = Duration::from_secs(1);
/// For how long the store has to fail until its gate is shut: a short trouble passes by itself, and
/// meanwhile logins are told to try again.
const PATIENCE: Duration = Duration::from_secs(30);

/// Whether the store fails, and for how long.
#[derive(Debug, Default)]
struct Trouble {
    since: Option<Instant>,
}

/// Starts the watch.
pub(super) fn watch(
    stores: Stores,
    certificates: Arc<CertificateStore>,
    health: Health,
    clock: Clock,
    scope: &TaskScope,
) -> Result<(), StartError> {
    look_at_certificates(&certificates, &health, &clock);
    let watch = async move {
        let mut trouble = Trouble::default();
        // A store that has never been well is not given time.
        let mut begun = stores.health().is_ok();
        loop {
            tokio::time::sleep(PERIOD).await;
            let well = stores.health().is_ok();
            begun |= well;
            let open = trouble.is_bearable(well, clock.now());
            health.set(Gate::Store, begun && open);
            look_at_certificates(&certificates, &health, &clock);
        }
    };
    Ok(scope.spawn("gates", watch)?)
}

fn look_at_certificates(certificates: &CertificateStore, health: &Health, clock: &Clock) {
    let now = i64::try_from(clock.unix_millis() / 1000).unwrap_or(i64::MAX);
    let valid = certificates
        .certificates()
        .iter()
        .all(|one| one.not_after > now);
    health.set(Gate::Certificate, valid);
}

// === impl Trouble ===

impl Trouble {
    /// Takes note of how the store is, and says whether that is bearable.
    fn is_bearable(&mut self, well: bool, now: Instant) -> bool {
        if well {
            self.since = None;
            return true;
        }
        let since = *self.since.get_or_insert(now);
        now.duration_since(since) < PATIENCE
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_store_may_fail_for_30_seconds() {
        let (mut trouble, start) = (Trouble::default(), Instant::now());
        let at = |seconds| start + Duration::from_secs(seconds);
        assert!(trouble.is_bearable(false, at(0)));
        assert!(trouble.is_bearable(false, at(29)));
        assert!(!trouble.is_bearable(false, at(30)));
        assert!(trouble.is_bearable(true, at(31)), "it recovers at once");
        assert!(
            trouble.is_bearable(false, at(32)),
            "and is given time again"
        );
    }
}
