//! One process at a time: a lock file beside the store that names who holds it.
//!
//! The lock is the kernel's and ends with the process, however that ends; the file itself may stay.

use std::fs::{File, TryLockError};
use std::io::{self, Seek, Write};
use std::path::{Path, PathBuf};

/// The lock on a store, held until it is dropped.
#[derive(Debug)]
pub(crate) struct StoreLock {
    _file: File,
}

/// Why the lock was not taken.
#[derive(Debug)]
pub(crate) enum LockError {
    /// Another process holds it; its id, if it could be read.
    Held(Option<u32>),
    /// The file cannot be made or written.
    File(io::Error),
}

// === impl StoreLock ===

impl StoreLock {
    /// Takes the lock on the store at `store`, without waiting.
    pub(crate) fn take(store: &Path) -> Result<Self, LockError> {
        let path = lock_path(store);
        let mut options = File::options();
        options.read(true).write(true).create(true).truncate(false);
        let mut file = options.open(&path).map_err(LockError::File)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(LockError::Held(holder(&path))),
            Err(TryLockError::Error(error)) => return Err(LockError::File(error)),
        }
        sign(&mut file).map_err(LockError::File)?;
        Ok(Self { _file: file })
    }
}

/// Where the lock of a store lies.
fn lock_path(store: &Path) -> PathBuf {
    let mut path = store.as_os_str().to_owned();
    path.push(".lock");
    path.into()
}

/// Writes this process's id into the file. That the disk is full is no reason not to hold the lock.
fn sign(file: &mut File) -> io::Result<()> {
    let signed = file
        .set_len(0)
        .and_then(|()| file.rewind())
        .and_then(|()| writeln!(file, "{}", std::process::id()));
    match signed {
        Err(error) if error.kind() == io::ErrorKind::StorageFull => Ok(()),
        other => other,
    }
}

/// The id that the holder wrote into the file.
fn holder(path: &Path) -> Option<u32> {
    std::fs::read_to_string(path).ok()?.trim().parse().ok()
}
