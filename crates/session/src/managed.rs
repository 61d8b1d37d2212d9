//! XEP-0198 in a session: what its core wants done, the clock, and the life of a session between two connections.

use std::ops::Range;
use std::sync::Arc;

use actix::{AsyncContext, Context, SpawnHandle, StreamHandler};
use futures_util::stream;
use rookery_delivery::{Delivery, Permit, Settlements};
use rookery_stanza::payload::delay::Delay;
use rookery_stanza::{BareJid, Condition, Jid, Kind, StreamCondition, StreamError, ns};
use rookery_telemetry::Gauge;
use rookery_xml::Element;
use tokio::time::Instant;

use crate::actor::{Attachment, SessionActor};
use crate::detached::Detached;
use crate::link::{NotResumed, Takeover, ToConnection};
use crate::stream_management::{
    Attempt, Command, DetachedEnd, Due, Effect, Enable, Failed, Mode, Reply, Resumable, SmId,
    StreamManagement, Unacknowledged,
};

type Ctx = Context<SessionActor>;

/// Stream management of a session.
pub(crate) struct Managed {
    pub(crate) core: StreamManagement,
    /// What is settled of what the client sent.
    settlements: Arc<Settlements>,
    settling: SpawnHandle,
    /// When the core wants to be asked, while something is open.
    timer: Option<(Instant, SpawnHandle)>,
    /// What there is while the connection is lost.
    pub(crate) detached: Option<Detached>,
    /// Who wants to resume it, once all is settled that came over the former connection.
    pub(crate) takeover: Option<Takeover>,
    mode: Gauge,
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

    pub(crate) fn reply(&mut self, reply: &Reply) {
        let bytes = reply.to_element().to_bytes(ns::CLIENT);
        self.tell(ToConnection::Reply(bytes));
    }

    /// The client has these.
    pub(crate) fn acknowledged(&mut self, stanzas: &[Unacknowledged], ctx: &mut Ctx) {
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
        let now = self.shared.clock.unix_millis();
        let has_room = managed.core.has_room(&batch);
        for delivery in &batch {
            managed.core.sent(delivery, now);
        }
        let kept = &self.shared.stream_management.unacknowledged;
        kept.add(signed(batch.len()));
        match self.attachment {
            Attachment::Detached if has_room => self.report(batch, ctx),
            Attachment::Detached => self.detached_ends(DetachedEnd::Full, ctx),
            _ if has_room => self.pass_on(batch, ctx),
            _ => self.has_too_much(ctx),
        }
    }

    /// More waits for the client than may. A stream from which something was missing could not be resumed, so
    /// that the session ends, and all of it finds another way.
    fn has_too_much(&mut self, ctx: &mut Ctx) {
        self.shared.stream_management.queue_limit.increment();
        let error = StreamError::new(StreamCondition::PolicyViolation)
            .with_text("you do not acknowledge what is sent to you");
        self.end(ToConnection::Fail(Box::new(error)), ctx);
    }

    /// Has the core asked when it wants to be: one timer, and only while something is open.
    pub(crate) fn set_timer(&mut self, ctx: &mut Ctx) {
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

    /// Sends stanzas that are kept, and asks for them if it is time.
    pub(crate) fn pass_on(&mut self, batch: Vec<Delivery>, ctx: &mut Ctx) {
        let now = self.shared.clock.now();
        let managed = self.managed.as_mut();
        let request = managed.and_then(|managed| managed.core.flushed(now));
        if !batch.is_empty() {
            self.tell(ToConnection::Kept(batch));
        }
        if let Some(request) = request {
            self.reply(&request);
            self.set_timer(ctx);
        }
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
