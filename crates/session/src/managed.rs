//! XEP-0198 in a session: what its core wants done, the clock, and the life of a session between two connections.

use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use actix::{AsyncContext, Context, Handler, SpawnHandle, StreamHandler};
use futures_util::stream;
use rookery_delivery::{Close, Delivery, Permit, Settlements};
use rookery_stanza::payload::delay::Delay;
use rookery_stanza::{BareJid, Condition, Jid, Kind, StreamCondition, StreamError, ns};
use rookery_telemetry::Gauge;
use rookery_xml::Element;
use tokio::time::Instant;

use crate::actor::{Attachment, SessionActor};
use crate::link::{NotResumed, Resumed, Takeover, ToConnection};
use crate::resumable_streams::Place;
use crate::stream_management::{
    Attempt, Command, DetachedEnd, Due, Effect, Enable, Failed, Mode, Reply, Resumable,
    ResumeError, SmId, StreamManagement, Unacknowledged,
};

type Ctx = Context<SessionActor>;

/// Stream management of a session.
pub(crate) struct Managed {
    core: StreamManagement,
    /// What is settled of what the client sent.
    settlements: Arc<Settlements>,
    settling: SpawnHandle,
    /// When the core wants to be asked, while something is open.
    timer: Option<(Instant, SpawnHandle)>,
    /// What there is while the connection is lost.
    detached: Option<Detached>,
    /// Who wants to resume it, once all is settled that came over the former connection.
    takeover: Option<Takeover>,
    mode: Gauge,
}

/// A session without a connection.
struct Detached {
    place: Place,
    expiry: SpawnHandle,
}

// === impl SessionActor ===

impl SessionActor {
    /// An element of the client that is no stanza.
    pub(crate) fn nonza(&mut self, element: &Element, ctx: &mut Ctx) {
        match Command::parse(element) {
            Ok(Some(command)) => self.command(command, ctx),
            Ok(None) => {}
            Err(error) => self.carry_out(vec![StreamManagement::malformed(error)], ctx),
        }
    }

    fn command(&mut self, command: Command, ctx: &mut Ctx) {
        let now = self.shared.clock.now();
        let effects = match (command, &mut self.managed) {
            (Command::Enable(enable), None) => {
                let Some(account) = self.session.key().map(|key| key.jid.bare()) else {
                    return;
                };
                self.enable(enable, account, ctx)
            }
            (Command::Enable(enable), Some(managed)) => managed.core.enable(enable, true, None),
            // It has a resource, and this is its stream (§5).
            (Command::Resume(_), _) => {
                let metrics = &self.shared.stream_management;
                metrics.resumed(Attempt::OutOfOrder);
                vec![Effect::Reply(Reply::Failed(Failed::OUT_OF_ORDER))]
            }
            (Command::Request, Some(managed)) => vec![managed.core.requested()],
            (Command::Answer(handled), Some(managed)) => managed.core.answered(handled, now),
            (Command::Request | Command::Answer(_), None) => {
                vec![Effect::Reply(Reply::Failed(Failed::OUT_OF_ORDER))]
            }
        };
        self.carry_out(effects, ctx);
        self.set_timer(ctx);
    }

    /// Enables stream management in one step with binding (XEP-0386): the answer.
    pub(crate) fn enable_along(
        &mut self,
        element: &Element,
        account: &BareJid,
        ctx: &mut Ctx,
    ) -> Element {
        let effects = match Command::parse(element) {
            Ok(Some(Command::Enable(enable))) if self.managed.is_none() => {
                self.enable(enable, account.clone(), ctx)
            }
            _ => Vec::new(),
        };
        let reply = effects.into_iter().find_map(|effect| match effect {
            Effect::Reply(reply) => Some(reply),
            _ => None,
        });
        let refused = || Reply::Failed(Failed::new(Condition::BadRequest));
        reply.unwrap_or_else(refused).to_element()
    }

