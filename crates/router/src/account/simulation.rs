//! The home of an account without actors and time, for the simulation in `tests/simulation`.
//!
//! [`Home`] does around the account what a shard does (`shard/work.rs`): inputs wait while the store works, steps are
//! carried out in order behind their writes, and what the store leaves uncertain is read again. Whoever drives it
//! decides when the store answers, and what becomes of each [`Event`].

use std::collections::VecDeque;

use rookery_delivery::{BindTerms, Close, Delivery, Permit, Refusal, SessionId, SessionKey};
use rookery_extension::{Features, Hosts, Kept};
use rookery_stanza::{BareJid, Condition, Jid, Kind, RowId, Stanza, StanzaError, ns};
use rookery_storage::AccountState;
use rookery_storage::message_log::{Appended, IngressId, NewMessage, Row, Tail};

use super::{Account, Bind, Change, Effect, Input, Rules, Scene, Step, Stored};
use crate::config::Config;

/// As in a shard.
const BATCH: usize = 256;

/// What all homes know of the world around them.
#[derive(Debug)]
pub struct Town {
    rules: Rules,
}

/// Something that comes to a home.
#[derive(Debug)]
pub struct Mail(Input);

/// Something that a home wants done, or says that it did.
#[derive(Debug)]
pub enum Event {
    /// Hand this to a session.
    Deliver(SessionId, Delivery),
    /// Bring this to the home of an account.
    Send(BareJid, Mail),
    /// Ask the store.
    Ask(Job),
    /// Have the log forget that these rows are owed.
    Confirm(Vec<RowId>),
    /// A request to bind is answered.
    Bound(SessionId, Result<Jid, Box<StanzaError>>),
    /// Ask a session to end.
    Close(SessionId, Close),
    /// Bring [`Mail::expired`] when the session had its time to unbind.
    Expire(SessionId),
    /// The session is no longer bound.
    Forget(SessionId),
    /// A message was taken up.
    Accepted,
    /// A message has left.
    Settled,
}

/// What a home asks the store for, in this order.
#[derive(Clone, Debug, Default)]
pub struct Job {
    /// The end of its log.
    pub load: bool,
    /// These are to be appended.
    pub append: Vec<NewMessage>,
    /// A page of what is owed, after this row.
    #[expect(
        clippy::option_option,
        reason = "whether it reads, and after which row, if after one"
    )]
    pub read: Option<Option<RowId>>,
}

/// What the store answers; nothing to what failed.
#[derive(Debug, Default)]
pub struct Answers {
    /// The end of the log.
    pub tail: Option<Tail>,
    /// What came of each message.
    pub appended: Option<Vec<Appended>>,
    /// The page.
    pub page: Option<Vec<Row>>,
}

/// A session, as its home sees it.
#[derive(Debug)]
pub struct Seat {
    /// Which.
    pub id: SessionId,
    /// Its full JID.
    pub jid: Jid,
    /// It gets copies (XEP-0280).
    pub carbons: bool,
    /// It gets nothing more.
    pub held: bool,
    /// It is behind the cursor of a replay.
    pub behind: bool,
}

/// Events, each with the credit of whoever caused it.
pub type Events = Vec<(Event, Option<Permit>)>;

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

// === impl Town ===

impl Town {
    /// With these settings, hosts and features.
    pub fn new(config: Config, hosts: Hosts, features: Features) -> Self {
        let rules = Rules {
            config,
            hosts,
            features,
        };
        Self { rules }
    }

    fn scene(&self, now: u64) -> Scene<'_> {
        let rules = &self.rules;
        Scene {
            rules,
            now,
            promised: true,
        }
    }
}

// === impl Mail ===

impl Mail {
    /// A client of the account sent this.
    pub fn sent(session: SessionKey, stanza: Stanza) -> Self {
        Self(Input::Sent { session, stanza })
    }

    /// A client asks for a resource.
    pub fn bind(session: SessionId, resource: &str, terms: BindTerms) -> Self {
        Self(Input::Bind(Bind {
            session,
            resource: Some(resource.to_owned()),
            random: format!("random-{}", session.0),
            terms,
        }))
    }

    /// A session has ended.
    pub fn unbound(session: SessionKey, undelivered: Vec<Delivery>) -> Self {
        Self(Input::Unbound {
            session,
            undelivered,
        })
    }

    /// A session has lost its connection, and this waits with it.
    pub fn detached(session: SessionId, waiting: Vec<Delivery>) -> Self {
        Self(Input::Detached { session, waiting })
    }

    /// A session has a connection again.
    pub fn resumed(session: SessionId) -> Self {
        Self(Input::Resumed(session))
    }

    /// A client has these rows.
    pub fn confirmed(session: SessionId, rows: Vec<RowId>) -> Self {
        Self(Input::Confirmed { session, rows })
    }

    /// A session did not take this.
    pub fn refused(session: SessionId, why: Refusal, batch: Vec<Delivery>) -> Self {
        Self(Input::Refused {
            session,
            why,
            batch,
        })
    }

    /// A session had its time to unbind.
    pub fn expired(session: SessionId) -> Self {
        Self(Input::Expired(session))
    }

    /// How many messages are in flight as long as this has not been handled.
    pub fn messages(&self) -> i64 {
        self.0.messages()
    }

    /// Whether this means something to an account without sessions. What does not is dropped.
    pub fn concerns_absent(&self) -> bool {
        self.0.concerns_absent()
    }

    /// What comes for the account.
    pub fn received(&self) -> Option<&Stanza> {
        match &self.0 {
            Input::Received(stanza, _) => Some(stanza),
            _ => None,
        }
    }
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
        while !self.stale
            && !held.last().is_some_and(|(step, _)| step.ends_batch())
            && held.len() < BATCH
        {
            let Some((input, permit)) = first.take().or_else(|| self.waiting.pop_front()) else {
                break;
            };
            let mut step = Step::default();
            self.account.handle(input, &town.scene(now), &mut step);
            Self::stage(step, permit, &mut held, out);
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
