//! The server: homes, sessions and the log, with queues between them in which everything can wait.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt as _;
use rookery_delivery::{BindTerms, Budget, Delivery, Permit, Refusal, SessionId, SessionKey};
use rookery_router::simulation::{Answers, Event, Events, Home, Job, Mail, Seat, Town};
use rookery_session::stream_management::{Asker, Failed, Former, SmId, may_resume};
use rookery_stanza::{BareJid, Condition, Jid, RowId, Stanza, StanzaError};
use rookery_storage::message_log::{Appended, NewMessage};
use rookery_telemetry::{Gauge, Registry};
use tokio::time::Instant;

use crate::disk::Disk;
use crate::hazard::{Hazard, Hazards};
use crate::mutant::Mutant;
use crate::promises::{Promises, StreamId};
use crate::random::Random;
use crate::reading;
use crate::session::{LIMITS, Link, Out, Scene, Session, ToConnection, ToSession, is_answer};

/// Inputs that wait for one home at most; a session is told when there are more.
const MAILBOX: usize = 48;

/// How long a session has to unbind, in milliseconds.
const UNBIND: u64 = 10_000;

/// How long the store may take, and how long a stanza may wait before, in milliseconds.
const PATIENCE: u64 = 15_000;

/// What has to be there all the while.
pub(crate) struct Ground<'a> {
    pub(crate) now: u64,
    pub(crate) instant: Instant,
    pub(crate) town: &'a Town,
    pub(crate) mutant: Option<Mutant>,
    pub(crate) random: &'a mut Random,
    pub(crate) hazards: &'a mut Hazards,
    pub(crate) promises: &'a mut Promises,
    pub(crate) disk: &'a mut Disk,
    /// The store fails now and then.
    pub(crate) failing: bool,
}

/// A question to the store.
#[derive(Debug)]
pub(crate) enum Asked {
    Waits(Job),
    /// It was done; the answer is on its way.
    Done(Job, Answers),
}

/// What a stream is to those who want to resume it.
#[derive(Debug)]
enum Known {
    Open(BareJid, SessionId),
    Over(BareJid, u32),
}

/// Everything that a crash takes away.
#[derive(Debug)]
pub(crate) struct Node {
    queued: Gauge,
    homes: BTreeMap<BareJid, Home>,
    pub(crate) mail: BTreeMap<BareJid, VecDeque<(Mail, Option<Permit>)>>,
    pub(crate) asked: BTreeMap<BareJid, Asked>,
    /// Accounts whose question the store does not answer, and when it was asked.
    hangs: BTreeMap<BareJid, u64>,
    pub(crate) confirms: VecDeque<(BareJid, Vec<RowId>)>,
    pub(crate) sessions: BTreeMap<SessionId, Session>,
    /// Sessions that homes have.
    ports: BTreeSet<SessionId>,
    /// Sessions that wait for their resource, and what homes have handed them already.
    binding: BTreeMap<SessionId, Vec<Delivery>>,
    expiring: Vec<(u64, BareJid, SessionId)>,
    streams: BTreeMap<SmId, Known>,
    /// For the connections.
    pub(crate) told: VecDeque<(Link, ToConnection)>,
    homes_ever: u64,
    sessions_ever: u64,
}

impl Node {
    /// One that has just started. Homes and sessions have numbers that no earlier one had.
    pub(crate) fn new(homes_ever: u64, sessions_ever: u64) -> Self {
        Self {
            queued: Registry::new().gauge("session_queue_bytes", "How many wait?"),
            homes: BTreeMap::new(),
            mail: BTreeMap::new(),
            asked: BTreeMap::new(),
            hangs: BTreeMap::new(),
            confirms: VecDeque::new(),
            sessions: BTreeMap::new(),
            ports: BTreeSet::new(),
            binding: BTreeMap::new(),
            expiring: Vec::new(),
            streams: BTreeMap::new(),
            told: VecDeque::new(),
            homes_ever,
            sessions_ever,
        }
    }

