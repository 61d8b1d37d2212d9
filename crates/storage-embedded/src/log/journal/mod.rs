//! The records on the disk: appended in groups, each written at once and made durable by one sync; and read back.
//!
//! A group lies in one segment. The next segment is prepared while its predecessor fills (`prepare`): written
//! with zeros, so that a sync of what comes into it changes nothing about the file but its bytes. One that was not
//! prepared, and grows with each group, is left for the first that was.

mod damage;
mod records;
mod unsynced;

use std::collections::HashMap;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use bytes::Bytes;
use parking_lot::Mutex;

use super::disk::{Disk, Segment};
use super::frame::{self, HEADER, Header, PREAMBLE, Place};
pub(crate) use damage::first_byte;
use records::READ_AHEAD;
pub(crate) use records::Record;
pub(crate) use unsynced::Synced;
use unsynced::Unsynced;

/// How many segments are kept open at most.
const OPEN: usize = 256;
/// How much is written to see whether it can be.
const PROBE: usize = 16 << 10;
/// How much of a new segment is synced at once, so that no sync that a caller waits for waits long for this one.
const GENTLY: u64 = 256 << 10;
/// How much of a new segment is written at once.
static ZEROS: [u8; 1 << 16] = [0; 1 << 16];

/// The end of the log: where the next record goes, and the checksum of the one before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Position {
    pub(crate) place: Place,
    pub(crate) chain: u32,
}

/// Why the log cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub(crate) enum JournalError {
    /// The system said so.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// What lies at a place is not the record that has to be there.
    #[error("the record at {} of segment {} is damaged", .0.offset, .0.segment)]
    Damaged(Place),
}

/// The segments, as those see them who read.
#[derive(Debug)]
pub(crate) struct Segments {
    disk: Arc<dyn Disk>,
    open: Mutex<HashMap<u32, Arc<dyn Segment>>>,
    /// Held while a segment gets its number.
    naming: Mutex<()>,
    /// How many bytes of zeros the file has that has no number yet.
    spare: Mutex<Option<u32>>,
    /// The last segment that was prepared.
    prepared: AtomicU32,
}

/// The log as its one writer sees it.
#[derive(Debug)]
pub(crate) struct Journal {
    segments: Arc<Segments>,
    /// From this size on a segment is followed by the next.
    segment_bytes: u32,
    file: Arc<Synced>,
    /// Whether the file grows with each group.
    grows: bool,
    /// Whether a group that failed may lie at the end, whole: whoever reads it there finds no way on to another
    /// segment, so the next group has to take its place.
    failed: bool,
    end: Position,
    /// Where the staged group ends.
    staged: Position,
    /// Up to where the file is durable for certain.
    durable: u32,
    group: Vec<u8>,
    synced: bool,
    unsynced: Unsynced,
}

// === impl Segments ===

impl Segments {
    pub(crate) fn new(disk: Arc<dyn Disk>) -> Arc<Self> {
        Arc::new(Self {
            disk,
            open: Mutex::new(HashMap::new()),
            naming: Mutex::new(()),
            spare: Mutex::new(None),
            prepared: AtomicU32::new(0),
        })
    }

    /// Makes durable whatever is read from a position on; fails when it does not end where it seems to. What lies in the last segment is written again: a sync
    /// may have failed for it before the process ended, and another one would not write it.
    pub(crate) fn settle(&self, from: Position) -> Result<(), JournalError> {
        let mut records = self.records(from);
        while records.next()?.is_some() {}
        self.check_end(records.position())?;
        let end = records.position().place;
        let is_first = end.segment == from.place.segment;
        let mut place = u64::from(if is_first { from.place.offset } else { 0 });
        let file = self.get(end.segment)?;
        let mut bytes = vec![0; READ_AHEAD];
        while place < end.offset.into() {
            let read = file.read_at(&mut bytes, place)?;
            let left = usize::try_from(u64::from(end.offset) - place).unwrap_or(read);
            let again = bytes.get(..read.min(left)).unwrap_or_default();
            if again.is_empty() {
                break;
            }
            file.write_at(again, place)?;
            place += again.len() as u64;
        }
        for number in self
            .list()?
            .into_iter()
            .filter(|&number| number >= from.place.segment)
        {
            self.get(number)?.sync()?;
        }
        Ok(())
    }

    /// The numbers of all segments in order.
    pub(crate) fn list(&self) -> io::Result<Vec<u32>> {
        self.disk.list()
    }

    /// The segment, opened when somebody asks for it first.
    pub(crate) fn get(&self, number: u32) -> io::Result<Arc<dyn Segment>> {
        if let Some(file) = self.open.lock().get(&number) {
            return Ok(Arc::clone(file));
        }
        let file = self.disk.open(number)?;
        self.keep_open(number, &file);
        Ok(file)
    }

