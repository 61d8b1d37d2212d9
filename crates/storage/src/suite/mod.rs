//! The suite that every adapter passes: one function for each rule, and a macro that makes the tests.

pub mod accounts;
pub mod data;
pub mod message_log;
pub mod offline;
pub mod rosters;

use rookery_stanza::BareJid;

use crate::Store;
use crate::account::{AccountStore, Created};
use crate::credentials::{Credentials, ScramKeys};
use crate::error::StoreError;
use crate::roster::Roster;

/// Makes one `#[tokio::test]` for each rule of the suite.
///
/// The argument is an async closure that makes an empty store; what it returns dereferences to a
/// [`Store`](crate::Store), so that it may also hold what the store needs to live.
#[macro_export]
macro_rules! store_suite {
    ($make:expr) => {
        $crate::store_suite! { @ $make, accounts:
            a_new_account_has_its_credentials
            an_account_that_exists_is_left_alone
            answers_to_creation_are_in_order
            credentials_are_replaced_only_where_there_is_an_account
            credentials_are_not_replaced_once_they_are_others
            a_deleted_account_is_gone
            a_deleted_account_leaves_nothing
            accounts_are_listed_by_host_in_pages
            names_that_look_like_patterns_are_only_names
        }
        $crate::store_suite! { @ $make, rosters:
            there_is_no_roster_without_an_account
            a_new_account_has_an_empty_roster
            every_field_of_an_item_survives
            an_item_takes_the_place_of_the_one_before
            a_removed_item_leaves_a_tombstone
            a_forgotten_item_leaves_no_tombstone
            a_contact_that_comes_back_takes_its_tombstone_away
            tombstones_below_the_floor_are_dropped
            writes_of_one_update_are_made_in_order
            items_are_in_the_order_of_their_jids
            rosters_are_apart
        }
        $crate::store_suite! { @ $make, offline:
            an_account_knows_whether_messages_are_kept
            messages_come_back_in_order
            every_byte_of_a_message_survives
            a_queue_is_read_in_pages
            positions_rise_even_when_the_queue_was_emptied
            a_full_queue_takes_no_more_until_there_is_room
            a_queue_holds_no_more_bytes_than_it_may
            answers_to_appending_are_in_order
            queues_are_apart
            a_queue_without_an_account_is_empty
        }
        $crate::store_suite! { @ $make, data:
            records_come_back_with_the_account
            a_record_takes_the_place_of_the_one_before
            records_are_read_by_kind_and_name
            there_are_no_records_without_an_account
            an_update_beyond_the_limit_changes_nothing
            an_update_that_makes_room_is_always_made
            writes_to_records_are_made_in_order
            records_are_apart
            records_are_found_by_the_beginnings_of_their_terms
            what_is_gone_is_found_no_more
        }
    };
    (@ $make:expr, $area:ident: $($rule:ident)+) => {$(
        #[tokio::test]
        async fn $rule() {
            let store = ($make)().await;
            $crate::suite::$area::$rule(&*store).await.unwrap();
        }
    )+};
}

/// The address that a text is known to be.
#[expect(clippy::expect_used, reason = "the suite chooses its addresses itself")]
fn jid(text: &str) -> BareJid {
    BareJid::parse(text).expect("the suite names valid addresses")
}

/// The roster of an account, or `None` when there is no such account.
async fn roster(store: &impl Store, account: &BareJid) -> Result<Option<Roster>, StoreError> {
    let state = store.load_account(account, &[]).await?;
    Ok(state.map(|state| state.roster))
}

/// Credentials that are told apart by `mark`.
fn credentials(mark: u8) -> Credentials {
    let keys = |length| ScramKeys {
        salt: vec![mark; 16],
        iterations: 10_000 + u32::from(mark),
        stored_key: vec![mark; length],
        server_key: vec![!mark; length],
    };
    Credentials {
        sha1: keys(20),
        sha256: keys(32),
        sha512: keys(64),
    }
}

/// Creates an account and gives its address.
async fn account(store: &impl AccountStore, text: &str) -> Result<BareJid, StoreError> {
    let account = jid(text);
    let created = store
        .create_accounts(vec![(account.clone(), credentials(1))])
        .await?;
    assert_eq!(created, [Created::New], "{text} is new");
    Ok(account)
}
