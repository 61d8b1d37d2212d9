//! What was written and not synced: once a sync has failed, the system may take it for written although the disk
//! does not have it, and syncs it no more. So it is kept, and written again.

use std::io;
use std::sync::Arc;

use parking_lot::Mutex;

use crate::log::disk::Segment;

/// So much is kept at most; what would be more is synced first.
const KEPT: usize = 1 << 20;

/// A segment that several threads sync. The system tells only one of them that a sync has failed; all of them
/// learn it from here.
#[derive(Debug)]
pub(crate) struct Synced {
    file: Arc<dyn Segment>,
    /// A sync has failed, and what it was for is not written again yet.
    failed: Mutex<bool>,
}

/// The bytes at the end of the log that no sync has covered.
#[derive(Debug, Default)]
pub(super) struct Unsynced {
    place: u64,
    bytes: Vec<u8>,
}

// === impl Synced ===

impl Synced {
    pub(crate) fn new(file: Arc<dyn Segment>) -> Arc<Self> {
        Arc::new(Self {
            file,
            failed: Mutex::new(false),
        })
    }

    pub(super) fn file(&self) -> &dyn Segment {
        &*self.file
    }

    /// Makes durable whatever was written; fails as long as that cannot be known.
    pub(crate) fn sync(&self) -> io::Result<()> {
        let mut failed = self.failed.lock();
        if *failed {
            return Err(io::Error::other("an earlier sync of the segment failed"));
        }
        let synced = self.file.sync();
        *failed = synced.is_err();
        synced
    }

    /// Writes again what a sync has failed for.
    pub(super) fn mend(&self, unsynced: &Unsynced) -> io::Result<()> {
        let mut failed = self.failed.lock();
        if *failed {
            self.file.write_at(&unsynced.bytes, unsynced.place)?;
            *failed = false;
        }
        Ok(())
    }
}

// === impl Unsynced ===

impl Unsynced {
    /// These bytes follow, or are the first.
    pub(super) fn add(&mut self, place: u64, bytes: &[u8]) {
        if self.bytes.is_empty() {
            self.place = place;
        }
        self.bytes.extend_from_slice(bytes);
    }

    /// They are durable.
    pub(super) fn clear(&mut self) {
        self.bytes.clear();
        self.bytes.shrink_to(KEPT / 16);
    }

    /// Whether no more are to be kept.
    pub(super) fn is_full(&self) -> bool {
        self.bytes.len() >= KEPT
    }
}
