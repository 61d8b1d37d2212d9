//! Servers that cannot be used are told of, with what to do.

use std::num::NonZeroU32;
use std::time::Duration;

use rookery_storage_redis::{Config, Durability, RedisStore};
use rookery_telemetry::Registry;
use tokio::runtime::Handle;

use crate::servers::{Lodging, Server};

/// What is said of a server by a store that is configured so.
async fn said(arguments: &[&str], change: impl FnOnce(&mut Config)) -> String {
    let server = Server::start(arguments);
    let mut config = Config {
        urls: vec![server.url()],
        ..Config::default()
    };
    change(&mut config);
    let lodging = Lodging::open(&config, vec![server]).await;
    lodging.health().unwrap_err().to_string()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_evicts_data_is_refused() {
    let arguments = ["--maxmemory", "100mb", "--maxmemory-policy", "allkeys-lru"];
    let said = said(&arguments, |config| config.durability = Durability::Reply).await;
    assert!(said.contains("set maxmemory-policy noeviction"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_without_replicas_and_without_a_file_is_refused_by_those_who_wait() {
    let said = said(&[], |_| {}).await;
    assert!(
        said.contains("it has 0 replicas and writes wait for 1"),
        "{said}"
    );
    assert!(said.contains("set appendonly yes"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_cannot_wait_for_disks_is_refused_by_those_who_want_it() {
    let said = said(&["--appendonly", "yes"], |config| {
        config.durability = Durability::WaitAof;
        config.replicas = 0;
    });
    let said = said.await;
    assert!(
        said.contains("needs 7.2 or later"),
        "Debian has 7.0: {said}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_may_come_after_the_store() {
    let mut server = Server::start(&[]);
    server.kill();
    let config = Config {
        urls: vec![server.url()],
        durability: Durability::Reply,
        ..Config::default()
    };
    let mut lodging = Lodging::open(&config, vec![server]).await;
    let said = lodging.health().unwrap_err().to_string();
    assert!(said.contains("look after store.redis.urls"), "{said}");
    assert!(lodging.servers[0].run());
    while lodging.health().is_err() {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replica_is_no_server_to_write_to() {
    let primary = Server::durable(&[]);
    let replica = Server::replica_of(&primary).await;
    let config = Config {
        urls: vec![replica.url()],
        durability: Durability::Reply,
        connect_timeout_ms: NonZeroU32::new(500).unwrap(),
        ..Config::default()
    };
    let lodging = Lodging::open(&config, vec![primary, replica]).await;
    let said = lodging.health().unwrap_err().to_string();
    assert!(said.contains("is no primary"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn files_that_cannot_be_used_end_the_start() {
    let open = async |change: fn(&mut Config)| {
        let mut config = Config::default();
        change(&mut config);
        let opened = RedisStore::open(&config, Handle::current(), &Registry::new()).await;
        opened.unwrap_err().to_string()
    };
    let said = open(|config| config.password_file = Some("/nowhere".into())).await;
    assert!(
        said.starts_with("store.redis.password_file: /nowhere cannot be read"),
        "{said}"
    );
    let said = open(|config| config.password_file = Some("/dev/null".into())).await;
    assert!(
        said.contains("must have the password in its first line"),
        "{said}"
    );
    let said = open(|config| {
        config.urls = vec!["rediss://localhost".to_owned()];
        config.tls.ca = Some("/nowhere".into());
    });
    assert!(
        said.await
            .starts_with("store.redis.tls.ca: /nowhere cannot be read")
    );
    let said = open(|config| config.replicas = 0).await;
    assert!(
        said.starts_with("store.redis.replicas must be at least 1"),
        "{said}"
    );
}
