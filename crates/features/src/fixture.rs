//! The installed catalog and somebody to ask it, for tests.

use std::collections::BTreeMap;
use std::sync::Arc;

use futures_util::FutureExt;
use futures_util::future::{BoxFuture, ready};
use parking_lot::Mutex;
use rookery_extension::{
    AccountView, Addressee, Answer, Asker, ContactKind, Contacts, EmptyRoster, Features, Host,
    IqContext, IqMethod, Kept, NoSessions, Order, Outcome, PresenceEvent, Registry, Relation,
    Verdict, WaitingMessage,
};
use rookery_lifecycle::{Clock, TaskScope};
use rookery_stanza::{BareJid, Jid, RowId, Stanza, StanzaError, ns};
use rookery_storage::memory::MemoryStore;
use rookery_storage::message_log::MemoryLog;
use rookery_storage::{AccountStore, Credentials, DataStore, ScramKeys};
use rookery_xml::{Element, Limits, StreamNamespaces};

use tokio::runtime::Handle;

use crate::{Config, Parts, archive, catalog};

/// What a request got: `None` when nothing answers it.
pub(crate) type Got = Option<Result<Option<Element>, StanzaError>>;

/// A host with everything installed.
pub(crate) struct Scene {
    pub(crate) host: Arc<Host>,
    pub(crate) features: Features,
    pub(crate) clock: Clock,
    pub(crate) store: Arc<MemoryStore>,
    pub(crate) log: Arc<MemoryLog>,
    pub(crate) metrics: rookery_telemetry::Registry,
    home: Mutex<Home>,
}

/// What the home of juliet's account knows and was told to do.
#[derive(Default)]
struct Home {
    kept: Kept,
    available: bool,
    now: u64,
    orders: Vec<Order>,
    /// What was sent to the session that asks, beside answers.
    results: Arc<Mutex<Vec<Stanza>>>,
}

/// The session that asks.
struct Reader(Arc<Mutex<Vec<Stanza>>>);

impl Asker for Reader {
    fn send<'a>(
        &'a mut self,
        results: &'a mut (dyn Iterator<Item = Stanza> + Send),
    ) -> BoxFuture<'a, Result<(), StanzaError>> {
        self.0.lock().extend(results);
        ready(Ok(())).boxed()
    }
}

impl Scene {
    pub(crate) fn new() -> Self {
        Self::made(host(Contacts::default()), &Config::default())
    }

    pub(crate) fn with_host(host: Host) -> Self {
        Self::made(host, &Config::default())
    }

    pub(crate) fn with_config(config: &Config) -> Self {
        Self::made(host(Contacts::default()), config)
    }

    fn made(host: Host, config: &Config) -> Self {
        let store = store();
        let parts = parts_on(store.clone());
        let log = Arc::new(MemoryLog::new());
        let parts = Parts {
            log: log.clone(),
            ..parts
        };
        let mut registry = Registry::new();
        for feature in catalog(config, &parts) {
            registry.install(feature);
        }
        Self {
            host: Arc::new(host),
            features: registry.freeze().unwrap(),
            clock: parts.clock,
            store,
            log,
            metrics: parts.metrics,
            home: Mutex::default(),
        }
    }

    /// From now on it is this time, in unix milliseconds.
    pub(crate) fn at(&self, now: u64) {
        self.home.lock().now = now;
    }

    /// What the home of juliet's account was told to do since this was asked last. What it shall keep and
    /// store is done already.
    pub(crate) fn orders(&self) -> Vec<Order> {
        std::mem::take(&mut self.home.lock().orders)
    }

    /// The account leaves the memory of its home and comes back.
    pub(crate) fn load_again(&self) {
        let kinds = self.features.data_kinds();
        let loaded = soon(self.store.load_account(&juliet(), kinds));
        let data = loaded.unwrap().unwrap().data;
        self.home.lock().kept = self.features.keep(&data).unwrap();
    }

    /// What the filters make of a stanza that a client of juliet's sends.
    pub(crate) fn outbound(&self, xml: &str) -> (Verdict, Stanza) {
        self.filtered(xml, Features::outbound)
    }

    /// What the filters make of a stanza for juliet.
    pub(crate) fn inbound(&self, xml: &str) -> (Verdict, Stanza) {
        self.filtered(xml, Features::inbound)
    }