    /// The client enables stream management (§3).
    fn enable(&mut self, enable: Enable, account: BareJid, ctx: &mut Ctx) -> Vec<Effect> {
        let shared = &self.shared;
        let mut core = StreamManagement::new(shared.config.limits());
        let offer = shared.config.resumption().zip(new_id());
        let offer = offer.map(|(max, id)| Resumable {
            id,
            max,
            location: None,
        });
        let effects = core.enable(enable, true, offer);
        let mode = match core.id() {
            Some(id) => {
                shared.resumable.open(id.clone(), account, ctx.address());
                Mode::Resumable
            }
            None => Mode::Acknowledging,
        };
        let mode = shared.stream_management.streams.of(mode).clone();
        mode.add(1);
        let settlements = Settlements::new();
        let settled = stream::unfold(Arc::clone(&settlements), |settlements| async {
            let numbers = settlements.next().await;
            Some((Settled(numbers), settlements))
        });
        self.managed = Some(Box::new(Managed {
            core,
            settlements,
            settling: ctx.add_stream(settled),
            timer: None,
            detached: None,
            takeover: None,
            mode,
        }));
        effects
    }

    fn carry_out(&mut self, effects: Vec<Effect>, ctx: &mut Ctx) {
        for effect in effects {
            match effect {
                Effect::Reply(reply) => self.reply(&reply),
                Effect::Confirmed(stanzas) => self.acknowledged(&stanzas, ctx),
                Effect::Fail(error) => self.end(ToConnection::Fail(error), ctx),
            }
        }
    }

    fn reply(&mut self, reply: &Reply) {
        let bytes = reply.to_element().to_bytes(ns::CLIENT);
        self.tell(ToConnection::Reply(bytes));
    }

    /// The client has these.
    fn acknowledged(&mut self, stanzas: &[Unacknowledged], ctx: &mut Ctx) {
        self.forget(stanzas);
        let rows = stanzas.iter().filter_map(|one| one.delivery.custody.row());
        let rows: Vec<_> = rows.collect();
        if !rows.is_empty() {
            self.confirm(rows, ctx);
        }
    }

    /// These are not kept any more.
    fn forget(&self, stanzas: &[Unacknowledged]) {
        let sizes = stanzas.iter().map(|one| one.delivery.stanza.size());
        self.budget.give_back(sizes.sum());
        let kept = &self.shared.stream_management.unacknowledged;
        kept.add(-signed(stanzas.len()));
    }

    /// Numbers stanzas of the client, which are settled when `permit` is dropped.
    pub(crate) fn number(&mut self, count: usize, permit: Permit) -> Permit {
        let Some(managed) = &mut self.managed else {
            return permit;
        };
        let numbers = (0..count).filter_map(|_| managed.core.received());
        let (first, last) = numbers.fold((None, 0), |(first, _), number| {
            (first.or(Some(number)), number)
        });
        match first {
            Some(first) => permit.settling(&managed.settlements, first..last + 1),
            None => permit,
        }
    }

    /// A stanza was answered before it came here: it counts, and is settled.
    pub(crate) fn count_fault(&mut self) {
        let Some(managed) = &mut self.managed else {
            return;
        };
        let number = managed.core.received();
        if let Some(reply) = number.and_then(|number| managed.core.settled(number)) {
            self.reply(&reply);
        }
    }

    /// Sends stanzas, and keeps them until the client has acknowledged them. Without a connection they wait.
    pub(crate) fn keep(&mut self, batch: Vec<Delivery>, ctx: &mut Ctx) {
        let Some(managed) = &mut self.managed else {
            return;
        };
        let clock = &self.shared.clock;
        let has_room = managed.core.has_room(&batch) && managed.has_place(&batch);
        let now = clock.unix_millis();
        for delivery in &batch {
            managed.core.sent(delivery, now);
        }
        let metrics = &self.shared.stream_management;
        metrics.unacknowledged.add(signed(batch.len()));
        if !has_room {
            return self.has_too_much(ctx);
        }
        if !matches!(self.attachment, Attachment::Connected(_)) {
            return;
        }
        let request = managed.core.flushed(clock.now());
        self.tell(ToConnection::Kept(batch));
        if let Some(request) = request {
            self.reply(&request);
            self.set_timer(ctx);
        }
    }