    /// What is left of it after a crash.
    pub(crate) fn crash(&mut self, ground: &mut Ground<'_>) {
        ground.hazards.met(Hazard::Crash);
        for (account, asked) in std::mem::take(&mut self.asked) {
            match asked {
                Asked::Waits(job) if !job.append.is_empty() => {
                    ground.hazards.met(Hazard::CrashWithAppendUnanswered);
                    let survives = ground.random.happens(500);
                    if survives {
                        ground.disk.append(job.append, true);
                    }
                    ground.hazards.met(if survives {
                        Hazard::UnansweredAppendSurvived
                    } else {
                        Hazard::UnansweredAppendLost
                    });
                }
                Asked::Done(job, _) if job.append.iter().any(|one| is_owed(one, &account)) => {
                    ground.hazards.met(Hazard::CrashBetweenAppendAndDelivery);
                }
                _ => {}
            }
        }
        for (account, rows) in std::mem::take(&mut self.confirms) {
            if ground.random.happens(500) {
                ground.disk.confirm(&account, rows);
            } else {
                ground.hazards.met(Hazard::ConfirmLostInCrash);
            }
        }
        for (mail, _) in self.mail.values().flatten() {
            let message = mail.received().filter(|stanza| !stanza.is_error());
            if mail.messages() > 0 && message.is_some() {
                ground.hazards.met(Hazard::CrashBetweenTheRowsOfBothSides);
            }
        }
        ground.promises.check_copies(false);
        ground.disk.crash();
        (ground.promises.accepted, ground.promises.settled) = (0, 0);
        *self = Self::new(self.homes_ever, self.sessions_ever);
    }

    /// A client asks for a resource.
    pub(crate) fn bind(&mut self, jid: &Jid, carbons: bool, link: Link) -> SessionId {
        self.sessions_ever += 1;
        let id = SessionId(self.sessions_ever);
        let budget = Arc::new(Budget::new(LIMITS.bytes, self.queued.clone()));
        let session = Session::new(id, jid.bare(), link, budget);
        self.sessions.insert(id, session);
        self.binding.insert(id, Vec::new());
        let terms = BindTerms {
            carbons,
            ..BindTerms::default()
        };
        let mail = Mail::bind(id, jid.resource().unwrap_or_default(), terms);
        self.post(&jid.bare(), mail, None);
        id
    }

    /// A client wants to resume a stream.
    pub(crate) fn resume(
        &mut self,
        account: &BareJid,
        id: &SmId,
        handled: u32,
        link: Link,
        ground: &mut Ground<'_>,
    ) {
        let known = self.streams.get(id);
        let former = match known {
            None => Former::Unknown,
            Some(Known::Open(account, _)) => Former::Resumable { account },
            Some(Known::Over(account, handled)) => Former::Expired {
                account,
                handled: *handled,
            },
        };
        let asker = Asker {
            account: Some(account),
            bound: false,
        };
        let failed = match (may_resume(asker, former), known) {
            (Ok(()), Some(Known::Open(_, session))) => {
                if let Some(session) = self.sessions.get_mut(session) {
                    session
                        .inbox
                        .push_back(ToSession::Takeover { link, handled });
                    return;
                }
                Failed::new(Condition::ItemNotFound)
            }
            (Ok(()), _) => Failed::new(Condition::ItemNotFound),
            (Err(failed), _) => {
                ground.hazards.met(Hazard::ResumeAfterExpiry);
                failed
            }
        };
        self.told
            .push_back((link, ToConnection::NotResumed(Some(failed))));
    }

    fn post(&mut self, account: &BareJid, mail: Mail, permit: Option<Permit>) {
        let mailbox = self.mail.entry(account.clone()).or_default();
        mailbox.push_back((mail, permit));
    }

    /// How many messages lie in homes and on the way between them.
    pub(crate) fn in_flight(&self) -> i64 {
        let at_homes = self.homes.values().map(Home::messages);
        let mailed = self
            .mail
            .values()
            .flatten()
            .map(|(mail, _)| mail.messages());
        at_homes.sum::<i64>() + mailed.sum::<i64>()
    }

    /// A home takes the next thing out of its mailbox.
    pub(crate) fn take_mail(&mut self, account: &BareJid, ground: &mut Ground<'_>) {
        let overtakes = ground.mutant == Some(Mutant::Overtake) && ground.random.happens(300);
        let mailbox = self.mail.entry(account.clone()).or_default();
        let mail = if overtakes {
            mailbox.pop_back()
        } else {
            mailbox.pop_front()
        };
        let Some((mail, permit)) = mail else {
            return;
        };
        ground
            .promises
            .note(|| format!("   {account} takes {mail:?}"));
        let error = mail.received().filter(|stanza| stanza.is_error());
        if let Some(number) = error.and_then(reading::number) {
            told(number, ground);
        }
        if !self.homes.contains_key(account) {
            if !mail.concerns_absent() {
                ground.promises.settled += mail.messages();
                return;
            }
            self.homes_ever += 1;
            let home = Home::new(account.clone(), self.homes_ever);
            self.homes.insert(account.clone(), home);
        }
        let mut events = Events::new();
        if let Some(home) = self.homes.get_mut(account) {
            home.take(ground.town, ground.now, (mail, permit), &mut events);
        }
        self.perform(account, events, ground);
    }

