//! Reads: rows are found in the index, or in what has happened since, and taken from the segments.

use std::io;

use rookery_stanza::BareJid;
use rookery_storage::StoreError;
use rookery_storage::message_log::{
    Filter, Header, Origin, PAGE_BYTES, Page, PageQuery, Paged, Row, RowId, Span, Tail as LogTail,
};
use rusqlite::Connection;

use super::entry::{Entry, Event};
use super::failure;
use super::index::Found;
use super::journal::{JournalError, Segments};
use super::tail::Tail;
use super::view::{self, View};
use crate::failure::Failure;

/// How often a read begins again when a segment was given up meanwhile.
const TRIES: usize = 3;

/// What a read works with.
#[derive(Debug)]
pub(crate) struct Reading<'a> {
    view: &'a View<'a>,
    segments: &'a Segments,
    account: &'a str,
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

/// Reads from the log of an account.
pub(crate) fn read<T>(
    (connection, tail, segments): (&Connection, &Tail, &Segments),
    account: &str,
    work: impl Fn(&Reading<'_>) -> Result<T, ReadError>,
) -> Result<T, Failure> {
    let attempt = || {
        view::look(connection, tail, account, |view| {
            work(&Reading {
                view,
                segments,
                account,
            })
        })
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
    pub(crate) fn tail(&self) -> rusqlite::Result<LogTail> {
        self.view.tail()
    }

    pub(crate) fn page(&self, query: &PageQuery) -> Result<Paged, ReadError> {
        for id in query.after.iter().chain(&query.before) {
            if self.archived(*id)?.is_none() {
                return Ok(Paged::NoSuchRow(*id));
            }
        }
        let one_more = query.limit.saturating_add(1);
        let mut found = self.view.page(query, one_more)?;
        let all = found.len();
        found.truncate(query.limit);
        let mut rows = self.some(found)?;
        let complete = rows.len() == all;
        // They came from the end that was asked for.
        rows.sort_unstable_by_key(|row| row.id);
        Ok(Paged::Page(Page { rows, complete }))
    }

    pub(crate) fn count(&self, filter: &Filter, limit: usize) -> Result<usize, ReadError> {
        Ok(self.view.count(filter, limit)?)
    }

    pub(crate) fn owed(&self, after: Option<RowId>, limit: usize) -> Result<Vec<Row>, ReadError> {
        self.some(self.view.owed(after, limit)?)
    }

    /// The same without their payloads, one of which is in memory at a time.
    pub(crate) fn owed_headers(
        &self,
        after: Option<RowId>,
        limit: usize,
    ) -> Result<Vec<Header>, ReadError> {
        let owed = self.view.owed(after, limit)?.into_iter();
        owed.map(|found| Ok(self.row(found)?.into_header()))
            .collect()
    }

    pub(crate) fn owed_by_id(&self, id: RowId) -> Result<Option<Row>, ReadError> {
        let owed = self.view.by_id(id)?.filter(|found| found.owed);
        owed.map(|found| self.row(found)).transpose()
    }

    pub(crate) fn by_origin(
        &self,
        with: &BareJid,
        origin: Origin,
        limit: usize,
    ) -> Result<Vec<Row>, ReadError> {
        self.rows(self.view.by_origin(with, origin, limit)?)
    }

    pub(crate) fn by_id(&self, id: RowId) -> Result<Option<Row>, ReadError> {
        let found = self.archived(id)?;
        found.map(|found| self.row(found)).transpose()
    }

    pub(crate) fn span(&self) -> rusqlite::Result<Option<Span>> {
        self.view.span()
    }

    fn archived(&self, id: RowId) -> Result<Option<Found>, ReadError> {
        Ok(self.view.by_id(id)?.filter(|found| found.archived))
    }

    /// The first of the rows, until their payloads are enough for a page.
    fn some(&self, found: Vec<Found>) -> Result<Vec<Row>, ReadError> {
        let (mut rows, mut bytes) = (Vec::new(), 0);
        for found in found {
            if bytes >= PAGE_BYTES {
                break;
            }
            let row = self.row(found)?;
            bytes += row.payload.len();
            rows.push(row);
        }
        Ok(rows)
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
