//! A disk that can lose its power.
//!
//! A killed process leaves its unsynced writes in the kernel's cache, where the next process finds them.
//! So a process runs under a small library (`synced.c`) that keeps a second copy of each file in one
//! folder, which holds what was synced and nothing else. After the kill that copy takes the file's place;
//! or a mixture, since a disk may have written any part of what it was not told to sync.

use std::ffi::OsString;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use tempfile::TempDir;

/// A disk writes this much of a file, or nothing.
const SECTOR: usize = 512;

/// A folder as a process sees it, and what would be left of its files without power: of those in it, and of
/// those in the folders in it.
#[derive(Debug)]
pub struct Disk {
    directory: TempDir,
    library: PathBuf,
    /// What is wrong with it, as the library is told.
    troubles: Vec<(String, String)>,
}

/// Which unsynced writes survive.
#[derive(Clone, Copy, Debug)]
pub enum Survivors {
    /// None.
    None,
    /// Any sector may.
    Any {
        /// Decides which. Not 0.
        seed: u64,
    },
}

// === impl Disk ===

impl Disk {
    /// An empty folder. Needs a C compiler.
    pub fn new() -> io::Result<Self> {
        let directory = tempfile::tempdir()?;
        fs::create_dir(directory.path().join("seen"))?;
        fs::create_dir(directory.path().join("synced"))?;
        let library = directory.path().join("synced.so");
        let source = concat!(env!("CARGO_MANIFEST_DIR"), "/src/synced.c");
        let built = Command::new("cc")
            .args(["-shared", "-fPIC", "-O2", "-Wall", "-Wextra", "-o"])
            .args([library.as_os_str(), source.as_ref()])
            .args(["-ldl", "-lpthread"])
            .status()?;
        if built.success() {
            Ok(Self {
                directory,
                library,
                troubles: Vec::new(),
            })
        } else {
            Err(io::Error::other(format!("{source} does not compile")))
        }
    }

    /// A disk that says that it has synced the files whose path contains this, and has not.
    #[must_use]
    pub fn lying(mut self, path: &str) -> Self {
        self.troubles
            .push(("TEST_UNSYNCED".to_owned(), path.to_owned()));
        self
    }

    /// A disk on which each sync takes at least so long, in whole milliseconds.
    #[must_use]
    pub fn slow(mut self, sync: Duration) -> Self {
        let milliseconds = sync.as_millis().to_string();
        self.troubles.push(("TEST_SLOW".to_owned(), milliseconds));
        self
    }

    /// From now on nothing can be written for want of room, or there is room again.
    pub fn set_full(&self, full: bool) -> io::Result<()> {
        if full {
            return fs::write(self.full(), "");
        }
        match fs::remove_file(self.full()) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }

    fn full(&self) -> PathBuf {
        self.directory.path().join("full")
    }

    /// The folder.
    pub fn seen(&self) -> PathBuf {
        self.directory.path().join("seen")
    }

    fn synced(&self) -> PathBuf {
        self.directory.path().join("synced")
    }

    /// What a process needs in its environment to write to this disk.
    pub fn environment(&self) -> Vec<(String, String)> {
        let variables = [
            ("LD_PRELOAD", self.library.clone()),
            ("TEST_SEEN", self.seen()),
            ("TEST_SYNCED", self.synced()),
            ("TEST_FULL", self.full()),
        ];
        let variables = variables.map(|(name, path)| (name.to_owned(), path.display().to_string()));
        variables.into_iter().chain(self.troubles.clone()).collect()
    }

    /// Makes durable whatever is there. No process may write meanwhile.
    pub fn sync(&self) -> io::Result<()> {
        fs::remove_dir_all(self.synced())?;
        fs::create_dir(self.synced())?;
        // The index of the log is rebuilt at every start, and the lock is nothing without its process.
        let kept = |name: &PathBuf| {
            let name = name.to_string_lossy();
            !name.ends_with("-shm") && !name.ends_with(".lock")
        };
        for name in names(&self.seen())?.into_iter().filter(kept) {
            let copy = self.synced().join(&name);
            fs::create_dir_all(copy.parent().unwrap_or(&copy))?;
            fs::copy(self.seen().join(&name), copy)?;
        }
        Ok(())
    }

    /// Power fails: what is left is what everybody sees from now on. The process must have been killed.
    pub fn lose_power(&self, survivors: Survivors) -> io::Result<()> {
        let mut left = Vec::new();
        for name in names(&self.synced())? {
            let synced = fs::read(self.synced().join(&name))?;
            let seen = fs::read(self.seen().join(&name)).unwrap_or_default();
            left.push((name, survivors.of(&seen, synced)));
        }
        for name in names(&self.seen())? {
            fs::remove_file(self.seen().join(name))?;
        }
        for (name, bytes) in left {
            fs::write(self.seen().join(name), bytes)?;
        }
        self.sync()
    }
}

/// The files of a folder and of the folders in it, by their paths from there.
fn names(directory: &Path) -> io::Result<Vec<PathBuf>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        let name = PathBuf::from(entry.file_name());
        let kind = entry.file_type()?;
        if kind.is_dir() {
            let inner = names_of(&entry.path())?;
            names.extend(inner.into_iter().map(|inner| name.join(inner)));
        } else if kind.is_file() {
            names.push(name);
        }
    }
    Ok(names)
}

/// The files of a folder alone.
fn names_of(directory: &Path) -> io::Result<Vec<OsString>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        if entry.file_type()?.is_file() {
            names.push(entry.file_name());
        }
    }
    Ok(names)
}

// === impl Survivors ===

impl Survivors {
    /// What is left of a file that was seen so, and synced so.
    fn of(self, seen: &[u8], synced: Vec<u8>) -> Vec<u8> {
        let Self::Any { mut seed } = self else {
            return synced;
        };
        let mut left = synced;
        if next(&mut seed) {
            left.resize(seen.len(), 0);
        }
        for (left, seen) in left.chunks_mut(SECTOR).zip(seen.chunks(SECTOR)) {
            if left.len() == seen.len() && next(&mut seed) {
                left.copy_from_slice(seen);
            }
        }
        left
    }
}

/// The next toss of a coin (xorshift64*).
fn next(seed: &mut u64) -> bool {
    *seed ^= *seed >> 12;
    *seed ^= *seed << 25;
    *seed ^= *seed >> 27;
    seed.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 63 == 1
}