    fn filtered(
        &self,
        xml: &str,
        filter: impl Fn(&Features, &mut Stanza, AccountView<'_>) -> Verdict,
    ) -> (Verdict, Stanza) {
        let mut stanza = stanza(xml);
        let verdict = self.look(|view| filter(&self.features, &mut stanza, view));
        (verdict, stanza)
    }

    /// What the features make of a stanza that a client of juliet's sends to the host.
    pub(crate) fn to_host(&self, xml: &str) -> Option<Result<Vec<Stanza>, StanzaError>> {
        let stanza = stanza(xml);
        self.look(|view| self.features.to_host(&stanza, &self.host, view))
    }

    /// Whether presence passes between juliet and this address.
    pub(crate) fn shares_presence(&self, with: &str) -> bool {
        let with = Jid::parse(with).unwrap();
        self.look(|view| self.features.shares_presence(&with, view))
    }

    /// A client of juliet's broadcasts this presence, after which the account is available or not.
    pub(crate) fn broadcast(&self, xml: &str, available: bool) {
        let presence = stanza(xml);
        let session = Jid::parse("juliet@montague.lit/balcony").unwrap();
        let before = std::mem::replace(&mut self.home.lock().available, available);
        let event = PresenceEvent {
            session: &session,
            stanza: &presence,
            initial: !before,
        };
        let orders = self.look(|view| self.features.presence(event, view));
        self.obey(orders);
    }

    /// A message waits for juliet, in this row, with so many others.
    pub(crate) fn waits(&self, xml: &str, row: RowId, count: u64) {
        let message = stanza(xml);
        let waiting = WaitingMessage {
            stanza: &message,
            row,
            count,
        };
        let orders = self.look(|view| self.features.waits(&[waiting], view));
        self.obey(orders);
    }

    /// Somebody answers a request of juliet's account.
    pub(crate) fn answered_from_outside(
        &self,
        from: &Jid,
        id: &str,
        answer: Result<(), &StanzaError>,
    ) {
        let orders = self.look(|view| self.features.answered_from_outside(from, id, answer, view));
        self.obey(orders);
    }

    /// What was sent to the session that asked since this was asked last.
    pub(crate) fn results(&self) -> Vec<Stanza> {
        std::mem::take(&mut self.home.lock().results.lock())
    }

    fn look<T>(&self, look: impl FnOnce(AccountView<'_>) -> T) -> T {
        let (kept, available, now) = {
            let home = self.home.lock();
            (home.kept.clone(), home.available, home.now)
        };
        look(AccountView {
            jid: &juliet(),
            kept: &kept,
            roster: &EmptyRoster,
            sessions: &NoSessions,
            available,
            now,
        })
    }

    fn obey(&self, orders: Vec<Order>) {
        for order in orders {
            match order {
                Order::Keep(keep) => self.home.lock().kept.apply(keep),
                Order::Store(update) => {
                    soon(self.store.update_data(update)).unwrap();
                }
                order => self.home.lock().orders.push(order),
            }
        }
    }

    /// An iq of type get to the host.
    pub(crate) fn ask_host(&self, payload: &str) -> Got {
        self.request(IqMethod::Get, payload, &Addressee::Host)
    }

    /// An iq of type set to the host.
    pub(crate) fn tell_host(&self, payload: &str) -> Got {
        self.request(IqMethod::Set, payload, &Addressee::Host)
    }

    /// An iq of type get to an account.
    pub(crate) fn ask_account(&self, payload: &str, relation: Relation) -> Got {
        self.request(IqMethod::Get, payload, &to_juliet(relation))
    }

    /// An iq of type get to one's own account.
    pub(crate) fn ask_own_account(&self, payload: &str) -> Got {
        self.ask_account(payload, Relation::Own)
    }

    /// An iq of type set to one's own account.
    pub(crate) fn tell_own_account(&self, payload: &str) -> Got {
        self.tell_account(payload, Relation::Own)
    }

    /// Whether what juliet exchanges with an address is archived.
    pub(crate) fn archives(&self, contact: &str) -> bool {
        let contact = Jid::parse(contact).unwrap();
        self.look(|view| self.features.archives(&contact, &self.host, view))
    }

    /// An iq of type set to an account.
    pub(crate) fn tell_account(&self, payload: &str, relation: Relation) -> Got {
        self.request(IqMethod::Set, payload, &to_juliet(relation))
    }

    /// What the host answers, when it has something to say.
    pub(crate) fn host_says(&self, payload: &str) -> Element {
        result(self.ask_host(payload))
    }

    /// What the server answers for an account, when it has something to say.
    pub(crate) fn account_says(&self, payload: &str, relation: Relation) -> Element {
        result(self.ask_account(payload, relation))
    }

    pub(crate) fn host_announces(&self, feature: &str) -> bool {
        announces(&self.host_says(INFO), feature)
    }

    pub(crate) fn account_announces(&self, feature: &str) -> bool {
        announces(&self.account_says(INFO, Relation::Own), feature)
    }

    fn request(&self, method: IqMethod, payload: &str, addressee: &Addressee) -> Got {
        let from = match addressee {
            Addressee::Account(_, Relation::Own) => "juliet@montague.lit/balcony",
            _ => "romeo@montague.lit/orchard",
        };
        let from = Jid::parse(from).unwrap();
        let payload = Element::parse_str(payload).unwrap();
        let (host, features) = (&self.host, &self.features);
        let answer = self.look(|account| {
            let context = IqContext {
                method,
                from: &from,
                addressee,
                host,
                account,
                features,
            };
            features.answer(&payload, context)
        });
        Some(match answer? {
            Answer::Now(answer) => answer,
            Answer::Later(answer) => soon(answer),
            Answer::Ordered(outcome) => {
                let Outcome {
                    answer,
                    before,
                    after,
                } = soon(outcome);
                self.obey(before);
                self.obey(after);
                answer
            }
            Answer::Results(results) => {
                self.obey(results.orders.clone());
                let reader = Reader(self.home.lock().results.clone());
                soon(results.answer(Box::new(reader)))
            }
        })
    }
}

/// What features are made of in tests.
pub(crate) fn parts() -> Parts {
    parts_on(store())
}

pub(crate) fn parts_on(store: Arc<MemoryStore>) -> Parts {
    Parts {
        clock: Clock::system(),
        accounts: accounts(store.clone()),
        store,
        log: Arc::new(MemoryLog::new()),
        archive: archive::Config::default(),
        metrics: rookery_telemetry::Registry::new(),
    }
}

/// What works with the accounts of the host. It hashes passwords as long as the caller's runtime lives; where
/// there is none, never.
fn accounts(store: Arc<MemoryStore>) -> rookery_auth::Accounts {
    let runtime = Handle::try_current().unwrap_or_else(|_| {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .build()
            .unwrap();
        runtime.handle().clone()
    });
    let config = rookery_auth::Config::default();
    let services = rookery_auth::Services {
        store: store.clone(),
        scope: TaskScope::new("test", runtime, 1),
        clock: Clock::system(),
        registry: rookery_telemetry::Registry::new(),
        secret: [7; 32],
    };
    let authenticator = rookery_auth::Authenticator::new(&config, [], services);
    let hosts = [montague().name().to_owned()];
    rookery_auth::Accounts::new(&config, hosts, store, authenticator.hashing().clone())
        .with_clients(authenticator.clients().clone())
}

/// A store that has juliet's account.
pub(crate) fn store() -> Arc<MemoryStore> {
    let keys = || ScramKeys {
        salt: Vec::new(),
        iterations: 4096,
        stored_key: Vec::new(),
        server_key: Vec::new(),
    };
    let credentials = Credentials {
        sha1: keys(),
        sha256: keys(),
        sha512: keys(),
    };
    let store = MemoryStore::new();
    soon(store.create_accounts(vec![(juliet(), credentials)])).unwrap();
    Arc::new(store)
}

/// What comes of something that has to wait for nothing but a store in memory.
fn soon<T>(future: impl Future<Output = T>) -> T {
    future
        .now_or_never()
        .expect("a store in memory answers at once")
}

pub(crate) fn stanza(xml: &str) -> Stanza {
    let namespaces = StreamNamespaces::with_default(ns::CLIENT);
    Stanza::parse(xml.to_owned().into(), &namespaces, &Limits::default()).unwrap()
}

const INFO: &str = "<query xmlns='http://jabber.org/protocol/disco#info'/>";

pub(crate) fn host_with_contacts() -> Host {
    let uris = |uris: &[&str]| uris.iter().map(ToString::to_string).collect();
    let addresses = BTreeMap::from([
        (ContactKind::Status, uris(&["https://status.montague.lit"])),
        (
            ContactKind::Abuse,
            uris(&["mailto:abuse@montague.lit", "xmpp:abuse@montague.lit"]),
        ),
        (ContactKind::Sales, Vec::new()),
    ]);
    host(Contacts { addresses })
}

fn host(contacts: Contacts) -> Host {
    Host {
        contacts,
        ..montague()
    }
}

/// The host of the tests, about which nothing is known.
pub(crate) fn montague() -> Host {
    Host::new(BareJid::parse("montague.lit").unwrap())
}

pub(crate) fn juliet() -> BareJid {
    BareJid::parse("juliet@montague.lit").unwrap()
}

fn to_juliet(relation: Relation) -> Addressee {
    Addressee::Account(juliet(), relation)
}

fn result(got: Got) -> Element {
    got.expect("an answer")
        .expect("no error")
        .expect("a payload")
}

fn announces(info: &Element, feature: &str) -> bool {
    let mut features = info
        .children()
        .filter(|child| child.is("feature", ns::DISCO_INFO));
    features.any(|child| child.attribute("var") == Some(feature))
}