    /// More waits for the client than may. A stream from which something was missing could not be resumed, so
    /// that the session ends, and all of it finds another way.
    fn has_too_much(&mut self, ctx: &mut Ctx) {
        let metrics = &self.shared.stream_management;
        if matches!(self.attachment, Attachment::Detached) {
            metrics.ended.of(DetachedEnd::Full).increment();
            return self.finish(Vec::new(), ctx);
        }
        metrics.queue_limit.increment();
        let error = StreamError::new(StreamCondition::PolicyViolation)
            .with_text("you do not acknowledge what is sent to you");
        self.end(ToConnection::Fail(Box::new(error)), ctx);
    }

    /// Has the core asked when it wants to be: one timer, and only while something is open.
    fn set_timer(&mut self, ctx: &mut Ctx) {
        let Some(managed) = &mut self.managed else {
            return;
        };
        let deadline = match self.attachment {
            Attachment::Connected(_) => managed.core.deadline(),
            _ => None,
        };
        match (&managed.timer, deadline) {
            // A timer that fires early is set again: that is cheaper than to move it with each stanza.
            (Some((at, _)), Some(deadline)) if *at <= deadline => {}
            (_, Some(deadline)) => {
                let left = deadline.saturating_duration_since(self.shared.clock.now());
                let handle = ctx.run_later(left, Self::due);
                if let Some((_, earlier)) = managed.timer.replace((deadline, handle)) {
                    ctx.cancel_future(earlier);
                }
            }
            (_, None) => {
                if let Some((_, timer)) = managed.timer.take() {
                    ctx.cancel_future(timer);
                }
            }
        }
    }

    fn due(&mut self, ctx: &mut Ctx) {
        let now = self.shared.clock.now();
        let Some(managed) = &mut self.managed else {
            return;
        };
        managed.timer = None;
        match managed.core.due(now) {
            Due::Nothing => {}
            Due::Ask => self.reply(&Reply::Request),
            Due::Silent => {
                tracing::debug!(session = self.session.id().0, "the client does not answer");
                self.shared.stream_management.silent.increment();
                self.tell(ToConnection::Abandon);
                return;
            }
        }
        self.set_timer(ctx);
    }

    /// The connection is lost. True if the session waits for its client (§7).
    pub(crate) fn detach(&mut self, ctx: &mut Ctx) -> bool {
        let shared = &self.shared;
        let (Some(managed), Some(key)) = (&mut self.managed, self.session.key()) else {
            return false;
        };
        if !managed.core.detach(shared.clock.unix_millis()) {
            return false;
        }
        let (Some(id), Some(max)) = (managed.core.id().cloned(), managed.core.max()) else {
            return false;
        };
        let waiting = managed.core.waiting().1;
        let place = shared.resumable.detach(key.jid.bare(), id, waiting);
        let Ok((place, displaced)) = place else {
            shared.stream_management.no_place.increment();
            return false;
        };
        if let Some(displaced) = displaced
            && displaced.try_send(Displaced).is_err()
        {
            tracing::debug!("a session that was to make room has ended");
        }
        shared.stream_management.lost.increment();
        tracing::debug!(session = key.id.0, jid = %key.jid, max, "waits for its client");
        let max = Duration::from_secs(max.into());
        managed.detached = Some(Detached {
            place,
            expiry: ctx.run_later(max, Self::expired),
        });
        self.attachment = Attachment::Detached;
        self.set_timer(ctx);
        true
    }

    fn expired(&mut self, ctx: &mut Ctx) {
        self.detached_ends(DetachedEnd::Expired, ctx);
    }

    fn detached_ends(&mut self, why: DetachedEnd, ctx: &mut Ctx) {
        if matches!(self.attachment, Attachment::Detached) {
            self.shared.stream_management.ended.of(why).increment();
            self.finish(Vec::new(), ctx);
        }
    }

