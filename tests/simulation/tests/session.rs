//! The session of a client on the server: the cores of `rookery-session`, and around them, without actors, what
//! `actor.rs` and `managed.rs` there do.

use std::collections::VecDeque;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use rookery_delivery::{Budget, Custody, Delivery, Permit, SessionId, SessionKey, Settlements};
use rookery_session::stream_management::{
    Due, Effect, Enable, Failed, Limits, Reply, Resumable, ResumeError, SmId, StreamManagement,
};
use rookery_stanza::{BareJid, Condition, Jid, Kind, RowId, Stanza, StanzaError};
use tokio::time::Instant;

use crate::hazard::{Hazard, Hazards};
use crate::mutant::Mutant;
use crate::reading;

/// Names a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Link(pub(crate) u64);

/// How much may wait for one client.
pub(crate) const LIMITS: Limits = Limits {
    stanzas: 100,
    bytes: 64 * 1024,
    ask_after_stanzas: 4,
    answer_within: Duration::from_secs(60),
    ask_again_after: Duration::from_secs(10),
};

/// For how many seconds a stream can be resumed.
const MAX: u32 = 600;

/// What the client says.
#[derive(Debug)]
pub(crate) enum Said {
    Stanza(Stanza),
    Enable,
    Request,
    Answer(u32),
}

/// What comes to a session.
#[derive(Debug)]
pub(crate) enum ToSession {
    FromClient(Link, Vec<(Said, Permit)>),
    /// An answer that the home was too busy for.
    Again(Stanza, Permit),
    Bound(Result<Jid, StanzaError>),
    Deliver(Vec<Delivery>),
    End,
    Released,
    Closed {
        link: Link,
        undelivered: Vec<Delivery>,
        finished: bool,
    },
    Takeover {
        link: Link,
        handled: u32,
    },
    Settled(Vec<Range<u64>>),
    Written(Vec<RowId>),
    Expired,
    Due,
}

/// What a session tells its connection.
#[derive(Debug)]
pub(crate) enum ToConnection {
    Bound(Result<SessionKey, StanzaError>),
    Deliver(Delivery),
    Kept(Delivery),
    Reply(Reply),
    Resumed(SessionId, Reply),
    NotResumed(Option<Failed>),
    Close,
    Abandon,
}

/// What a session tells others.
#[derive(Debug)]
pub(crate) enum Out {
    Connection(Link, ToConnection),
    Submit(SessionKey, Stanza, Permit),
    Confirm(SessionKey, Vec<RowId>),
    Unbind(SessionKey, Vec<Delivery>),
    /// It has no connection, and this waits with it.
    Detached(SessionKey, Vec<Delivery>),
    /// It has a connection again.
    Resumed(SessionKey),
    /// The stream can be resumed from now on.
    Open(SmId),
    /// It cannot any more, and so many stanzas were handled.
    Close(SmId, u32),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Attachment {
    Connected(Link),
    Detached,
    Ending(Link),
    Over,
}

/// The time, and what else a session has to know.
pub(crate) struct Scene<'a> {
    pub(crate) now: u64,
    pub(crate) instant: Instant,
    pub(crate) mutant: Option<Mutant>,
    pub(crate) hazards: &'a mut Hazards,
    pub(crate) out: Vec<Out>,
}

/// A session.
#[derive(Debug)]
pub(crate) struct Session {
    pub(crate) account: BareJid,
    core: rookery_session::Session,
    managed: Option<Managed>,
    attachment: Attachment,
    pub(crate) inbox: VecDeque<ToSession>,
    pub(crate) budget: Arc<Budget>,
    pub(crate) closing: bool,
    late: Vec<Delivery>,
    links: Vec<Link>,
}

#[derive(Debug)]
struct Managed {
    core: StreamManagement,
    settlements: Arc<Settlements>,
    takeover: Option<(Link, u32)>,
    expires: Option<u64>,
}

impl Session {
    pub(crate) fn new(id: SessionId, account: BareJid, link: Link, budget: Arc<Budget>) -> Self {
        Self {
            account,
            core: rookery_session::Session::new(id),
            managed: None,
            attachment: Attachment::Connected(link),
            inbox: VecDeque::new(),
            budget,
            closing: false,
            late: Vec::new(),
            links: vec![link],
        }
    }