    /// Keeps a segment open; when there are many, the others are closed as soon as nobody reads from them.
    fn keep_open(&self, number: u32, file: &Arc<dyn Segment>) {
        let mut open = self.open.lock();
        if open.len() >= OPEN {
            open.clear();
        }
        open.insert(number, Arc::clone(file));
    }

    /// Reads the record at a place.
    pub(crate) fn read(&self, place: Place) -> Result<Bytes, JournalError> {
        let file = self.get(place.segment)?;
        // Most records fit, and need one read.
        let mut bytes = vec![0; 1024];
        let read = file.read_at(&mut bytes, place.offset.into())?;
        bytes.truncate(read);
        let damaged = || JournalError::Damaged(place);
        let header = Header::from_bytes(&bytes).ok_or_else(damaged)?;
        let end = HEADER + header.length;
        if bytes.len() < end && read == 1024 {
            bytes.resize(end, 0);
            let rest = bytes.get_mut(read..).unwrap_or_default();
            file.read_at(rest, u64::from(place.offset) + read as u64)?;
        }
        let body = bytes.get(HEADER..end).ok_or_else(damaged)?;
        if !header.belongs_to(body, place) {
            return Err(damaged());
        }
        Ok(Bytes::from(bytes).slice(HEADER..end))
    }

    /// The position of the first record of a segment; nothing when the segment was never begun.
    pub(crate) fn beginning(&self, number: u32) -> io::Result<Option<Position>> {
        let mut preamble = [0; PREAMBLE as usize];
        let read = self.get(number)?.read_at(&mut preamble, 0)?;
        let bytes = preamble.get(..read).unwrap_or_default();
        Ok(frame::read_preamble(bytes, number).map(|chain| Position {
            place: Place {
                segment: number,
                offset: PREAMBLE,
            },
            chain,
        }))
    }

    /// Makes the segment of this number, if it is not there, with this many bytes of zeros. It gets its number when
    /// all of them are written, so that nobody waits for that. Between pieces it asks whether to go on.
    pub(crate) fn prepare(
        &self,
        number: u32,
        bytes: u32,
        go_on: impl Fn() -> bool,
    ) -> io::Result<()> {
        let mut spare = self.spare.lock();
        if *spare != Some(bytes) {
            *spare = None;
            if !fill(&*self.disk.spare()?, bytes, go_on)? {
                return Ok(());
            }
            *spare = Some(bytes);
        }
        let _naming = self.naming.lock();
        if !self.list()?.contains(&number) {
            *spare = None;
            self.disk.adopt(number)?;
            self.prepared.store(number, Ordering::Release);
        }
        Ok(())
    }

    /// Removes a segment. Who has it open reads on.
    pub(crate) fn remove(&self, number: u32) -> io::Result<()> {
        self.open.lock().remove(&number);
        self.disk.remove(number)
    }

    /// The segment to go on with: the one that was prepared, or a new one.
    fn begin(&self, number: u32) -> io::Result<Arc<dyn Segment>> {
        let _naming = self.naming.lock();
        if self.list()?.contains(&number) {
            return self.get(number);
        }
        let file = self.disk.create(number)?;
        self.keep_open(number, &file);
        Ok(file)
    }
}

/// Fills a file with zeros, piece by piece. Whether it was let go on to the end.
fn fill(file: &dyn Segment, bytes: u32, go_on: impl Fn() -> bool) -> io::Result<bool> {
    let mut place = 0;
    while place < u64::from(bytes) {
        file.write_at(&ZEROS, place)?;
        place += ZEROS.len() as u64;
        if place.is_multiple_of(GENTLY) {
            file.sync()?;
            if !go_on() {
                return Ok(false);
            }
        }
    }
    file.sync()?;
    Ok(true)
}

// === impl Journal ===

impl Journal {
    /// Begins a log that has no segments.
    pub(crate) fn begin(segments: Arc<Segments>, segment_bytes: u32) -> io::Result<Self> {
        let file = segments.begin(1)?;
        let end = Position {
            place: Place {
                segment: 1,
                offset: PREAMBLE,
            },
            chain: 0,
        };
        file.write_at(&frame::preamble(1, 0), 0)?;
        file.sync()?;
        Ok(Self::at(segments, segment_bytes, file, end))
    }

    /// Goes on at the end, which was found by reading what had been synced.
    pub(crate) fn resume(
        segments: Arc<Segments>,
        segment_bytes: u32,
        end: Position,
    ) -> io::Result<Self> {
        let file = segments.get(end.place.segment)?;
        let grows = file.size()? < segment_bytes.into();
        let journal = Self::at(segments, segment_bytes, file, end);
        Ok(Self { grows, ..journal })
    }