    /// The client resumes its stream on another connection (§5).
    fn take_over(&mut self, takeover: Takeover, ctx: &mut Ctx) {
        let metrics = &self.shared.stream_management;
        let Some(managed) = &mut self.managed else {
            metrics.resumed(Attempt::NotFound);
            let failed = Failed::new(Condition::ItemNotFound);
            return takeover.refuse(NotResumed::Failed(failed));
        };
        match managed.core.resume(takeover.handled) {
            Ok(resumed) => {
                metrics.resumed(Attempt::Ok);
                metrics.replayed.add(resumed.again.len() as u64);
                self.attach(takeover, &resumed.reply, ctx);
                self.acknowledged(&resumed.confirmed, ctx);
                self.send_again(resumed.again, ctx);
            }
            Err(ResumeError::Unsettled(_)) => {
                // Nothing more comes over the former connection, and what has come is settled soon.
                let earlier = managed.takeover.replace(takeover);
                if earlier.is_none() {
                    metrics.waiting.add(1);
                }
                self.replaced(ctx);
                if let Some(earlier) = earlier {
                    earlier.refuse(NotResumed::Failed(Failed::new(Condition::ItemNotFound)));
                }
            }
            Err(ResumeError::NotResumable) => {
                metrics.resumed(Attempt::NotFound);
                let failed = Failed::new(Condition::ItemNotFound);
                takeover.refuse(NotResumed::Failed(failed));
            }
            Err(ResumeError::TooHigh(too_high)) => {
                metrics.resumed(Attempt::TooHigh);
                takeover.refuse(NotResumed::Error(Box::new(too_high.into())));
            }
        }
    }

    /// A connection that there still is has been replaced (§5): its stream ends, and the session waits.
    fn replaced(&mut self, ctx: &mut Ctx) {
        if matches!(self.attachment, Attachment::Connected(_)) {
            self.tell(ToConnection::Close(Close::Conflict));
            if !self.detach(ctx) {
                self.finish(Vec::new(), ctx);
            }
        }
    }

    /// The session goes on at this connection.
    fn attach(&mut self, takeover: Takeover, reply: &Reply, ctx: &mut Ctx) {
        let (Some(managed), Some(key)) = (&mut self.managed, self.session.key()) else {
            return;
        };
        if let Some(detached) = managed.detached.take() {
            ctx.cancel_future(detached.expiry);
        }
        // There may be an old one still (§5).
        self.tell(ToConnection::Close(Close::Conflict));
        self.link = self.link.next();
        self.attachment = Attachment::Connected(takeover.connection);
        tracing::debug!(session = key.id.0, jid = %key.jid, "resumed");
        self.tell(ToConnection::Resumed(Ok(Box::new(Resumed {
            session: ctx.address(),
            link: self.link,
            budget: Arc::clone(&self.budget),
            jid: key.jid,
            reply: reply.to_element(),
        }))));
    }

    /// Sends what the client has not acknowledged once more (§5). It is kept already.
    fn send_again(&mut self, mut again: Vec<Delivery>, ctx: &mut Ctx) {
        for delivery in &mut again {
            // How long it took is not measured.
            delivery.since = None;
        }
        if !again.is_empty() {
            self.tell(ToConnection::Kept(again));
        }
        let now = self.shared.clock.now();
        let request = self.managed.as_mut();
        if let Some(request) = request.and_then(|managed| managed.core.flushed(now)) {
            self.reply(&request);
        }
        self.set_timer(ctx);
    }

