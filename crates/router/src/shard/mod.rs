//! The home of one arbiter's part of the accounts: the actor around their state machines.
//!
//! A message is handled to its end before anything leaves: accounts are handled one input after the other
//! (`work`), their effects fill the outbox (`perform`), and at last each session and each other shard gets
//! one batch (`outbox`). While the store works for an account, its further inputs wait, bounded; the
//! other accounts go on.

mod by_session;
mod failure;
mod handlers;
mod message;
mod outbox;
mod outside;
mod perform;
mod results;
mod slot;
mod slots;
mod store;
#[cfg(test)]
mod tests;
mod tombstones;
mod work;

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::fmt;
use std::hash::{BuildHasher, Hash, RandomState};
use std::sync::Arc;
use std::time::Duration;

use rookery_delivery::{
    BindRefused, BoundResource, Close, Delivery, Permit, SessionId, SessionPort,
};
use rookery_lifecycle::{Clock, TaskScope};
use rookery_stanza::{BareJid, Jid};
use rookery_storage::Store;
use rookery_storage::message_log::MessageLog;
use tokio::sync::oneshot;
use tokio::time::Instant;

use crate::account::{Input, Rules, Step};
use crate::homes::Shards;
use crate::metrics::{Actor, Mailbox, Metrics};

use by_session::BySession;
pub(crate) use message::{
    Bind, CloseAccount, CloseAll, Confirmed, Content, CountSessions, Detached, Hop, Parcel,
    Resumed, Submit, Unbind,
};
use message::{Loaded, Replied, Written};
use outbox::{Outbox, Port};
use slot::Slot;
use slots::Slots;

/// How often the shard looks after sessions that do not unbind, and idle accounts.
const TICK: Duration = Duration::from_secs(1);

/// Time that a session has to unbind after it was asked to end or was found gone. Whoever waits for its
/// resource has half a minute for all of the negotiation, and must not lose it over this.
const UNBIND_TIME: Duration = Duration::from_secs(10);

/// How long an account without a session is kept in memory.
const IDLE_TIME: Duration = Duration::from_secs(60);

/// The home of the accounts of one arbiter.
pub(crate) struct HomeShard {
    index: usize,
    rules: Arc<Rules>,
    store: Arc<dyn Store>,
    log: Arc<dyn MessageLog>,
    numbers: Numbers,
    shards: Arc<Shards>,
    scope: TaskScope,
    clock: Clock,
    metrics: Metrics,
    slots: Slots,
    ports: BySession<Port>,
    binding: BySession<Binding>,
    outbox: Outbox,
    /// What is still to be done before the message in hand is handled.
    todo: VecDeque<Todo>,
    /// Sessions that were asked to end and have not ended yet.
    closing: BySession<Close>,
    /// Accounts whose sessions end when everything in hand has been handed over.
    ending: Vec<(BareJid, Close)>,
    /// Sessions that have until then to unbind, in that order.
    expiring: VecDeque<(Instant, BareJid, SessionId)>,
    /// Accounts of which the log could not note what clients have.
    unnoted: BTreeSet<BareJid>,
    /// Wall time of the message in hand, in unix milliseconds.
    now: u64,
    /// An empty step, whose memory is used again.
    scratch: Step,
    /// How many messages were handled since the rest of the thread had its turn.
    handled: usize,
    /// What the metrics say of this shard.
    measured: Measured,
}

/// Makes numbers that nobody else has.
#[derive(Debug, Default)]
struct Numbers {
    hasher: RandomState,
    count: u64,
}

/// What a shard has in memory.
#[derive(Clone, Copy, Debug, Default)]
struct Measured {
    accounts: usize,
    waiting: usize,
    messages: i64,
}

/// A session that waits for its resource.
struct Binding {
    port: Arc<dyn SessionPort>,
    answer: oneshot::Sender<Result<BoundResource, BindRefused>>,
    /// What its account has handed it before it hears that it has its resource: what other clients were sent, and
    /// became durable while it bound.
    early: Vec<Delivery>,
}

/// What is to be done next. What is rare is boxed: everything that is passed on is moved through here.
#[derive(Debug)]
enum Todo {
    /// Hand a stanza to accounts of this shard.
    Receive(Parcel),
    /// Hand an input to an account.
    Input(BareJid, Input),
    /// The store could not be asked.
    Loaded(Box<Loaded>),
    /// The store could not be asked.
    Written(Box<Written>),
    /// A feature has answered.
    Replied(Box<Replied>),
}

// === impl Numbers ===

impl Numbers {
    fn next(&mut self) -> u64 {
        self.count += 1;
        self.hasher.hash_one(self.count)
    }
}

// === impl HomeShard ===

impl HomeShard {
    #[expect(clippy::too_many_arguments, reason = "called once, by the router")]
    pub(crate) fn new(
        index: usize,
        rules: Arc<Rules>,
        (store, log): (Arc<dyn Store>, Arc<dyn MessageLog>),
        shards: Arc<Shards>,
        scope: TaskScope,
        clock: Clock,
        metrics: Metrics,
    ) -> Self {
        Self {
            index,
            rules,
            store,
            log,
            numbers: Numbers::default(),
            shards,
            scope,
            clock,
            metrics,
            slots: Slots::default(),
            ports: BySession::default(),
            binding: BySession::default(),
            outbox: Outbox::default(),
            todo: VecDeque::new(),
            closing: BySession::default(),
            ending: Vec::new(),
            expiring: VecDeque::new(),
            unnoted: BTreeSet::new(),
            now: 0,
            scratch: Step::default(),
            handled: 0,
            measured: Measured::default(),
        }
    }

