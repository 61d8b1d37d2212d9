//! The session's door for the home of its account.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use actix::Addr;
use actix::dev::SendError;
use rookery_delivery::{Budget, Close, Delivery, Refusal, Refused, SessionPort};

use crate::actor::{Deliver, End, Released, SessionActor};
use crate::metrics::{Limiter, Metrics};

/// Takes deliveries for one session within its budget.
pub struct Port {
    // One long-lived address: actix grants every clone a place beyond the mailbox's capacity.
    session: Addr<SessionActor>,
    budget: Arc<Budget>,
    metrics: Arc<Metrics>,
    closing: AtomicBool,
}

// === impl Port ===

impl Port {
    pub(crate) fn new(
        session: Addr<SessionActor>,
        budget: Arc<Budget>,
        metrics: Arc<Metrics>,
    ) -> Self {
        Self {
            session,
            budget,
            metrics,
            closing: AtomicBool::new(false),
        }
    }
}

impl SessionPort for Port {
    fn deliver(&self, batch: Vec<Delivery>) -> Result<(), Refused> {
        let bytes = batch.iter().map(|delivery| delivery.stanza.size()).sum();
        if !self.budget.take(bytes) {
            self.metrics.limited.of(Limiter::OutgoingBytes).increment();
            self.close(Close::SlowConsumer);
            return Err(Refused {
                why: Refusal::Busy,
                batch,
            });
        }
        let refused = match self.session.try_send(Deliver(batch)) {
            Ok(()) => return Ok(()),
            Err(SendError::Full(Deliver(batch))) => Refused {
                why: Refusal::Busy,
                batch,
            },
            Err(SendError::Closed(Deliver(batch))) => Refused {
                why: Refusal::Gone,
                batch,
            },
        };
        self.budget.give_back(bytes);
        Err(refused)
    }

    fn close(&self, reason: Close) {
        if self.closing.swap(true, Ordering::Relaxed) {
            return;
        }
        if let Err(SendError::Full(_)) = self.session.try_send(End(reason)) {
            // The next refused delivery, or the operator, asks again.
            self.closing.store(false, Ordering::Relaxed);
        }
    }

    fn queued(&self) -> usize {
        self.budget.queued()
    }
}

impl Drop for Port {
    fn drop(&mut self) {
        // A fresh clone always has a place in the mailbox (actix grants each sender one), so only a
        // session that has ended can refuse, and that one has nothing left to give back.
        if self.session.clone().try_send(Released).is_err() {
            tracing::trace!("the session ended before its port");
        }
    }
}

impl fmt::Debug for Port {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Port")
            .field("queued", &self.budget.queued())
            .finish_non_exhaustive()
    }
}