    /// Whether it has or had this connection.
    pub(crate) fn had(&self, link: Link) -> bool {
        self.links.contains(&link)
    }

    pub(crate) fn is_over(&self) -> bool {
        self.attachment == Attachment::Over
    }

    /// How much waits for the client: stanzas, and bytes.
    pub(crate) fn queued(&self) -> (usize, usize) {
        let managed = self.managed.as_ref();
        let waiting = managed.map_or((0, 0), |managed| managed.core.waiting());
        (waiting.0, self.budget.queued())
    }

    pub(crate) fn settlements(&self) -> Option<Arc<Settlements>> {
        self.managed
            .as_ref()
            .map(|managed| Arc::clone(&managed.settlements))
    }

    /// What is due.
    pub(crate) fn due(&self, now: u64, instant: Instant) -> Option<ToSession> {
        let managed = self.managed.as_ref()?;
        match self.attachment {
            Attachment::Detached => managed
                .expires
                .is_some_and(|at| at <= now)
                .then_some(ToSession::Expired),
            Attachment::Connected(_) => managed
                .core
                .deadline()
                .is_some_and(|at| at <= instant)
                .then_some(ToSession::Due),
            _ => None,
        }
    }

    pub(crate) fn handle(&mut self, what: ToSession, scene: &mut Scene<'_>) {
        match what {
            ToSession::FromClient(link, said) => {
                if self.attachment == Attachment::Connected(link)
                    || self.attachment == Attachment::Ending(link)
                {
                    for (said, permit) in said {
                        self.said(said, permit, scene);
                    }
                }
            }
            ToSession::Again(answer, permit) => {
                if let Some(key) = self.core.key() {
                    scene.out.push(Out::Submit(key, answer, permit));
                }
            }
            ToSession::Bound(answer) => self.bound(answer, scene),
            ToSession::Deliver(batch) => self.deliver(batch, scene),
            ToSession::End => self.end(ToConnection::Close, scene),
            ToSession::Released => {
                if !self.late.is_empty() {
                    self.finish(Vec::new(), scene);
                }
            }
            ToSession::Closed {
                link,
                undelivered,
                finished,
            } => self.closed(link, undelivered, finished, scene),
            ToSession::Takeover { link, handled } => match self.attachment {
                Attachment::Ending(_) | Attachment::Over => refuse(link, None, scene),
                _ => self.take_over(link, handled, scene),
            },
            ToSession::Settled(numbers) => self.settled(numbers, scene),
            ToSession::Written(rows) => self.confirm(rows, scene),
            ToSession::Expired => {
                if self.attachment == Attachment::Detached {
                    self.expired(scene);
                }
            }
            ToSession::Due => self.is_due(scene),
        }
    }

    fn tell(&self, what: ToConnection, scene: &mut Scene<'_>) {
        if let Attachment::Connected(link) = self.attachment {
            scene.out.push(Out::Connection(link, what));
        }
    }

    fn bound(&mut self, answer: Result<Jid, StanzaError>, scene: &mut Scene<'_>) {
        let is_bound = answer.is_ok();
        let answer = answer.map(|jid| {
            self.core.bind(jid.clone());
            let id = self.core.id();
            SessionKey { jid, id }
        });
        self.tell(ToConnection::Bound(answer), scene);
        if !is_bound || self.is_over() {
            self.finish(Vec::new(), scene);
        }
    }

    fn end(&mut self, last: ToConnection, scene: &mut Scene<'_>) {
        match self.attachment {
            Attachment::Connected(link) => {
                self.tell(last, scene);
                self.attachment = Attachment::Ending(link);
            }
            Attachment::Detached => self.finish(Vec::new(), scene),
            Attachment::Ending(_) | Attachment::Over => {}
        }
    }

