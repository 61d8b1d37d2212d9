//! Looking through a log that no server uses, and going on without what of it cannot be read.
//!
//! `gaps.rs` finds where records are missing; what the index knows of them is in `index/lost.rs`. Instead of a gap the
//! repaired segment has a record of the same length that says so (`filler.rs`): all others keep their places, and the
//! damaged file is kept beside it.

mod filler;
mod gaps;

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use rookery_storage::message_log::RowId;
use rusqlite::Connection;

use super::INDEX;
use super::disk::{Folder, file_name};
use super::frame::Place;
use super::index;
use super::journal::{JournalError, Segments};
use super::recover::RecoveryError;
use crate::lock::StoreLock;
use crate::open::OpenError;
use gaps::{Gap, Scan};

/// What was found in a message log, and what of it is lost.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LogReport {
    /// How many files it has.
    pub segments: usize,
    /// How many records can be read.
    pub records: u64,
    /// What cannot.
    pub losses: Vec<Loss>,
}

/// A part of the log that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Loss {
    /// The name of the file.
    pub file: String,
    /// The first byte of it that cannot be read.
    pub from: u64,
    /// How many bytes.
    pub bytes: u64,
    /// What is known to have been there.
    pub rows: Vec<LostRow>,
    /// There may have been more than that: the index had not come so far.
    pub uncertain: bool,
}

/// A row whose message cannot be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LostRow {
    /// Whose.
    pub account: String,
    /// Its id.
    pub id: RowId,
    /// It was in the archive.
    pub archived: bool,
    /// It was owed.
    pub owed: bool,
}

/// Reads a whole message log and says what of it is damaged, without changing it.
///
/// # Errors
/// A server uses it, or its files cannot be opened.
pub fn check_log(path: &Path) -> Result<LogReport, OpenError> {
    let work = Work::begin(path)?;
    work.report().map(|(report, _)| report)
}

/// Repairs a message log: what cannot be read is given up, so that a server can use it again. A damaged file is kept, with
/// `.damaged` after its name.
///
/// # Errors
/// A server uses it, or its files cannot be opened or written.
pub fn repair_log(path: &Path) -> Result<LogReport, OpenError> {
    let mut work = Work::begin(path)?;
    let (report, gaps) = work.report()?;
    work.mend(&gaps).map_err(|error| work.failed(error))?;
    Ok(report)
}

/// A log, and the lock on it.
struct Work<'a> {
    path: &'a Path,
    connection: Connection,
    folder: Folder,
    segments: Arc<Segments>,
    _lock: StoreLock,
}

// === impl Work ===

impl<'a> Work<'a> {
    fn begin(path: &'a Path) -> Result<Self, OpenError> {
        let file = path.join(INDEX);
        let lock = StoreLock::take(&file).map_err(|error| OpenError::from_lock(&file, error))?;
        Ok(Self {
            path,
            connection: index::open(&file)?,
            folder: Folder::new(path.to_owned()),
            segments: Segments::new(Arc::new(Folder::new(path.to_owned()))),
            _lock: lock,
        })
    }

    fn failed(&self, error: RecoveryError) -> OpenError {
        error.into_open_error(&self.path.join(INDEX))
    }

    /// What is lost, in the words of a report, and where.
    fn report(&self) -> Result<(LogReport, Vec<Gap>), OpenError> {
        let found = || -> Result<_, RecoveryError> {
            let list = self.segments.list().map_err(JournalError::from)?;
            let indexed = index::position(&self.connection)?;
            let Scan { records, gaps } = gaps::scan(&self.segments, &list, indexed)?;
            let mut losses = Vec::new();
            for gap in &gaps {
                losses.push(self.loss(gap)?);
            }
            for number in index::missing(&self.connection, &list)? {
                losses.push(self.missing(number)?);
            }
            let report = LogReport {
                segments: list.len(),
                records,
                losses,
            };
            Ok((report, gaps))
        };
        found().map_err(|error| self.failed(error))
    }

    fn loss(&self, gap: &Gap) -> Result<Loss, RecoveryError> {
        let indexed = index::position(&self.connection)?.map(|position| position.place);
        Ok(Loss {
            file: file_name(gap.at.place.segment),
            from: gap.from(),
            bytes: u64::from(gap.to).saturating_sub(gap.from()),
            rows: index::lost(&self.connection, gap.at.place, gap.to)?,
            uncertain: indexed.is_none_or(|indexed| indexed < gap.end()),
        })
    }

    /// A segment that rows refer to, and that is not there.
    fn missing(&self, number: u32) -> Result<Loss, RecoveryError> {
        let begin = Place {
            segment: number,
            offset: 0,
        };
        Ok(Loss {
            file: file_name(number),
            from: 0,
            bytes: 0,
            rows: index::lost(&self.connection, begin, u32::MAX)?,
            uncertain: false,
        })
    }

    /// Puts fillers into the gaps, and has the index forget what was there. The files come first: who is interrupted begins
    /// anew, and finds in the index what it has not forgotten.
    fn mend(&mut self, gaps: &[Gap]) -> Result<(), RecoveryError> {
        for of_one in gaps.chunk_by(|one, other| one.at.place.segment == other.at.place.segment) {
            let Some(number) = of_one.first().map(|gap| gap.at.place.segment) else {
                continue;
            };
            let mut bytes = gaps::read_all(&self.segments, number)?;
            for gap in of_one {
                filler::put(&mut bytes, gap)?;
            }
            self.folder
                .replace(number, &bytes)
                .map_err(JournalError::from)?;
        }
        for gap in gaps {
            index::give_up(&mut self.connection, gap.at, gap.to)?;
        }
        let list = self.segments.list().map_err(JournalError::from)?;
        for number in index::missing(&self.connection, &list)? {
            index::give_up_segment(&mut self.connection, number)?;
        }
        Ok(())
    }
}

// === impl LogReport ===

impl LogReport {
    /// Whether nothing is lost.
    pub fn is_whole(&self) -> bool {
        self.losses.is_empty()
    }
}

impl fmt::Display for LogReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (segments, records) = (self.segments, self.records);
        writeln!(f, "{records} records in {segments} files can be read")?;
        for loss in &self.losses {
            write!(f, "{loss}")?;
        }
        Ok(())
    }
}

impl fmt::Display for Loss {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            file, from, bytes, ..
        } = self;
        match bytes {
            0 => writeln!(f, "{file}: the file, or what ended it, is missing")?,
            _ => writeln!(
                f,
                "{file}: {bytes} bytes from byte {from} on cannot be read"
            )?,
        }
        for LostRow {
            account,
            id,
            archived,
            owed,
        } in &self.rows
        {
            let kept = match (archived, owed) {
                (true, true) => "archived and waiting for a client",
                (true, false) => "archived",
                (false, true) => "waiting for a client",
                (false, false) => "kept for nothing any more",
            };
            writeln!(f, "{file}: {account} has lost message {id}, {kept}")?;
        }
        if self.uncertain {
            writeln!(
                f,
                "{file}: more may have been there than the index knows: messages of the last seconds before the end"
            )?;
        }
        Ok(())
    }
}
