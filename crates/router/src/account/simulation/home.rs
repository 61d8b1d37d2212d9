//! What a shard does around an account, one thing after the other.

use std::collections::VecDeque;
use std::time::Instant;

use rookery_delivery::Permit;
use rookery_extension::Kept;
use rookery_stanza::{BareJid, Condition, Jid, Kind, RowId, Stanza, StanzaError, ns};
use rookery_storage::AccountState;
use rookery_storage::message_log::{Appended, IngressId};

use super::super::{Account, Change, Effect, Input, Step, Stored};
use super::{Answers, Event, Events, Job, Mail, Seat, Town};

/// As in a shard.
const BATCH: usize = 256;

type Held = Vec<(Step, Option<Permit>)>;

/// The home of an account.
#[derive(Debug)]
pub struct Home {
    account: Account,
    jid: BareJid,
    waiting: VecDeque<(Input, Option<Permit>)>,
    busy: Option<Busy>,
    stale: bool,
}

#[derive(Debug)]
enum Busy {
    Loading,
    Writing(Held),
}

// === impl Home ===

impl Home {
    /// The home of an account of which nothing is known yet; `number` is one that no other home has or had.
    pub fn new(jid: BareJid, number: u64) -> Self {
        Self {
            account: Account::new(jid.clone(), number),
            jid,
            waiting: VecDeque::new(),
            busy: None,
            stale: true,
        }
    }

    /// How many messages lie here.
    pub fn messages(&self) -> i64 {
        let held = match &self.busy {
            Some(Busy::Writing(held)) => held.iter().map(|(step, _)| step.messages()).sum(),
            _ => 0,
        };
        let waiting = self.waiting.iter().map(|(input, _)| input.messages());
        held + waiting.sum::<i64>()
    }

    /// How many inputs wait.
    pub fn waiting(&self) -> usize {
        self.waiting.len()
    }

    /// The sessions.
    pub fn seats(&self) -> Vec<Seat> {
        let seats = self.account.sessions.iter().map(|session| Seat {
            id: session.key.id,
            jid: session.key.jid.clone(),
            carbons: session.follows(ns::CARBONS),
            held: session.is_held(),
            behind: self.account.owed.is_before(session.key.id),
        });
        seats.collect()
    }

    /// Whether it can be let go without loss.
    pub fn is_idle(&self) -> bool {
        let is_quiet = self.busy.is_none() && self.waiting.is_empty();
        is_quiet && self.account.is_idle() && !self.account.has_unnoted()
    }

    /// The log could not note that clients have these rows.
    pub fn not_noted(&mut self, rows: Vec<RowId>) {
        self.account.not_noted(rows);
    }

    /// Now it has.
    pub fn noted(&mut self, rows: &[RowId]) {
        self.account.noted(rows);
    }

    /// What the log is asked to note once more.
    pub fn unnoted(&self) -> Vec<RowId> {
        self.account.unnoted()
    }

    /// Something comes.
    pub fn take(
        &mut self,
        town: &Town,
        now: u64,
        (Mail(input), permit): (Mail, Option<Permit>),
        out: &mut Events,
    ) {
        if self.busy.is_none() {
            return self.work(town, now, Some((input, permit)), Held::new(), out);
        }
        if input.may_be_refused() && self.waiting.len() >= town.rules.config.waiting_stanzas {
            return Self::refuse(input, permit, out);
        }
        self.waiting.push_back((input, permit));
    }

    /// Stanzas that were read before this moment, and still wait, have waited too long.
    pub fn refuse_overdue(&mut self, before: Instant, out: &mut Events) -> usize {
        let is_overdue =
            |(input, permit): &(Input, Option<Permit>)| input.is_overdue(permit.as_ref(), before);
        let waiting = std::mem::take(&mut self.waiting);
        let (overdue, left): (Vec<_>, Vec<_>) = waiting.into_iter().partition(is_overdue);
        self.waiting = left.into();
        let count = overdue.len();
        for (input, permit) in overdue {
            Self::refuse(input, permit, out);
        }
        count
    }

