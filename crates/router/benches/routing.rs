//! What a chat message costs from the sender's session to the recipient's, through both homes.
#![expect(
    clippy::unwrap_used,
    reason = "a benchmark that cannot be set up ends there"
)]

use std::hint::black_box;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use actix_rt::{Arbiter, System, SystemRunner};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use rookery_delivery::{
    BindRequest, BindTerms, Close, Credit, Delivery, Homes, Load, Refused, SessionId, SessionKey,
    SessionPort,
};
use rookery_extension::{Features, Host, Hosts};
use rookery_lifecycle::{Clock, TaskScope};
use rookery_router::{Config, Parts, Router};
use rookery_stanza::{BareJid, Stanza, ns};
use rookery_storage::memory::MemoryStore;
use rookery_storage::message_log::MemoryLog;
use rookery_storage::{AccountStore, Credentials, ScramKeys};
use rookery_telemetry::Registry;
use rookery_xml::{Limits, StreamNamespaces};
use tokio::sync::Notify;

/// Stanzas that one read of a socket brings.
const BATCH: usize = 64;

/// Counts what it is handed.
#[derive(Debug, Default)]
struct Port {
    stanzas: AtomicUsize,
    changed: Notify,
}

impl SessionPort for Port {
    fn deliver(&self, batch: Vec<Delivery>) -> Result<(), Refused> {
        self.stanzas
            .fetch_add(black_box(batch).len(), Ordering::Relaxed);
        self.changed.notify_one();
        Ok(())
    }

    fn close(&self, _: Close) {}

    fn queued(&self) -> usize {
        0
    }
}

struct Net {
    system: SystemRunner,
    router: Router,
    sessions: u64,
}

impl Net {
    fn new(arbiters: usize) -> Self {
        let system = System::new();
        let arbiters: Vec<Arbiter> =
            system.block_on(async move { (0..arbiters).map(|_| Arbiter::new()).collect() });
        let store = Arc::new(MemoryStore::new());
        let accounts = (0..16).map(|n| (account(n), credentials())).collect();
        system.block_on(store.create_accounts(accounts)).unwrap();
        let jid = BareJid::parse("example.com").unwrap();
        let host = Host::new(jid);
        let parts = Parts {
            config: Config::default(),
            hosts: Hosts::new([host]),
            domains: Arc::new(rookery_delivery::NoDomains),
            features: Features::default(),
            store,
            log: Arc::new(MemoryLog::new()),
            scope: TaskScope::new(
                "bench",
                system.runtime().tokio_runtime().handle().clone(),
                100,
            ),
            clock: Clock::system(),
            registry: Registry::new(),
        };
        let handles: Vec<_> = arbiters.iter().map(Arbiter::handle).collect();
        let router = Router::start(parts, &handles);
        Self {
            system,
            router,
            sessions: 0,
        }
    }

    /// Binds the first account that lives on an arbiter, from a number on.
    fn connect(&mut self, arbiter: usize, from: usize) -> (SessionKey, Arc<Port>) {
        let account = (from..16)
            .map(account)
            .find(|jid| self.router.arbiter(jid) == arbiter)
            .unwrap();
        self.sessions += 1;
        let (id, port) = (SessionId(self.sessions), Arc::new(Port::default()));
        let request = BindRequest {
            account,
            resource: None,
            session: id,
            port: port.clone(),
            terms: BindTerms::default(),
        };
        let bound = self.system.block_on(self.router.bind(request)).unwrap();
        (SessionKey { jid: bound.jid, id }, port)
    }

    /// Sends a batch and waits until all of it has arrived.
    fn send(&self, from: &SessionKey, batch: Vec<Stanza>, port: &Port, credit: &Arc<Credit>) {
        let goal = port.stanzas.load(Ordering::Relaxed) + batch.len();
        let permit = credit.take(
            Load {
                stanzas: batch.len(),
                bytes: batch.iter().map(Stanza::size).sum(),
            },
            tokio::time::Instant::now().into_std(),
        );
        self.router.submit(from, batch, permit).unwrap();
        self.system.block_on(async {
            while port.stanzas.load(Ordering::Relaxed) < goal {
                port.changed.notified().await;
            }
        });
    }
}

fn account(number: usize) -> BareJid {
    BareJid::parse(&format!("user{number}@example.com")).unwrap()
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

fn message(to: &SessionKey) -> Stanza {
    let xml = format!(
        "<message to='{}' type='chat' id='m1'><body>Art thou not Romeo, and a Montague?</body>\
         <active xmlns='http://jabber.org/protocol/chatstates'/></message>",
        to.jid
    );
    let namespaces = StreamNamespaces::with_default(ns::CLIENT);
    Stanza::parse(xml.into(), &namespaces, &Limits::default()).unwrap()
}

fn routing(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("chat message");
    group.throughput(Throughput::Elements(BATCH as u64));
    for (name, arbiter, from) in [("same arbiter", 0, 8), ("another arbiter", 1, 0)] {
        let mut net = Net::new(2);
        let (romeo, _) = net.connect(0, 0);
        let (juliet, port) = net.connect(arbiter, from);
        let credit = Credit::new(Load {
            stanzas: BATCH,
            bytes: 1 << 20,
        });
        let stanza = message(&juliet);
        group.bench_function(name, |bencher| {
            bencher.iter(|| net.send(&romeo, vec![stanza.clone(); BATCH], &port, &credit));
        });
    }
    group.finish();
}

criterion_group!(benches, routing);
criterion_main!(benches);
