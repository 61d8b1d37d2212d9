//! Handling the inputs of an account one after the other, with the store in between.

use std::sync::Arc;
use std::time::Duration;

use rookery_delivery::{Limit, Permit};
use rookery_stanza::{BareJid, Condition};
use rookery_storage::message_log::Tail;
use rookery_storage::{AccountState, StoreError};
use tokio::time::timeout;

use super::failure::contained;
use super::message::{Loaded, Written};
use super::slot::{Busy, Held, Slot};
use super::slots::Place;
use super::store::{Answers, Job, read_account};
use super::{HomeShard, Todo};
use crate::account::{Effect, Effects, Input, Scene, Step};
use crate::metrics::{Outcome, Queue};

/// Inputs that may be handled together while their writes wait.
const BATCH: usize = 256;

/// How long the store may take. Whatever waits for it then goes back to its sender with an error.
const STORE_TIME: Duration = Duration::from_secs(15);

/// How long a stanza may wait before the store is asked about it. It goes back then, too: a home settles whatever comes
/// to it within half a minute.
const WAIT_TIME: Duration = Duration::from_secs(15);

impl HomeShard {
    /// Something happens to an account: it is handled now, or waits while the store works for the account.
    pub(super) fn input(&mut self, account: &BareJid, input: Input, permit: Option<Permit>) {
        let Some(place) = self.slots.find(account) else {
            if !input.concerns_absent() {
                return self.neglect(input);
            }
            let place = self
                .slots
                .add(Slot::new(account.clone(), self.numbers.next()));
            self.make_room();
            return self.work(place, Some((input, permit)), Held::new());
        };
        let Some(slot) = self.slots.get_mut(place) else {
            return;
        };
        if slot.busy.is_none() {
            return self.work(place, Some((input, permit)), Held::new());
        }
        let config = &self.rules.config;
        let (stanzas, bytes) = (config.waiting_stanzas, config.waiting_bytes);
        if input.may_be_refused() && !slot.waiting.has_room(&input, stanzas, bytes) {
            self.metrics.rejected.of(Queue::Account).increment();
            self.metrics.shared.exceeded(Limit::Waiting);
            return self.refuse(input, Condition::ResourceConstraint, permit.as_ref());
        }
        slot.waiting.push_back((input, permit));
    }

    /// Lets all idle accounts go when there are too many.
    fn make_room(&mut self) {
        if self.slots.len()
            > self
                .ports
                .len()
                .saturating_add(self.rules.config.idle_accounts)
        {
            self.slots.sweep(u64::MAX);
        }
    }

    /// Handles `first` and then what waits, as far as the store allows. `held` are steps that wait for the
    /// store already.
    pub(super) fn work(
        &mut self,
        place: Place,
        mut first: Option<(Input, Option<Permit>)>,
        mut held: Held,
    ) {
        self.slots.watch(place);
        // Any of them: what is read is read behind all that is written.
        let mut is_closed = held.iter().any(|(step, _)| step.ends_batch());
        while !is_closed && held.len() < BATCH {
            let Some(slot) = self.slots.get_mut(place) else {
                return;
            };
            if slot.stale {
                break;
            }
            let Some((input, permit)) = first.take().or_else(|| slot.waiting.pop_front()) else {
                break;
            };
            let scene = Scene {
                rules: &self.rules,
                now: self.now,
                promised: permit.as_ref().is_none_or(Permit::is_awaited),
            };
            let spare = input.answerable();
            let mut step = std::mem::take(&mut self.scratch);
            if !contained(|| slot.account.handle(input, &scene, &mut step)) {
                return self.broken(place, spare, permit, held);
            }
            let account = slot.account.jid().clone();
            self.stage(&account, step, permit, &mut held);
            is_closed = held.last().is_some_and(|(step, _)| step.ends_batch());
        }
        let Some(slot) = self.slots.get_mut(place) else {
            return;
        };
        if let Some(input) = first {
            slot.waiting.push_front(input);
        }
        if !held.is_empty() {
            self.write(place, held);
        } else if slot.stale {
            self.load(place);
        } else if slot.is_idle() && !slot.account.is_stored() {
            self.slots.remove(place);
        } else {
            slot.rest(self.now);
        }
    }

