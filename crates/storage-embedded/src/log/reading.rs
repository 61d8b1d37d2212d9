//! Reads: rows are found in the index and taken from the segments.

use std::io;

use rookery_stanza::BareJid;
use rookery_storage::StoreError;
use rookery_storage::message_log::{
    Filter, Origin, Page, PageQuery, Paged, Row, RowId, Span, Tail,
};
use rusqlite::Connection;

use super::entry::{Entry, Event};
use super::failure;
use super::index::{Found, Standing, Wanted};
use super::journal::{JournalError, Segments};
use crate::failure::Failure;

/// How often a read begins again when a segment was given up meanwhile.
const TRIES: usize = 3;

/// What a read works with.
#[derive(Debug)]
pub(crate) struct Reading<'a> {
    connection: &'a Connection,
    segments: &'a Segments,
    account: &'a str,
    standing: Standing,
    number: i64,
}

/// Why a read has failed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ReadError {
    #[error(transparent)]
    Sqlite(#[from] rusqlite::Error),
    #[error(transparent)]
    Journal(#[from] JournalError),
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Reads from the log of an account; nothing when it has none.
pub(crate) fn read<T>(
    connection: &Connection,
    segments: &Segments,
    account: &str,
    work: impl Fn(&Reading<'_>) -> Result<T, ReadError>,
) -> Result<Option<T>, Failure> {
    let attempt = || {
        let standing = Standing::read(connection, account)?;
        let Some(number) = standing.number else {
            return Ok(None);
        };
        let reading = Reading {
            connection,
            segments,
            account,
            standing,
            number,
        };
        work(&reading).map(Some)
    };
    let mut result = attempt();
    for _ in 1..TRIES {
        // Its survivors were moved, and the index says where to.
        if !result
            .as_ref()
            .is_err_and(ReadError::is_of_a_segment_that_is_gone)
        {
            break;
        }
        result = attempt();
    }
    result.map_err(Failure::from)
}

// === impl Reading ===

impl Reading<'_> {
    pub(crate) fn tail(&self) -> rusqlite::Result<Tail> {
        Ok(Tail {
            last: self.standing.last,
            owed: self.standing.owed(self.connection)?,
        })
    }

    pub(crate) fn page(&self, query: &PageQuery) -> Result<Paged, ReadError> {
        for id in query.after.iter().chain(&query.before) {
            if self.archived(*id)?.is_none() {
                return Ok(Paged::NoSuchRow(*id));
            }
        }
        let wanted = Wanted::page(query);
        let one_more = query.limit.saturating_add(1);
        let mut found = wanted.read(self.connection, self.number, one_more)?;
        let complete = found.len() <= query.limit;
        found.truncate(query.limit);
        found.sort_unstable_by_key(|found| found.id);
        let rows = self.rows(found)?;
        Ok(Paged::Page(Page { rows, complete }))
    }

    pub(crate) fn count(&self, filter: &Filter, limit: usize) -> Result<usize, ReadError> {
        let wanted = Wanted::matching(filter);
        Ok(wanted.count(self.connection, self.number, limit)?)
    }

    pub(crate) fn owed(&self, after: Option<RowId>, limit: usize) -> Result<Vec<Row>, ReadError> {
        let found = Found::owed(self.connection, self.number, after, limit)?;
        self.rows(found)
    }

    pub(crate) fn owed_by_id(&self, id: RowId) -> Result<Option<Row>, ReadError> {
        let found = Found::by_id(self.connection, self.number, id)?;
        let owed = found.filter(|found| found.owed);
        owed.map(|found| self.row(found)).transpose()
    }

    pub(crate) fn by_origin(
        &self,
        with: &BareJid,
        origin: Origin,
        limit: usize,
    ) -> Result<Vec<Row>, ReadError> {
        let found = Found::by_origin(self.connection, self.number, with, origin, limit)?;
        self.rows(found)
    }

    pub(crate) fn by_id(&self, id: RowId) -> Result<Option<Row>, ReadError> {
        let found = self.archived(id)?;
        found.map(|found| self.row(found)).transpose()
    }

    pub(crate) fn span(&self) -> Result<Option<Span>, ReadError> {
        Ok(Found::span(self.connection, self.number)?)
    }

    fn archived(&self, id: RowId) -> Result<Option<Found>, ReadError> {
        let found = Found::by_id(self.connection, self.number, id)?;
        Ok(found.filter(|found| found.archived))
    }

    fn rows(&self, found: Vec<Found>) -> Result<Vec<Row>, ReadError> {
        found.into_iter().map(|found| self.row(found)).collect()
    }

    fn row(&self, found: Found) -> Result<Row, ReadError> {
        let record = self.segments.read(found.place)?;
        match Entry::read(record)? {
            Event::Message(message) => {
                let Found { archived, owed, .. } = found;
                Ok(message.row(self.account, found.id, archived, owed)?)
            }
            _ => Err(JournalError::Damaged(found.place).into()),
        }
    }
}

// === impl ReadError ===

impl ReadError {
    fn is_of_a_segment_that_is_gone(&self) -> bool {
        matches!(self, Self::Journal(JournalError::Io(error)) if error.kind() == io::ErrorKind::NotFound)
    }
}

impl From<ReadError> for Failure {
    fn from(error: ReadError) -> Self {
        match error {
            ReadError::Sqlite(error) => Self::Sqlite(error),
            ReadError::Journal(error) => Self::Record(failure::of_journal(error)),
            ReadError::Store(error) => Self::Record(error),
        }
    }
}
