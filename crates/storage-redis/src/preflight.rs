//! Judges whether a server is fit to keep what must not be lost, by its answer to `INFO`.

use std::collections::HashMap;

use crate::config::{Config, Durability};

/// The oldest version that has all commands.
const OLDEST: (u32, u32) = (6, 2);
/// The oldest version that can be asked to wait for disks.
const OLDEST_WITH_WAITAOF: (u32, u32) = (7, 2);

/// What is the matter with a server.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Findings {
    /// Why it cannot be used.
    pub(crate) faults: Vec<String>,
    /// What its operator should know.
    pub(crate) warnings: Vec<String>,
    /// Bytes that its data takes.
    pub(crate) bytes: u64,
}

/// Judges a server by what it says of itself.
pub(crate) fn judge(info: &str, config: &Config) -> Findings {
    let fields: HashMap<&str, &str> = info
        .lines()
        .filter_map(|line| line.trim_end().split_once(':'))
        .collect();
    let field = |name: &str| fields.get(name).copied().unwrap_or_default();
    let mut findings = Findings {
        bytes: field("used_memory").parse().unwrap_or_default(),
        ..Findings::default()
    };
    findings.version(field("redis_version"), config.durability);
    let policy = field("maxmemory_policy");
    if policy != "noeviction" {
        findings.fault(format!(
            "it throws data away when its memory is full (maxmemory-policy is \"{policy}\"); set maxmemory-policy noeviction"
        ));
    }
    findings.persistence(field("aof_enabled") == "1", config.durability);
    if field("aof_last_write_status") == "err" || field("rdb_last_bgsave_status") == "err" {
        findings.fault("it cannot write to its disk; look after the disk and its log".to_owned());
    }
    let replicas: u32 = field("connected_slaves").parse().unwrap_or_default();
    if config.durability != Durability::Reply && replicas < config.replicas {
        let wanted = config.replicas;
        findings.fault(format!(
            "it has {replicas} replicas and writes wait for {wanted}; add replicas, lower store.redis.replicas, \
             or choose another store.redis.durability"
        ));
    }
    findings
}

// === impl Findings ===

impl Findings {
    fn fault(&mut self, text: String) {
        self.faults.push(text);
    }

    fn version(&mut self, version: &str, durability: Durability) {
        let mut numbers = version
            .split('.')
            .map(|number| number.parse().unwrap_or_default());
        let has = (
            numbers.next().unwrap_or_default(),
            numbers.next().unwrap_or_default(),
        );
        if has < OLDEST {
            self.fault(format!("it is Redis {version}; 6.2 or later is needed"));
        } else if durability == Durability::WaitAof && has < OLDEST_WITH_WAITAOF {
            self.fault(format!(
                "it is Redis {version}, and store.redis.durability = \"waitaof\" needs 7.2 or later; upgrade it, or \
                 choose \"wait\""
            ));
        }
    }

    fn persistence(&mut self, appends: bool, durability: Durability) {
        match (appends, durability) {
            (true, Durability::Wait | Durability::WaitAof) => {}
            (false, Durability::Wait | Durability::WaitAof) => self.fault(
                "it keeps no append-only file: a primary that restarts is empty, and its replicas follow it; set \
                 appendonly yes"
                    .to_owned(),
            ),
            (_, Durability::Reply) => self.warnings.push(
                "store.redis.durability is \"reply\": what is confirmed is in the memory of one server; when that is \
                 lost, so is whatever it had not saved or replicated, although clients were told that it is kept"
                    .to_owned(),
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIT: &str = "# Server\r\nredis_version:7.2.4\r\nused_memory:1024\r\nmaxmemory_policy:noeviction\r\n\
                       aof_enabled:1\r\naof_last_write_status:ok\r\nconnected_slaves:1\r\n";

    fn faults(info: &str, change: impl FnOnce(&mut Config)) -> Vec<String> {
        let mut config = Config::default();
        change(&mut config);
        judge(info, &config).faults
    }

    #[test]
    fn a_fit_server_has_no_faults() {
        assert_eq!(
            judge(FIT, &Config::default()),
            Findings {
                bytes: 1024,
                ..Findings::default()
            }
        );
        assert!(faults(FIT, |config| config.durability = Durability::WaitAof).is_empty());
    }

    #[test]
    fn each_fault_is_named_with_what_to_do() {
        for (before, after, words) in [
            ("7.2.4", "6.0.16", "6.2 or later"),
            (
                "noeviction",
                "allkeys-lru",
                "set maxmemory-policy noeviction",
            ),
            ("aof_enabled:1", "aof_enabled:0", "set appendonly yes"),
            ("status:ok", "status:err", "cannot write to its disk"),
            (
                "slaves:1",
                "slaves:0",
                "it has 0 replicas and writes wait for 1",
            ),
        ] {
            let faults = faults(&FIT.replace(before, after), |_| {});
            assert_eq!(faults.len(), 1, "{faults:?}");
            assert!(faults[0].contains(words), "{faults:?}");
        }
    }

    #[test]
    fn waiting_for_disks_needs_a_server_that_can() {
        let old = FIT.replace("7.2.4", "7.0.15");
        let faults = faults(&old, |config| config.durability = Durability::WaitAof);
        assert!(faults[0].contains("needs 7.2 or later"), "{faults:?}");
    }

    #[test]
    fn who_does_not_wait_is_told_what_can_be_lost() {
        let alone = FIT
            .replace("slaves:1", "slaves:0")
            .replace("aof_enabled:1", "aof_enabled:0");
        let config = Config {
            durability: Durability::Reply,
            ..Config::default()
        };
        let findings = judge(&alone, &config);
        assert!(findings.faults.is_empty());
        assert!(
            findings.warnings[0].contains("although clients were told"),
            "{findings:?}"
        );
    }

    #[test]
    fn an_answer_that_says_nothing_is_no_fit_server() {
        assert!(faults("", |_| {}).len() >= 3);
    }
}
