//! Two arbiters, a router over them, and clients.

use std::collections::VecDeque;
use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc as blocking;
use std::time::Duration;

use actix_rt::{Arbiter, System};
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use rookery_delivery::{
    BindRefused, BindRequest, BindTerms, BoundResource, Close, Credit, Delivery, Homes, Load,
    Permit, Refusal, Refused, SessionId, SessionKey, SessionPort,
};
use rookery_extension::{
    Answer, Feature, Host, Hosts, IqContext, IqHandler, IqMethod, IqRequest, Registry, Scope, Spec,
};
use rookery_lifecycle::{Clock, TaskScope};
use rookery_stanza::{BareJid, Stanza, StanzaError, ns};
use rookery_storage::message_log::{MemoryLog, MessageLog};
use rookery_storage::{AccountStore, Credentials, ScramKeys};
use rookery_telemetry::Registry as Metrics;
use rookery_xml::{Element, Limits, StreamNamespaces};
use tokio::runtime::Handle;
use tokio::sync::{Notify, mpsc};
use tokio::time::timeout;

use super::outside::Component;
use super::store::SlowStore;
use crate::config::Config;
use crate::homes::{Parts, Router};

/// How long anything may take.
const PATIENCE: Duration = Duration::from_secs(10);
/// A resource, when there is one.
pub(super) type Bound = BoxFuture<'static, Result<BoundResource, BindRefused>>;

/// One small stanza in flight, for tests that do not look at it.
pub(super) const ONE: Load = Load {
    stanzas: 1,
    bytes: 100,
};

/// Plays a test on an actix system.
pub(super) fn run(test: impl Future<Output = ()>) {
    System::new().block_on(async {
        timeout(PATIENCE * 3, test).await.expect("the test ends");
    });
}

pub(super) struct Net {
    pub(super) router: Router,
    pub(super) store: Arc<SlowStore>,
    pub(super) log: Arc<MemoryLog>,
    pub(super) component: Arc<Component>,
    arbiters: [Arbiter; 2],
    sessions: AtomicU64,
    later: Arc<Notify>,
}

/// A client, with what its session was handed.
#[derive(Debug)]
pub(super) struct Client {
    pub(super) key: SessionKey,
    deliveries: mpsc::Receiver<Vec<Delivery>>,
    closed: mpsc::Receiver<Close>,
    read: VecDeque<Delivery>,
}

#[derive(Debug)]
struct Port {
    deliveries: mpsc::Sender<Vec<Delivery>>,
    closed: mpsc::Sender<Close>,
}

/// Answers `<later xmlns='test'/>` when it is told to.
struct Later(Arc<Notify>);

struct LaterRequest;

impl IqRequest for LaterRequest {
    const NAME: &'static str = "later";
    const NAMESPACE: &'static str = "test";

    fn parse(_: IqMethod, _: &Element) -> Result<Self, StanzaError> {
        Ok(Self)
    }
}

impl IqHandler for Later {
    type Request = LaterRequest;
    const SCOPE: Scope = Scope {
        host: true,
        account: None,
    };

    fn handle(&self, _: LaterRequest, _: IqContext<'_>) -> Answer {
        let notify = Arc::clone(&self.0);
        Answer::Later(
            async move {
                notify.notified().await;
                Ok(None)
            }
            .boxed(),
        )
    }
}

impl Feature for Later {
    fn spec(&self) -> Spec {
        Spec::EMPTY
    }

    fn install(self: Box<Self>, registry: &mut Registry) {
        registry.iq(*self);
    }
}

/// Credit for one stanza that was read now.
pub(super) fn taken(credit: &Arc<Credit>) -> Permit {
    credit.take(ONE, tokio::time::Instant::now().into_std())
}

impl SessionPort for Port {
    fn deliver(&self, batch: Vec<Delivery>) -> Result<(), Refused> {
        self.deliveries
            .try_send(batch)
            .map_err(|error| match error {
                mpsc::error::TrySendError::Full(batch) => Refused {
                    why: Refusal::Busy,
                    batch,
                },
                mpsc::error::TrySendError::Closed(batch) => Refused {
                    why: Refusal::Gone,
                    batch,
                },
            })
    }