    /// Idle homes are let go.
    pub(crate) fn let_go(&mut self, ground: &mut Ground<'_>) {
        let before = self.homes.len();
        self.homes.retain(|account, home| {
            let confirms = self.confirms.iter().any(|(of, _)| of == account);
            confirms || !home.is_idle()
        });
        let gone = before - self.homes.len();
        ground.hazards.times(Hazard::HomeLetGo, gone as u64);
    }

    /// The store does what an account asks for.
    pub(crate) fn store(&mut self, account: &BareJid, ground: &mut Ground<'_>) {
        let Some(Asked::Waits(job)) = self.asked.remove(account) else {
            return;
        };
        let mut answers = Answers::default();
        let mut fails = || ground.failing && ground.random.happens(250);
        let (load_fails, append_fails, read_fails) = (fails(), fails(), fails());
        if job.load && load_fails {
            ground.hazards.met(Hazard::LoadFailed);
        } else if job.load {
            answers.tail = Some(ground.disk.tail(account));
        }
        if !job.append.is_empty() {
            if append_fails {
                ground.hazards.met(Hazard::AppendFailed);
                if ground.random.happens(400) {
                    ground.hazards.met(Hazard::FailedAppendWasMade);
                    ground.disk.append(job.append.clone(), true);
                    ground.promises.late(account, ground.disk);
                }
            } else {
                answers.appended = Some(ground.disk.append(job.append.clone(), true));
            }
        }
        if let Some(after) = job.read {
            // Nothing that is being confirmed is read.
            if self.confirms.iter().any(|(of, _)| of == account) {
                ground.hazards.met(Hazard::ReadWhileConfirming);
            }
            while let Some(at) = self.confirms.iter().position(|(of, _)| of == account) {
                self.confirm(at, ground);
            }
            if read_fails {
                ground.hazards.met(Hazard::ReadFailed);
                ground.promises.late(account, ground.disk);
            } else {
                answers.page = Some(ground.disk.page(account, after));
            }
        }
        self.asked
            .insert(account.clone(), Asked::Done(job, answers));
    }

    /// The log notes that rows are not owed any more.
    pub(crate) fn confirm(&mut self, at: usize, ground: &mut Ground<'_>) {
        let Some((account, rows)) = self.confirms.remove(at) else {
            return;
        };
        if ground.failing && ground.random.happens(600) {
            ground.hazards.met(Hazard::ConfirmFailed);
            if let Some(home) = self.homes.get_mut(&account)
                && ground.mutant != Some(Mutant::ForgetRefusedConfirmation)
            {
                home.not_noted(rows);
            }
            return;
        }
        ground.promises.confirmed(&account, &rows);
        if ground.mutant != Some(Mutant::ForgetConfirmation) {
            ground.disk.confirm(&account, rows);
        }
    }

    /// Whether the store answers this account at all.
    pub(crate) fn is_answered(&self, account: &BareJid) -> bool {
        !self.hangs.contains_key(account)
    }

    /// What waits for a store that does not answer goes back to its sender in time. Whether the store does what it was
    /// asked for, nobody knows.
    pub(crate) fn time_out(&mut self, ground: &mut Ground<'_>) {
        if ground.mutant == Some(Mutant::WaitForEver) {
            return;
        }
        let over = |(_, since): &(&BareJid, &u64)| **since + PATIENCE <= ground.now;
        let over = self.hangs.iter().filter(over);
        let over: Vec<BareJid> = over.map(|(account, _)| account.clone()).collect();
        for account in over {
            self.hangs.remove(&account);
            let Some(Asked::Waits(job)) = self.asked.remove(&account) else {
                continue;
            };
            ground.hazards.met(Hazard::StoreHung);
            if !job.append.is_empty() && ground.random.happens(400) {
                ground.hazards.met(Hazard::FailedAppendWasMade);
                ground.disk.append(job.append.clone(), true);
            }
            ground.promises.late(&account, ground.disk);
            let before = ground
                .instant
                .into_std()
                .checked_sub(Duration::from_millis(PATIENCE));
            let mut events = Events::new();
            if let (Some(home), Some(before)) = (self.homes.get_mut(&account), before) {
                let refused = home.refuse_overdue(before, &mut events);
                ground.hazards.times(Hazard::WaitedTooLong, refused as u64);
            }
            self.perform(&account, events, ground);
            let asked = Asked::Done(job, Answers::default());
            self.asked.insert(account.clone(), asked);
            self.store_answered(&account, ground);
        }
    }

