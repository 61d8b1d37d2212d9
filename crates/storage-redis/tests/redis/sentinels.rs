//! A primary that Sentinels know, and its loss.

use std::num::NonZeroU32;
use std::sync::Arc;

use rookery_storage::message_log::MessageLog;
use rookery_storage_redis::{Config, Mode};
use tokio::runtime::Handle;

use crate::messages::{account, append, message};
use crate::servers::{Lodging, Server};

#[tokio::test(flavor = "multi_thread")]
async fn what_was_confirmed_outlives_the_primary_and_appends_go_on() {
    let primary = Server::durable(&[]);
    let replicas = [
        Server::replica_of(&primary).await,
        Server::replica_of(&primary).await,
    ];
    let sentinel = Server::sentinel_of(&primary);
    sentinel
        .until("SENTINEL REPLICAS rookery", |answer| {
            replicas
                .iter()
                .all(|replica| answer.contains(&replica.port.to_string()))
        })
        .await;
    let config = Config {
        mode: Mode::Sentinel,
        urls: vec!["redis://127.0.0.1:1".to_owned(), sentinel.url()],
        sentinel_master: "rookery".to_owned(),
        wait_ms: NonZeroU32::new(300).unwrap(),
        patience_ms: NonZeroU32::new(60_000).unwrap(),
        ..Config::default()
    };
    let [first, second] = replicas;
    let mut lodging = Lodging::open(&config, vec![primary, first, second, sentinel]).await;
    assert_eq!(lodging.health(), Ok(()));
    let romeo = account("romeo@montague.example");
    let (store, to) = (Arc::clone(&lodging.store), romeo.clone());
    let appending = Handle::current().spawn(async move {
        let mut ids = Vec::new();
        for nth in 0..300 {
            ids.push(append(&*store, message(&to, nth)).await.unwrap());
        }
        ids
    });
    lodging.servers[0]
        .until("XLEN rookery:{romeo@montague.example}:rows", |answer| {
            answer != "int(0)"
        })
        .await;
    lodging.servers[0].kill();
    let ids = appending.await.unwrap();
    let kept = lodging.read_owed(&romeo, None, 1000).await.unwrap();
    assert_eq!(kept.iter().map(|row| row.id).collect::<Vec<_>>(), ids);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sentinel_that_does_not_know_the_name_is_told_of() {
    let primary = Server::durable(&[]);
    let sentinel = Server::sentinel_of(&primary);
    let config = Config {
        mode: Mode::Sentinel,
        urls: vec![sentinel.url()],
        sentinel_master: "raven".to_owned(),
        ..Config::default()
    };
    let lodging = Lodging::open(&config, vec![primary, sentinel]).await;
    let said = lodging.health().unwrap_err().to_string();
    assert!(said.contains("knows no \"raven\""), "{said}");
}
