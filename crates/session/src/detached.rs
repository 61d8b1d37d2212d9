//! XEP-0198 §5, §7: the life of a session between two connections.

use std::sync::Arc;
use std::time::Duration;

use actix::{AsyncContext, Context, Handler, SpawnHandle};
use rookery_delivery::{Close, Delivery};
use rookery_stanza::Condition;

use crate::actor::{Attachment, RETRY, SessionActor};
use crate::link::{Claim, NotResumed, Resumed, Takeover, ToConnection};
use crate::metrics::Limiter;
use crate::resumable_streams::Place;
use crate::stream_management::{Attempt, DetachedEnd, Failed, Reply, ResumeError};

type Ctx = Context<SessionActor>;

/// A session without a connection.
pub(crate) struct Detached {
    place: Place,
    pub(crate) expiry: SpawnHandle,
}

/// From a later session of the same account: too many wait for their client.
#[derive(Debug, actix::Message)]
#[rtype(result = "()")]
struct Displaced;

// === impl SessionActor ===

impl SessionActor {
    /// Whether a batch may wait for a client that is away.
    pub(crate) fn has_place(&mut self, batch: &[Delivery]) -> bool {
        let bytes = batch.iter().map(|delivery| delivery.stanza.size()).sum();
        self.place().is_none_or(|place| place.take(bytes).is_ok())
    }

    /// So many bytes less wait for it.
    pub(crate) fn give_place_back(&mut self, bytes: usize) {
        if let Some(place) = self.place() {
            place.give_back(bytes);
        }
    }

    fn place(&mut self) -> Option<&mut Place> {
        let detached = self.managed.as_mut()?.detached.as_mut()?;
        Some(&mut detached.place)
    }

    /// The connection is lost. True if the session waits for its client (§7). What an inactive client did not need to
    /// see goes on waiting, and is replaced by what is newer (XEP-0352).
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
        let waiting = managed.core.waiting().1 + self.gate.bytes();
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

    /// The home learns that the session waits, and what waits with it, unless the client is about to be back.
    pub(crate) fn tell_home(&self, ctx: &mut Ctx) {
        let queue = self
            .managed
            .iter()
            .flat_map(|managed| managed.core.unacknowledged());
        let waiting = queue
            .map(|one| &one.delivery)
            .filter(|one| one.custody.row().is_some());
        self.report_rows(waiting.cloned().collect(), ctx);
    }

    /// The home learns what else waits.
    pub(crate) fn report(&self, batch: Vec<Delivery>, ctx: &mut Ctx) {
        let rows = batch.into_iter().filter(|one| one.custody.row().is_some());
        let rows: Vec<_> = rows.collect();
        if !rows.is_empty() {
            self.report_rows(rows, ctx);
        }
    }

    fn report_rows(&self, rows: Vec<Delivery>, ctx: &mut Ctx) {
        let returns = self
            .managed
            .as_ref()
            .is_some_and(|managed| managed.takeover.is_some());
        let is_detached = matches!(self.attachment, Attachment::Detached);
        let (Some(key), true, false) = (self.session.key(), is_detached, returns) else {
            return;
        };
        if let Err(busy) = self.shared.homes.detached(&key, rows) {
            self.shared
                .metrics
                .limited
                .of(Limiter::HomeQueue)
                .increment();
            let link = self.link;
            ctx.run_later(RETRY, move |act, ctx| {
                // If the client was back in the meantime, all of it is told anew.
                if act.link == link {
                    act.report_rows(busy.0, ctx);
                }
            });
        }
    }

    /// The home learns that the client is back.
    fn tell_of_return(&self, ctx: &mut Ctx) {
        let is_connected = matches!(self.attachment, Attachment::Connected(_));
        let (Some(key), true) = (self.session.key(), is_connected) else {
            return;
        };
        if self.shared.homes.resumed(&key).is_err() {
            self.shared
                .metrics
                .limited
                .of(Limiter::HomeQueue)
                .increment();
            ctx.run_later(RETRY, |act, ctx| act.tell_of_return(ctx));
        }
    }

    fn expired(&mut self, ctx: &mut Ctx) {
        self.detached_ends(DetachedEnd::Expired, ctx);
    }

    pub(crate) fn detached_ends(&mut self, why: DetachedEnd, ctx: &mut Ctx) {
        if matches!(self.attachment, Attachment::Detached) {
            self.shared.stream_management.ended.of(why).increment();
            let session = self.session.id().0;
            tracing::debug!(session, ?why, "no longer waits for its client");
            self.finish(Vec::new(), ctx);
        }
    }

    /// The client resumes its stream on another connection (§5).
    pub(crate) fn take_over(&mut self, takeover: Takeover, ctx: &mut Ctx) {
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
                self.open_gate(ctx);
            }
            Err(ResumeError::Unsettled(_)) => {
                // Nothing more comes over the former connection, and what has come is settled soon.
                let earlier = managed.takeover.replace(takeover);
                if earlier.is_none() {
                    metrics.waiting.add(1);
                }
                self.cut_off(ctx);
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
                self.tell_home(ctx);
            }
        }
    }

    /// A connection that there still is has been replaced (§5): its stream ends, and the session waits.
    fn cut_off(&mut self, ctx: &mut Ctx) {
        if matches!(self.attachment, Attachment::Connected(_)) {
            self.tell(ToConnection::Close(Close::Conflict));
            if !self.detach(ctx) {
                self.finish(Vec::new(), ctx);
            }
        }
    }

    /// The session goes on at this connection. One that has ended in the meantime says so, as any does.
    fn attach(&mut self, takeover: Takeover, reply: &Reply, ctx: &mut Ctx) {
        let (Some(managed), Some(key)) = (&mut self.managed, self.session.key()) else {
            return;
        };
        let was_detached = managed.detached.take();
        if let Some(detached) = &was_detached {
            ctx.cancel_future(detached.expiry);
        }
        // There may be an old one still (§5).
        self.tell(ToConnection::Close(Close::Conflict));
        self.link = self.link.next();
        self.attachment = Attachment::Connected(takeover.connection);
        tracing::debug!(session = key.id.0, jid = %key.jid, "resumed");
        self.tell(ToConnection::Resumed(Ok(Box::new(Resumed {
            claim: Claim::new(ctx.address(), self.link),
            budget: Arc::clone(&self.budget),
            jid: key.jid,
            reply: reply.to_element(),
        }))));
        if was_detached.is_some() {
            self.tell_of_return(ctx);
        }
    }

    /// Sends what the client has not acknowledged once more (§5). It is kept already.
    fn send_again(&mut self, mut again: Vec<Delivery>, ctx: &mut Ctx) {
        for delivery in &mut again {
            // How long it took is not measured.
            delivery.since = None;
        }
        self.pass_on(again, ctx);
    }
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

impl Handler<Displaced> for SessionActor {
    type Result = ();

    fn handle(&mut self, _: Displaced, ctx: &mut Ctx) {
        self.detached_ends(DetachedEnd::Displaced, ctx);
    }
}
