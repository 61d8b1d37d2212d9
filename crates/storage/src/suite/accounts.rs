//! The rules for accounts.

use rookery_stanza::BareJid;

use super::{account, credentials, jid, roster};
use crate::Store;
use crate::account::Created;
use crate::error::StoreError;
use crate::offline::{Append, OfflineLimit, OfflineMessage};
use crate::roster::{Roster, RosterUpdate, RosterWrite, Tombstone};

/// An account that was created exists and has its credentials; one that was not does not.
pub async fn a_new_account_has_its_credentials(store: &impl Store) -> Result<(), StoreError> {
    let romeo = jid("romeo@montague.example");
    assert!(!store.account_exists(&romeo).await?);
    assert_eq!(store.credentials(&romeo).await?, None);
    store
        .create_accounts(vec![(romeo.clone(), credentials(7))])
        .await?;
    assert!(store.account_exists(&romeo).await?);
    assert_eq!(store.credentials(&romeo).await?, Some(credentials(7)));
    assert!(!store.account_exists(&jid("romeo@capulet.example")).await?);
    Ok(())
}

/// Creating an account again changes nothing.
pub async fn an_account_that_exists_is_left_alone(store: &impl Store) -> Result<(), StoreError> {
    let romeo = account(store, "romeo@montague.example").await?;
    let created = store
        .create_accounts(vec![(romeo.clone(), credentials(2))])
        .await?;
    assert_eq!(created, [Created::Exists]);
    assert_eq!(store.credentials(&romeo).await?, Some(credentials(1)));
    Ok(())
}

/// The answers are in the order of the accounts, and the first of two by one name wins.
pub async fn answers_to_creation_are_in_order(store: &impl Store) -> Result<(), StoreError> {
    let romeo = account(store, "romeo@montague.example").await?;
    let juliet = jid("juliet@capulet.example");
    let accounts = vec![
        (juliet.clone(), credentials(2)),
        (romeo, credentials(3)),
        (juliet.clone(), credentials(4)),
    ];
    let created = store.create_accounts(accounts).await?;
    assert_eq!(created, [Created::New, Created::Exists, Created::Exists]);
    assert_eq!(store.credentials(&juliet).await?, Some(credentials(2)));
    assert_eq!(store.create_accounts(Vec::new()).await?, []);
    Ok(())
}

/// Credentials are replaced as a whole; nobody comes into being by it.
pub async fn credentials_are_replaced_only_where_there_is_an_account(
    store: &impl Store,
) -> Result<(), StoreError> {
    let romeo = account(store, "romeo@montague.example").await?;
    let juliet = jid("juliet@capulet.example");
    assert!(store.set_credentials(&romeo, credentials(2)).await?);
    assert_eq!(store.credentials(&romeo).await?, Some(credentials(2)));
    assert!(!store.set_credentials(&juliet, credentials(2)).await?);
    assert!(!store.account_exists(&juliet).await?);
    Ok(())
}

/// Credentials that somebody else has replaced meanwhile stay.
pub async fn credentials_are_not_replaced_once_they_are_others(
    store: &impl Store,
) -> Result<(), StoreError> {
    let romeo = account(store, "romeo@montague.example").await?;
    let replace =
        |before, after| store.replace_credentials(&romeo, credentials(before), credentials(after));
    assert!(replace(1, 2).await?);
    assert_eq!(store.credentials(&romeo).await?, Some(credentials(2)));
    assert!(!replace(1, 3).await?);
    assert_eq!(store.credentials(&romeo).await?, Some(credentials(2)));
    let juliet = jid("juliet@capulet.example");
    let replaced = store.replace_credentials(&juliet, credentials(1), credentials(2));
    assert!(!replaced.await?);
    Ok(())
}

/// A deleted account is not there any more, and cannot be deleted twice.
pub async fn a_deleted_account_is_gone(store: &impl Store) -> Result<(), StoreError> {
    let romeo = account(store, "romeo@montague.example").await?;
    assert!(store.delete_account(&romeo).await?);
    assert!(!store.delete_account(&romeo).await?);
    assert!(!store.account_exists(&romeo).await?);
    assert_eq!(store.credentials(&romeo).await?, None);
    Ok(())
}

/// Nothing of a deleted account comes back when one by its name is created.
pub async fn a_deleted_account_leaves_nothing(store: &impl Store) -> Result<(), StoreError> {
    let romeo = account(store, "romeo@montague.example").await?;
    let juliet = account(store, "juliet@capulet.example").await?;
    let message = OfflineMessage {
        received: 1,
        xml: b"<message/>".to_vec(),
    };
    let append = |account: &BareJid| Append {
        account: account.clone(),
        message: message.clone(),
    };
    store
        .append_offline(vec![append(&romeo), append(&juliet)], OfflineLimit::NONE)
        .await?;
    let gone = Tombstone {
        jid: juliet.clone(),
        removed: 4,
    };
    let writes = vec![RosterWrite::Remove(gone)];
    let update = RosterUpdate {
        account: romeo.clone(),
        version: 4,
        floor: 2,
        writes,
    };
    assert!(store.update_roster(update).await?);

    assert!(store.delete_account(&romeo).await?);
    account(store, "romeo@montague.example").await?;
    assert_eq!(roster(store, &romeo).await?, Some(Roster::default()));
    assert_eq!(store.read_offline(&romeo, 0, 10).await?, []);
    assert_eq!(store.read_offline(&juliet, 0, 10).await?.len(), 1);
    Ok(())
}

/// Accounts are listed for one host, in the order of their localparts, page by page.
pub async fn accounts_are_listed_by_host_in_pages(store: &impl Store) -> Result<(), StoreError> {
    for name in ["romeo", "benvolio", "mercutio", "élodie"] {
        account(store, &format!("{name}@montague.example")).await?;
    }
    account(store, "juliet@capulet.example").await?;
    let first = store.list_accounts("montague.example", None, 2).await?;
    assert_eq!(
        first,
        [
            jid("benvolio@montague.example"),
            jid("mercutio@montague.example")
        ]
    );
    let second = store
        .list_accounts("montague.example", Some("mercutio"), 2)
        .await?;
    assert_eq!(
        second,
        [
            jid("romeo@montague.example"),
            jid("élodie@montague.example")
        ]
    );
    let third = store
        .list_accounts("montague.example", Some("élodie"), 2)
        .await?;
    assert_eq!(third, []);
    assert_eq!(
        store
            .list_accounts("montague.example", Some("n"), 1)
            .await?,
        second.split_at(1).0
    );
    assert_eq!(store.list_accounts("montague.example", None, 0).await?, []);
    assert_eq!(store.list_accounts("nowhere.example", None, 10).await?, []);
    Ok(())
}

/// Characters that mean something to a query language mean nothing in a name.
pub async fn names_that_look_like_patterns_are_only_names(
    store: &impl Store,
) -> Result<(), StoreError> {
    let names = ["%", "a%", "a*", "a_", "a{b}", "a[b]?", "a;--"];
    for name in names {
        account(store, &format!("{name}@montague.example")).await?;
    }
    assert!(!store.account_exists(&jid("ab@montague.example")).await?);
    assert!(store.delete_account(&jid("a%@montague.example")).await?);
    let left = store.list_accounts("montague.example", None, 10).await?;
    assert_eq!(left.len(), names.len() - 1);
    Ok(())
}