    fn close(&self, reason: Close) {
        // Asking again changes nothing.
        self.closed.try_send(reason).unwrap_or_default();
    }

    fn queued(&self) -> usize {
        0
    }
}

impl Net {
    pub(super) async fn new(config: Config) -> Self {
        Self::with_mailboxes(1024, config).await
    }

    pub(super) async fn with_mailboxes(capacity: usize, config: Config) -> Self {
        let arbiters = [Arbiter::new(), Arbiter::new()];
        let store = Arc::new(SlowStore::new());
        let log = Arc::new(MemoryLog::new());
        let later = Arc::new(Notify::new());
        let mut registry = Registry::new();
        registry.install(Box::new(Later(Arc::clone(&later))));
        registry.install(Box::new(super::results::Telling));
        let jid = BareJid::parse("example.com").unwrap();
        let host = Host::new(jid);
        let component = Arc::new(Component::default());
        let parts = Parts {
            config,
            hosts: Hosts::new([host]).with_components(["irc.example.com".to_owned()]),
            domains: component.clone(),
            features: registry.freeze().unwrap(),
            store: store.clone(),
            log: log.clone(),
            scope: TaskScope::new("test", Handle::current(), 1000),
            clock: Clock::system(),
            registry: Metrics::new(),
        };
        let handles = [arbiters[0].handle(), arbiters[1].handle()];
        let router = Router::with_mailboxes(capacity, parts, &handles);
        let net = Self {
            router,
            store,
            log,
            component,
            arbiters,
            sessions: AtomicU64::new(0),
            later,
        };
        for shard in 0..2 {
            for number in 0..2 {
                let account = (net.account(shard, number), credentials());
                net.store.create_accounts(vec![account]).await.unwrap();
            }
        }
        net
    }

    /// An account that lives on a shard.
    pub(super) fn account(&self, shard: usize, number: usize) -> BareJid {
        let named = |n: usize| BareJid::parse(&format!("user{n}@example.com")).unwrap();
        let mut here = (0..)
            .map(named)
            .filter(|jid| self.router.arbiter(jid) == shard);
        here.nth(number).unwrap()
    }

    pub(super) async fn connect(&self, account: &BareJid, resource: &str) -> Client {
        self.try_connect(account, resource).await.unwrap()
    }

    pub(super) async fn try_connect(
        &self,
        account: &BareJid,
        resource: &str,
    ) -> Result<Client, BindRefused> {
        self.connect_by(account, resource, BindTerms::default())
            .await
    }

    pub(super) async fn connect_by(
        &self,
        account: &BareJid,
        resource: &str,
        terms: BindTerms,
    ) -> Result<Client, BindRefused> {
        let (to_client, deliveries) = mpsc::channel(1024);
        let (to_close, closed) = mpsc::channel(8);
        let (id, bound) = self.bind(account, resource, (to_client, to_close), terms);
        let BoundResource { jid, .. } = timeout(PATIENCE, bound).await.expect("an answer")?;
        Ok(Client {
            key: SessionKey { jid, id },
            deliveries,
            closed,
            read: VecDeque::new(),
        })
    }

    /// Asks for a resource: the answer, and why the session is asked to end while it waits for one.
    pub(super) fn begin_to_bind(
        &self,
        account: &BareJid,
        resource: &str,
    ) -> (Bound, mpsc::Receiver<Close>) {
        let (to_client, _) = mpsc::channel(1);
        let (to_close, closed) = mpsc::channel(8);
        let terms = BindTerms::default();
        let (_, bound) = self.bind(account, resource, (to_client, to_close), terms);
        (bound, closed)
    }

