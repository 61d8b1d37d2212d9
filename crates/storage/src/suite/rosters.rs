//! The rules for rosters.

use rookery_stanza::BareJid;

use super::{account, jid, roster};
use crate::Store;
use crate::error::StoreError;
use crate::roster::{Roster, RosterItem, RosterUpdate, RosterWrite, Subscription, Tombstone};

fn item(contact: &str, changed: u64) -> RosterItem {
    RosterItem {
        jid: jid(contact),
        name: None,
        groups: Vec::new(),
        subscription: Subscription::None,
        pending_out: false,
        approved: false,
        pending_in: None,
        listed: true,
        changed,
    }
}

fn put(contact: &str, changed: u64) -> RosterWrite {
    RosterWrite::Put(item(contact, changed))
}

fn tombstone(contact: &str, removed: u64) -> Tombstone {
    Tombstone {
        jid: jid(contact),
        removed,
    }
}

/// Makes an update with a floor of zero and gives the roster after it.
async fn update(
    store: &impl Store,
    account: &BareJid,
    version: u64,
    writes: Vec<RosterWrite>,
) -> Result<Roster, StoreError> {
    let update = RosterUpdate {
        account: account.clone(),
        version,
        floor: 0,
        writes,
    };
    assert!(store.update_roster(update).await?, "{account} exists");
    Ok(roster(store, account).await?.unwrap_or_default())
}

/// Without an account nothing is found, and nothing is written.
pub async fn there_is_no_roster_without_an_account(store: &impl Store) -> Result<(), StoreError> {
    let nobody = jid("nobody@montague.example");
    let writes = vec![put("juliet@capulet.example", 1)];
    let update = RosterUpdate {
        account: nobody.clone(),
        version: 1,
        floor: 0,
        writes,
    };
    assert!(!store.update_roster(update).await?);
    assert_eq!(roster(store, &nobody).await?, None);
    account(store, "nobody@montague.example").await?;
    assert_eq!(roster(store, &nobody).await?, Some(Roster::default()));
    Ok(())
}

/// An account starts with a roster that is empty.
pub async fn a_new_account_has_an_empty_roster(store: &impl Store) -> Result<(), StoreError> {
    let romeo = account(store, "romeo@montague.example").await?;
    assert_eq!(roster(store, &romeo).await?, Some(Roster::default()));
    assert_eq!(
        update(store, &romeo, 0, Vec::new()).await?,
        Roster::default()
    );
    Ok(())
}

/// An item comes back as it was put, whatever its state.
pub async fn every_field_of_an_item_survives(store: &impl Store) -> Result<(), StoreError> {
    let romeo = account(store, "romeo@montague.example").await?;
    let states = [
        Subscription::None,
        Subscription::To,
        Subscription::From,
        Subscription::Both,
    ];
    let mut items = Vec::new();
    for (number, subscription) in (0_u64..).zip(states) {
        items.push(RosterItem {
            name: (number != 1).then(|| "Juliet ♥ \u{0}'\"".repeat(usize::from(number != 0))),
            groups: vec!["Capulets".to_owned(), String::new(), "ご友人".to_owned()],
            subscription,
            pending_out: number & 1 != 0,
            approved: number & 2 != 0,
            pending_in: (number > 1).then(|| b"<presence type='subscribe'>\xff\x00".to_vec()),
            listed: number != 3,
            ..item(
                &format!("juliet{number}@capulet.example"),
                u64::MAX - number,
            )
        });
    }
    let writes = items.iter().cloned().map(RosterWrite::Put).collect();
    let roster = update(store, &romeo, 8, writes).await?;
    assert_eq!(
        roster,
        Roster {
            version: 8,
            floor: 0,
            items,
            tombstones: Vec::new()
        }
    );
    Ok(())
}

/// Putting an item for a JID that has one replaces it.
pub async fn an_item_takes_the_place_of_the_one_before(
    store: &impl Store,
) -> Result<(), StoreError> {
    let romeo = account(store, "romeo@montague.example").await?;
    update(store, &romeo, 1, vec![put("juliet@capulet.example", 1)]).await?;
    let roster = update(store, &romeo, 2, vec![put("juliet@capulet.example", 2)]).await?;
    assert_eq!(roster.items, [item("juliet@capulet.example", 2)]);
    assert_eq!(roster.version, 2);
    Ok(())
}

/// A contact that clients saw is remembered when it goes, in the order in which contacts went.
pub async fn a_removed_item_leaves_a_tombstone(store: &impl Store) -> Result<(), StoreError> {
    let romeo = account(store, "romeo@montague.example").await?;
    let writes = vec![
        put("juliet@capulet.example", 1),
        put("nurse@capulet.example", 1),
    ];
    update(store, &romeo, 1, writes).await?;
    let nurse = tombstone("nurse@capulet.example", 2);
    update(store, &romeo, 2, vec![RosterWrite::Remove(nurse.clone())]).await?;
    let juliet = tombstone("juliet@capulet.example", 3);
    let roster = update(store, &romeo, 3, vec![RosterWrite::Remove(juliet.clone())]).await?;
    assert_eq!(
        roster,
        Roster {
            version: 3,
            floor: 0,
            items: Vec::new(),
            tombstones: vec![nurse, juliet]
        }
    );
    Ok(())
}

