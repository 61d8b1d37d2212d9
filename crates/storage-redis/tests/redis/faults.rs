//! What is confirmed is kept, and counts once, whatever happens to servers and connections.

use std::num::{NonZeroU32, NonZeroUsize};
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use rookery_storage::message_log::MessageLog;
use rookery_storage::{AccountStore, StoreError};
use rookery_storage_redis::{Config, Durability};
use tokio::runtime::Handle;

use crate::messages::{account, append, credentials, message, owed};
use crate::servers::{Lodging, Server};

fn millis(count: u32) -> NonZeroU32 {
    NonZeroU32::new(count).unwrap()
}

/// A primary with a replica, and a store that waits for it.
async fn pair(change: impl FnOnce(&mut Config)) -> Lodging {
    let primary = Server::durable(&[]);
    let replica = Server::replica_of(&primary).await;
    let mut config = Config {
        urls: vec![primary.url()],
        wait_ms: millis(200),
        ..Config::default()
    };
    change(&mut config);
    let lodging = Lodging::open(&config, vec![primary, replica]).await;
    assert_eq!(lodging.health(), Ok(()));
    lodging
}

/// A counter or gauge, as operators see it.
fn metric(lodging: &Lodging, name: &str) -> u64 {
    let text = lodging.registry.render();
    let line = text
        .lines()
        .find(|line| line.contains(name) && !line.starts_with('#'))
        .unwrap();
    line.rsplit(' ').next().unwrap().parse().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_killed_during_appends_loses_and_doubles_nothing() {
    let server = Server::durable(&[]);
    let config = Config {
        urls: vec![server.url()],
        durability: Durability::Reply,
        ..Config::default()
    };
    let mut lodging = Lodging::open(&config, vec![server]).await;
    let romeo = account("romeo@montague.example");
    let (store, count) = (Arc::clone(&lodging.store), 3000);
    let appending = Handle::current().spawn(async move {
        let each =
            (0..count).map(|nth| append(&*store, message(&account("romeo@montague.example"), nth)));
        join_all(each).await
    });
    for _ in 0..2 {
        lodging.servers[0]
            .until("XLEN rookery:{romeo@montague.example}:rows", |answer| {
                answer != "int(0)"
            })
            .await;
        lodging.servers[0].kill();
        assert!(lodging.servers[0].run());
    }
    let ids: Result<Vec<_>, StoreError> = appending.await.unwrap().into_iter().collect();
    let ids = ids.unwrap();
    assert!(
        ids.is_sorted_by(|one, other| one < other),
        "in the order in which they were asked for"
    );
    let kept = lodging.read_owed(&romeo, None, 10_000).await.unwrap();
    assert_eq!(kept.iter().map(|row| row.id).collect::<Vec<_>>(), ids);
    assert!(metric(&lodging, "store_reconnects_total") >= 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_its_replica_nothing_is_confirmed_and_later_it_counts_once() {
    let mut lodging = pair(|config| config.patience_ms = millis(1500)).await;
    let romeo = account("romeo@montague.example");
    let first = append(&*lodging.store, message(&romeo, 1)).await.unwrap();
    lodging.servers[1].kill();
    let refused = append(&*lodging.store, message(&romeo, 2))
        .await
        .unwrap_err();
    assert!(refused.to_string().contains("0 of 1 replicas"), "{refused}");
    assert!(metric(&lodging, "store_degraded_writes_total") >= 1);
    assert!(lodging.servers[1].run());
    lodging.servers[0]
        .until("INFO", |info| info.contains("state=online"))
        .await;
    let second = append(&*lodging.store, message(&romeo, 2)).await.unwrap();
    assert!(first < second);
    assert_eq!(owed(&*lodging.store, &romeo).await, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_connection_does_not_confirm_what_an_earlier_one_wrote_before_replicas_have_it() {
    let lodging = pair(|_| {}).await;
    let romeo = account("romeo@montague.example");
    append(&*lodging.store, message(&romeo, 1)).await.unwrap();
    lodging.servers[1].signal("-STOP");
    let (store, to) = (Arc::clone(&lodging.store), romeo.clone());
    let mut appending =
        Handle::current().spawn(async move { append(&*store, message(&to, 2)).await });
    // It is written, and the connection that wrote it is cut.
    lodging.servers[0]
        .until("XLEN rookery:{romeo@montague.example}:rows", |answer| {
            answer == "int(2)"
        })
        .await;
    lodging.servers[0].ask("CLIENT KILL TYPE normal SKIPME yes");
    let early = tokio::time::timeout(Duration::from_millis(1500), &mut appending).await;
    assert!(early.is_err(), "the replica does not have it: {early:?}");
    lodging.servers[1].signal("-CONT");
    appending.await.unwrap().unwrap();
    assert_eq!(owed(&*lodging.store, &romeo).await, 2);
    assert!(metric(&lodging, "store_reconnects_total") >= 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn commands_that_timed_out_and_ran_all_the_same_count_once() {
    let server = Server::start(&[]);
    let config = Config {
        urls: vec![server.url()],
        durability: Durability::Reply,
        response_timeout_ms: millis(200),
        connect_timeout_ms: millis(200),
        ..Config::default()
    };
    let lodging = Lodging::open(&config, vec![server]).await;
    let (romeo, juliet) = (
        account("romeo@montague.example"),
        account("juliet@capulet.example"),
    );
    append(&*lodging.store, message(&romeo, 1)).await.unwrap();
    lodging.servers[0].signal("-STOP");
    let (store, to, other) = (Arc::clone(&lodging.store), romeo.clone(), juliet.clone());
    let work = Handle::current().spawn(async move {
        let appended = append(&*store, message(&to, 2)).await;
        (
            appended,
            store.create_accounts(vec![(other, credentials())]).await,
        )
    });
    // Several times over, it is sent and not answered.
    while metric(&lodging, "store_reconnects_total") < 2 {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    lodging.servers[0].signal("-CONT");
    let (appended, created) = work.await.unwrap();
    appended.unwrap();
    assert_eq!(created, Ok(vec![rookery_storage::Created::New]));
    assert_eq!(owed(&*lodging.store, &romeo).await, 2);
    assert!(lodging.delete_account(&juliet).await.unwrap());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_may_take_longer_than_the_half_second_that_the_library_waits_by_itself() {
    let lodging = Lodging::alone().await;
    let romeo = account("romeo@montague.example");
    append(&*lodging.store, message(&romeo, 1)).await.unwrap();
    lodging.servers[0].signal("-STOP");
    let (store, to) = (Arc::clone(&lodging.store), romeo.clone());
    let mut work = Handle::current().spawn(async move { append(&*store, message(&to, 2)).await });
    let early = tokio::time::timeout(Duration::from_millis(1200), &mut work).await;
    assert!(early.is_err());
    lodging.servers[0].signal("-CONT");
    work.await.unwrap().unwrap();
    assert_eq!(metric(&lodging, "store_reconnects_total"), 0);
    assert_eq!(owed(&*lodging.store, &romeo).await, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn when_too_much_waits_appends_wait_in_front_and_others_are_refused() {
    let server = Server::start(&[]);
    let config = Config {
        urls: vec![server.url()],
        durability: Durability::Reply,
        queue: NonZeroUsize::new(4).unwrap(),
        batch: NonZeroUsize::new(1).unwrap(),
        ..Config::default()
    };
    let lodging = Lodging::open(&config, vec![server]).await;
    let romeo = account("romeo@montague.example");
    lodging
        .create_accounts(vec![(romeo.clone(), credentials())])
        .await
        .unwrap();
    lodging.servers[0].signal("-STOP");
    let store = &lodging.store;
    let set = join_all((0..20).map(|_| store.set_credentials(&romeo, credentials())));
    let appends = join_all((0..20).map(|nth| append(&**store, message(&romeo, nth))));
    let go_on = async {
        tokio::time::sleep(Duration::from_millis(300)).await;
        lodging.servers[0].signal("-CONT");
    };
    let (set, appended, ()) = futures_util::join!(set, appends, go_on);
    let refused: Vec<_> = set.into_iter().filter_map(Result::err).collect();
    assert!(!refused.is_empty());
    let words = "the store is unavailable: too many operations wait for the store";
    assert!(
        refused.iter().all(|error| error.to_string() == words),
        "{refused:?}"
    );
    assert!(appended.iter().all(Result::is_ok), "{appended:?}");
    assert_eq!(
        metric(
            &lodging,
            "operation=\"set_credentials\",result=\"circuit_open\""
        ),
        refused.len() as u64
    );
    assert_eq!(metric(&lodging, "queue=\"writer\""), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn scripts_that_the_server_has_forgotten_are_told_again() {
    let lodging = Lodging::alone().await;
    let romeo = account("romeo@montague.example");
    append(&*lodging.store, message(&romeo, 1)).await.unwrap();
    lodging.servers[0].ask("SCRIPT FLUSH");
    append(&*lodging.store, message(&romeo, 2)).await.unwrap();
    lodging.servers[0].ask("SCRIPT FLUSH");
    assert_eq!(owed(&*lodging.store, &romeo).await, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_closed_store_does_what_waits_and_refuses_the_rest() {
    let lodging = Lodging::alone().await;
    let romeo = account("romeo@montague.example");
    let store = &lodging.store;
    let appends = join_all((0..100).map(|nth| append(&**store, message(&romeo, nth))));
    let (appended, ()) = futures_util::join!(appends, store.close());
    for failed in appended.iter().filter_map(|it| it.as_ref().err()) {
        assert!(failed.to_string().contains("closed"), "{failed}");
    }
    let refused = append(&**store, message(&romeo, 100)).await.unwrap_err();
    assert!(refused.to_string().contains("closed"), "{refused}");
}
