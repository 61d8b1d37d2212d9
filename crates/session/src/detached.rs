//! XEP-0198 §5, §7: the life of a session between two connections.

use std::sync::Arc;
use std::time::Duration;

use actix::{AsyncContext, Context, Handler, SpawnHandle};
use rookery_delivery::{Close, Delivery};
use rookery_stanza::Condition;

use crate::actor::{Attachment, SessionActor};
use crate::link::{NotResumed, Resumed, Takeover, ToConnection};
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
        let detached = self.managed.as_mut();
        let detached = detached.and_then(|managed| managed.detached.as_mut());
        detached.is_none_or(|detached| detached.place.take(bytes).is_ok())
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

    pub(crate) fn detached_ends(&mut self, why: DetachedEnd, ctx: &mut Ctx) {
        if matches!(self.attachment, Attachment::Detached) {
            self.shared.stream_management.ended.of(why).increment();
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
            }
        }
    }

    /// A connection that there still is has been replaced (§5): its stream ends, and the session waits.
    fn cut_off(&mut self, ctx: &mut Ctx) {
        if matches!(self.attachment, Attachment::Connected(_)) {
            self.tell(ToConnection::Close(Close::Conflict));
            if self.detach(ctx) {
                self.open_gate(ctx);
            } else {
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
