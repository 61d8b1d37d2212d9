//! The embedded store passes the suite of all stores, and keeps what it was given when it is opened again.

#![cfg(test)]

use std::ops::Deref;
use std::sync::Arc;

use futures_util::future::{join, join_all};
use rookery_stanza::BareJid;
use rookery_storage::{
    AccountStore, Append, Appended, Created, Credentials, OfflineLimit, OfflineMessage,
    OfflineStore, ScramKeys, StoreError,
};
use rookery_storage_embedded::{Config, EmbeddedStore};
use rookery_telemetry::Registry;
use tempfile::TempDir;

/// A store with the directory that it lives in.
struct Lodging {
    store: Arc<EmbeddedStore>,
    registry: Registry,
    directory: TempDir,
}

impl Lodging {
    fn open(config: &Config) -> Self {
        Self::reopen(tempfile::tempdir().unwrap(), config)
    }

    fn reopen(directory: TempDir, config: &Config) -> Self {
        let registry = Registry::new();
        let path = directory.path().join("store.db");
        let store = EmbeddedStore::open(&path, config, &registry).unwrap();
        Self {
            store,
            registry,
            directory,
        }
    }
}

impl Deref for Lodging {
    type Target = EmbeddedStore;

    fn deref(&self) -> &EmbeddedStore {
        &self.store
    }
}

fn romeo() -> BareJid {
    BareJid::parse("romeo@montague.example").unwrap()
}

fn credentials() -> Credentials {
    let keys = ScramKeys {
        salt: vec![1],
        iterations: 10_000,
        stored_key: vec![2],
        server_key: vec![3],
    };
    Credentials {
        sha1: keys.clone(),
        sha256: keys.clone(),
        sha512: keys,
    }
}

async fn append(store: &EmbeddedStore, mark: u64) -> Result<Vec<Appended>, StoreError> {
    let message = OfflineMessage {
        received: mark,
        xml: b"<message/>".to_vec(),
    };
    store
        .append_offline(
            vec![Append {
                account: romeo(),
                message,
            }],
            OfflineLimit::NONE,
        )
        .await
}

rookery_storage::store_suite!(async || Lodging::open(&Config::default()));

#[tokio::test]
async fn what_was_stored_is_there_when_the_store_is_opened_again() {
    let lodging = Lodging::open(&Config::default());
    lodging
        .create_accounts(vec![(romeo(), credentials())])
        .await
        .unwrap();
    append(&lodging, 1).await.unwrap();
    lodging.close().await;
    assert!(
        !lodging.directory.path().join("store.db-wal").exists(),
        "the log was moved in"
    );

    let lodging = Lodging::reopen(lodging.directory, &Config::default());
    assert_eq!(lodging.credentials(&romeo()).await, Ok(Some(credentials())));
    assert_eq!(
        lodging.read_offline(&romeo(), 0, 10).await.unwrap().len(),
        1
    );
}

#[tokio::test]
async fn a_closed_store_does_what_waits_and_refuses_the_rest() {
    let lodging = Lodging::open(&Config::default());
    lodging
        .create_accounts(vec![(romeo(), credentials())])
        .await
        .unwrap();
    let appends = join_all((0..100).map(|mark| append(&lodging, mark)));
    let (appended, ()) = join(appends, lodging.close()).await;
    assert!(appended.iter().all(Result::is_ok), "{appended:?}");
    let refused = append(&lodging, 100).await.unwrap_err();
    assert!(refused.to_string().contains("closed"), "{refused}");
    assert!(
        lodging
            .registry
            .render()
            .contains("rookery_store_up{backend=\"embedded\"} 0")
    );
    assert!(lodging.health().is_err());
    lodging.close().await;
}

#[tokio::test]
async fn many_at_once_each_get_a_position_of_their_own() {
    let lodging = Lodging::open(&Config::default());
    lodging
        .create_accounts(vec![(romeo(), credentials())])
        .await
        .unwrap();
    let appends = (0..500).map(|mark| append(&lodging, mark));
    let mut positions: Vec<u64> = Vec::new();
    for appended in join_all(appends).await {
        match appended.unwrap().as_slice() {
            [Appended::At(position)] => positions.push(*position),
            other => panic!("not appended: {other:?}"),
        }
    }
    // They were put into the queue one after the other, and keep that order.
    assert_eq!(positions, (1..=500).collect::<Vec<_>>());
    let queue = lodging.read_offline(&romeo(), 0, 1000).await.unwrap();
    assert!(
        queue
            .iter()
            .map(|queued| queued.message.received)
            .eq(0..500)
    );
}

#[tokio::test]
async fn a_full_queue_refuses_at_once_and_says_why() {
    let one = std::num::NonZeroUsize::MIN;
    let lodging = Lodging::open(&Config {
        queue: one,
        batch: one,
        ..Config::default()
    });
    lodging
        .create_accounts(vec![(romeo(), credentials())])
        .await
        .unwrap();
    let path = lodging.directory.path().join("store.db");
    let blocker = rusqlite::Connection::open(path).unwrap();
    blocker.execute_batch("BEGIN IMMEDIATE").unwrap();

    let appends = join_all((0..10).map(|mark| append(&lodging, mark)));
    let unblock = async { blocker.execute_batch("ROLLBACK").unwrap() };
    let (appended, ()) = join(appends, unblock).await;
    let refused: Vec<_> = appended
        .iter()
        .filter_map(|appended| appended.as_ref().err())
        .collect();
    assert!(
        refused.len() >= 8,
        "one at work, one in the queue: {appended:?}"
    );
    let words = "the store is unavailable: busy, 1 operations wait for the writer already";
    assert!(
        refused.iter().all(|error| error.to_string() == words),
        "{refused:?}"
    );
    let stored = lodging.read_offline(&romeo(), 0, 100).await.unwrap();
    assert_eq!(
        stored.len() + refused.len(),
        10,
        "exactly the others were stored"
    );
    let line = format!(
        "rookery_store_operations_total{{backend=\"embedded\",operation=\"append_offline\",result=\"circuit_open\"}} {}",
        refused.len()
    );
    assert!(lodging.registry.render().contains(&line));
}

#[tokio::test]
async fn operations_are_counted_and_the_size_is_known() {
    let lodging = Lodging::open(&Config::default());
    let created = lodging
        .create_accounts(vec![(romeo(), credentials())])
        .await;
    assert_eq!(created, Ok(vec![Created::New]));
    assert_eq!(lodging.health(), Ok(()));
    // The writer measures after it has answered; what it does next comes after that.
    lodging.delete_account(&romeo()).await.unwrap();
    let text = lodging.registry.render();
    for line in [
        "rookery_store_up{backend=\"embedded\"} 1",
        "rookery_store_operations_total{backend=\"embedded\",operation=\"create_accounts\",result=\"ok\"} 1",
        "rookery_store_operations_total{backend=\"embedded\",operation=\"load_account\",result=\"error\"} 0",
        "rookery_store_operation_duration_seconds_count{backend=\"embedded\",operation=\"create_accounts\"} 1",
    ] {
        assert!(text.contains(line), "{line} is not in {text}");
    }
    let bytes = text
        .lines()
        .find(|line| line.starts_with("rookery_store_bytes{"))
        .unwrap();
    let bytes: u64 = bytes.rsplit(' ').next().unwrap().parse().unwrap();
    assert!(bytes >= 4096, "{bytes}");
}
