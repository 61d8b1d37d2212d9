//! Answers that come with messages of their own: as fast as the client takes them, past everybody else.
//!
//! Results go from the task that makes them to the session, and hold up nothing of the account. The answer follows
//! through the home, behind them. They take part of the room of the session's queue, and wait while that is taken.

use std::sync::{Arc, Weak};
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use rookery_delivery::{Custody, Delivery, Limit, Permit, Refusal, SessionPort};
use rookery_extension::{Asker, Results};
use rookery_stanza::{BareJid, Condition, Stanza, StanzaError};
use tokio::sync::Semaphore;
use tokio::time::{Instant, sleep};

use super::message::Replied;
use super::{HomeShard, Todo};

/// Bytes that may wait for a client when it is handed more: a page of chat messages, and far less than what
/// ends its session.
const MARK: usize = 128 * 1024;

/// Bytes that are handed over at once.
const BATCH: usize = 16 * 1024;

/// When a client that has enough to read is looked at again: in the time that it takes for a batch at 100 Mbit/s, or, as
/// long as it is slower, in twice the time that it was waited for before.
const PAUSE: Duration = Duration::from_millis(1);

/// The longest such time.
const LONG_PAUSE: Duration = Duration::from_millis(50);

/// How long a client may read nothing of what waits for it.
const PATIENCE: Duration = Duration::from_secs(30);

/// A session that takes results.
pub(super) struct Reader {
    /// Its end is not held up.
    port: Weak<dyn SessionPort>,
}

impl HomeShard {
    /// Lets a feature send results to the session of `account` that sent the request.
    pub(super) fn results(
        &mut self,
        account: &BareJid,
        request: Stanza,
        results: Results,
        permit: Option<&Permit>,
    ) {
        let slot = self.slots.of(account);
        let asker = slot
            .zip(request.from.as_ref())
            .and_then(|(slot, from)| slot.account.session_at(from));
        let Some(port) = asker.and_then(|session| self.ports.get_mut(&session)) else {
            let error = Condition::ServiceUnavailable.into();
            return self.bounce(&request, &error, permit);
        };
        let turn = port
            .results
            .get_or_insert_with(|| Arc::new(Semaphore::new(1)));
        let (turn, reader) = (Arc::clone(turn), Reader::new(&port.port));
        let (shards, index) = (Arc::clone(&self.shards), self.index);
        let (asked, permit) = (request.clone(), permit.cloned());
        let task = async move {
            // One page at a time is in memory for a session.
            let _turn = turn.acquire().await;
            let answer = results.answer(Box::new(reader)).await;
            let replied = Replied {
                request: asked,
                answer,
                permit,
            };
            shards.tell(index, replied).await;
        };
        if self.scope.spawn("results", task).is_err() {
            self.metrics.shared.exceeded(Limit::Tasks);
            self.todo.push_back(Todo::Replied(Box::new(Replied {
                request,
                answer: Err(Condition::ResourceConstraint.into()),
                permit: None,
            })));
        }
    }
}

// === impl Reader ===

impl Reader {
    pub(super) fn new(port: &Arc<dyn SessionPort>) -> Self {
        Self {
            port: Arc::downgrade(port),
        }
    }

    /// Hands over a batch as soon as there is room for it. Into an empty queue everything fits.
    async fn hand_over(&self, mut batch: Vec<Delivery>, bytes: usize) -> Result<(), StanzaError> {
        let (mut least, mut since) = (usize::MAX, Instant::now());
        let mut pause = PAUSE;
        loop {
            let port = self.port.upgrade().ok_or_else(gone)?;
            let queued = port.queued();
            if queued == 0 || queued.saturating_add(bytes) <= MARK {
                match port.deliver(batch) {
                    Ok(()) => return Ok(()),
                    Err(refused) if refused.why == Refusal::Busy => batch = refused.batch,
                    Err(_) => return Err(gone()),
                }
            }
            drop(port);
            if queued < least {
                (least, since) = (queued, Instant::now());
            } else if since.elapsed() >= PATIENCE {
                let error = StanzaError::new(Condition::ResourceConstraint);
                return Err(error.with_text("what was sent before is not read"));
            }
            sleep(pause).await;
            pause = LONG_PAUSE.min(pause * 2);
        }
    }
}

impl Asker for Reader {
    fn send<'a>(
        &'a mut self,
        results: &'a mut (dyn Iterator<Item = Stanza> + Send),
    ) -> BoxFuture<'a, Result<(), StanzaError>> {
        async move {
            while let Some(first) = results.next() {
                let mut bytes = first.size();
                let mut batch = vec![copy(first)];
                while bytes < BATCH
                    && let Some(next) = results.next()
                {
                    bytes = bytes.saturating_add(next.size());
                    batch.push(copy(next));
                }
                self.hand_over(batch, bytes).await?;
            }
            Ok(())
        }
        .boxed()
    }
}

/// Nobody misses a result that its session did not take.
fn copy(stanza: Stanza) -> Delivery {
    Delivery {
        stanza,
        custody: Custody::Copy,
        since: None,
    }
}

/// Nobody reads what a session gets that has ended.
fn gone() -> StanzaError {
    Condition::RecipientUnavailable.into()
}
