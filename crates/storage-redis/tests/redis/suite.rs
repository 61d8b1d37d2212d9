//! The store passes the suites of all stores on one server.

use crate::servers::Lodging;

rookery_storage::message_log_suite!(async || Lodging::alone().await);

rookery_storage::store_suite! { @ async || Lodging::alone().await, accounts:
    a_new_account_has_its_credentials
    an_account_that_exists_is_left_alone
    answers_to_creation_are_in_order
    credentials_are_replaced_only_where_there_is_an_account
    credentials_are_not_replaced_once_they_are_others
    a_deleted_account_is_gone
    accounts_are_listed_by_host_in_pages
    names_that_look_like_patterns_are_only_names
}
rookery_storage::store_suite! { @ async || Lodging::alone().await, rosters:
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
rookery_storage::store_suite! { @ async || Lodging::alone().await, data:
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