    /// Carries a step out as far as nothing before it waits for the store.
    fn stage(
        &mut self,
        account: &BareJid,
        mut step: Step,
        permit: Option<Permit>,
        held: &mut Held,
    ) {
        if !held.is_empty() {
            // What clients have waits for nothing, and what is read behind it must know of it.
            for confirm in step.take_confirmed() {
                self.perform(account, confirm, None);
            }
        }
        if held.is_empty() {
            for effect in step.effects.0.drain(..) {
                self.perform(account, effect, permit.as_ref());
            }
            if step.writes.is_empty() {
                self.scratch = step;
                return;
            }
        }
        held.push((step, permit));
    }

    /// Asks the store to make the writes of `held`.
    fn write(&mut self, place: Place, mut held: Held) {
        let Some(slot) = self.slots.get_mut(place) else {
            return;
        };
        let account = slot.account.jid().clone();
        let mut job = Job::new(account.clone());
        for (write, _) in held.iter_mut().flat_map(|(step, _)| &mut step.writes) {
            job.add(&mut write.change);
        }
        let (asked, confirming) = (account.clone(), job.reads().then(|| slot.confirming()));
        slot.busy = Some(Busy::Writing(held));
        let (store, log) = (Arc::clone(&self.store), Arc::clone(&self.log));
        let (index, shards) = (self.index, Arc::clone(&self.shards));
        let task = async move {
            let answers = timeout(STORE_TIME, job.run(&*store, &*log, confirming.as_deref())).await;
            let answers = answers.unwrap_or_else(|_| Answers::none());
            shards
                .tell(
                    index,
                    Written {
                        account: asked,
                        answers,
                    },
                )
                .await;
        };
        if self.scope.spawn("account-write", task).is_err() {
            self.metrics.shared.exceeded(Limit::Tasks);
            let written = Written {
                account,
                answers: Answers::none(),
            };
            self.todo.push_back(Todo::Written(Box::new(written)));
        }
    }

    /// The store has made an account's writes, or has not.
    pub(super) fn written(&mut self, written: Written) {
        let Written {
            account,
            mut answers,
        } = written;
        let Some(place) = self.slots.find(&account) else {
            return;
        };
        let Some(slot) = self.slots.get_mut(place) else {
            return;
        };
        let Some(Busy::Writing(steps)) = slot.busy.take() else {
            return;
        };
        slot.stale |= answers.uncertain;
        let scene = Scene {
            rules: &self.rules,
            now: self.now,
            promised: true,
        };
        let (mut ready, mut broken) = (Held::with_capacity(steps.len()), false);
        for (step, permit) in steps {
            let mut next = Step::default();
            next.append(step.effects);
            for (write, after) in step.writes {
                let answer = answers.next(&write.change);
                broken |= !contained(|| slot.account.stored(write, answer, &scene, &mut next));
                next.append(after);
            }
            ready.push((next, permit));
        }
        if broken {
            return self.broken(place, None, None, ready);
        }
        let mut held = Held::new();
        for (step, permit) in ready {
            self.stage(&account, step, permit, &mut held);
        }
        self.work(place, None, held);
    }

    /// Asks the store for an account's data.
    fn load(&mut self, place: Place) {
        let Some(slot) = self.slots.get_mut(place) else {
            return;
        };
        slot.busy = Some(Busy::Loading);
        let account = slot.account.jid().clone();
        let (store, log) = (Arc::clone(&self.store), Arc::clone(&self.log));
        let (index, shards) = (self.index, Arc::clone(&self.shards));
        let (features, asked) = (self.rules.features.clone(), account.clone());
        let task = async move {
            let read = read_account(&*store, &*log, &asked, features.data_kinds());
            let state = timeout(STORE_TIME, read)
                .await
                .unwrap_or_else(|_| Err(StoreError::Unavailable("it takes too long".to_owned())));
            shards
                .tell(
                    index,
                    Loaded {
                        account: asked,
                        state,
                    },
                )
                .await;
        };
        if let Err(error) = self.scope.spawn("account-load", task) {
            self.metrics.shared.exceeded(Limit::Tasks);
            let state = Err(StoreError::Unavailable(error.to_string()));
            let loaded = Box::new(Loaded { account, state });
            self.todo.push_back(Todo::Loaded(loaded));
        }
    }

