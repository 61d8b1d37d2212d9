//! Moving the survivors of a segment that is almost empty to the end of the log.

use rookery_storage::StoreError;
use rusqlite::Connection;

use super::entrance::Entrance;
use super::entry::{Entry, Event, MessageEntry};
use super::failure;
use super::frame::Place;
use super::index::Standing;
use super::journal::{JournalError, Segments};
use super::writer::Job;

/// Has the writer append again each message of the segment that a row refers to. What does not fit into its queue is
/// left for the next time.
pub(crate) fn submit(
    connection: &Connection,
    segments: &Segments,
    entrance: &Entrance,
    number: u32,
) -> Result<(), StoreError> {
    let beginning = segments.beginning(number).map_err(JournalError::from);
    let Some(beginning) = beginning.map_err(failure::of_journal)? else {
        return Ok(());
    };
    let mut records = segments.records(beginning);
    while let Some(record) = records.next().map_err(failure::of_journal)? {
        if record.place.segment != number {
            break;
        }
        let Event::Message(message) = Entry::read(record.body)? else {
            continue;
        };
        let survivors = survivors(connection, message, record.place).map_err(failure::of_sqlite)?;
        let bytes = survivors.payload.len();
        if !survivors.rows.is_empty() && !entrance.try_enter(Job::Move(survivors), bytes) {
            break;
        }
    }
    Ok(())
}

/// The message with those of its rows that refer to this place.
fn survivors(
    connection: &Connection,
    mut message: MessageEntry,
    place: Place,
) -> rusqlite::Result<MessageEntry> {
    let mut rows = Vec::new();
    for row in message.rows {
        let found = Standing::read(connection, &row.account)?.by_id(connection, row.id())?;
        if found.is_some_and(|found| found.place == place) {
            rows.push(row);
        }
    }
    message.rows = rows;
    message.instead = Some(place.into());
    Ok(message)
}
