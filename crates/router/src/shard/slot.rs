//! An account in memory, with what waits for it.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Instant;

use rookery_delivery::Permit;
use rookery_stanza::BareJid;
use tokio::sync::RwLock;

use crate::account::{Account, Input, Step};

/// An input with the credit of whoever caused it.
pub(super) type Waiting = (Input, Option<Permit>);

/// A step that waits for the store, with the credit of whoever caused it.
pub(super) type Held = Vec<(Step, Option<Permit>)>;

/// Inputs that wait, and how many bytes of stanzas they are.
#[derive(Debug, Default)]
pub(super) struct Inputs {
    list: VecDeque<Waiting>,
    bytes: usize,
}

/// An account, and what waits for it while the store works.
#[derive(Debug)]
pub(super) struct Slot {
    pub(super) account: Account,
    pub(super) busy: Option<Busy>,
    pub(super) waiting: Inputs,
    /// Its data are to be read again.
    pub(super) stale: bool,
    /// Since when it has done nothing, in unix milliseconds.
    pub(super) idle_since: u64,
    /// It is looked at when those are let go that are idle.
    pub(super) watched: bool,
    /// Shared by confirmations that the log has not answered yet. Who reads what is owed waits for them, so
    /// that nothing is handed over again that was confirmed.
    confirming: Option<Arc<RwLock<()>>>,
}

/// What the store is doing for an account.
#[derive(Debug)]
pub(super) enum Busy {
    /// It reads the account's data.
    Loading,
    /// It writes; these steps go on when it has.
    Writing(Held),
}

// === impl Inputs ===

impl Inputs {
    /// Whether there is room for one more, of at most so many inputs and bytes. One that is larger than all
    /// of the room may still wait alone.
    pub(super) fn has_room(&self, input: &Input, inputs: usize, bytes: usize) -> bool {
        let fits = self.bytes.saturating_add(input.size()) <= bytes || self.list.is_empty();
        fits && self.list.len() < inputs
    }

    pub(super) fn push_back(&mut self, waiting: Waiting) {
        self.bytes += waiting.0.size();
        self.list.push_back(waiting);
    }

    pub(super) fn push_front(&mut self, waiting: Waiting) {
        self.bytes += waiting.0.size();
        self.list.push_front(waiting);
    }

    pub(super) fn pop_front(&mut self) -> Option<Waiting> {
        let waiting = self.list.pop_front()?;
        self.bytes = self.bytes.saturating_sub(waiting.0.size());
        Some(waiting)
    }

    pub(super) fn len(&self) -> usize {
        self.list.len()
    }

    /// How many messages are among them.
    fn messages(&self) -> i64 {
        self.list.iter().map(|(input, _)| input.messages()).sum()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// Takes all of them.
    pub(super) fn take(&mut self) -> VecDeque<Waiting> {
        std::mem::take(self).list
    }

    /// Takes out the stanzas that were read before this moment.
    pub(super) fn take_overdue(&mut self, before: Instant) -> Vec<Waiting> {
        let is_overdue = |(input, permit): &Waiting| input.is_overdue(permit.as_ref(), before);
        if !self.list.iter().any(is_overdue) {
            return Vec::new();
        }
        let (overdue, left): (Vec<_>, Vec<_>) = self.take().into_iter().partition(is_overdue);
        for waiting in left {
            self.push_back(waiting);
        }
        overdue
    }

    /// Gives memory back that an earlier crowd needed.
    pub(super) fn shrink(&mut self) {
        self.list.shrink_to(0);
    }
}

// === impl Slot ===

impl Slot {
    /// An account whose data have to be read first. A host has no account, and nothing to be read.
    pub(super) fn new(jid: BareJid, ingress: u64) -> Self {
        let is_host = jid.local().is_none();
        let mut account = Account::new(jid, ingress);
        if is_host {
            account.load(None);
        }
        Self {
            account,
            busy: None,
            waiting: Inputs::default(),
            stale: !is_host,
            idle_since: 0,
            watched: false,
            confirming: None,
        }
    }

    /// How many messages lie here.
    pub(super) fn messages(&self) -> i64 {
        let held = match &self.busy {
            Some(Busy::Writing(held)) => held.iter().map(|(step, _)| step.messages()).sum(),
            Some(Busy::Loading) | None => 0,
        };
        held + self.waiting.messages()
    }

    /// Whether it can be let go: no session, nothing waits, the store does nothing for it.
    pub(super) fn is_idle(&self) -> bool {
        let is_quiet = self.busy.is_none() && self.waiting.is_empty();
        let is_noted = !self.confirms() && !self.account.has_unnoted();
        is_quiet && is_noted && self.account.is_idle()
    }

    /// What confirmations share, and who reads what is owed waits for.
    pub(super) fn confirming(&mut self) -> Arc<RwLock<()>> {
        Arc::clone(self.confirming.get_or_insert_default())
    }

    /// Whether a confirmation has not been answered.
    pub(super) fn confirms(&self) -> bool {
        let confirming = self.confirming.as_ref();
        confirming.is_some_and(|lock| lock.try_write().is_err())
    }

    /// It has nothing to do, and gives memory back that it needed while it had.
    pub(super) fn rest(&mut self, now: u64) {
        self.idle_since = now;
        self.waiting.shrink();
        // Whoever had it is done.
        self.confirming.take_if(|lock| Arc::strong_count(lock) == 1);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use rookery_delivery::{Credit, Load};
    use rookery_stanza::{MessageType, Stanza};

    use super::*;

    #[test]
    #[expect(
        clippy::disallowed_methods,
        reason = "any moment will do, and nothing waits"
    )]
    fn stanzas_that_wait_too_long_are_taken_out_and_nothing_else_is() {
        let credit = Credit::new(Load {
            stanzas: 10,
            bytes: 1000,
        });
        let start = Instant::now();
        let at = |second| start + Duration::from_secs(second);
        let message = || Input::Received(Stanza::message(MessageType::Chat), None);
        let load = Load {
            stanzas: 1,
            bytes: 1,
        };
        let mut inputs = Inputs::default();
        for second in [0, 10, 20] {
            inputs.push_back((message(), Some(credit.take(load, at(second)))));
        }
        inputs.push_back((Input::Expired(rookery_delivery::SessionId(1)), None));
        assert_eq!(inputs.take_overdue(at(0)).len(), 0);
        assert_eq!(inputs.take_overdue(at(11)).len(), 2);
        assert_eq!(
            credit.in_flight().stanzas,
            1,
            "their senders are free again"
        );
        assert_eq!((inputs.len(), inputs.take_overdue(at(60)).len()), (2, 1));
        assert_eq!(inputs.bytes, 0);
    }
}