    /// The store has an account's data, or has not.
    pub(super) fn loaded(&mut self, loaded: Loaded) {
        let Loaded { account, state } = loaded;
        let Some(place) = self.slots.find(&account) else {
            return;
        };
        let Some(slot) = self.slots.get_mut(place) else {
            return;
        };
        slot.busy = None;
        let kept = |read: Option<(AccountState, Tail)>| match read {
            Some((state, tail)) => {
                let kept = self.rules.features.keep(&state.data)?;
                Ok(Some((state, kept, tail)))
            }
            None => Ok(None),
        };
        match state.and_then(kept) {
            Ok(stored) => {
                slot.account.load(stored);
                slot.stale = false;
                self.work(place, None, Held::new());
            }
            Err(error) => {
                tracing::warn!(%account, %error, "an account's data could not be read");
                self.load_failed(&account, place);
            }
        }
    }

    /// Refuses what waits. What cannot be refused is handled with what is known; the store is asked again
    /// with the next input.
    fn load_failed(&mut self, account: &BareJid, place: Place) {
        let Some(slot) = self.slots.get_mut(place) else {
            return;
        };
        let scene = Scene {
            rules: &self.rules,
            now: self.now,
            promised: true,
        };
        let mut handled = Vec::new();
        let mut refused = Vec::new();
        for (input, permit) in slot.waiting.take() {
            if input.may_be_refused() {
                refused.push((input, permit));
            } else {
                let mut effects = Effects::default();
                let account = &mut slot.account;
                if contained(|| {
                    let mut step = Step::default();
                    account.handle(input, &scene, &mut step);
                    effects = account.not_stored(step, &scene);
                }) {
                    handled.push((effects, permit));
                }
            }
        }
        if slot.account.is_idle() && !slot.account.is_loaded() {
            self.slots.remove(place);
        }
        for (input, permit) in refused {
            self.refuse(input, Condition::ResourceConstraint, permit.as_ref());
        }
        for (effects, permit) in handled {
            for effect in effects.0 {
                self.perform(account, effect, permit.as_ref());
            }
        }
    }

    /// Refuses the stanzas that have waited too long.
    pub(super) fn refuse_overdue(&mut self) {
        let now = self.clock.now().into_std();
        let overdue = now
            .checked_sub(WAIT_TIME)
            .map(|before| self.slots.take_overdue(before));
        for (input, permit) in overdue.into_iter().flatten() {
            self.refuse(input, Condition::ResourceConstraint, permit.as_ref());
        }
    }

    /// Refuses an input with an error to whoever caused it.
    pub(super) fn refuse(&mut self, input: Input, condition: Condition, permit: Option<&Permit>) {
        let error = || condition.into();
        match input {
            Input::Sent { session, stanza } => {
                if let rookery_stanza::Kind::Message(_) = stanza.kind {
                    self.metrics.accept();
                }
                // Not through the queue of the account, which is full.
                let (account, stanza) = (session.jid.bare(), stanza.with_from(session.jid));
                let returned = Effect::Return(session.id, stanza, Box::new(error()));
                self.perform(&account, returned, permit);
            }
            Input::Received(stanza, _) => self.bounce(&stanza, &error(), permit),
            Input::Bind(bind) => self.bound(None, bind.session, Err(Box::new(error()))),
            _ => {}
        }
    }

    /// Drops an input that means nothing to an account without sessions (RFC 6121 §8.5.2.2).
    fn neglect(&mut self, input: Input) {
        if let Input::Received(stanza, _) = input {
            self.send(Effect::Settled(stanza.kind, Outcome::Dropped), None);
        }
    }
}