    /// Accounts of which the log could not note what clients have.
    pub(crate) fn unnoted(&self) -> impl Iterator<Item = &BareJid> {
        // Not while something is read: what is noted in between would be handed over again.
        let idle = |(account, _): &(&BareJid, &Home)| !self.asked.contains_key(*account);
        let homes = self.homes.iter().filter(idle);
        homes.filter_map(|(account, home)| (!home.unnoted().is_empty()).then_some(account))
    }

    /// The log is asked once more to note what it could not.
    pub(crate) fn confirm_again(&mut self, account: &BareJid, ground: &mut Ground<'_>) {
        let Some(home) = self.homes.get_mut(account) else {
            return;
        };
        if ground.failing && ground.random.happens(200) {
            return;
        }
        ground.hazards.met(Hazard::ConfirmedAgain);
        let rows = home.unnoted();
        home.noted(&rows);
        ground.promises.confirmed(account, &rows);
        ground.disk.confirm(account, rows);
    }

    /// The store's answer comes to a home.
    pub(crate) fn store_answered(&mut self, account: &BareJid, ground: &mut Ground<'_>) {
        let Some(Asked::Done(job, mut answers)) = self.asked.remove(account) else {
            return;
        };
        let Some(home) = self.homes.get_mut(account) else {
            return;
        };
        if let Some(page) = &mut answers.page {
            match ground.mutant {
                Some(Mutant::SkipRow) if page.len() > 1 => drop(page.remove(0)),
                Some(Mutant::SecondId) => {
                    for row in page {
                        row.id = RowId::from_halves(row.id.order(), row.id.salt() ^ 1);
                    }
                }
                _ => {}
            }
        }
        let seats = home.seats();
        let appended = answers.appended.clone().unwrap_or_default();
        let mut events = Events::new();
        home.answered(ground.town, ground.now, answers, &mut events);
        mutate(&mut events, ground);
        let rows = job.append.iter().zip(&appended);
        for (message, _) in rows.filter(|(_, row)| !matches!(row, Appended::Fenced { .. })) {
            expect_copies(account, message, &seats, ground);
        }
        self.perform(account, events, ground);
    }

    /// A session hears whether it has its resource: what it was handed before.
    fn bound(&mut self, id: SessionId, answer: Result<Jid, StanzaError>) -> Vec<Delivery> {
        if answer.is_ok() {
            self.ports.insert(id);
        }
        if let Some(session) = self.sessions.get_mut(&id) {
            session.inbox.push_back(ToSession::Bound(answer));
        }
        self.binding.remove(&id).unwrap_or_default()
    }

    /// Does what a home wants done.
    fn perform(&mut self, account: &BareJid, events: Events, ground: &mut Ground<'_>) {
        let mut refused: Vec<(SessionId, Refusal, Delivery)> = Vec::new();
        for (event, permit) in events {
            ground.promises.note(|| format!("   {account}: {event:?}"));
            match event {
                Event::Deliver(session, delivery) => {
                    note_delivery(account, session, &delivery, ground);
                    let refusal = self.deliver(session, delivery, ground).err();
                    refused.extend(refusal.map(|back| (session, back.0, back.1)));
                }
                Event::Send(to, mail) => self.send(&to, mail, permit, ground),
                Event::Ask(job) => self.ask(account, job, ground),
                Event::Confirm(rows) => self.confirms.push_back((account.clone(), rows)),
                Event::Bound(session, answer) => {
                    let early = self.bound(session, answer.map_err(|error| *error));
                    for delivery in early {
                        ground.hazards.met(Hazard::HandedWhileBinding);
                        let refusal = self.deliver(session, delivery, ground).err();
                        refused.extend(refusal.map(|back| (session, back.0, back.1)));
                    }
                }
                Event::Close(session, _) => {
                    ground.hazards.met(Hazard::ResourceTaken);
                    if let Some(session) = self.sessions.get_mut(&session)
                        && !std::mem::replace(&mut session.closing, true)
                    {
                        session.inbox.push_back(ToSession::End);
                    }
                }
                Event::Expire(session) => {
                    let until = ground.now + UNBIND;
                    self.expiring.push((until, account.clone(), session));
                }
                Event::Forget(session) => {
                    self.ports.remove(&session);
                    if let Some(session) = self.sessions.get_mut(&session) {
                        session.inbox.push_back(ToSession::Released);
                    }
                }
                Event::Accepted => ground.promises.accepted += 1,
                Event::Settled => {
                    let forgets = ground.mutant == Some(Mutant::ForgetToSettle);
                    if !(forgets && ground.random.happens(50)) {
                        ground.promises.settled += 1;
                    }
                }
            }
        }
        for (session, why, delivery) in refused {
            let mut events = Events::new();
            let mail = Mail::refused(session, why, vec![delivery]);
            if let Some(home) = self.homes.get_mut(account) {
                home.take(ground.town, ground.now, (mail, None), &mut events);
            }
            self.perform(account, events, ground);
        }
    }

