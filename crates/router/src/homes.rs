//! The way to the homes of accounts, for sessions and for the operator.

use std::fmt;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::{Arc, OnceLock};

use actix::dev::ToEnvelope;
use actix::{Actor, Addr, Context, Handler, MailboxError, Message};
use actix_rt::ArbiterHandle;
use futures_util::FutureExt;
use futures_util::future::{BoxFuture, join_all};
use rookery_delivery::{
    BindRefused, BindRequest, BoundResource, Close, Delivery, Domains, Homes, Overloaded, Permit,
    SessionKey,
};
use rookery_extension::{Features, Hosts};
use rookery_lifecycle::{Clock, TaskScope};
use rookery_stanza::{BareJid, Condition, Jid, RowId, Stanza};
use rookery_storage::Store;
use rookery_storage::message_log::MessageLog;
use rookery_telemetry::{Gauge, Registry};
use tokio::sync::oneshot;

use crate::account::Rules;
use crate::config::Config;
use crate::metrics::{Mailbox, Metrics, Queue};
use crate::shard::{
    Bind, CloseAccount, CloseAll, Confirmed, CountSessions, Detached, HomeShard, Resumed, Submit,
    Unbind,
};

/// Messages that may wait in the mailbox of one shard. One message carries a batch.
const MAILBOX: usize = 16_384;

/// What the router is made of.
#[derive(Debug)]
pub struct Parts {
    /// Limits and policies.
    pub config: Config,
    /// The hosts that are served.
    pub hosts: Hosts,
    /// Who serves the domains that are not those of hosts.
    pub domains: Arc<dyn Domains>,
    /// What answers requests.
    pub features: Features,
    /// Where rosters and the data of features are kept.
    pub store: Arc<dyn Store>,
    /// Where messages are kept.
    pub log: Arc<dyn MessageLog>,
    /// Owns the tasks that wait for the store and for features.
    pub scope: TaskScope,
    /// The time.
    pub clock: Clock,
    /// Where to register metrics.
    pub registry: Registry,
}

/// The homes of all accounts of this node. Cheap to clone.
#[derive(Clone)]
pub struct Router {
    pub(crate) shards: Arc<Shards>,
    pub(crate) metrics: Metrics,
    pub(crate) hosts: Hosts,
}

/// The shards, one for each arbiter. Everybody shares their addresses: a mailbox is bounded only as long
/// as nobody makes further ones.
pub(crate) struct Shards {
    addresses: OnceLock<Box<[Addr<HomeShard>]>>,
    /// What waits in their mailboxes.
    pub(crate) waiting: Gauge,
    /// Who serves other domains.
    pub(crate) domains: Arc<dyn Domains>,
}

// === impl Router ===

impl Router {
    /// Starts a shard on each of `arbiters`.
    pub fn start(parts: Parts, arbiters: &[ArbiterHandle]) -> Self {
        Self::with_mailboxes(MAILBOX, parts, arbiters)
    }

    /// Starts shards with mailboxes of this capacity.
    pub(crate) fn with_mailboxes(
        capacity: usize,
        parts: Parts,
        arbiters: &[ArbiterHandle],
    ) -> Self {
        let metrics = Metrics::new(&parts.registry, &parts.hosts);
        let shards = Arc::new(Shards {
            addresses: OnceLock::new(),
            waiting: metrics.waiting.of(Mailbox::Shard).clone(),
            domains: parts.domains,
        });
        let Parts {
            config,
            hosts,
            features,
            store,
            log,
            scope,
            clock,
            ..
        } = parts;
        let rules = Arc::new(Rules {
            config,
            hosts: hosts.clone(),
            features,
        });
        let address = |(index, arbiter): (usize, &ArbiterHandle)| {
            let (rules, shards) = (Arc::clone(&rules), Arc::clone(&shards));
            let stores = (Arc::clone(&store), Arc::clone(&log));
            let (scope, clock, metrics) = (scope.clone(), clock.clone(), metrics.clone());
            HomeShard::start_in_arbiter(arbiter, move |context: &mut Context<HomeShard>| {
                context.set_mailbox_capacity(capacity);
                HomeShard::new(index, rules, stores, shards, scope, clock, metrics)
            })
        };
        let addresses = arbiters.iter().enumerate().map(address).collect();
        // Nobody else has the shards yet, so the cell is empty.
        drop(shards.addresses.set(addresses));
        Self {
            shards,
            metrics,
            hosts,
        }
    }

    /// Asks every session to end; it does so by itself.
    pub async fn close_all(&self, reason: Close) {
        let shards = self.shards.all();
        join_all(shards.iter().map(|shard| shard.send(CloseAll(reason)))).await;
    }

    /// Asks the sessions of an account to end, and forgets what was known of it: it was removed, or its
    /// password was changed.
    pub async fn close_account(&self, account: &BareJid) {
        let home = self.shards.index_of(account.as_jid());
        self.shards
            .tell(home, CloseAccount(account.clone(), Close::NotAuthorized))
            .await;
    }

    /// How many sessions are bound.
    pub async fn sessions(&self) -> usize {
        let shards = self.shards.all();
        let counts = join_all(shards.iter().map(|shard| shard.send(CountSessions))).await;
        counts.into_iter().filter_map(Result::ok).sum()
    }

