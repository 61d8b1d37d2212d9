//! Three primaries that are a cluster.

use std::sync::Arc;

use redis::Value;
use rookery_storage::suite;
use rookery_storage::{AccountStore, StoreError};
use rookery_storage_redis::{Config, Durability, Mode};
use tokio::runtime::Handle;

use crate::messages::{account, append, credentials, message, owed};
use crate::servers::{Lodging, Server, cluster};

fn config(servers: &[Server]) -> Config {
    Config {
        mode: Mode::Cluster,
        urls: vec![servers[2].url()],
        durability: Durability::Reply,
        ..Config::default()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_rules_of_stores_hold_in_a_cluster() -> Result<(), StoreError> {
    let servers = cluster(&[]).await;
    let config = config(&servers);
    let lodging = Lodging::open(&config, servers).await;
    assert_eq!(lodging.health(), Ok(()));
    macro_rules! each {
        ($($rule:path)+) => {$(
            // Each has keys of its own.
            let prefix = stringify!($rule).replace([':', ' '], "_");
            let own = Lodging::open(&Config { prefix, ..config.clone() }, Vec::new()).await;
            $rule(&*own).await?;
        )+};
    }
    each! {
        suite::accounts::accounts_are_listed_by_host_in_pages
        suite::accounts::answers_to_creation_are_in_order
        suite::accounts::a_deleted_account_is_gone
        suite::rosters::writes_of_one_update_are_made_in_order
        suite::data::records_are_found_by_the_beginnings_of_their_terms
        suite::data::what_is_gone_is_found_no_more
        suite::data::records_come_back_with_the_account
        suite::message_log::rows_of_one_message_go_to_several_logs
        suite::message_log::answers_to_appending_are_in_the_order_of_the_rows
        suite::message_log::appends_of_another_epoch_are_refused
        suite::message_log::several_rows_for_one_log_become_one_for_all_their_reasons
        suite::message_log::rows_are_found_by_correspondent
        suite::message_log::logs_are_listed_by_host_in_pages
        suite::message_log::an_erased_log_is_gone
        suite::message_log::retention_goes_in_steps
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn all_servers_get_their_share_of_the_accounts() {
    let servers = cluster(&[]).await;
    let lodging = Lodging::open(&config(&servers), servers).await;
    let accounts = (0..60).map(|nth| (account(&format!("user{nth}@a.example")), credentials()));
    lodging.create_accounts(accounts.collect()).await.unwrap();
    let listed = lodging.list_accounts("a.example", None, 100).await.unwrap();
    assert_eq!(listed.len(), 60);
    for server in &lodging.servers {
        let Value::Int(keys) = server.ask("DBSIZE") else {
            panic!()
        };
        assert!(keys > 10, "{keys}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn appends_go_on_while_their_slot_moves_to_another_server() {
    let servers = cluster(&[]).await;
    let lodging = Lodging::open(&config(&servers), servers).await;
    let romeo = account("romeo@montague.example");
    append(&*lodging.store, message(&romeo, 0)).await.unwrap();
    let (store, to) = (Arc::clone(&lodging.store), romeo.clone());
    let appending = Handle::current().spawn(async move {
        let mut ids = Vec::new();
        for nth in 1..400 {
            ids.push(append(&*store, message(&to, nth)).await.unwrap());
        }
        ids
    });
    move_slot(&lodging.servers, "rookery:{romeo@montague.example}:rows");
    let ids = appending.await.unwrap();
    assert!(ids.is_sorted_by(|one, other| one < other));
    assert_eq!(owed(&*lodging.store, &romeo).await, 400);
    append(&*lodging.store, message(&romeo, 400)).await.unwrap();
    assert_eq!(owed(&*lodging.store, &romeo).await, 401);
}

/// Moves the slot of a key to the next server, as an operator's tool does.
fn move_slot(servers: &[Server], key: &str) {
    let Value::Int(slot) = servers[0].ask(&format!("CLUSTER KEYSLOT {key}")) else {
        panic!()
    };
    let has = usize::try_from(slot).unwrap() / 5461;
    let (from, to) = (&servers[has.min(2)], &servers[(has.min(2) + 1) % 3]);
    let name = |server: &Server| match server.ask("CLUSTER MYID") {
        Value::BulkString(bytes) => String::from_utf8(bytes).unwrap(),
        other => panic!("{other:?}"),
    };
    to.ask(&format!("CLUSTER SETSLOT {slot} IMPORTING {}", name(from)));
    from.ask(&format!("CLUSTER SETSLOT {slot} MIGRATING {}", name(to)));
    loop {
        let Value::Array(keys) = from.ask(&format!("CLUSTER GETKEYSINSLOT {slot} 1")) else {
            panic!()
        };
        let Some(Value::BulkString(key)) = keys.into_iter().next() else {
            break;
        };
        let key = String::from_utf8(key).unwrap();
        from.ask(&format!("MIGRATE 127.0.0.1 {} {key} 0 5000", to.port));
    }
    for server in [to, from] {
        server.ask(&format!("CLUSTER SETSLOT {slot} NODE {}", name(to)));
    }
}
