//! The rules for message logs: one function for each, and a macro that makes the tests.

mod appending;
mod delivering;
mod keeping;
mod paging;

pub use appending::*;
pub use delivering::*;
pub use keeping::*;
pub use paging::*;

use bytes::Bytes;
use rookery_stanza::{BareJid, Jid};

use crate::error::StoreError;
use crate::message_log::{
    Appended, Filter, IngressId, MessageLog, NewMessage, NewRow, Opened, Origin, Page, PageQuery,
    Paged, Purpose, Row, RowId,
};

/// Makes one `#[tokio::test]` for each rule of message logs.
///
/// The argument is an async closure that makes empty logs; what it returns dereferences to a
/// [`MessageLog`], so that it may also hold what the logs need to live.
#[macro_export]
macro_rules! message_log_suite {
    ($make:expr) => {
        $crate::message_log_suite! { @ $make,
            rows_come_back_as_they_were_appended
            ids_rise_under_a_clock_that_goes_back
            a_second_append_of_an_ingress_id_is_answered_with_the_first_row
            an_ingress_id_is_remembered_although_its_row_is_kept_no_more
            an_ingress_id_is_forgotten_after_an_hour
            an_ingress_id_counts_for_one_log_only
            rows_of_one_message_go_to_several_logs
            answers_to_appending_are_in_the_order_of_the_rows
            appends_of_another_epoch_are_refused
            an_older_home_cannot_open_a_log
            a_new_home_is_told_the_end_of_the_log
            the_end_of_a_log_is_told_to_whoever_asks
            several_rows_for_one_log_become_one_for_all_their_reasons
            logs_are_apart
            owed_rows_are_read_in_order_and_in_pages
            a_confirmed_row_is_not_owed
            confirming_takes_nothing_from_the_archive
            a_row_that_is_only_owed_is_not_in_the_archive
            confirmations_of_other_ids_change_nothing
            owed_rows_are_listed_without_their_payloads
            owed_rows_are_found_by_their_ids
            pages_lead_through_the_archive_both_ways
            a_page_ends_at_its_limits
            a_page_of_large_messages_has_fewer_rows
            a_page_beside_a_row_that_is_not_there_is_refused
            an_id_is_known_only_whole
            rows_are_found_by_correspondent
            rows_are_found_by_time
            rows_are_counted_up_to_a_limit
            rows_are_found_by_their_ids
            an_archive_has_two_ends
            rows_are_found_by_what_their_sender_called_them
            a_tombstone_takes_the_place_of_a_payload
            rows_leave_the_archive_by_age
            rows_leave_the_archive_by_number
            an_owed_row_leaves_the_archive_and_is_owed_still
            an_owed_row_is_given_up_only_by_count
            a_row_that_is_still_in_the_archive_is_not_lost
            retention_goes_in_steps
            ids_rise_although_all_rows_are_gone
            an_erased_log_is_gone
            logs_are_listed_by_host_in_pages
        }
    };
    (@ $make:expr, $($rule:ident)+) => {$(
        #[tokio::test]
        async fn $rule() {
            let log = ($make)().await;
            $crate::suite::message_log::$rule(&*log).await.unwrap();
        }
    )+};
}

/// When the first message of each rule is received.
const START: u64 = 1_700_000_000_000;
/// An hour, in milliseconds.
const HOUR: u64 = 60 * 60 * 1000;

/// The address that a text is known to be.
#[expect(clippy::expect_used, reason = "the suite chooses its addresses itself")]
fn jid(text: &str) -> Jid {
    Jid::parse(text).expect("the suite names valid addresses")
}

fn romeo() -> BareJid {
    jid("romeo@montague.example").bare()
}

fn juliet() -> BareJid {
    jid("juliet@capulet.example").bare()
}