    fn ask(&mut self, account: &BareJid, job: Job, ground: &mut Ground<'_>) {
        let early = ground.mutant == Some(Mutant::AnswerBeforeDurable) && !job.append.is_empty();
        let asked = if early {
            let appended = Some(ground.disk.append(job.append.clone(), false));
            let answers = Answers {
                appended,
                page: job.read.map(|after| ground.disk.page(account, after)),
                tail: None,
            };
            Asked::Done(job, answers)
        } else {
            if ground.failing && ground.random.happens(30) {
                self.hangs.insert(account.clone(), ground.now);
            }
            Asked::Waits(job)
        };
        self.asked.insert(account.clone(), asked);
    }

    fn send(&mut self, to: &BareJid, mail: Mail, permit: Option<Permit>, ground: &mut Ground<'_>) {
        let is_message = mail.messages() > 0;
        let permit = permit.filter(|_| ground.mutant != Some(Mutant::CountTooEarly));
        if is_message && ground.mutant == Some(Mutant::DropMessage) && ground.random.happens(50) {
            return;
        }
        self.post(to, mail, permit);
    }

    fn deliver(
        &mut self,
        id: SessionId,
        delivery: Delivery,
        ground: &mut Ground<'_>,
    ) -> Result<(), Box<(Refusal, Delivery)>> {
        if let Some(early) = self.binding.get_mut(&id) {
            early.push(delivery);
            return Ok(());
        }
        let session = self
            .sessions
            .get_mut(&id)
            .filter(|_| self.ports.contains(&id));
        let Some(session) = session else {
            return Err(Box::new((Refusal::Gone, delivery)));
        };
        let is_full = !session.budget.take(delivery.stanza.size());
        if is_full && ground.mutant != Some(Mutant::NoBound) {
            ground.hazards.met(Hazard::QueueOfSessionFull);
            return Err(Box::new((Refusal::Busy, delivery)));
        }
        let is_answer = delivery.stanza.is_error() && reading::number(&delivery.stanza).is_some();
        if is_answer && ground.mutant == Some(Mutant::AnswerTwice) {
            session
                .inbox
                .push_back(ToSession::Deliver(vec![delivery.clone()]));
        }
        session.inbox.push_back(ToSession::Deliver(vec![delivery]));
        Ok(())
    }

    /// A session takes the next thing out of its mailbox.
    pub(crate) fn take_inbox(&mut self, id: SessionId, ground: &mut Ground<'_>) {
        let next = self
            .sessions
            .get_mut(&id)
            .and_then(|session| session.inbox.pop_front());
        if let Some(next) = next {
            self.session(id, next, ground);
        }
    }