    /// Messages accepted, settled, in flight and lost.
    #[cfg(test)]
    pub(crate) fn ledger(&self) -> (u64, u64, i64, u64) {
        self.metrics.ledger()
    }

    /// Puts a message into the mailbox of the home of `account`, or gives it back.
    fn offer<M>(&self, account: &Jid, message: M) -> Result<(), M>
    where
        M: Message + Send + 'static,
        M::Result: Send,
        HomeShard: Handler<M>,
        Context<HomeShard>: ToEnvelope<HomeShard, M>,
    {
        let Some(shard) = self.shards.of(account) else {
            return Err(message);
        };
        self.shards.waiting.add(1);
        shard.try_send(message).map_err(|error| {
            self.shards.waiting.add(-1);
            self.metrics.rejected.of(Queue::Shard).increment();
            error.into_inner()
        })
    }
}

impl Homes for Router {
    fn arbiter(&self, account: &BareJid) -> usize {
        self.shards.index_of(account.as_jid())
    }

    fn bind(&self, request: BindRequest) -> BoxFuture<'static, Result<BoundResource, BindRefused>> {
        let shards = Arc::clone(&self.shards);
        async move {
            let unavailable = || BindRefused(Condition::ResourceConstraint.into());
            let shard = shards
                .of(request.account.as_jid())
                .ok_or_else(unavailable)?;
            let (answer, answered) = oneshot::channel();
            shards
                .send(shard, Bind { request, answer })
                .await
                .map_err(|_| unavailable())?;
            answered.await.map_err(|_| unavailable())?
        }
        .boxed()
    }

    fn unbind(
        &self,
        session: &SessionKey,
        undelivered: Vec<Delivery>,
    ) -> Result<(), Overloaded<Vec<Delivery>>> {
        let message = Unbind {
            session: session.clone(),
            undelivered,
        };
        self.offer(&session.jid, message)
            .map_err(|message| Overloaded(message.undelivered))
    }

    fn submit(
        &self,
        session: &SessionKey,
        batch: Vec<Stanza>,
        permit: Permit,
    ) -> Result<(), Overloaded<Vec<Stanza>>> {
        let message = Submit {
            session: session.clone(),
            batch,
            permit,
        };
        self.offer(&session.jid, message)
            .map_err(|message| Overloaded(message.batch))
    }

    fn confirmed(
        &self,
        session: &SessionKey,
        rows: Vec<RowId>,
    ) -> Result<(), Overloaded<Vec<RowId>>> {
        let message = Confirmed {
            session: session.clone(),
            rows,
        };
        self.offer(&session.jid, message)
            .map_err(|message| Overloaded(message.rows))
    }

    fn detached(
        &self,
        session: &SessionKey,
        waiting: Vec<Delivery>,
    ) -> Result<(), Overloaded<Vec<Delivery>>> {
        let message = Detached {
            session: session.clone(),
            waiting,
        };
        self.offer(&session.jid, message)
            .map_err(|message| Overloaded(message.waiting))
    }

    fn resumed(&self, session: &SessionKey) -> Result<(), Overloaded<()>> {
        self.offer(&session.jid, Resumed(session.clone()))
            .map_err(|_| Overloaded(()))
    }
}

impl fmt::Debug for Router {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Router")
            .field("shards", &self.shards.all().len())
            .finish_non_exhaustive()
    }
}

// === impl Shards ===

impl Shards {
    pub(crate) fn all(&self) -> &[Addr<HomeShard>] {
        self.addresses.get().map(AsRef::as_ref).unwrap_or_default()
    }

    /// Puts a message into the mailbox of a shard, waiting for room in it, and waits until it is handled.
    pub(crate) async fn tell<M>(&self, shard: usize, message: M)
    where
        M: Message<Result = ()> + Send + 'static,
        HomeShard: Handler<M>,
        Context<HomeShard>: ToEnvelope<HomeShard, M>,
    {
        let Some(address) = self.all().get(shard) else {
            return;
        };
        if let Err(error) = self.send(address, message).await {
            tracing::debug!(shard, %error, "an account shard is gone");
        }
    }

    /// Puts a message into a mailbox, waiting for room in it, and waits until it is handled.
    async fn send<M>(&self, shard: &Addr<HomeShard>, message: M) -> Result<(), MailboxError>
    where
        M: Message<Result = ()> + Send + 'static,
        HomeShard: Handler<M>,
        Context<HomeShard>: ToEnvelope<HomeShard, M>,
    {
        self.waiting.add(1);
        let handled = shard.send(message).await;
        if handled.is_err() {
            self.waiting.add(-1);
        }
        handled
    }

    /// The home of the account of an address.
    fn of(&self, jid: &Jid) -> Option<&Addr<HomeShard>> {
        self.all().get(self.index_of(jid))
    }

    /// The number of the home of the account of an address.
    pub(crate) fn index_of(&self, jid: &Jid) -> usize {
        let shards = self.all().len().max(1);
        let mut hasher = DefaultHasher::new();
        jid.bare_str().hash(&mut hasher);
        // The remainder is less than the number of shards.
        usize::try_from(hasher.finish() % shards as u64).unwrap_or_default()
    }
}

impl fmt::Debug for Shards {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shards")
            .field("count", &self.all().len())
            .finish()
    }
}