/// A message for Romeo's archive, received `mark` milliseconds after the start.
fn message(mark: u64) -> NewMessage {
    NewMessage {
        ingress: IngressId {
            session: 7,
            count: mark,
        },
        received: START + mark,
        origin: Some(Origin::of(&format!("message {mark}"))),
        payload: payload(mark),
        rows: vec![NewRow {
            account: romeo(),
            epoch: 0,
            with: jid("juliet@capulet.example/balcony"),
            purpose: Purpose::Archive,
        }],
    }
}

fn payload(mark: u64) -> Bytes {
    format!("<message><body>{mark}</body></message>").into()
}

/// Keeps the rows of a message for another reason.
fn kept(mut message: NewMessage, purpose: &Purpose) -> NewMessage {
    for row in &mut message.rows {
        row.purpose = purpose.clone();
    }
    message
}

/// Exchanges a message with somebody else.
fn exchanged(mut message: NewMessage, with: &str) -> NewMessage {
    for row in &mut message.rows {
        row.with = jid(with);
    }
    message
}

/// Owed to whoever comes.
fn owed() -> Purpose {
    Purpose::Delivery(Vec::new())
}

/// The row that the first row of a message becomes.
fn row(message: &NewMessage, id: RowId) -> Option<Row> {
    let row = message.rows.first()?;
    Some(Row {
        id,
        ingress: message.ingress,
        received: message.received,
        with: row.with.clone(),
        purpose: row.purpose.clone(),
        payload: message.payload.clone(),
    })
}

/// Appends a message that is new to each of its logs, and gives the ids of its rows.
async fn add_all(log: &impl MessageLog, message: NewMessage) -> Result<Vec<RowId>, StoreError> {
    let appended = log.append(vec![message]).await?;
    let id = |appended: &Appended| match appended {
        Appended::At(id) => Ok(*id),
        other => Err(StoreError::Corrupt(format!("not appended: {other:?}"))),
    };
    appended.iter().map(id).collect()
}

/// Appends a message that is new to its one log, and gives the id of its row.
async fn add(log: &impl MessageLog, message: NewMessage) -> Result<RowId, StoreError> {
    let ids = add_all(log, message).await?;
    let one = ids.first().copied();
    one.ok_or_else(|| StoreError::Corrupt("no row".to_owned()))
}

/// Appends this many messages for Romeo's archive, and gives their ids.
async fn fill(log: &impl MessageLog, count: u64) -> Result<Vec<RowId>, StoreError> {
    let mut ids = Vec::new();
    for mark in 0..count {
        ids.push(add(log, message(mark)).await?);
    }
    Ok(ids)
}

/// A page of Romeo's archive.
async fn page(log: &impl MessageLog, query: PageQuery) -> Result<Page, StoreError> {
    match log.page(&romeo(), query).await? {
        Paged::Page(page) => Ok(page),
        Paged::NoSuchRow(id) => Err(StoreError::Corrupt(format!("no row {id}"))),
    }
}

/// The ids of the rows of Romeo's archive that match.
async fn matching(log: &impl MessageLog, filter: Filter) -> Result<Vec<RowId>, StoreError> {
    let query = PageQuery {
        filter,
        limit: 1000,
        ..PageQuery::default()
    };
    Ok(ids(&page(log, query).await?.rows))
}

/// The ids of all rows of Romeo's archive.
async fn archive(log: &impl MessageLog) -> Result<Vec<RowId>, StoreError> {
    matching(log, Filter::default()).await
}

/// The ids of all rows that are owed to Romeo.
async fn all_owed(log: &impl MessageLog) -> Result<Vec<RowId>, StoreError> {
    Ok(ids(&log.read_owed(&romeo(), None, 1000).await?))
}

fn ids(rows: &[Row]) -> Vec<RowId> {
    rows.iter().map(|row| row.id).collect()
}

/// Opens Romeo's log.
async fn open(log: &impl MessageLog, epoch: u64) -> Result<Opened, StoreError> {
    log.open(&romeo(), epoch).await
}