/// A request that no client saw goes without a trace; forgetting what is not there is no failure.
pub async fn a_forgotten_item_leaves_no_tombstone(store: &impl Store) -> Result<(), StoreError> {
    let romeo = account(store, "romeo@montague.example").await?;
    update(store, &romeo, 0, vec![put("juliet@capulet.example", 0)]).await?;
    let forget = vec![RosterWrite::Forget(jid("juliet@capulet.example"))];
    assert_eq!(
        update(store, &romeo, 0, forget.clone()).await?,
        Roster::default()
    );
    assert_eq!(update(store, &romeo, 0, forget).await?, Roster::default());
    Ok(())
}

/// Putting an item takes the tombstone of its JID away.
pub async fn a_contact_that_comes_back_takes_its_tombstone_away(
    store: &impl Store,
) -> Result<(), StoreError> {
    let romeo = account(store, "romeo@montague.example").await?;
    let gone = tombstone("juliet@capulet.example", 1);
    let roster = update(store, &romeo, 1, vec![RosterWrite::Remove(gone.clone())]).await?;
    assert_eq!(roster.tombstones, [gone]);
    let roster = update(store, &romeo, 2, vec![put("juliet@capulet.example", 2)]).await?;
    assert_eq!((roster.items.len(), roster.tombstones.len()), (1, 0));
    Ok(())
}

/// Tombstones below the floor go, those at it stay, and those that were just made are no exception.
pub async fn tombstones_below_the_floor_are_dropped(store: &impl Store) -> Result<(), StoreError> {
    let romeo = account(store, "romeo@montague.example").await?;
    let removals = (1..=4)
        .map(|version| RosterWrite::Remove(tombstone(&format!("{version}@a.example"), version)));
    update(store, &romeo, 4, removals.collect()).await?;
    let writes = vec![
        RosterWrite::Remove(tombstone("old@a.example", 2)),
        RosterWrite::Remove(tombstone("new@a.example", 5)),
    ];
    let update = RosterUpdate {
        account: romeo.clone(),
        version: 5,
        floor: 3,
        writes,
    };
    assert!(store.update_roster(update).await?);
    let left = vec![
        tombstone("3@a.example", 3),
        tombstone("4@a.example", 4),
        tombstone("new@a.example", 5),
    ];
    let expected = Roster {
        version: 5,
        floor: 3,
        items: Vec::new(),
        tombstones: left,
    };
    assert_eq!(roster(store, &romeo).await?, Some(expected));
    Ok(())
}

/// The last write for a JID decides.
pub async fn writes_of_one_update_are_made_in_order(store: &impl Store) -> Result<(), StoreError> {
    let romeo = account(store, "romeo@montague.example").await?;
    let writes = vec![
        put("a@a.example", 1),
        RosterWrite::Remove(tombstone("a@a.example", 1)),
        RosterWrite::Remove(tombstone("b@a.example", 1)),
        put("b@a.example", 1),
        put("c@a.example", 1),
        RosterWrite::Forget(jid("c@a.example")),
    ];
    let roster = update(store, &romeo, 1, writes).await?;
    assert_eq!(roster.items, [item("b@a.example", 1)]);
    assert_eq!(roster.tombstones, [tombstone("a@a.example", 1)]);
    Ok(())
}

/// A large roster comes back whole, and sorted.
pub async fn items_are_in_the_order_of_their_jids(store: &impl Store) -> Result<(), StoreError> {
    let romeo = account(store, "romeo@montague.example").await?;
    let writes: Vec<RosterWrite> = (0..500)
        .map(|number| put(&format!("{number}@a.example"), 1))
        .collect();
    let mut names: Vec<BareJid> = (0..500)
        .map(|number| jid(&format!("{number}@a.example")))
        .collect();
    names.sort();
    let roster = update(store, &romeo, 1, writes).await?;
    assert_eq!(
        roster
            .items
            .into_iter()
            .map(|item| item.jid)
            .collect::<Vec<_>>(),
        names
    );
    Ok(())
}

/// A roster is one account's.
pub async fn rosters_are_apart(store: &impl Store) -> Result<(), StoreError> {
    let romeo = account(store, "romeo@montague.example").await?;
    let juliet = account(store, "juliet@capulet.example").await?;
    update(store, &romeo, 3, vec![put("juliet@capulet.example", 3)]).await?;
    let of_juliet = update(store, &juliet, 1, vec![put("romeo@montague.example", 1)]).await?;
    assert_eq!(of_juliet.items, [item("romeo@montague.example", 1)]);
    let of_romeo = roster(store, &romeo).await?.unwrap_or_default();
    assert_eq!(
        (of_romeo.version, of_romeo.items),
        (3, vec![item("juliet@capulet.example", 3)])
    );
    Ok(())
}
