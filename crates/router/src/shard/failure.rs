//! A mistake in the state machine of an account: it costs that account its sessions, and nobody else
//! anything. Whoever had presence of the sessions is told that they are gone.

use std::panic::{AssertUnwindSafe, catch_unwind};

use rookery_delivery::{Close, Permit, SessionId};
use rookery_stanza::{BareJid, Condition, StanzaError};

use super::HomeShard;
use super::slot::Held;
use super::slots::Place;
use crate::account::{Account, Effect, Effects, Input, Write};
use crate::metrics::{Actor, Cause};

/// Runs a state machine; `false` when it failed by a mistake of its own. Where, the process has logged.
pub(super) fn contained(run: impl FnOnce()) -> bool {
    catch_unwind(AssertUnwindSafe(run)).is_ok()
}

impl HomeShard {
    /// The account failed on an input. What it has in memory is not to be trusted any more: its sessions
    /// are closed, and everything is read again from the store for what waits and what comes next.
    /// `input` and the steps that had not yet reached the store are refused.
    pub(super) fn broken(
        &mut self,
        place: Place,
        input: Option<Input>,
        permit: Option<Permit>,
        held: Held,
    ) {
        self.metrics
            .restarts
            .of(Actor::Account, Cause::Panic)
            .increment();
        let ingress = self.numbers.next();
        let Some(slot) = self.slots.get_mut(place) else {
            return;
        };
        let account = &slot.account.jid().clone();
        let (sessions, binding) = slot.account.session_ids();
        let anew = Account::new(account.clone(), ingress);
        let fallen = std::mem::replace(&mut slot.account, anew).fall();
        slot.stale = true;
        if !fallen.is_empty() {
            slot.waiting.push_front((Input::Fallen(fallen), None));
        }
        tracing::error!(%account, sessions = sessions.len(), "an account failed; its sessions end");
        self.end_sessions(account, sessions, binding);
        for (step, permit) in held {
            let failed =
                |(write, after): (Write, Effects)| write.into_failed().0.into_iter().chain(after.0);
            let writes = step.writes.into_iter().flat_map(failed);
            for effect in step.effects.0.into_iter().chain(writes) {
                self.perform(account, effect, permit.as_ref());
            }
        }
        if let Some(input) = input {
            self.refuse(input, Condition::InternalServerError, permit.as_ref());
        }
        self.work(place, None, Held::new());
    }

    fn end_sessions(
        &mut self,
        account: &BareJid,
        sessions: Vec<SessionId>,
        binding: Vec<SessionId>,
    ) {
        if !sessions.is_empty() {
            self.perform(account, Effect::Online(false), None);
        }
        for session in &sessions {
            self.perform(account, Effect::Close(*session, Close::Internal), None);
            self.perform(account, Effect::Forget(*session), None);
        }
        // One that has its resource may not know it yet.
        for session in sessions.into_iter().chain(binding) {
            let error = StanzaError::new(Condition::InternalServerError);
            self.perform(account, Effect::Bound(session, Err(Box::new(error))), None);
        }
    }
}
