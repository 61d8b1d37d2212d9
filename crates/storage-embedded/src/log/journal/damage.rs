//! Telling damage from the end of the log. What a crash has left unwritten is the end; but each record says how far its
//! segment was durable when it was written, and no segment is begun before the one before it is durable. When
//! something whole lies behind the place where the log seems to end, and says that this place was durable, then
//! acknowledged records are lost, and nobody may go on as if they had never been.

use std::io;

use super::{JournalError, Position, Segments, ZEROS};
use crate::log::frame::{HEADER, Header, Place};

/// So much is looked through behind the end, in each segment.
const WINDOW: usize = 8 << 20;
/// A header begins so few bytes before its first one that is not zero.
const LEADING_ZEROS: usize = 3;

impl Segments {
    /// Fails when the log went on behind the place where it seems to end.
    pub(crate) fn check_end(&self, end: Position) -> Result<(), JournalError> {
        let Place { segment, offset } = end.place;
        let mut went_on = self.was_durable(segment, offset)?;
        for later in self.list()?.into_iter().filter(|&later| later > segment) {
            went_on = went_on || self.beginning(later)?.is_some() || self.was_durable(later, 0)?;
        }
        if went_on {
            return Err(JournalError::Damaged(end.place));
        }
        Ok(())
    }

    /// Whether a record lies behind `from` that was written when everything up to there was durable, and more.
    fn was_durable(&self, number: u32, from: u32) -> io::Result<bool> {
        let mut bytes = vec![0; WINDOW];
        let read = self.get(number)?.read_at(&mut bytes, from.into())?;
        bytes.truncate(read);
        let mut at = 0;
        while let Some(next) = first_byte(&bytes, at) {
            at = at.max(next.saturating_sub(LEADING_ZEROS));
            let offset = u32::try_from(at).unwrap_or(u32::MAX).saturating_add(from);
            let place = Place {
                segment: number,
                offset,
            };
            if proves(bytes.get(at..).unwrap_or_default(), place, from) {
                return Ok(true);
            }
            at += 1;
        }
        Ok(false)
    }
}

/// Whether the bytes begin with a whole record of this place, written when more than what lies before `from` was durable.
fn proves(bytes: &[u8], place: Place, from: u32) -> bool {
    let Some(header) = Header::from_bytes(bytes) else {
        return false;
    };
    let durable = from < header.synced && header.synced <= place.offset;
    let body = bytes.get(HEADER..HEADER.saturating_add(header.length));
    durable && body.is_some_and(|body| header.belongs_to(body, place))
}

/// Where the first byte from `at` on lies that is not zero.
pub(crate) fn first_byte(bytes: &[u8], mut at: usize) -> Option<usize> {
    loop {
        let rest = bytes.get(at..)?;
        let some = rest.get(..rest.len().min(ZEROS.len()))?;
        if some.is_empty() {
            return None;
        }
        if ZEROS.starts_with(some) {
            at += some.len();
            continue;
        }
        let first = some.iter().position(|byte| *byte != 0)?;
        return Some(at + first);
    }
}
