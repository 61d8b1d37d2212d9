//! Has the next segment prepared while there is room in the present one, or soon if that one was not prepared.

use std::sync::Arc;

use super::frame::Place;
use super::journal::Segments;
use crate::queue::Queue;
use crate::readers::Read;

/// From where on a segment that grows is worth leaving. A server that writes next to nothing has no prepared one.
const SOON: u32 = 256 << 10;

/// Watches how far the log has come.
pub(crate) struct Preparer {
    segments: Arc<Segments>,
    segment_bytes: u32,
    /// The readers, one of whom does the work.
    readers: Arc<Queue<Read>>,
    /// The last segment that was asked for.
    asked: u32,
}

// === impl Preparer ===

impl Preparer {
    pub(crate) fn new(
        segments: Arc<Segments>,
        segment_bytes: u32,
        readers: Arc<Queue<Read>>,
    ) -> Self {
        Self {
            segments,
            segment_bytes,
            readers,
            asked: 0,
        }
    }

    /// Asks for the next segment when half of this one is full, or when it grows. When nobody makes it in time, the log
    /// goes on in one that grows.
    pub(crate) fn look(&mut self, end: Place, grows: bool) {
        let next = end.segment.saturating_add(1);
        let half = self.segment_bytes / 2;
        let due = if grows { half.min(SOON) } else { half };
        if self.asked >= next || end.offset < due {
            return;
        }
        let segments = Arc::clone(&self.segments);
        let bytes = self.segment_bytes;
        let prepare: Read = Box::new(move |_| {
            if let Err(error) = segments.prepare(next, bytes) {
                tracing::warn!(%error, "no segment of the message log could be prepared");
            }
        });
        if self.readers.submit(prepare).is_ok() {
            self.asked = next;
        }
    }
}