    fn session(&mut self, id: SessionId, what: ToSession, ground: &mut Ground<'_>) {
        let mut scene = Scene {
            now: ground.now,
            instant: ground.instant,
            mutant: ground.mutant,
            hazards: ground.hazards,
            out: Vec::new(),
        };
        let Some(session) = self.sessions.get_mut(&id) else {
            return;
        };
        let account = session.account.clone();
        session.handle(what, &mut scene);
        for out in scene.out {
            match out {
                Out::Connection(link, what) => self.told.push_back((link, what)),
                Out::Submit(key, stanza, permit) => self.submit(key, stanza, permit, ground),
                Out::Confirm(key, rows) => {
                    self.post(&account, Mail::confirmed(key.id, rows), None);
                }
                Out::Unbind(key, undelivered) => {
                    self.post(&account, Mail::unbound(key, undelivered), None);
                }
                Out::Detached(key, waiting) => {
                    self.post(&account, Mail::detached(key.id, waiting), None);
                }
                Out::Resumed(key) => self.post(&account, Mail::resumed(key.id), None),
                Out::Open(stream) => {
                    let known = Known::Open(account.clone(), id);
                    self.streams.insert(stream, known);
                }
                Out::Close(stream, handled) => {
                    let known = Known::Over(account.clone(), handled);
                    self.streams.insert(stream, known);
                }
            }
        }
    }

    fn submit(&mut self, key: SessionKey, stanza: Stanza, permit: Permit, ground: &mut Ground<'_>) {
        let account = key.jid.bare();
        let number = reading::number(&stanza);
        ground
            .promises
            .note(|| format!("   {key:?} submits {number:?}"));
        let request = number.and_then(|number| ground.promises.requests.get_mut(&number));
        if let Some(request) = request {
            request.read = true;
            request.left_to_client &= !is_answer(&stanza);
        }
        let waiting = self.mail.get(&account).map_or(0, VecDeque::len);
        if waiting < MAILBOX {
            return self.post(&account, Mail::sent(key, stanza), Some(permit));
        }
        ground.hazards.met(Hazard::QueueOfHomeFull);
        if is_answer(&stanza) {
            if let Some(session) = self.sessions.get_mut(&key.id) {
                session.inbox.push_back(ToSession::Again(stanza, permit));
            }
            return;
        }
        if let Some(number) = number {
            told(number, ground);
        }
        let mut scene = Scene {
            now: ground.now,
            instant: ground.instant,
            mutant: ground.mutant,
            hazards: ground.hazards,
            out: Vec::new(),
        };
        if let Some(session) = self.sessions.get_mut(&key.id) {
            session.overloaded(&stanza, &mut scene);
        }
        for out in scene.out {
            if let Out::Connection(link, what) = out {
                self.told.push_back((link, what));
            }
        }
    }

    /// Tells sessions what has settled, and what is due.
    pub(crate) fn wake(&mut self, now: u64, instant: Instant) {
        for session in self.sessions.values_mut() {
            let settlements = session.settlements();
            let settled = settlements.and_then(|settlements| settlements.next().now_or_never());
            session.inbox.extend(settled.map(ToSession::Settled));
            let is_told = |what: &ToSession| matches!(what, ToSession::Expired | ToSession::Due);
            if !session.inbox.iter().any(is_told) {
                session.inbox.extend(session.due(now, instant));
            }
        }
        let due = |(until, ..): &(u64, BareJid, SessionId)| *until <= now;
        let (over, left) = std::mem::take(&mut self.expiring)
            .into_iter()
            .partition(due);
        self.expiring = left;
        for (_, account, session) in over {
            self.post(&account, Mail::expired(session), None);
        }
        let inboxes = &self.ports;
        self.sessions.retain(|id, session| {
            !session.is_over() || !session.inbox.is_empty() || inboxes.contains(id)
        });
    }

    /// Nothing is larger than it may be.
    pub(crate) fn check(&self, waiting: usize, promises: &mut Promises) {
        for home in self.homes.values() {
            promises.bounded("the queue of a home", home.waiting(), waiting + MAILBOX);
        }
        for session in self.sessions.values() {
            let (stanzas, bytes) = session.queued();
            promises.bounded("the queue of a session", stanzas, LIMITS.stanzas + 1);
            promises.bounded("the budget of a session", bytes, LIMITS.bytes);
        }
    }
}

/// The sender of a message was told that it could not be delivered.
fn told(number: u64, ground: &mut Ground<'_>) {
    if let Some(message) = ground.promises.messages.get_mut(&number) {
        message.told = true;
    }
}

fn is_owed(message: &NewMessage, account: &BareJid) -> bool {
    let mut own = message.rows.iter().filter(|row| row.account == *account);
    own.any(|row| row.purpose.is_owed())
}

