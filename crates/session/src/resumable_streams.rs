//! XEP-0198 §5: which streams of this node can be resumed, and which could be until recently.

use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use actix::Addr;
use parking_lot::Mutex;
use rookery_stanza::{BareJid, Condition};
use tokio::time::Instant;

use crate::actor::SessionActor;
use crate::config::Config;

use crate::stream_management::{Asker, Attempt, Failed, Former, Metrics, SmId, may_resume};

/// How many streams that are over are remembered, to tell their clients what was handled.
const REMEMBERED: usize = 10_000;
/// How long they are.
const REMEMBERED_FOR: Duration = Duration::from_secs(3600);

/// All streams of a node that can be resumed. There are at most as many as sessions.
pub struct ResumableStreams {
    known: Mutex<Known>,
    /// Bytes that wait for clients whose connections are lost.
    detached_bytes: AtomicUsize,
    /// Whether there is resumption at all.
    supported: bool,
    most_detached: usize,
    most_detached_bytes: usize,
    most_detached_of_account: usize,
    metrics: Metrics,
}

#[derive(Default)]
struct Known {
    streams: HashMap<SmId, Stream>,
    /// Those that are over, the oldest first, each with the moment when it is forgotten.
    over: VecDeque<(Instant, SmId)>,
    /// Those whose connections are lost, the oldest first.
    detached: HashMap<BareJid, VecDeque<SmId>>,
    detached_count: usize,
}

struct Stream {
    account: BareJid,
    state: State,
}

enum State {
    Open(Addr<SessionActor>),
    /// How many stanzas of the client were handled.
    Over(u32),
}

/// The place of a session among those whose connections are lost, until it is dropped.
#[derive(Debug)]
pub(crate) struct Place {
    all: Arc<ResumableStreams>,
    account: BareJid,
    id: SmId,
    bytes: usize,
}

/// There are as many sessions without a connection, or bytes that wait for them, as there may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct NoPlace;

// === impl ResumableStreams ===

impl ResumableStreams {
    /// Nothing can be resumed yet.
    pub fn new(config: &Config, metrics: Metrics) -> Arc<Self> {
        Arc::new(Self {
            known: Mutex::default(),
            detached_bytes: AtomicUsize::new(0),
            supported: config.resumption().is_some(),
            most_detached: config.max_detached,
            most_detached_bytes: config.max_detached_bytes,
            most_detached_of_account: config.max_detached_per_account,
            metrics,
        })
    }

    /// The session whose stream `asker` wants to resume.
    ///
    /// # Errors
    /// What the client is told.
    pub fn find(&self, asker: Asker<'_>, id: &SmId) -> Result<Addr<SessionActor>, Failed> {
        if !self.supported {
            self.metrics.resumed(Attempt::NotFound);
            return Err(Failed::new(Condition::FeatureNotImplemented));
        }
        let known = self.known.lock();
        let stream = known.streams.get(id);
        let former = stream.map_or(Former::Unknown, Stream::former);
        let allowed = may_resume(asker, former);
        match (allowed, stream.map(|stream| &stream.state)) {
            (Ok(()), Some(State::Open(session))) => Ok(session.clone()),
            (Ok(()), _) => Err(Failed::new(Condition::ItemNotFound)),
            (Err(failed), _) => {
                self.metrics.resumed(Attempt::refused(asker, former));
                Err(failed)
            }
        }
    }

    /// This stream can be resumed from now on.
    pub(crate) fn open(&self, id: SmId, account: BareJid, session: Addr<SessionActor>) {
        let state = State::Open(session);
        self.known
            .lock()
            .streams
            .insert(id, Stream { account, state });
    }

    /// The session has ended; so many stanzas of its client were handled.
    pub(crate) fn close(&self, id: &SmId, handled: u32, now: Instant) {
        let mut known = self.known.lock();
        if let Some(stream) = known.streams.get_mut(id) {
            stream.state = State::Over(handled);
            known.over.push_back((now + REMEMBERED_FOR, id.clone()));
        }
        known.forget(now);
    }

    /// The session with this stream has lost its connection, and `bytes` wait for its client: its place, and
    /// the session of the same account that has to make room, if there is one.
    pub(crate) fn detach(
        self: &Arc<Self>,
        account: BareJid,
        id: SmId,
        bytes: usize,
    ) -> Result<(Place, Option<Addr<SessionActor>>), NoPlace> {
        self.take_bytes(bytes)?;
        let mut known = self.known.lock();
        if known.detached_count >= self.most_detached {
            self.give_back_bytes(bytes);
            return Err(NoPlace);
        }
        known.detached_count += 1;
        let of_account = known.detached.entry(account.clone()).or_default();
        of_account.push_back(id.clone());
        let oldest = (of_account.len() > self.most_detached_of_account)
            .then(|| of_account.front().cloned())
            .flatten();
        let displaced = oldest.and_then(|oldest| match &known.streams.get(&oldest)?.state {
            State::Open(session) => Some(session.clone()),
            State::Over(_) => None,
        });
        drop(known);
        self.metrics.detached.add(1);
        let place = Place {
            all: Arc::clone(self),
            account,
            id,
            bytes,
        };
        Ok((place, displaced))
    }

    fn take_bytes(&self, bytes: usize) -> Result<(), NoPlace> {
        let taken = |now: usize| {
            let then = now.saturating_add(bytes);
            (then <= self.most_detached_bytes).then_some(then)
        };
        self.detached_bytes
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, taken)
            .map(|_| ())
            .map_err(|_| NoPlace)
    }

    fn give_back_bytes(&self, bytes: usize) {
        self.detached_bytes.fetch_sub(bytes, Ordering::Relaxed);
    }
}

impl fmt::Debug for ResumableStreams {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResumableStreams").finish_non_exhaustive()
    }
}

// === impl Known ===

impl Known {
    /// Forgets what was over for long, and the oldest of what is too much.
    fn forget(&mut self, now: Instant) {
        while let Some((until, _)) = self.over.front()
            && (*until <= now || self.over.len() > REMEMBERED)
        {
            if let Some((_, id)) = self.over.pop_front() {
                self.streams.remove(&id);
            }
        }
    }

    fn attach(&mut self, account: &BareJid, id: &SmId) {
        let Some(of_account) = self.detached.get_mut(account) else {
            return;
        };
        if let Some(at) = of_account.iter().position(|one| one == id) {
            of_account.remove(at);
            self.detached_count -= 1;
        }
        if of_account.is_empty() {
            self.detached.remove(account);
        }
    }
}

// === impl Stream ===

impl Stream {
    fn former(&self) -> Former<'_> {
        let account = &self.account;
        match self.state {
            State::Open(_) => Former::Resumable { account },
            State::Over(handled) => Former::Expired { account, handled },
        }
    }
}

// === impl Place ===

impl Place {
    /// So many bytes more wait for the client.
    pub(crate) fn take(&mut self, bytes: usize) -> Result<(), NoPlace> {
        self.all.take_bytes(bytes)?;
        self.bytes += bytes;
        Ok(())
    }

    /// So many bytes less do.
    pub(crate) fn give_back(&mut self, bytes: usize) {
        let bytes = bytes.min(self.bytes);
        self.bytes -= bytes;
        self.all.give_back_bytes(bytes);
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.all.give_back_bytes(self.bytes);
        self.all.metrics.detached.add(-1);
        self.all.known.lock().attach(&self.account, &self.id);
    }
}
