//! What happens to the pairs, counted: the server dies at one of these counts, and others wait for some.

use std::cell::Cell;

use tokio::sync::Notify;

/// Counts what happens, up to the moment when the server dies.
pub(super) struct Moment {
    count: Cell<u64>,
    end: u64,
    changed: Notify,
}

/// Chance (splitmix64), the same again for the same seed.
pub(super) struct Chance(pub(super) u64);

// === impl Moment ===

impl Moment {
    /// The server dies when so much has happened.
    pub(super) fn after(end: u64) -> Self {
        Self {
            count: Cell::new(0),
            end,
            changed: Notify::new(),
        }
    }

    /// Something happens.
    pub(super) fn happened(&self) {
        self.count.set(self.count.get() + 1);
        self.changed.notify_waiters();
    }

    /// The server is being killed.
    pub(super) fn has_come(&self) -> bool {
        self.count.get() >= self.end
    }

    /// Waits for the moment.
    pub(super) async fn comes(&self) {
        self.reaches(self.end).await;
    }

    /// Waits until half of everything has happened.
    pub(super) async fn is_half_way(&self) {
        self.reaches(self.end / 2).await;
    }

    /// Waits until so much more has happened, or the moment has come.
    pub(super) async fn passes(&self, events: u64) {
        self.reaches(self.end.min(self.count.get() + events)).await;
    }

    async fn reaches(&self, count: u64) {
        loop {
            let changed = self.changed.notified();
            if self.count.get() >= count {
                return;
            }
            changed.await;
        }
    }
}

// === impl Chance ===

impl Chance {
    /// A number below the limit.
    pub(super) fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % limit
    }

    /// Whether what happens once in so many times happens now.
    pub(super) fn once_in(&mut self, times: u64) -> bool {
        self.below(times) == 0
    }
}