/// Makes the mistakes that a home could make.
fn mutate(events: &mut Events, ground: &mut Ground<'_>) {
    let carbon = |event: &Event| match event {
        Event::Deliver(_, delivery) => reading::carbon(&delivery.stanza).is_some(),
        _ => false,
    };
    let Some(at) = events.iter().position(|(event, _)| carbon(event)) else {
        return;
    };
    let again = match &events[at].0 {
        Event::Deliver(session, delivery) => (*session, delivery.clone()),
        _ => return,
    };
    match ground.mutant {
        Some(Mutant::CopyTwice) => events.push((Event::Deliver(again.0, again.1), None)),
        Some(Mutant::LoseCopy) => drop(events.remove(at)),
        Some(Mutant::CopyToRecipient) => {
            let direct = events.iter().find_map(|(event, _)| match event {
                Event::Deliver(session, delivery) if delivery.custody.row().is_some() => {
                    Some((*session, delivery.stanza.to.clone()))
                }
                _ => None,
            });
            if let Some((session, _)) = direct {
                events.push((Event::Deliver(session, again.1), None));
            }
        }
        _ => {}
    }
}

/// Notes who shall get copies of a message that is in the log now (XEP-0280 §7, §8).
fn expect_copies(account: &BareJid, message: &NewMessage, seats: &[Seat], ground: &mut Ground<'_>) {
    let Some(number) = reading::number_in(&message.payload) else {
        return;
    };
    let Some(sent) = ground.promises.messages.get(&number) else {
        return;
    };
    let row = message.rows.first();
    let routed = row.and_then(|row| row.purpose.routed()).unwrap_or_default();
    let is_routed = |seat: &&Seat| {
        let resource = seat.jid.resource();
        routed.iter().any(|routed| resource == Some(routed))
    };
    let is_received = sent.to == *account;
    if is_received && seats.iter().any(|seat| seat.behind) {
        ground.hazards.met(Hazard::NewMessageDuringReplay);
    }
    if is_received && routed.is_empty() && !seats.is_empty() {
        ground.hazards.met(Hazard::MessageForNegativePriority);
    }
    if routed.len() > 1 {
        ground.hazards.met(Hazard::RowHandedToSeveral);
    }
    let wants = |seat: &&Seat| {
        let is_sender = seat.jid == sent.from_jid;
        sent.is_copied && seat.carbons && !seat.held && !is_sender && !is_routed(seat)
    };
    let id = |seat: &Seat| StreamId(seat.id.0);
    let expected = seats.iter().filter(wants).map(id).collect();
    let routed = seats.iter().filter(is_routed).map(id).collect();
    let copied = ground.promises.copied.entry((account.clone(), number));
    let copied = copied.or_default();
    (copied.expected, copied.routed) = (expected, routed);
}

/// A home hands something to a session.
fn note_delivery(
    account: &BareJid,
    session: SessionId,
    delivery: &Delivery,
    ground: &mut Ground<'_>,
) {
    let number = reading::number(&delivery.stanza);
    let to = StreamId(session.0);
    if reading::carbon(&delivery.stanza).is_some() && !reading::is_of_error(&delivery.stanza) {
        let number = reading::number_in(delivery.stanza.payload()).unwrap_or_default();
        ground.promises.copied(account, number, to);
        ground.hazards.met(Hazard::CarbonCopy);
    }
    if let (Some(_), Some(row)) = (number, reading::row(&delivery.stanza, account)) {
        ground.promises.given(to, row);
    }
    if let (Some(row), Some(number)) = (delivery.custody.row(), number) {
        let copied = ground.promises.copied.get_mut(&(account.clone(), number));
        // What is left when nobody whom it was for is there comes to another, who may have a copy.
        let is_left = delivery.stanza.has("delay", "urn:xmpp:delay");
        if let Some(copied) = copied
            && !is_left
        {
            copied.direct.insert(to);
        }
        ground
            .promises
            .handed(account, to, (number, row), ground.disk);
        if delivery.stanza.has("delay", "urn:xmpp:delay") {
            ground.hazards.met(Hazard::ReplayedWithDelay);
        }
    }
    if let (true, Some(number)) = (delivery.stanza.is_error(), number) {
        let limited = delivery.stanza.child("error", rookery_stanza::ns::CLIENT);
        let is_offline = limited.is_ok_and(|error| {
            error.is_some_and(|error| {
                error
                    .child("service-unavailable", rookery_stanza::ns::STANZA_ERRORS)
                    .is_some()
            })
        });
        if is_offline && ground.promises.messages.contains_key(&number) {
            ground.hazards.met(Hazard::OfflineQueueFull);
        }
        told(number, ground);
    }
}