    /// The store has answered.
    pub fn answered(&mut self, town: &Town, now: u64, answers: Answers, out: &mut Events) {
        match self.busy.take() {
            None => {}
            Some(Busy::Loading) => match answers.tail {
                Some(tail) => {
                    let stored = (AccountState::default(), Kept::default(), tail);
                    self.account.load(Some(stored));
                    self.stale = false;
                    self.work(town, now, None, Held::new(), out);
                }
                None => self.load_failed(town, now, out),
            },
            Some(Busy::Writing(held)) => self.written(town, now, held, answers, out),
        }
    }

    fn work(
        &mut self,
        town: &Town,
        now: u64,
        mut first: Option<(Input, Option<Permit>)>,
        mut held: Held,
        out: &mut Events,
    ) {
        let mut is_closed = held.iter().any(|(step, _)| step.ends_batch());
        while !self.stale && !is_closed && held.len() < BATCH {
            let Some((input, permit)) = first.take().or_else(|| self.waiting.pop_front()) else {
                break;
            };
            let mut step = Step::default();
            self.account.handle(input, &town.scene(now), &mut step);
            Self::stage(step, permit, &mut held, out);
            is_closed = held.last().is_some_and(|(step, _)| step.ends_batch());
        }
        if let Some(input) = first {
            self.waiting.push_front(input);
        }
        self.ask(held, out);
    }

    /// Carries a step out as far as nothing before it waits for the store.
    fn stage(mut step: Step, permit: Option<Permit>, held: &mut Held, out: &mut Events) {
        if !held.is_empty() {
            for confirm in step.take_confirmed() {
                Self::perform(confirm, None, out);
            }
        }
        if held.is_empty() {
            for effect in step.effects.0.drain(..) {
                Self::perform(effect, permit.as_ref(), out);
            }
            if step.writes.is_empty() {
                return;
            }
        }
        held.push((step, permit));
    }

    /// Asks the store what has to be asked.
    fn ask(&mut self, held: Held, out: &mut Events) {
        if held.is_empty() {
            if self.stale {
                self.busy = Some(Busy::Loading);
                let job = Job {
                    load: true,
                    ..Job::default()
                };
                out.push((Event::Ask(job), None));
            }
            return;
        }
        let mut job = Job::default();
        for (write, _) in held.iter().flat_map(|(step, _)| &step.writes) {
            match &write.change {
                Change::Append(append) => job.append.push(append.to_message(&self.jid)),
                Change::Read(after) => job.read = Some(*after),
                Change::Roster(_) | Change::Data(_) | Change::Ask(_) | Change::Survey(_) => {}
            }
        }
        self.busy = Some(Busy::Writing(held));
        out.push((Event::Ask(job), None));
    }

    fn written(&mut self, town: &Town, now: u64, held: Held, answers: Answers, out: &mut Events) {
        let (mut appended, mut page) = (
            answers.appended.unwrap_or_default().into_iter(),
            answers.page,
        );
        let mut ready = Held::new();
        for (step, permit) in held {
            let mut next = Step::default();
            next.append(step.effects);
            for (write, after) in step.writes {
                let answer = match &write.change {
                    Change::Append(_) => match appended.next() {
                        Some(Appended::At(row) | Appended::Repeat(row)) => Stored::At(row),
                        Some(Appended::Fenced { .. }) | None => {
                            self.stale = true;
                            Stored::Failed
                        }
                    },
                    Change::Read(_) => page.take().map_or(Stored::Failed, Stored::Page),
                    Change::Roster(_) | Change::Data(_) | Change::Ask(_) | Change::Survey(_) => {
                        Stored::Failed
                    }
                };
                self.account
                    .stored(write, answer, &town.scene(now), &mut next);
                next.append(after);
            }
            ready.push((next, permit));
        }
        let mut held = Held::new();
        for (step, permit) in ready {
            Self::stage(step, permit, &mut held, out);
        }
        self.work(town, now, None, held, out);
    }

