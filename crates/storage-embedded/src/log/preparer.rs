//! Has the next segment prepared while there is room in the present one, or soon if that one was not prepared.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::Duration;

use super::frame::Place;
use super::journal::Segments;
use crate::open::OpenError;
use crate::store::Thread;

/// From where on a segment that grows is worth leaving. A server that writes next to nothing has no prepared one.
const SOON: u32 = 256 << 10;
/// How long it rests after each piece, so that no sync that a caller waits for has to share the disk for long.
const REST: Duration = Duration::from_millis(10);

/// Watches how far the log has come.
pub(crate) struct Preparer {
    segment_bytes: u32,
    /// The way to the thread that does the work.
    numbers: SyncSender<u32>,
    /// The last segment that was asked for.
    asked: u32,
    ended: Arc<AtomicBool>,
}

// === impl Preparer ===

impl Preparer {
    /// Starts its thread, which ends soon after this is dropped.
    pub(crate) fn start(
        segments: Arc<Segments>,
        segment_bytes: u32,
    ) -> Result<(Self, Thread), OpenError> {
        let (numbers, asked) = sync_channel(1);
        let ended = Arc::new(AtomicBool::new(false));
        let stop = Arc::clone(&ended);
        let work = move || prepare(&segments, segment_bytes, &asked, &stop);
        let thread = Thread::start("log-preparer", work)?;
        let preparer = Self {
            segment_bytes,
            numbers,
            asked: 0,
            ended,
        };
        Ok((preparer, thread))
    }

    /// Asks for the next segment when half of this one is full, or when it grows. When nobody makes it in time, the log
    /// goes on in one that grows.
    pub(crate) fn look(&mut self, end: Place, grows: bool) {
        let next = end.segment.saturating_add(1);
        let half = self.segment_bytes / 2;
        let due = if grows { half.min(SOON) } else { half };
        if self.asked < next && end.offset >= due && self.numbers.try_send(next).is_ok() {
            self.asked = next;
        }
    }
}

impl Drop for Preparer {
    fn drop(&mut self) {
        self.ended.store(true, Ordering::Release);
    }
}

fn prepare(segments: &Segments, bytes: u32, numbers: &Receiver<u32>, stop: &AtomicBool) {
    for number in numbers {
        let go_on = || {
            std::thread::park_timeout(REST);
            !stop.load(Ordering::Acquire)
        };
        if let Err(error) = segments.prepare(number, bytes, go_on) {
            tracing::warn!(%error, "no segment of the message log could be prepared");
        }
    }
}