    fn at(
        segments: Arc<Segments>,
        segment_bytes: u32,
        file: Arc<dyn Segment>,
        end: Position,
    ) -> Self {
        Self {
            segments,
            segment_bytes,
            file: Synced::new(file),
            grows: true,
            failed: false,
            end,
            staged: end,
            durable: end.place.offset,
            group: Vec::new(),
            synced: true,
            unsynced: Unsynced::default(),
        }
    }

    /// Where the next group begins.
    pub(crate) fn end(&self) -> Position {
        self.end
    }

    /// The file that the end lies in.
    pub(crate) fn file(&self) -> &Arc<Synced> {
        &self.file
    }

    /// Bytes that are staged.
    pub(crate) fn staged(&self) -> usize {
        self.group.len()
    }

    /// Adds a record to the group, and says where it will lie.
    pub(crate) fn stage(&mut self, body: &[u8]) -> Result<Place, JournalError> {
        if self.group.is_empty() && self.is_full() {
            self.turn_over()?;
        }
        let place = self.staged.place;
        let header = Header::of(body, place, self.staged.chain, self.durable);
        let length = u32::try_from(HEADER + body.len());
        let offset = length
            .ok()
            .and_then(|length| place.offset.checked_add(length));
        let offset = offset.filter(|_| (1..=frame::LONGEST).contains(&body.len()));
        let offset = offset.ok_or_else(|| io::Error::from(io::ErrorKind::FileTooLarge))?;
        self.group.extend_from_slice(&header.to_bytes());
        self.group.extend_from_slice(body);
        self.staged.place.offset = offset;
        self.staged.chain = header.checksum;
        Ok(place)
    }

    /// Whether the log goes on in the next segment.
    fn is_full(&self) -> bool {
        let next = self.end.place.segment.saturating_add(1);
        let prepared = self.segments.prepared.load(Ordering::Acquire) == next;
        self.end.place.offset >= self.segment_bytes || (self.grows && prepared && !self.failed)
    }

    /// Whether the segment grows with each group.
    pub(crate) fn grows(&self) -> bool {
        self.grows
    }

    /// Goes on in the next segment. The one before must be durable first: after a loss of power the way to
    /// the next one leads through it.
    fn turn_over(&mut self) -> io::Result<()> {
        self.sync()?;
        let number = self.end.place.segment.saturating_add(1);
        let file = self.segments.begin(number)?;
        let preamble = frame::preamble(number, self.end.chain);
        file.write_at(&preamble, 0)?;
        self.grows = file.size()? < self.segment_bytes.into();
        self.unsynced.add(0, &preamble);
        self.end.place = Place {
            segment: number,
            offset: PREAMBLE,
        };
        self.staged = self.end;
        self.durable = 0;
        self.file = Synced::new(file);
        self.synced = false;
        Ok(())
    }

    /// Writes the staged group. When that fails, nothing was appended, and the next group takes its place.
    pub(crate) fn write(&mut self) -> io::Result<()> {
        self.file.mend(&self.unsynced)?;
        if self.unsynced.is_full() {
            self.sync()?;
        }
        self.synced &= self.group.is_empty();
        let place = self.end.place.offset.into();
        self.file.file().write_at(&self.group, place)
    }

    /// Makes durable whatever was written.
    pub(crate) fn sync(&mut self) -> io::Result<()> {
        if !self.synced {
            // A group on its way is not among what is kept: should a sync have failed for it, this one fails too.
            if self.group.is_empty() {
                self.file.mend(&self.unsynced)?;
            }
            self.file.sync()?;
            self.synced = true;
            self.unsynced.clear();
        }
        Ok(())
    }

    /// Tries to write and sync where the next group comes, which leaves no trace.
    pub(crate) fn probe(&mut self) -> io::Result<()> {
        if self.is_full() {
            self.turn_over()?;
        }
        self.file.mend(&self.unsynced)?;
        let zeros = ZEROS.get(..PROBE).unwrap_or_default();
        let place = self.end.place.offset.into();
        self.file.file().write_at(zeros, place)?;
        self.file.sync()
    }

    /// The staged group is part of the log from now on.
    pub(crate) fn accept(&mut self) {
        self.failed = false;
        if !self.synced {
            self.unsynced.add(self.end.place.offset.into(), &self.group);
        }
        self.end = self.staged;
        if self.synced {
            self.durable = self.end.place.offset;
        }
        self.group.clear();
    }

    /// Forgets the staged group.
    pub(crate) fn abandon(&mut self) {
        self.failed = true;
        self.staged = self.end;
        self.group.clear();
    }
}

#[cfg(test)]
mod tests;
