//! What can be set about the store in Redis.

use std::num::{NonZeroU32, NonZeroUsize};
use std::path::PathBuf;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::address::Address;

/// `[store.redis]`: servers that speak the protocol of Redis, 6.2 or later.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// How the servers are found. `standalone`: `urls` has the one server. `sentinel`: `urls` has Sentinels, which know
    /// the server that is the primary at the moment. `cluster`: `urls` has some servers of a cluster, which know the
    /// others.
    pub mode: Mode,
    /// Where the servers are, as `redis://host:port`, or `rediss://host:port` for TLS. Users and passwords are set
    /// below.
    pub urls: Vec<String>,
    /// The name of the primary, as the Sentinels know it.
    pub sentinel_master: String,
    /// The number of the database; 0 in a cluster.
    pub database: u32,
    /// What every key begins with, so that several deployments can share a server: letters, digits, `.`, `_`, `-`.
    pub prefix: String,
    /// The user to log in as (ACL); the default user if it is left out and there is a password.
    pub user: Option<String>,
    /// A file with the password.
    pub password_file: Option<PathBuf>,
    /// A file with the password of the Sentinels, if these have one.
    pub sentinel_password_file: Option<PathBuf>,
    /// What a confirmed write survives. `wait`: at least `replicas` replicas have it, so that it outlives the primary.
    /// `waitaof`: besides, primary and replicas have it on disk (Redis 7.2 or later). `reply`: the primary has it in
    /// memory, for development: whatever Redis has not saved or replicated when its primary is lost is lost although it
    /// was confirmed, and each start warns of that.
    pub durability: Durability,
    /// How many replicas have to have a write before it is confirmed, for `wait` and `waitaof`.
    pub replicas: u32,
    /// How long is waited for the replicas, in milliseconds; then the write is tried again, and is not confirmed.
    pub wait_ms: NonZeroU32,
    /// How long a connection may take, in milliseconds.
    pub connect_timeout_ms: NonZeroU32,
    /// How long an answer may take beside the wait for replicas, in milliseconds. What is not answered may have been
    /// carried out: it is tried again, and never counts twice.
    pub response_timeout_ms: NonZeroU32,
    /// How long an operation is tried, in milliseconds, through reconnections and a change of the primary; then its
    /// caller is told to try again later.
    pub patience_ms: NonZeroU32,
    /// How many writes may wait for one server, and how many reads may be under way in all. When as many wait, messages
    /// wait in front, and their senders are not read from; everybody else is told to try again later. Accounts take turns.
    pub queue: NonZeroUsize,
    /// How many writes go to a server at once at most, with one wait for its replicas.
    pub batch: NonZeroUsize,
    /// TLS.
    pub tls: Tls,
}

/// `[store.redis.tls]`: for addresses that begin with `rediss://`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Tls {
    /// A file with the authorities that the servers' certificates come from; those of the system if it is left out.
    pub ca: Option<PathBuf>,
    /// A file with the certificate to show, if the servers ask for one.
    pub certificate: Option<PathBuf>,
    /// A file with its key.
    pub key: Option<PathBuf>,
}

/// How the servers are found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// There is one.
    #[default]
    Standalone,
    /// Sentinels know it.
    Sentinel,
    /// They are a cluster.
    Cluster,
}

/// What a confirmed write survives.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Durability {
    /// The loss of the primary: replicas have it.
    #[default]
    Wait,
    /// The loss of power as well: it is on disk.
    WaitAof,
    /// Nothing in particular.
    Reply,
}

/// A value that is not allowed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{key} {what}")]
pub struct ConfigError {
    /// The key.
    pub key: &'static str,
    /// What is wrong, and what to do.
    pub what: String,
}

// === impl Config ===

impl Config {
    /// Checks what types cannot.
    ///
    /// # Errors
    /// The first value that is wrong.
    pub fn validate(&self) -> Result<(), ConfigError> {
        self.validate_servers()?;
        let letter = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
        let plain = !self.prefix.is_empty() && self.prefix.bytes().all(letter);
        let nobody = self.durability == Durability::Wait && self.replicas == 0;
        let together = self.tls.certificate.is_some() == self.tls.key.is_some();
        check(
            plain,
            "prefix",
            "must be made of letters, digits, '.', '_' and '-'",
        )?;
        check(
            !nobody,
            "replicas",
            "must be at least 1 where durability is \"wait\"",
        )?;
        check(
            self.batch <= self.queue,
            "batch",
            "must not be more than queue",
        )?;
        check(
            together,
            "tls.certificate",
            "and tls.key need each other; set both or none",
        )
    }

