//! The files of the log behind a trait, so that tests can put a disk under it that loses its power.

use std::fmt;
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A folder of numbered segments.
pub(crate) trait Disk: Send + Sync + fmt::Debug {
    /// The numbers of the segments that are there, in order.
    fn list(&self) -> io::Result<Vec<u32>>;

    /// Makes a segment, or empties it if it is there. That it exists is durable with the answer.
    fn create(&self, number: u32) -> io::Result<Arc<dyn Segment>>;

    /// Makes a file that is no segment yet, or empties it if it is there.
    fn spare(&self) -> io::Result<Arc<dyn Segment>>;

    /// Makes it the segment of a number that there is no other of. That it is one is durable with the answer.
    fn adopt(&self, number: u32) -> io::Result<()>;

    /// Opens a segment that is there.
    fn open(&self, number: u32) -> io::Result<Arc<dyn Segment>>;

    /// Removes a segment.
    fn remove(&self, number: u32) -> io::Result<()>;
}

/// One file.
pub(crate) trait Segment: Send + Sync + fmt::Debug {
    /// Writes all of the bytes at a place; durable after the next [`sync`](Self::sync).
    fn write_at(&self, bytes: &[u8], place: u64) -> io::Result<()>;

    /// Reads from a place; fewer bytes than asked for only at the end of the file.
    fn read_at(&self, bytes: &mut [u8], place: u64) -> io::Result<usize>;

    /// Makes durable whatever was written.
    fn sync(&self) -> io::Result<()>;

    /// How many bytes the file has.
    fn size(&self) -> io::Result<u64>;
}

/// A folder of the system's.
#[derive(Debug)]
pub(crate) struct Folder {
    path: PathBuf,
}

/// Before the number of a segment in the name of its file.
const PREFIX: &str = "messages-";
/// In its place, in the name of one that has no number yet.
const SPARE: &str = "next";
/// After it.
const SUFFIX: &str = ".log";

/// The name of the file of a segment.
pub(crate) fn file_name(number: u32) -> String {
    format!("{PREFIX}{number:010}{SUFFIX}")
}

/// Makes an empty file.
fn make(path: &Path) -> io::Result<Arc<dyn Segment>> {
    let mut options = File::options();
    options.read(true).write(true).create(true).truncate(true);
    Ok(Arc::new(options.mode(0o600).open(path)?))
}

// === impl Folder ===

impl Folder {
    /// The folder at `path`, which has to be there.
    pub(crate) fn new(path: PathBuf) -> Self {
        Self { path }
    }

    fn spare_path(&self) -> PathBuf {
        self.path.join(format!("{PREFIX}{SPARE}{SUFFIX}"))
    }

    fn sync(&self) -> io::Result<()> {
        File::open(&self.path)?.sync_all()
    }

    /// Puts a file with these bytes in the place of a segment, which is kept with `.damaged` after its name.
    pub(crate) fn replace(&self, number: u32, bytes: &[u8]) -> io::Result<()> {
        let segment = self.segment(number);
        let repaired = self.path.join(format!("{PREFIX}repaired{SUFFIX}"));
        make(&repaired)?.write_at(bytes, 0)?;
        File::open(&repaired)?.sync_all()?;
        let name = file_name(number);
        let kept = (0..).find_map(|count| {
            let count = if count == 0 {
                String::new()
            } else {
                format!("-{count}")
            };
            let kept = self.path.join(format!("{name}.damaged{count}"));
            (!kept.exists()).then_some(kept)
        });
        // A second name before the first one goes: at no moment is the segment not there.
        fs::hard_link(&segment, kept.unwrap_or_else(|| self.path.join(name)))?;
        fs::rename(repaired, segment)?;
        self.sync()
    }

    fn segment(&self, number: u32) -> PathBuf {
        self.path.join(file_name(number))
    }
}

impl Disk for Folder {
    fn list(&self) -> io::Result<Vec<u32>> {
        let mut numbers = Vec::new();
        for entry in fs::read_dir(&self.path)? {
            let name = entry?.file_name();
            let number = name
                .to_str()
                .and_then(|name| name.strip_prefix(PREFIX)?.strip_suffix(SUFFIX));
            numbers.extend(number.and_then(|number| number.parse::<u32>().ok()));
        }
        numbers.sort_unstable();
        Ok(numbers)
    }

    fn create(&self, number: u32) -> io::Result<Arc<dyn Segment>> {
        let file = make(&self.segment(number))?;
        self.sync()?;
        Ok(file)
    }

    fn spare(&self) -> io::Result<Arc<dyn Segment>> {
        make(&self.spare_path())
    }

    fn adopt(&self, number: u32) -> io::Result<()> {
        fs::rename(self.spare_path(), self.segment(number))?;
        self.sync()
    }

    fn open(&self, number: u32) -> io::Result<Arc<dyn Segment>> {
        let mut options = File::options();
        options.read(true).write(true);
        Ok(Arc::new(options.open(self.segment(number))?))
    }

    fn remove(&self, number: u32) -> io::Result<()> {
        fs::remove_file(self.segment(number))
    }
}

// === impl Segment ===

impl Segment for File {
    fn write_at(&self, bytes: &[u8], place: u64) -> io::Result<()> {
        self.write_all_at(bytes, place)
    }

    fn read_at(&self, bytes: &mut [u8], place: u64) -> io::Result<usize> {
        let mut read = 0;
        while let Some(rest) = bytes.get_mut(read..).filter(|rest| !rest.is_empty()) {
            match FileExt::read_at(self, rest, place + read as u64) {
                Ok(0) => break,
                Ok(some) => read += some,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(read)
    }

    fn sync(&self) -> io::Result<()> {
        self.sync_data()
    }

    fn size(&self) -> io::Result<u64> {
        Ok(self.metadata()?.len())
    }
}