    /// Lets sessions go that had their time to unbind, asks those again that shall end, and lets accounts go
    /// that nobody needs.
    fn tick(&mut self) {
        self.closing.retain(|session, _| {
            self.ports.contains_key(session) || self.binding.contains_key(session)
        });
        for (session, reason) in std::mem::take(&mut self.closing) {
            self.close(session, reason);
        }
        let now = self.clock.now();
        while let Some((until, ..)) = self.expiring.front()
            && *until <= now
            && let Some((_, account, session)) = self.expiring.pop_front()
        {
            self.todo
                .push_back(Todo::Input(account, Input::Expired(session)));
        }
        self.confirm_again();
        self.refuse_overdue();
        let idle = u64::try_from(IDLE_TIME.as_millis()).unwrap_or(u64::MAX);
        self.slots.sweep(self.now.saturating_sub(idle));
        give_back(&mut self.ports);
        give_back(&mut self.binding);
        self.measure();
    }

    /// Tells the metrics what has changed.
    fn measure(&mut self) {
        let now = Measured {
            accounts: self.slots.len(),
            waiting: self.slots.watched().map(|slot| slot.waiting.len()).sum(),
            messages: self.messages(),
        };
        let before = std::mem::replace(&mut self.measured, now);
        let change = |now: usize, before: usize| {
            let signed = |count| i64::try_from(count).unwrap_or(i64::MAX);
            signed(now).saturating_sub(signed(before))
        };
        let accounts = change(now.accounts, before.accounts);
        self.metrics.actors.of(Actor::Account).add(accounts);
        let waiting = change(now.waiting, before.waiting);
        self.metrics.waiting.of(Mailbox::Account).add(waiting);
        self.metrics.in_flight.add(now.messages - before.messages);
    }

    /// How many messages lie here.
    fn messages(&self) -> i64 {
        let slots: i64 = self.slots.watched().map(Slot::messages).sum();
        slots + self.outbox.messages()
    }

    /// Does everything that is to be done, and hands over what came of it.
    fn finish(&mut self) {
        loop {
            while let Some(todo) = self.todo.pop_front() {
                match todo {
                    Todo::Receive(parcel) => self.receive(parcel),
                    Todo::Input(account, input) => self.input(&account, input, None),
                    Todo::Loaded(loaded) => self.loaded(*loaded),
                    Todo::Written(written) => self.written(*written),
                    Todo::Replied(replied) => self.replied(*replied),
                }
            }
            self.hand_over();
            self.send_hops();
            // Whatever is still on its way to a session that is to end comes first.
            if !self.todo.is_empty() {
                continue;
            }
            if self.ending.is_empty() {
                return;
            }
            for (account, reason) in std::mem::take(&mut self.ending) {
                self.close_account(&account, reason);
            }
        }
    }

    /// Takes a stanza that came from here or from another shard.
    fn receive(&mut self, parcel: Parcel) {
        let Parcel { content, permit } = parcel;
        match content {
            Content::One(stanza, ingress) => {
                if let Some(account) = stanza.to.as_ref().map(Jid::bare) {
                    self.input(&account, Input::Received(stanza, ingress), permit);
                }
            }
            Content::Many(stanza, to) => {
                for to in to {
                    let account = to.bare();
                    let stanza = stanza.clone().with_to(to);
                    self.input(&account, Input::Received(stanza, None), permit.clone());
                }
            }
            Content::Probe(from, to) => {
                for to in to {
                    self.input(
                        &to.bare(),
                        Input::Probed { from: from.clone() },
                        permit.clone(),
                    );
                }
            }
        }
    }

    /// Hands a feature's answer on.
    fn replied(&mut self, replied: Replied) {
        let Replied {
            request,
            answer,
            permit,
        } = replied;
        let mut effects = crate::account::Effects::default();
        effects.answer(request, answer);
        for effect in effects.0 {
            self.send(effect, permit.as_ref());
        }
    }

    /// Whose credit `permit` is does not matter here: it is given back when the last clone is gone.
    fn enqueue(&mut self, content: Content, home: usize, permit: Option<&Permit>) {
        let parcel = Parcel {
            content,
            permit: permit.cloned(),
        };
        if home == self.index {
            self.todo.push_back(Todo::Receive(parcel));
        } else {
            self.outbox.add(home, parcel);
        }
    }
}

/// Gives memory back that an earlier crowd needed.
fn give_back<K: Eq + Hash, V, S: BuildHasher>(map: &mut HashMap<K, V, S>) {
    if map.len() < map.capacity() / 4 {
        map.shrink_to(map.len() * 2);
    }
}

impl fmt::Debug for HomeShard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HomeShard")
            .field("index", &self.index)
            .field("accounts", &self.slots.len())
            .field("sessions", &self.ports.len())
            .finish_non_exhaustive()
    }
}