    /// Refuses what waits; what cannot be refused is handled with what is known.
    fn load_failed(&mut self, town: &Town, now: u64, out: &mut Events) {
        for (input, permit) in std::mem::take(&mut self.waiting) {
            if input.may_be_refused() {
                Self::refuse(input, permit, out);
                continue;
            }
            let mut step = Step::default();
            self.account.handle(input, &town.scene(now), &mut step);
            let effects = self.account.not_stored(step, &town.scene(now));
            for effect in effects.0 {
                Self::perform(effect, permit.as_ref(), out);
            }
        }
    }

    fn refuse(input: Input, permit: Option<Permit>, out: &mut Events) {
        let error = || Box::new(Condition::ResourceConstraint.into());
        let effect = match input {
            Input::Sent { session, stanza } => {
                if let Kind::Message(_) = stanza.kind {
                    out.push((Event::Accepted, None));
                }
                Effect::Return(session.id, stanza.with_from(session.jid), error())
            }
            Input::Received(stanza, _) => Effect::Bounce(stanza, error()),
            Input::Bind(bind) => Effect::Bound(bind.session, Err(error())),
            _ => return,
        };
        Self::perform(effect, permit.as_ref(), out);
    }

    fn perform(effect: Effect, permit: Option<&Permit>, out: &mut Events) {
        let event = match effect {
            Effect::Deliver(session, delivery) => Event::Deliver(session, delivery),
            Effect::Route(stanza) => return send(stanza, None, permit, out),
            Effect::PassOn(stanza, ingress) => return send(stanza, Some(ingress), permit, out),
            Effect::Bounce(stanza, error) => {
                if let Some(reply) = error_reply(&stanza, &error, out) {
                    send(reply, None, permit, out);
                }
                return;
            }
            Effect::Return(session, stanza, error) => {
                let Some(reply) = error_reply(&stanza, &error, out) else {
                    return;
                };
                settled(reply.kind, out);
                Event::Deliver(session, reply.into())
            }
            Effect::Accepted => Event::Accepted,
            Effect::Settled(kind, _) => return settled(kind, out),
            Effect::Confirm(rows) => Event::Confirm(rows),
            Effect::Bound(session, answer) => Event::Bound(session, answer.map(|bound| bound.jid)),
            Effect::Close(session, reason) => Event::Close(session, reason),
            Effect::Expire(session) => Event::Expire(session),
            Effect::Forget(session) => Event::Forget(session),
            // Nobody here has contacts, and no feature is asked.
            Effect::FanOut { .. }
            | Effect::Probe { .. }
            | Effect::Detached(_)
            | Effect::Resumed(_)
            | Effect::Later(..)
            | Effect::Results(..)
            | Effect::Unreadable
            | Effect::Limited(_)
            | Effect::End(_)
            | Effect::Online(_) => return,
        };
        out.push((event, permit.cloned()));
    }
}

fn send(stanza: Stanza, ingress: Option<IngressId>, permit: Option<&Permit>, out: &mut Events) {
    match stanza.to.as_ref().map(Jid::bare) {
        Some(to) => {
            let mail = Mail(Input::Received(stanza, ingress));
            out.push((Event::Send(to, mail), permit.cloned()));
        }
        None => settled(stanza.kind, out),
    }
}

fn error_reply(stanza: &Stanza, error: &StanzaError, out: &mut Events) -> Option<Stanza> {
    settled(stanza.kind, out);
    let reply = stanza.error_reply(error)?;
    if let Kind::Message(_) = reply.kind {
        out.push((Event::Accepted, None));
    }
    Some(reply)
}

fn settled(kind: Kind, out: &mut Events) {
    if let Kind::Message(_) = kind {
        out.push((Event::Settled, None));
    }
}