    fn said(&mut self, said: Said, permit: Permit, scene: &mut Scene<'_>) {
        let now = scene.instant;
        let effects = match (said, &mut self.managed) {
            (Said::Stanza(stanza), _) => return self.submit(stanza, permit, scene),
            (Said::Enable, None) => self.enable(scene),
            (Said::Enable, Some(managed)) => managed.core.enable(Enable::default(), true, None),
            (Said::Request, Some(managed)) => vec![managed.core.requested()],
            (Said::Answer(handled), Some(managed)) => managed.core.answered(handled, now),
            (_, None) => Vec::new(),
        };
        for effect in effects {
            match effect {
                Effect::Reply(reply) => self.tell(ToConnection::Reply(reply), scene),
                Effect::Confirmed(stanzas) => {
                    let stanzas = stanzas.into_iter().map(|one| one.delivery).collect();
                    self.acknowledged(stanzas, scene);
                }
                Effect::Fail(_) => self.end(ToConnection::Close, scene),
            }
        }
    }

    fn enable(&mut self, scene: &mut Scene<'_>) -> Vec<Effect> {
        let mut core = StreamManagement::new(LIMITS);
        let id = SmId::new(format!("stream-{}", self.core.id().0));
        let enable = Enable {
            resume: true,
            max: None,
        };
        let offer = Resumable {
            id: id.clone(),
            max: MAX,
            location: None,
        };
        let effects = core.enable(enable, true, Some(offer));
        scene.out.push(Out::Open(id));
        self.managed = Some(Managed {
            core,
            settlements: Settlements::new(),
            takeover: None,
            expires: None,
        });
        effects
    }

    fn submit(&mut self, stanza: Stanza, mut permit: Permit, scene: &mut Scene<'_>) {
        let Some(key) = self.core.key() else {
            return;
        };
        if let Some(managed) = &mut self.managed
            && let Some(number) = managed.core.received()
        {
            permit = permit.settling(&managed.settlements, number..number + 1);
        }
        if let Some(managed) = &mut self.managed
            && is_answer(&stanza)
            && scene.mutant != Some(Mutant::ForgetAnswer)
        {
            managed.core.answers(&stanza);
        }
        if let Some(outbound) = self.core.stamp(stanza) {
            scene.out.push(Out::Submit(key, outbound.stanza, permit));
        }
    }

    /// The home was too busy for this.
    pub(crate) fn overloaded(&mut self, stanza: &Stanza, scene: &mut Scene<'_>) {
        let busy = StanzaError::new(Condition::ResourceConstraint);
        let Some(reply) = stanza.error_reply(&busy) else {
            return;
        };
        if self.budget.take(reply.size()) {
            self.deliver(vec![reply.into()], scene);
        } else {
            self.end(ToConnection::Close, scene);
        }
    }

    fn deliver(&mut self, batch: Vec<Delivery>, scene: &mut Scene<'_>) {
        match (self.attachment, &self.managed) {
            (Attachment::Ending(_) | Attachment::Over, _) => self.late.extend(batch),
            (_, Some(_)) => self.keep(batch, scene),
            (_, None) => {
                for delivery in batch {
                    self.tell(ToConnection::Deliver(delivery), scene);
                }
            }
        }
    }

    fn keep(&mut self, batch: Vec<Delivery>, scene: &mut Scene<'_>) {
        let Some(managed) = &mut self.managed else {
            return;
        };
        let has_room = managed.core.has_room(&batch) || scene.mutant == Some(Mutant::NoBound);
        for delivery in &batch {
            managed.core.sent(delivery, scene.now);
        }
        if !has_room {
            scene.hazards.met(Hazard::QueueOfSessionFull);
            return self.end(ToConnection::Close, scene);
        }
        if !matches!(self.attachment, Attachment::Connected(_)) {
            return self.report(batch, scene);
        }
        let request = managed.core.flushed(scene.instant);
        if scene.mutant == Some(Mutant::ConfirmWhenSent) {
            let rows = batch.iter().filter_map(|delivery| delivery.custody.row());
            self.confirm(rows.collect(), scene);
        }
        for delivery in batch {
            self.tell(ToConnection::Kept(delivery), scene);
        }
        if let Some(request) = request {
            self.tell(ToConnection::Reply(request), scene);
        }
    }

