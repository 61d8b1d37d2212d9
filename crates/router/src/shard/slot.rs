//! An account in memory, with what waits for it.

use std::collections::VecDeque;

use rookery_delivery::Permit;
use rookery_stanza::BareJid;

use crate::account::{Account, Input, Step};

/// An input with the credit of whoever caused it.
pub(super) type Waiting = (Input, Option<Permit>);

/// A step that waits for the store, with the credit of whoever caused it.
pub(super) type Held = Vec<(Step, Option<Permit>)>;

/// An account, and what waits for it while the store works.
#[derive(Debug)]
pub(super) struct Slot {
    pub(super) account: Account,
    pub(super) busy: Option<Busy>,
    pub(super) waiting: VecDeque<Waiting>,
    /// Its data are to be read again.
    pub(super) stale: bool,
    /// When it was last found to be idle, in unix milliseconds.
    pub(super) idle_since: u64,
}

/// What the store is doing for an account.
#[derive(Debug)]
pub(super) enum Busy {
    /// It reads the account's data.
    Loading,
    /// It writes; these steps go on when it has.
    Writing(Held),
}

// === impl Slot ===

impl Slot {
    /// An account whose data have to be read first.
    pub(super) fn new(account: BareJid) -> Self {
        Self {
            account: Account::new(account),
            busy: None,
            waiting: VecDeque::new(),
            stale: true,
            idle_since: 0,
        }
    }

    /// Whether it can be let go: no session, nothing waits, the store does nothing for it.
    pub(super) fn is_idle(&self) -> bool {
        self.busy.is_none() && self.waiting.is_empty() && self.account.is_idle()
    }
}
