//! Reading the log: record after record, from segment to segment, as far as they are whole.

use std::io;
use std::sync::Arc;

use bytes::Bytes;

use super::{JournalError, Position, Segments};
use crate::log::disk::Segment;
use crate::log::frame::{HEADER, Header, Place};

/// How much is read at once.
pub(super) const READ_AHEAD: usize = 256 << 10;

/// A record on its way from the disk.
#[derive(Debug)]
pub(crate) struct Record {
    pub(crate) place: Place,
    pub(crate) body: Bytes,
    /// Where the next one lies.
    pub(crate) next: Position,
}

/// Reads records one after the other, as far as they are whole.
#[derive(Debug)]
pub(crate) struct Records<'a> {
    segments: &'a Segments,
    at: Position,
    file: Option<Arc<dyn Segment>>,
    /// What was read ahead, from the place `at`.
    ahead: Bytes,
}

// === impl Segments ===

impl Segments {
    /// Reads on from a position.
    pub(crate) fn records(&self, from: Position) -> Records<'_> {
        Records {
            segments: self,
            at: from,
            file: None,
            ahead: Bytes::new(),
        }
    }
}

// === impl Records ===

impl Records<'_> {
    /// The position after the last record that was read: at the end, that of the log.
    pub(crate) fn position(&self) -> Position {
        self.at
    }

    /// The next record; nothing at the end of the log.
    pub(crate) fn next(&mut self) -> Result<Option<Record>, JournalError> {
        loop {
            if let Some(record) = self.here()? {
                return Ok(Some(record));
            }
            if !self.turn_over()? {
                return Ok(None);
            }
        }
    }

    /// The record at this position of this segment, if there is one.
    fn here(&mut self) -> io::Result<Option<Record>> {
        let Place { segment, .. } = self.at.place;
        let file = match &self.file {
            Some(file) => Arc::clone(file),
            None => Arc::clone(self.file.insert(self.segments.get(segment)?)),
        };
        self.read_ahead(&*file, HEADER)?;
        let Some(header) = Header::from_bytes(&self.ahead) else {
            return Ok(None);
        };
        let end = HEADER + header.length;
        self.read_ahead(&*file, end)?;
        let place = self.at.place;
        let body = self.ahead.get(HEADER..end);
        if header.chain != self.at.chain || !body.is_some_and(|body| header.belongs_to(body, place))
        {
            return Ok(None);
        }
        let body = self.ahead.slice(HEADER..end);
        self.ahead = self.ahead.slice(end..);
        let length = u32::try_from(end).unwrap_or(u32::MAX);
        self.at.place.offset = place.offset.saturating_add(length);
        self.at.chain = header.checksum;
        Ok(Some(Record {
            place,
            body,
            next: self.at,
        }))
    }

    /// Reads at least this many bytes ahead, if there are as many.
    fn read_ahead(&mut self, file: &dyn Segment, want: usize) -> io::Result<()> {
        if self.ahead.len() < want {
            let mut bytes = vec![0; want.max(READ_AHEAD)];
            let read = file.read_at(&mut bytes, self.at.place.offset.into())?;
            bytes.truncate(read);
            self.ahead = bytes.into();
        }
        Ok(())
    }

    /// Goes on in the next segment, if it follows this one.
    fn turn_over(&mut self) -> io::Result<bool> {
        let number = self.at.place.segment;
        let later = self
            .segments
            .list()?
            .into_iter()
            .find(|&other| other > number);
        let Some(next) = later else {
            return Ok(false);
        };
        let Some(beginning) = self.segments.beginning(next)? else {
            return Ok(false);
        };
        // Between two segments that are not neighbours there were others, which are not needed any more.
        if beginning.chain != self.at.chain && next == number.saturating_add(1) {
            return Ok(false);
        }
        self.at = beginning;
        self.file = None;
        self.ahead = Bytes::new();
        Ok(true)
    }
}