    /// The client has these.
    fn acknowledged(&mut self, stanzas: Vec<Delivery>, scene: &mut Scene<'_>) {
        let sizes = stanzas.iter().map(|delivery| delivery.stanza.size());
        self.budget.give_back(sizes.sum());
        let in_copy = |delivery: &Delivery| {
            reading::carbon(&delivery.stanza)?;
            reading::row_in(delivery.stanza.payload())
        };
        let rows = stanzas.iter().filter_map(|delivery| match scene.mutant {
            Some(Mutant::ConfirmCarbon) => delivery.custody.row().or_else(|| in_copy(delivery)),
            _ => delivery.custody.row(),
        });
        let rows = rows.collect();
        self.confirm(rows, scene);
    }

    fn confirm(&self, rows: Vec<RowId>, scene: &mut Scene<'_>) {
        if let (Some(key), false) = (self.core.key(), rows.is_empty()) {
            scene.out.push(Out::Confirm(key, rows));
        }
    }

    fn is_due(&mut self, scene: &mut Scene<'_>) {
        let Some(managed) = &mut self.managed else {
            return;
        };
        match managed.core.due(scene.instant) {
            Due::Nothing => {}
            Due::Ask => self.tell(ToConnection::Reply(Reply::Request), scene),
            Due::Silent => {
                scene.hazards.met(Hazard::SilentClient);
                self.tell(ToConnection::Abandon, scene);
            }
        }
    }

    fn closed(
        &mut self,
        link: Link,
        undelivered: Vec<Delivery>,
        finished: bool,
        scene: &mut Scene<'_>,
    ) {
        match self.attachment {
            Attachment::Connected(present) if present == link => {
                if !finished && self.detach(scene) {
                    self.deliver(undelivered, scene);
                } else {
                    self.finish(undelivered, scene);
                }
            }
            Attachment::Ending(present) if present == link => self.finish(undelivered, scene),
            Attachment::Over => self.finish(undelivered, scene),
            _ => self.deliver(undelivered, scene),
        }
    }

    /// Its home learns what waits while it has no connection.
    fn report(&self, waiting: Vec<Delivery>, scene: &mut Scene<'_>) {
        if let (Some(key), Attachment::Detached) = (self.core.key(), self.attachment) {
            let rows = waiting
                .into_iter()
                .filter(|one| one.custody.row().is_some());
            scene.out.push(Out::Detached(key, rows.collect()));
        }
    }

    fn detach(&mut self, scene: &mut Scene<'_>) -> bool {
        let (Some(managed), true) = (&mut self.managed, self.core.key().is_some()) else {
            return false;
        };
        if !managed.core.detach(scene.now) {
            return false;
        }
        managed.expires = managed.core.expires();
        let waiting = managed
            .core
            .unacknowledged()
            .map(|one| one.delivery.clone());
        let waiting = waiting.collect();
        self.attachment = Attachment::Detached;
        self.report(waiting, scene);
        true
    }

    fn expired(&mut self, scene: &mut Scene<'_>) {
        if let Some(managed) = &self.managed {
            scene.hazards.met(Hazard::Expired);
            if managed.core.waiting().0 > 0 {
                scene.hazards.met(Hazard::ExpiredWithRowsUnacknowledged);
            }
        }
        self.finish(Vec::new(), scene);
    }

