//! Before a segment goes: its last rows are written again at the end of the log, and what it says of whole logs, so that
//! an index which is made again does not forget it.

use rookery_storage::StoreError;
use rusqlite::Connection;
use tokio::sync::oneshot;

use super::entrance::Entrance;
use super::entry::{Entry, Erased, Event, MessageEntry};
use super::failure;
use super::frame::Place;
use super::group::Job;
use super::index::Standing;
use super::journal::{JournalError, Position, Record, Segments};

/// How many messages are moved at once: the writer looks each of them up while others wait.
const AT_ONCE: usize = 256;

/// What the writer says to having said something again.
pub(crate) type Answer = oneshot::Receiver<Result<(), StoreError>>;

/// Has the writer append again some messages of a segment that rows refer to. From where to go on; nothing when
/// that was the rest of the segment.
pub(crate) fn submit(
    connection: &Connection,
    segments: &Segments,
    entrance: &Entrance,
    from: Position,
) -> Result<Option<Position>, StoreError> {
    let number = from.place.segment;
    let mut records = segments.records(from);
    for _ in 0..AT_ONCE {
        let before = records.position();
        let found = loop {
            let record = records.next().map_err(failure::of_journal)?;
            let Some(record) = record.filter(|record| record.place.segment == number) else {
                return Ok(None);
            };
            if let Some(message) = survivors(connection, record)? {
                break message;
            }
        };
        let bytes = found.payload.len();
        if !entrance.try_enter(Job::Move(found), bytes) {
            return Ok(Some(before));
        }
    }
    Ok(Some(records.position()))
}

/// The message of a record, with those of its rows that refer to it; nothing when there are none.
fn survivors(connection: &Connection, record: Record) -> Result<Option<MessageEntry>, StoreError> {
    let place = record.place;
    let Event::Message(mut message) = Entry::read(record.body)? else {
        return Ok(None);
    };
    let mut rows = Vec::new();
    for row in message.rows {
        let standing = Standing::read(connection, &row.account);
        let found = standing.and_then(|standing| standing.by_id(connection, row.id()));
        let found = found.map_err(failure::of_sqlite)?;
        if found.is_some_and(|found| found.place == place) {
            rows.push(row);
        }
    }
    message.rows = rows;
    message.instead = Some(place.into());
    Ok(Some(message).filter(|message| !message.rows.is_empty()))
}

/// Has the writer say again what a segment says of whole logs: who their homes are, and which were erased although
/// records of them are left. The answers; nothing when there was no room.
pub(crate) fn keep(
    segments: &Segments,
    entrance: &Entrance,
    number: u32,
    oldest: u32,
) -> Result<Option<Vec<Answer>>, StoreError> {
    let beginning = segments.beginning(number).map_err(JournalError::from);
    let mut answers = Vec::new();
    let Some(beginning) = beginning.map_err(failure::of_journal)? else {
        return Ok(Some(answers));
    };
    let mut records = segments.records(beginning);
    while let Some(record) = records.next().map_err(failure::of_journal)? {
        if record.place.segment != number {
            break;
        }
        let event = match Entry::read(record.body)? {
            Event::Opened(opened) => Event::Opened(opened),
            Event::Erased(Erased { account, before }) => {
                let before = before.map_or(record.place, Place::from);
                if before.segment <= oldest {
                    continue;
                }
                Event::Erased(Erased {
                    account,
                    before: Some(before.into()),
                })
            }
            _ => continue,
        };
        let (caller, answer) = oneshot::channel();
        if !entrance.try_enter(Job::Keep { event, caller }, 0) {
            return Ok(None);
        }
        answers.push(answer);
    }
    Ok(Some(answers))
}
