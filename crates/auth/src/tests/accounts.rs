//! Managing accounts.

use std::sync::Arc;

use rookery_lifecycle::TaskScope;
use rookery_storage::StoreError;
use rookery_storage::memory::MemoryStore;
use rookery_telemetry::Registry;
use tokio::runtime::Handle;

use super::ITERATIONS;
use crate::accounts::{AccountError, Accounts, NewAccount};
use crate::config::Config;
use crate::hashing::Hashing;
use crate::password::PasswordError;

fn accounts() -> (Arc<MemoryStore>, Accounts) {
    let config = Config {
        iterations: ITERATIONS,
        ..Config::default()
    };
    let store = Arc::new(MemoryStore::new());
    let scope = TaskScope::new("test", Handle::current(), 8);
    let gauge = Registry::new().gauge("login_queue", "test");
    let hashing = Hashing::new(&scope, 2, 16, gauge);
    let hosts = ["localhost".to_owned(), "example.com".to_owned()];
    (store.clone(), Accounts::new(&config, hosts, store, hashing))
}

fn new(jid: &str, password: &str) -> NewAccount {
    NewAccount {
        jid: jid.to_owned(),
        password: password.to_owned(),
    }
}

#[tokio::test]
async fn an_account_lives_from_its_making_to_its_end() {
    let (_, accounts) = accounts();
    let made = accounts
        .create("Juliet@localhost", "pencil".to_owned())
        .await
        .unwrap();
    assert_eq!(made.as_str(), "juliet@localhost");
    assert!(accounts.exists("juliet@localhost").await.unwrap());
    let again = accounts
        .create("juliet@localhost", "pencil".to_owned())
        .await;
    assert!(matches!(again, Err(AccountError::Exists)));
    accounts
        .set_password("juliet@localhost", "paper".to_owned())
        .await
        .unwrap();
    assert_eq!(accounts.list("localhost", None, 10).await.unwrap(), [made]);
    accounts.delete("juliet@localhost").await.unwrap();
    assert!(!accounts.exists("juliet@localhost").await.unwrap());
    let gone = accounts
        .set_password("juliet@localhost", "paper".to_owned())
        .await;
    assert!(matches!(gone, Err(AccountError::NoSuchAccount)));
    let gone = accounts.delete("juliet@localhost").await;
    assert!(matches!(gone, Err(AccountError::NoSuchAccount)));
}

#[tokio::test]
async fn addresses_that_rfc_7622_does_not_allow_are_refused() {
    let (_, accounts) = accounts();
    let refused = async |jid: &str| accounts.create(jid, "pencil".to_owned()).await.unwrap_err();
    assert!(matches!(
        refused("localhost").await,
        AccountError::NoLocalpart
    ));
    assert!(matches!(
        refused("a b@localhost").await,
        AccountError::Address(_)
    ));
    assert!(matches!(
        refused("juliet@localhost/balcony").await,
        AccountError::Address(_)
    ));
    // An old server may have such names (RFC 6122); a new account may not.
    assert!(matches!(
        refused("\u{2163}@localhost").await,
        AccountError::Address(_)
    ));
    let AccountError::UnknownHost(host) = refused("juliet@example.net").await else {
        panic!("the host is not served")
    };
    assert_eq!(host, "example.net");
    let empty = accounts
        .create("juliet@localhost", String::new())
        .await
        .unwrap_err();
    assert!(matches!(
        empty,
        AccountError::Password(PasswordError::Empty)
    ));
}

#[tokio::test]
async fn an_import_answers_for_each_account_in_order() {
    let (_, accounts) = accounts();
    accounts
        .create("user1@localhost", "pencil".to_owned())
        .await
        .unwrap();
    let mut list: Vec<_> = (0..20)
        .map(|number| new(&format!("user{number}@localhost"), "pencil"))
        .collect();
    list.push(new("a b@localhost", "pencil"));
    list.push(new("user20@localhost", ""));
    list.push(new("user21@example.com", "pencil"));
    let answers = accounts.import(list).await;
    assert_eq!(answers.len(), 23);
    for (number, answer) in answers.iter().enumerate() {
        match number {
            1 => assert!(matches!(answer, Err(AccountError::Exists))),
            20 => assert!(matches!(answer, Err(AccountError::Address(_)))),
            21 => assert!(matches!(answer, Err(AccountError::Password(_)))),
            22 => assert_eq!(answer.as_ref().unwrap().as_str(), "user21@example.com"),
            _ => {
                let local = format!("user{number}");
                assert_eq!(answer.as_ref().unwrap().local(), Some(local.as_str()));
            }
        }
    }
}

#[tokio::test]
async fn a_store_that_fails_fails_what_was_to_be_written() {
    let (store, accounts) = accounts();
    store.fail(Some(StoreError::Unavailable("full".to_owned())));
    let list = vec![
        new("a b@localhost", "pencil"),
        new("juliet@localhost", "pencil"),
    ];
    let answers = accounts.import(list).await;
    assert!(matches!(answers[0], Err(AccountError::Address(_))));
    assert!(matches!(answers[1], Err(AccountError::Store(_))));
}