    fn take_over(&mut self, link: Link, handled: u32, scene: &mut Scene<'_>) {
        let Some(managed) = &mut self.managed else {
            return refuse(link, None, scene);
        };
        let (had, _) = managed.core.waiting();
        match managed.core.resume(handled) {
            Ok(resumed) => {
                scene.hazards.met(Hazard::Resumed);
                managed.expires = None;
                self.tell(ToConnection::Close, scene);
                if let (Attachment::Detached, Some(key)) = (self.attachment, self.core.key()) {
                    scene.out.push(Out::Resumed(key));
                }
                self.attachment = Attachment::Connected(link);
                self.links.push(link);
                let mut reply = resumed.reply;
                if let (Some(Mutant::CountTooFew), Reply::Resumed { handled, .. }) =
                    (scene.mutant, &mut reply)
                {
                    *handled = handled.saturating_sub(1);
                }
                let id = self.core.id();
                self.tell(ToConnection::Resumed(id, reply), scene);
                let confirmed = resumed.confirmed.into_iter().map(|one| one.delivery);
                let confirmed: Vec<_> = confirmed.collect();
                if !resumed.again.is_empty() {
                    scene.hazards.met(Hazard::ResumedWithStanzasSentAgain);
                }
                debug_assert_eq!(had, confirmed.len() + resumed.again.len());
                if scene.mutant == Some(Mutant::SendAgainTooMuch) {
                    for delivery in &confirmed {
                        self.tell(ToConnection::Kept(delivery.clone()), scene);
                    }
                }
                self.acknowledged(confirmed, scene);
                for delivery in resumed.again {
                    self.tell(ToConnection::Kept(delivery), scene);
                }
            }
            Err(ResumeError::Unsettled(_)) => {
                scene.hazards.met(Hazard::ResumeDuringAppend);
                let earlier = managed.takeover.replace((link, handled));
                if let Attachment::Connected(_) = self.attachment {
                    self.tell(ToConnection::Close, scene);
                    if !self.detach(scene) {
                        self.finish(Vec::new(), scene);
                    }
                }
                if let Some((earlier, _)) = earlier {
                    refuse(earlier, None, scene);
                }
            }
            Err(ResumeError::NotResumable | ResumeError::TooHigh(_)) => refuse(link, None, scene),
        }
    }

    fn settled(&mut self, numbers: Vec<Range<u64>>, scene: &mut Scene<'_>) {
        let Some(managed) = &mut self.managed else {
            return;
        };
        let mut reply = None;
        for number in numbers.into_iter().flatten() {
            reply = managed.core.settled(number).or(reply);
        }
        let takeover = managed.takeover.take();
        if let Some(reply) = reply {
            self.tell(ToConnection::Reply(reply), scene);
        }
        if let Some((link, handled)) = takeover {
            self.take_over(link, handled, scene);
        }
    }

    fn finish(&mut self, mut undelivered: Vec<Delivery>, scene: &mut Scene<'_>) {
        self.attachment = Attachment::Over;
        if let Some(managed) = self.managed.take() {
            let handled = managed.core.handled().unwrap_or_default();
            if let Some(id) = managed.core.id() {
                scene.out.push(Out::Close(id.clone(), handled));
            }
            if let Some((link, _)) = managed.takeover {
                scene.hazards.met(Hazard::ExpiredDuringResume);
                refuse(link, Some(handled), scene);
            }
            let unacknowledged = managed.core.into_unacknowledged().into_iter();
            undelivered.extend(unacknowledged.map(|one| one.delivery));
        }
        undelivered.append(&mut self.late);
        let was_answered = |one: &&Delivery| {
            let is_request = matches!(one.stanza.kind, Kind::Iq(kind) if kind.is_request());
            is_request && one.custody == Custody::Copy
        };
        let answered = undelivered.iter().filter(was_answered).count();
        (scene.hazards).times(Hazard::AnsweredUnacknowledged, answered as u64);
        let sizes = undelivered.iter().map(|delivery| delivery.stanza.size());
        self.budget.give_back(sizes.sum());
        undelivered.retain(is_missed);
        if scene.mutant == Some(Mutant::ForgetUndelivered) {
            undelivered.clear();
        }
        if let Some(key) = self.core.key() {
            scene.out.push(Out::Unbind(key, undelivered));
        }
    }
}

fn refuse(link: Link, handled: Option<u32>, scene: &mut Scene<'_>) {
    let failed = Failed {
        condition: Condition::ItemNotFound,
        handled,
    };
    let refused = ToConnection::NotResumed(Some(failed));
    scene.out.push(Out::Connection(link, refused));
}

/// Whether it answers a request.
pub(crate) fn is_answer(stanza: &Stanza) -> bool {
    matches!(stanza.kind, Kind::Iq(kind) if !kind.is_request())
}

fn is_missed(delivery: &Delivery) -> bool {
    let is_wanted = match delivery.stanza.kind {
        Kind::Message(_) => true,
        Kind::Iq(kind) => kind.is_request(),
        Kind::Presence(_) => false,
    };
    is_wanted && delivery.custody != Custody::Copy
}
