//! What the homes of accounts do, run by their actors on the thread of this program: from the sender's
//! session to the recipients' sessions.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use actix_rt::{Arbiter, System, SystemRunner};
use rookery_delivery::{
    BindRequest, BindTerms, Close, Credit, Delivery, Homes, Load, Refused, SessionId, SessionKey,
    SessionPort,
};
use rookery_extension::Hosts;
use rookery_lifecycle::{Clock, TaskScope};
use rookery_router::{Config, Parts, Router};
use rookery_stanza::{BareJid, Stanza};
use rookery_storage::memory::MemoryStore;
use rookery_storage::message_log::MemoryLog;
use rookery_storage::{
    AccountStore, Credentials, RosterItem, RosterStore, RosterUpdate, RosterWrite, ScramKeys,
    Subscription,
};
use rookery_telemetry::Registry;
use tokio::sync::Notify;

use crate::feature::{host, installed};
use crate::samples;
use crate::stanza::read;

const CONTACTS: usize = 20;

/// Counts what all sessions are handed.
#[derive(Debug, Default)]
struct Port {
    stanzas: AtomicUsize,
    changed: Notify,
}

impl SessionPort for Port {
    fn deliver(&self, batch: Vec<Delivery>) -> Result<(), Refused> {
        self.stanzas.fetch_add(batch.len(), Ordering::Relaxed);
        self.changed.notify_one();
        Ok(())
    }

    fn close(&self, _: Close) {}

    fn queued(&self) -> usize {
        0
    }
}

/// A router with one arbiter: this thread.
struct Net {
    system: SystemRunner,
    router: Router,
    port: Arc<Port>,
    credit: Arc<Credit>,
    sessions: u64,
}

impl Net {
    fn new() -> Self {
        let system = System::new();
        let store = Arc::new(MemoryStore::new());
        system.block_on(fill(&store));
        let runtime = system.runtime().tokio_runtime().handle().clone();
        let parts = Parts {
            config: Config::default(),
            hosts: Hosts::new([host()]),
            domains: Arc::new(rookery_delivery::NoDomains),
            features: installed(),
            store,
            log: Arc::new(MemoryLog::new()),
            scope: TaskScope::new("instructions", runtime, 100),
            clock: Clock::system(),
            registry: Registry::new(),
        };
        let arbiter = system.block_on(async { Arbiter::current() });
        Self {
            router: system.block_on(async { Router::start(parts, &[arbiter]) }),
            system,
            port: Arc::new(Port::default()),
            credit: Credit::new(Load {
                stanzas: 512,
                bytes: 4 << 20,
            }),
            sessions: 0,
        }
    }

    /// Binds a session of an account, and makes it available.
    fn connect(&mut self, account: BareJid) -> SessionKey {
        self.sessions += 1;
        let id = SessionId(self.sessions);
        let request = BindRequest {
            account,
            resource: None,
            session: id,
            port: self.port.clone(),
            terms: BindTerms::default(),
        };
        let bound = self.system.block_on(self.router.bind(request)).unwrap();
        let jid = bound.jid;
        let key = SessionKey { jid, id };
        let mut presence = read("<presence/>");
        presence.from = Some(key.jid.clone());
        // It comes back to the session itself at least (RFC 6121 §4.2.2).
        self.send(&key, vec![presence], 1);
        key
    }

    /// Sends a batch, and waits until that many stanzas have come.
    fn send(&self, from: &SessionKey, batch: Vec<Stanza>, expected: usize) {
        let goal = self.port.stanzas.load(Ordering::Relaxed) + expected;
        let permit = self.credit.take(
            Load {
                stanzas: batch.len(),
                bytes: batch.iter().map(Stanza::size).sum(),
            },
            tokio::time::Instant::now().into_std(),
        );
        self.router.submit(from, batch, permit).unwrap();
        self.system.block_on(async {
            while self.port.stanzas.load(Ordering::Relaxed) < goal {
                self.port.changed.notified().await;
            }
        });
    }
}

fn account(number: usize) -> BareJid {
    BareJid::parse(&format!("contact{number}@example.com")).unwrap()
}

fn juliet() -> BareJid {
    BareJid::parse("juliet@example.com").unwrap()
}

fn romeo() -> BareJid {
    BareJid::parse("romeo@example.com").unwrap()
}

/// Juliet, with contacts; the contacts, who have her; and Romeo, who has nobody.
async fn fill(store: &MemoryStore) {
    let everybody = (0..CONTACTS).map(account).chain([juliet(), romeo()]);
    let accounts = everybody.map(|jid| (jid, credentials())).collect();
    store.create_accounts(accounts).await.unwrap();
    let contacts = (0..CONTACTS).map(|number| contact(account(number)));
    update(store, juliet(), contacts.collect()).await;
    for number in 0..CONTACTS {
        update(store, account(number), vec![contact(juliet())]).await;
    }
}

async fn update(store: &MemoryStore, account: BareJid, writes: Vec<RosterWrite>) {
    let update = RosterUpdate {
        account,
        version: 1,
        floor: 0,
        writes,
    };
    assert!(store.update_roster(update).await.unwrap());
}

fn contact(jid: BareJid) -> RosterWrite {
    RosterWrite::Put(RosterItem {
        jid,
        name: None,
        groups: vec![],
        subscription: Subscription::Both,
        pending_out: false,
        approved: false,
        pending_in: None,
        listed: true,
        changed: 1,
    })
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

/// `count` messages of one read, to the bare JID of an account with one session.
pub(crate) fn messages(count: usize) -> Box<dyn FnMut()> {
    let mut net = Net::new();
    let sender = net.connect(juliet());
    net.connect(romeo());
    let mut message = read(samples::MESSAGE);
    message.from = Some(sender.jid.clone());
    Box::new(move || net.send(&sender, vec![message.clone(); count], count))
}

/// Presence that goes to 20 contacts who are there, and back to the sender's own session.
pub(crate) fn presence() -> Box<dyn FnMut()> {
    let mut net = Net::new();
    for number in 0..CONTACTS {
        net.connect(account(number));
    }
    let sender = net.connect(juliet());
    let mut presence = read(samples::PRESENCE);
    presence.from = Some(sender.jid.clone());
    // What greeted the new session may still be under way.
    for _ in 0..3 {
        net.send(&sender, vec![presence.clone()], CONTACTS + 1);
    }
    Box::new(move || net.send(&sender, vec![presence.clone()], CONTACTS + 1))
}

pub(crate) fn ping() -> Box<dyn FnMut()> {
    let mut net = Net::new();
    let sender = net.connect(juliet());
    let mut request = read(samples::PING);
    request.from = Some(sender.jid.clone());
    Box::new(move || net.send(&sender, vec![request.clone()], 1))
}
