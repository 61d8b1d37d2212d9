//! The installed catalog and somebody to ask it, for tests.

use std::collections::BTreeMap;
use std::sync::Arc;

use rookery_extension::{
    AccountView, Addressee, Answer, ContactKind, Contacts, Features, Host, IqContext, IqMethod,
    Kept, Registry, Relation,
};
use rookery_lifecycle::Clock;
use rookery_stanza::{BareJid, Jid, StanzaError, ns};
use rookery_storage::memory::MemoryStore;
use rookery_xml::Element;

use crate::{Config, Parts, catalog};

/// What a request got: `None` when nothing answers it.
pub(crate) type Got = Option<Result<Option<Element>, StanzaError>>;

/// A host with everything installed.
pub(crate) struct Scene {
    pub(crate) host: Arc<Host>,
    pub(crate) features: Features,
    pub(crate) clock: Clock,
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
        let parts = parts();
        let mut registry = Registry::new();
        for feature in catalog(config, &parts) {
            registry.install(feature);
        }
        Self {
            host: Arc::new(host),
            features: registry.freeze().unwrap(),
            clock: parts.clock,
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
        self.request(IqMethod::Get, payload, &juliet(relation))
    }

    /// An iq of type get to one's own account.
    pub(crate) fn ask_own_account(&self, payload: &str) -> Got {
        self.ask_account(payload, Relation::Own)
    }

    /// An iq of type set to an account.
    pub(crate) fn tell_account(&self, payload: &str, relation: Relation) -> Got {
        self.request(IqMethod::Set, payload, &juliet(relation))
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
        let from = Jid::parse("romeo@montague.lit/orchard").unwrap();
        let payload = Element::parse_str(payload).unwrap();
        let (host, features) = (&self.host, &self.features);
        let context = IqContext {
            method,
            from: &from,
            addressee,
            host,
            account: AccountView {
                jid: &from.bare(),
                kept: Kept::NOTHING,
                available: true,
                now: 0,
            },
            features,
        };
        match features.answer(&payload, context)? {
            Answer::Now(answer) => Some(answer),
            Answer::Later(_) | Answer::Ordered(_) => panic!("nothing here has to wait"),
        }
    }
}

/// What features are made of in tests.
pub(crate) fn parts() -> Parts {
    Parts {
        clock: Clock::system(),
        store: Arc::new(MemoryStore::new()),
        metrics: rookery_telemetry::Registry::new(),
    }
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
        jid: BareJid::parse("montague.lit").unwrap(),
        contacts,
        anonymous: false,
    }
}

fn juliet(relation: Relation) -> Addressee {
    Addressee::Account(BareJid::parse("juliet@montague.lit").unwrap(), relation)
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
