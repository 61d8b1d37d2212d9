//! What the installed features are asked about a stanza.

use std::hint::black_box;
use std::sync::Arc;

use rookery_auth::{Accounts, Authenticator, Services};
use rookery_extension::{
    AccountView, Addressee, Answer, EmptyRoster, Features, Host, IqContext, IqMethod, Kept,
    NoSessions, Registry, Verdict,
};
use rookery_features::{Config, Parts, catalog};
use rookery_lifecycle::{Clock, TaskScope};
use rookery_stanza::{BareJid, Jid};
use rookery_storage::memory::MemoryStore;
use rookery_storage::message_log::MemoryLog;
use rookery_xml::{Element, Limits, StreamNamespaces};
use tokio::runtime::Runtime;

/// Everything that the server installs, with its default configuration.
pub(crate) fn installed() -> Features {
    let store = Arc::new(MemoryStore::new());
    let runtime = Runtime::new().unwrap();
    let parts = Parts {
        clock: Clock::system(),
        store: store.clone(),
        log: Arc::new(MemoryLog::new()),
        archive: rookery_features::archive::Config::default(),
        accounts: accounts(store, &runtime),
        metrics: rookery_telemetry::Registry::new(),
    };
    let mut registry = Registry::new();
    for feature in catalog(&Config::default(), &parts) {
        registry.install(feature);
    }
    registry.freeze().unwrap()
}

pub(crate) fn host() -> Host {
    Host::new(BareJid::parse("example.com").unwrap())
}

/// What features make accounts with; no case does.
fn accounts(store: Arc<MemoryStore>, runtime: &Runtime) -> Accounts {
    let config = rookery_auth::Config::default();
    let services = Services {
        store: store.clone(),
        scope: TaskScope::new("instructions", runtime.handle().clone(), 1),
        clock: Clock::system(),
        registry: rookery_telemetry::Registry::new(),
        secret: [7; 32],
    };
    let authenticator = Authenticator::new(&config, [], services);
    let hosts = [host().name().to_owned()];
    Accounts::new(&config, hosts, store, authenticator.hashing().clone())
}

fn view(jid: &BareJid) -> AccountView<'_> {
    AccountView {
        jid,
        kept: Kept::NOTHING,
        roster: &EmptyRoster,
        sessions: &NoSessions,
        available: true,
        now: 0,
    }
}

/// On its way out of one account and into another.
pub(crate) fn filters() -> Box<dyn FnMut()> {
    let features = installed();
    let [sender, receiver] =
        ["juliet@example.com", "romeo@example.com"].map(|jid| BareJid::parse(jid).unwrap());
    let mut stanza = crate::stanza::read(crate::samples::MESSAGE);
    stanza.from = Some(Jid::parse("juliet@example.com/balcony").unwrap());
    Box::new(move || {
        let stanza = black_box(&mut stanza);
        assert_eq!(features.outbound(stanza, view(&sender)), Verdict::Pass);
        assert_eq!(features.inbound(stanza, view(&receiver)), Verdict::Pass);
    })
}

pub(crate) fn disco() -> Box<dyn FnMut()> {
    let features = installed();
    let host = Arc::new(host());
    let from = Jid::parse("juliet@example.com/balcony").unwrap();
    let account = from.bare();
    let query = "<query xmlns='http://jabber.org/protocol/disco#info'/>";
    let namespaces = StreamNamespaces::with_default("jabber:client");
    let query = Element::parse(query.as_bytes(), &namespaces, &Limits::default()).unwrap();
    Box::new(move || {
        let context = IqContext {
            method: IqMethod::Get,
            from: &from,
            addressee: &Addressee::Host,
            host: &host,
            account: view(&account),
            features: &features,
        };
        let answer = features.answer(black_box(&query), context);
        assert!(matches!(answer, Some(Answer::Now(Ok(Some(_))))));
    })
}
