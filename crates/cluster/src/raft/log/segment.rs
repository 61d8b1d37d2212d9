//! Segments: the files of a log, in the order of their numbers.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};

use bytes::{Buf, Bytes};

use super::LogError;
use super::record::{HEADER, Record};

/// A file of the log.
#[derive(Debug)]
pub(crate) struct Segment {
    /// Where it is.
    pub(crate) path: PathBuf,
    /// Its number.
    pub(crate) number: u64,
    /// The highest index of an entry in it.
    pub(crate) last: u64,
    /// How long it is.
    pub(crate) length: u64,
}

// === impl Segment ===

impl Segment {
    /// The segment of this number, which has nothing in it.
    pub(crate) fn new(directory: &Path, number: u64) -> Self {
        Self {
            path: directory.join(format!("{number:020}.log")),
            number,
            last: 0,
            length: 0,
        }
    }

    /// Opens it for appending, and has its name synced.
    pub(crate) fn open(&self) -> Result<File, LogError> {
        let open = || {
            let file = OpenOptions::new()
                .create(true)
                .append(true)
                .open(&self.path)?;
            file.set_len(self.length)?;
            file.sync_all()?;
            if let Some(directory) = self.path.parent() {
                File::open(directory)?.sync_all()?;
            }
            Ok(file)
        };
        open().map_err(|source| failed(&self.path, source))
    }
}

/// Reads all segments in their order. What a crash left half written at the very end is no record; the next one
/// takes its place.
pub(crate) fn read_all(
    directory: &Path,
    mut take: impl FnMut(Record),
) -> Result<Vec<Segment>, LogError> {
    let mut numbers = numbers(directory).map_err(|source| failed(directory, source))?;
    numbers.sort_unstable();
    let newest = numbers.last().copied();
    let mut segments = Vec::with_capacity(numbers.len());
    for number in numbers {
        let mut segment = Segment::new(directory, number);
        let bytes = fs::read(&segment.path).map_err(|source| failed(&segment.path, source))?;
        let mut rest = Bytes::from(bytes);
        let length = rest.len();
        while let Some(record) = Record::decode(&mut rest) {
            if let Record::Entry(entry) = &record {
                segment.last = segment.last.max(entry.log_id.index);
            }
            take(record);
        }
        let at = (length - rest.len()) as u64;
        if !rest.is_empty() && (Some(number) != newest || has_record(rest)) {
            let path = segment.path.display().to_string();
            return Err(LogError::Damaged { path, at });
        }
        segment.length = at;
        segments.push(segment);
    }
    Ok(segments)
}

/// Whether there is a record anywhere behind one that is not whole.
fn has_record(mut bytes: Bytes) -> bool {
    while bytes.len() > HEADER {
        bytes.advance(1);
        if Record::decode(&mut bytes.clone()).is_some() {
            return true;
        }
    }
    false
}

fn numbers(directory: &Path) -> io::Result<Vec<u64>> {
    let mut numbers = Vec::new();
    for file in fs::read_dir(directory)? {
        let name = file?.file_name();
        let number = name.to_str().and_then(|name| name.strip_suffix(".log"));
        numbers.extend(number.and_then(|number| number.parse::<u64>().ok()));
    }
    Ok(numbers)
}

pub(crate) fn failed(path: &Path, source: io::Error) -> LogError {
    let path = path.display().to_string();
    LogError::Io { path, source }
}