    /// The session is over: what the client has not acknowledged, in order (§4).
    pub(crate) fn let_management_go(&mut self, ctx: &mut Ctx) -> Vec<Delivery> {
        let Some(managed) = self.managed.take() else {
            return Vec::new();
        };
        let handled = managed.core.handled().unwrap_or_default();
        let Managed {
            core,
            settling,
            timer,
            detached,
            takeover,
            mode,
            ..
        } = *managed;
        mode.add(-1);
        let timers = timer.map(|(_, timer)| timer);
        let expiry = detached.map(|detached| detached.expiry);
        for handle in [Some(settling), timers, expiry].into_iter().flatten() {
            ctx.cancel_future(handle);
        }
        if let Some(id) = core.id() {
            let now = self.shared.clock.now();
            self.shared.resumable.close(id, handled, now);
        }
        if let Some(takeover) = takeover {
            let metrics = &self.shared.stream_management;
            metrics.waiting.add(-1);
            metrics.resumed(Attempt::Expired);
            takeover.refuse(NotResumed::Failed(Failed {
                handled: Some(handled),
                ..Failed::new(Condition::ItemNotFound)
            }));
        }
        let unacknowledged = core.into_unacknowledged();
        let kept = &self.shared.stream_management.unacknowledged;
        kept.add(-signed(unacknowledged.len()));
        let host = self.session.key().map(|key| key.jid);
        let returned = |one| returned(one, host.as_ref());
        unacknowledged.into_iter().map(returned).collect()
    }
}

impl Managed {
    /// Whether the node has room for what waits without a connection.
    fn has_place(&mut self, batch: &[Delivery]) -> bool {
        let bytes = batch.iter().map(|delivery| delivery.stanza.size()).sum();
        let detached = self.detached.as_mut();
        detached.is_none_or(|detached| detached.place.take(bytes).is_ok())
    }
}

/// A stanza that goes another way, with a note of when it was first sent (§4). The log notes that of its rows
/// itself.
fn returned(
    Unacknowledged { mut delivery, sent }: Unacknowledged,
    bound: Option<&Jid>,
) -> Delivery {
    delivery.since = None;
    let is_message = matches!(delivery.stanza.kind, Kind::Message(_));
    let is_noted = delivery.custody.row().is_some() || delivery.stanza.has(Delay::NAME, ns::DELAY);
    let host = bound.and_then(|bound| Jid::from_parts(None, bound.domain(), None).ok());
    if let (true, false, Some(host)) = (is_message, is_noted, host) {
        let sent = i64::try_from(sent).unwrap_or(i64::MAX);
        delivery.stanza.append(Delay::new(host, sent).to_element());
    }
    delivery
}

/// An id that nobody can guess.
fn new_id() -> Option<SmId> {
    let mut bytes = [0; 16];
    match getrandom::fill(&mut bytes) {
        Ok(()) => Some(SmId::from_random(bytes)),
        Err(error) => {
            tracing::error!(%error, "the system gives no randomness: a stream cannot be resumed");
            None
        }
    }
}

fn signed(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

/// Numbers of stanzas that are settled.
#[derive(Debug)]
struct Settled(Vec<Range<u64>>);

impl StreamHandler<Settled> for SessionActor {
    fn handle(&mut self, Settled(numbers): Settled, ctx: &mut Ctx) {
        let Some(managed) = &mut self.managed else {
            return;
        };
        let mut reply = None;
        for number in numbers.into_iter().flatten() {
            reply = managed.core.settled(number).or(reply);
        }
        let takeover = managed.takeover.take();
        if let Some(reply) = reply {
            self.reply(&reply);
        }
        if let Some(takeover) = takeover {
            self.shared.stream_management.waiting.add(-1);
            self.take_over(takeover, ctx);
        }
    }

    fn finished(&mut self, _: &mut Ctx) {}
}

impl Handler<Takeover> for SessionActor {
    type Result = ();

    fn handle(&mut self, takeover: Takeover, ctx: &mut Ctx) {
        match self.attachment {
            Attachment::Ending | Attachment::Over => {
                let metrics = &self.shared.stream_management;
                metrics.resumed(Attempt::NotFound);
                let failed = Failed::new(Condition::ItemNotFound);
                takeover.refuse(NotResumed::Failed(failed));
            }
            Attachment::Connected(_) | Attachment::Detached => self.take_over(takeover, ctx),
        }
    }
}

/// From a later session of the same account: too many wait for their client.
#[derive(Debug, actix::Message)]
#[rtype(result = "()")]
struct Displaced;

impl Handler<Displaced> for SessionActor {
    type Result = ();

    fn handle(&mut self, _: Displaced, ctx: &mut Ctx) {
        self.detached_ends(DetachedEnd::Displaced, ctx);
    }
}
