//! Watches the memory of the process: above its limit nobody new is let in, until there is less again.

use std::fs;
use std::path::Path;
use std::time::Duration;

use rookery_c2s::{Limits, Listening};
use rookery_lifecycle::TaskScope;
use rookery_telemetry::{Gauge, Registry};

use super::error::StartError;

/// How often is looked.
const PERIOD: Duration = Duration::from_secs(1);

/// How much memory there may be, and whether there is more.
#[derive(Debug)]
struct Watch {
    limit: u64,
    is_short: bool,
}

/// Starts the watch.
pub(super) fn watch(
    limits: &Limits,
    clients: Listening,
    registry: &Registry,
    scope: &TaskScope,
) -> Result<(), StartError> {
    let available = available();
    let gauge: Gauge = registry.gauge(
        "memory_limit_bytes",
        "How much memory may the process have, as it sees it?",
    );
    gauge.set(i64::try_from(available.unwrap_or_default()).unwrap_or(i64::MAX));
    let limit = match limits.memory_bytes {
        0 => available.map_or(u64::MAX, |available| available / 10 * 9),
        configured => configured,
    };
    let mut watch = Watch {
        limit,
        is_short: false,
    };
    let look = async move {
        loop {
            tokio::time::sleep(PERIOD).await;
            let resident = resident().unwrap_or_default();
            if let Some(short) = watch.changed(resident) {
                clients.set_short_of_memory(short);
                tell(short, resident, limit);
            }
        }
    };
    Ok(scope.spawn("memory", look)?)
}

fn tell(short: bool, resident: u64, limit: u64) {
    if short {
        tracing::error!(
            resident,
            limit,
            "too much memory is in use: connections and logins are refused until there is less"
        );
    } else {
        tracing::info!(resident, limit, "connections and logins are taken again");
    }
}

// === impl Watch ===

impl Watch {
    /// Whether memory is short now, if that has changed. It stays short until a tenth is free again.
    fn changed(&mut self, resident: u64) -> Option<bool> {
        let bound = if self.is_short {
            self.limit / 10 * 9
        } else {
            self.limit
        };
        let short = resident > bound;
        let changed = short != self.is_short;
        self.is_short = short;
        changed.then_some(short)
    }
}

/// The memory that the process occupies.
fn resident() -> Option<u64> {
    kibibytes(&fs::read_to_string("/proc/self/status").ok()?, "VmRSS:")
}

/// What the machine has, or the control group of the process may have if that is less.
fn available() -> Option<u64> {
    let machine = fs::read_to_string("/proc/meminfo")
        .ok()
        .and_then(|text| kibibytes(&text, "MemTotal:"));
    let group = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
    let group = group.lines().find_map(|line| line.strip_prefix("0::/"));
    let of_group = [
        Path::new("/sys/fs/cgroup").join(group.unwrap_or_default()),
        Path::new("/sys/fs/cgroup").to_owned(),
    ];
    // `max` is no number, and no limit.
    let limit = |path: &Path| -> Option<u64> {
        let text = fs::read_to_string(path.join("memory.max")).ok()?;
        text.trim().parse().ok()
    };
    of_group
        .iter()
        .filter_map(|path| limit(path))
        .chain(machine)
        .min()
}

/// A line of the kernel's such as `VmRSS:  1234 kB`.
fn kibibytes(text: &str, name: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    let number: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    number.checked_mul(1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_short_above_the_limit_until_a_tenth_is_free() {
        let mut watch = Watch {
            limit: 1_000,
            is_short: false,
        };
        assert_eq!(watch.changed(1_000), None);
        assert_eq!(watch.changed(1_001), Some(true));
        assert_eq!(watch.changed(950), None);
        assert_eq!(watch.changed(900), Some(false));
        assert_eq!(watch.changed(950), None);
    }

    #[test]
    fn the_kernel_says_how_much_is_in_use_and_how_much_there_is() {
        let (resident, available) = (resident().unwrap(), available().unwrap());
        assert!(resident > 100_000 && resident < available);
        assert_eq!(kibibytes("A:\t 1 kB\nB: 7 kB\n", "B:"), Some(7 * 1024));
        assert_eq!(kibibytes("A: 1", "A:"), None);
    }
}