    fn bind(
        &self,
        account: &BareJid,
        resource: &str,
        (deliveries, closed): (mpsc::Sender<Vec<Delivery>>, mpsc::Sender<Close>),
        terms: BindTerms,
    ) -> (SessionId, Bound) {
        let id = SessionId(self.sessions.fetch_add(1, Ordering::Relaxed));
        let request = BindRequest {
            account: account.clone(),
            resource: Some(resource.to_owned()),
            session: id,
            port: Arc::new(Port { deliveries, closed }),
            terms,
        };
        (id, self.router.bind(request))
    }

    pub(super) fn submit(&self, client: &Client, stanzas: &[&str]) {
        self.submit_with(client, stanzas, taken(&Credit::new(ONE)));
    }

    pub(super) fn submit_with(&self, client: &Client, stanzas: &[&str], permit: Permit) {
        self.router
            .submit(&client.key, parse(stanzas), permit)
            .unwrap();
    }

    /// Blocks the thread of an arbiter until the sender is dropped.
    pub(super) fn block(&self, arbiter: usize) -> blocking::Sender<()> {
        let (sender, receiver) = blocking::channel::<()>();
        self.arbiters[arbiter].spawn_fn(move || {
            receiver.recv().unwrap_err();
        });
        sender
    }

    /// How many messages an account is owed.
    pub(super) async fn owed(&self, account: &BareJid) -> u64 {
        self.log.tail(account).await.unwrap().owed
    }

    /// Waits until an account is owed nothing.
    pub(super) async fn is_noted(&self, account: &BareJid) {
        let noted = async {
            while self.owed(account).await > 0 {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        timeout(PATIENCE, noted).await.expect("it is noted");
    }

    /// Lets one request be answered.
    pub(super) fn answer_later(&self) {
        self.later.notify_one();
    }

    /// Waits until no message is in flight; then every one is accounted for.
    pub(super) async fn is_settled(&self) {
        let settled = async {
            // A shard answers after what it was sent before; twice, for what crossed over.
            for _ in 0..1000 {
                self.router.sessions().await;
                let (accepted, _, in_flight, _) = self.router.ledger();
                if in_flight == 0 && accepted > 0 {
                    return;
                }
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        timeout(PATIENCE, settled).await.expect("messages settle");
        let (accepted, settled, in_flight, lost) = self.router.ledger();
        assert_eq!((in_flight, lost), (0, 0));
        assert_eq!(accepted, settled);
    }
}

impl Client {
    /// The next stanza, as it would be written.
    pub(super) async fn next(&mut self) -> String {
        while self.read.is_empty() {
            let batch = timeout(PATIENCE, self.deliveries.recv()).await;
            self.read
                .extend(batch.expect("a delivery in time").expect("a session"));
        }
        let mut out = Vec::new();
        self.read.pop_front().unwrap().stanza.write(&mut out);
        String::from_utf8(out).unwrap()
    }

    /// Takes everything that was delivered; how many.
    pub(super) fn drain(&mut self) -> usize {
        while let Ok(batch) = self.deliveries.try_recv() {
            self.read.extend(batch);
        }
        std::mem::take(&mut self.read).len()
    }

    /// Why the session was asked to end.
    pub(super) async fn closed(&mut self) -> Close {
        timeout(PATIENCE, self.closed.recv())
            .await
            .expect("in time")
            .expect("a session")
    }
}

impl Drop for Net {
    fn drop(&mut self) {
        for arbiter in &self.arbiters {
            arbiter.stop();
        }
    }
}

pub(super) fn parse(stanzas: &[&str]) -> Vec<Stanza> {
    let namespaces = StreamNamespaces::with_default(ns::CLIENT);
    let parse = |xml: &&str| {
        Stanza::parse((*xml).to_owned().into(), &namespaces, &Limits::default()).unwrap()
    };
    stanzas.iter().map(parse).collect()
}

fn credentials() -> Credentials {
    let keys = || ScramKeys {
        salt: vec![],
        iterations: 1,
        stored_key: vec![],
        server_key: vec![],
    };
    Credentials {
        sha1: keys(),
        sha256: keys(),
        sha512: keys(),
    }
}