    fn validate_servers(&self) -> Result<(), ConfigError> {
        check(
            !self.urls.is_empty(),
            "urls",
            "must name at least one server",
        )?;
        for url in &self.urls {
            Address::parse(url).map_err(|error| ConfigError {
                key: "urls",
                what: format!("{url:?} {error}"),
            })?;
        }
        check(
            self.mode != Mode::Standalone || self.urls.len() == 1,
            "urls",
            "must name one server; set mode to \"sentinel\" or \"cluster\" for more",
        )?;
        check(
            self.mode != Mode::Sentinel || !self.sentinel_master.is_empty(),
            "sentinel_master",
            "is missing; it is the name in the Sentinels' configuration",
        )?;
        check(
            self.mode != Mode::Cluster || self.database == 0,
            "database",
            "must be 0 in a cluster",
        )
    }

    /// How long is waited for replicas.
    pub(crate) fn wait(&self) -> Duration {
        match self.durability {
            Durability::Wait | Durability::WaitAof => {
                Duration::from_millis(u64::from(self.wait_ms.get()))
            }
            Durability::Reply => Duration::ZERO,
        }
    }

    /// How long an answer may take, the wait for replicas included.
    pub(crate) fn response(&self) -> Duration {
        self.wait() + Duration::from_millis(u64::from(self.response_timeout_ms.get()))
    }

    /// How long an operation is tried.
    pub(crate) fn patience(&self) -> Duration {
        Duration::from_millis(u64::from(self.patience_ms.get()))
    }

    /// The addresses, which were checked.
    pub(crate) fn addresses(&self) -> Vec<Address> {
        let addresses = self.urls.iter().map(|url| Address::parse(url));
        addresses.filter_map(Result::ok).collect()
    }
}

impl Default for Config {
    fn default() -> Self {
        let from = |millis: u32| NonZeroU32::MIN.saturating_add(millis - 1);
        Self {
            mode: Mode::Standalone,
            urls: vec!["redis://127.0.0.1:6379".to_owned()],
            sentinel_master: String::new(),
            database: 0,
            prefix: "rookery".to_owned(),
            user: None,
            password_file: None,
            sentinel_password_file: None,
            durability: Durability::Wait,
            replicas: 1,
            wait_ms: from(1000),
            connect_timeout_ms: from(2000),
            response_timeout_ms: from(3000),
            patience_ms: from(15_000),
            queue: NonZeroUsize::MIN.saturating_add(4095),
            batch: NonZeroUsize::MIN.saturating_add(255),
            tls: Tls::default(),
        }
    }
}

fn check(holds: bool, key: &'static str, what: &str) -> Result<(), ConfigError> {
    let what = what.to_owned();
    if holds {
        Ok(())
    } else {
        Err(ConfigError { key, what })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(change: impl FnOnce(&mut Config)) -> String {
        let mut config = Config::default();
        change(&mut config);
        config
            .validate()
            .map_or_else(|error| error.to_string(), |()| String::new())
    }

    #[test]
    fn values_that_are_not_allowed_are_named() {
        assert_eq!(said(|_| {}), "");
        let words = said(|config| config.urls = vec!["localhost".to_owned()]);
        assert_eq!(
            words,
            "urls \"localhost\" must begin with redis:// or rediss://"
        );
        assert!(said(|config| config.urls.clear()).starts_with("urls must name"));
        let words = said(|config| config.urls.push("redis://b".to_owned()));
        assert!(words.contains("set mode to"), "{words}");
        assert!(
            said(|config| config.mode = Mode::Sentinel).starts_with("sentinel_master is missing")
        );
        assert!(said(|config| config.replicas = 0).starts_with("replicas must be"));
        assert!(said(|config| config.prefix = "a{b}".to_owned()).starts_with("prefix must be"));
        assert!(said(|config| config.tls.key = Some("k".into())).contains("need each other"));
        let words = said(|config| {
            config.mode = Mode::Cluster;
            config.database = 3;
        });
        assert_eq!(words, "database must be 0 in a cluster");
    }
}
