//! An account with lists, and what becomes of its stanzas.

use std::sync::Arc;

use futures_util::FutureExt;
use rookery_extension::{
    AccountView, Addressee, Answer, Features, Host, IqContext, IqMethod, Kept, Order, Outcome,
    Registry, Relation, Roster, SessionView, Sessions, Verdict,
};
use rookery_stanza::{Condition, Jid, Stanza};
use rookery_storage::Subscription;
use rookery_storage::memory::MemoryStore;
use rookery_xml::Element;

use crate::fixture::{juliet, montague, parts_on, stanza, store};
use crate::{Config, catalog};

pub(super) const BALCONY: &str = "juliet@montague.lit/balcony";
pub(super) const CHAMBER: &str = "juliet@montague.lit/chamber";
pub(super) const ROMEO: &str = "romeo@example.net/orchard";
pub(super) const TYBALT: &str = "tybalt@example.com/pda";

#[derive(Debug)]
pub(super) struct Session {
    jid: Jid,
    presence: Option<Stanza>,
    kept: Kept,
}

#[derive(Debug, Default)]
pub(super) struct Bound(pub(super) Vec<Session>);

/// Contacts: their addresses, subscriptions and groups.
#[derive(Debug, Default)]
pub(super) struct Contacts(Vec<(Jid, Subscription, &'static str)>);

/// Juliet's account, with two sessions that are available, and her contacts.
pub(super) struct Play {
    pub(super) features: Features,
    pub(super) store: Arc<MemoryStore>,
    pub(super) host: Arc<Host>,
    pub(super) kept: Kept,
    pub(super) bound: Bound,
    pub(super) contacts: Contacts,
    /// What the home was told to do besides keeping things.
    pub(super) orders: Vec<Order>,
}

impl Sessions for Bound {
    fn each<'a>(&'a self, look: &mut dyn FnMut(SessionView<'a>)) {
        for Session {
            jid,
            presence,
            kept,
        } in &self.0
        {
            let presence = presence.as_ref();
            look(SessionView {
                jid,
                client: None,
                presence,
                kept,
            });
        }
    }
}

impl Contacts {
    fn of(&self, jid: &Jid) -> Option<&(Jid, Subscription, &'static str)> {
        self.0
            .iter()
            .find(|(contact, ..)| contact.as_str() == jid.bare_str())
    }
}

impl Roster for Contacts {
    fn lists(&self, jid: &Jid) -> bool {
        self.of(jid).is_some()
    }

    fn subscription(&self, jid: &Jid) -> Subscription {
        self.of(jid)
            .map_or(Subscription::None, |(_, state, _)| *state)
    }

    fn is_in_group(&self, jid: Option<&Jid>, group: &str) -> bool {
        match jid {
            Some(jid) => self.of(jid).is_some_and(|(.., of)| *of == group),
            None => self.0.iter().any(|(.., of)| *of == group),
        }
    }

    fn subscribers(&self) -> Vec<Jid> {
        let from = |state: &Subscription| matches!(state, Subscription::From | Subscription::Both);
        let subscribed = self.0.iter().filter(|(_, state, _)| from(state));
        subscribed.map(|(jid, ..)| jid.clone()).collect()
    }

    fn subscriptions(&self) -> Vec<Jid> {
        let to = |state: &Subscription| matches!(state, Subscription::To | Subscription::Both);
        let subscribed = self.0.iter().filter(|(_, state, _)| to(state));
        subscribed.map(|(jid, ..)| jid.clone()).collect()
    }
}

pub(super) fn jid(text: &str) -> Jid {
    Jid::parse(text).unwrap()
}

impl Play {
    pub(super) fn new() -> Self {
        Self::with_config(&Config::default())
    }

    pub(super) fn with_config(config: &Config) -> Self {
        let store = store();
        let mut registry = Registry::new();
        for feature in catalog(config, &parts_on(store.clone())) {
            registry.install(feature);
        }
        let host = Host {
            privacy_lists: true,
            ..montague()
        };
        let available = |text: &str| Session {
            jid: jid(text),
            presence: Some(stanza(&format!("<presence from='{text}'/>"))),
            kept: Kept::default(),
        };
        let contact = |text, state, group| (jid(text), state, group);
        Self {
            features: registry.freeze().unwrap(),
            store,
            host: Arc::new(host),
            kept: Kept::default(),
            bound: Bound(vec![available(BALCONY), available(CHAMBER)]),
            contacts: Contacts(vec![
                contact("romeo@example.net", Subscription::Both, "Friends"),
                contact("tybalt@example.com", Subscription::From, "Enemies"),
                contact("nurse@example.com", Subscription::To, ""),
            ]),
            orders: Vec::new(),
        }
    }

    pub(super) fn view<'a>(&'a self, account: &'a rookery_stanza::BareJid) -> AccountView<'a> {
        AccountView {
            jid: account,
            kept: &self.kept,
            roster: &self.contacts,
            sessions: &self.bound,
            available: true,
            now: 0,
        }
    }

    pub(super) fn request(
        &mut self,
        session: &str,
        method: IqMethod,
        payload: &str,
    ) -> Result<Option<Element>, Condition> {
        let (from, account) = (jid(session), juliet());
        let context = IqContext {
            method,
            from: &from,
            addressee: &Addressee::Account(juliet(), Relation::Own),
            host: &self.host,
            account: self.view(&account),
            features: &self.features,
        };
        let payload = Element::parse_str(payload).unwrap();
        let answer = self.features.answer(&payload, context).unwrap();
        let outcome = match answer {
            Answer::Ordered(outcome) => outcome.now_or_never().unwrap(),
            Answer::Now(answer) => Outcome::from(answer),
            answer => panic!("{answer:?}"),
        };
        for order in outcome.before.into_iter().chain(outcome.after) {
            match order {
                Order::Keep(keep) => self.kept.apply(keep),
                Order::KeepForSession(keep) => {
                    let mut sessions = self.bound.0.iter_mut();
                    let asker = sessions.find(|session| session.jid == from).unwrap();
                    asker.kept.apply(keep);
                }
                order => self.orders.push(order),
            }
        }
        outcome.answer.map_err(|error| error.condition)
    }

    pub(super) fn set(&mut self, session: &str, child: &str) -> Result<Option<Element>, Condition> {
        let query = format!("<query xmlns='jabber:iq:privacy'>{child}</query>");
        self.request(session, IqMethod::Set, &query)
    }

    pub(super) fn get(&mut self, child: &str) -> Result<String, Condition> {
        let query = format!("<query xmlns='jabber:iq:privacy'>{child}</query>");
        let answer = self.request(BALCONY, IqMethod::Get, &query)?;
        let bytes = answer.unwrap().to_bytes("");
        Ok(String::from_utf8(bytes.to_vec()).unwrap())
    }

    /// From now on the default list has these items.
    pub(super) fn with_default(mut self, items: &str) -> Self {
        let list = format!("<list name='public'>{items}</list>");
        assert_eq!(self.set(BALCONY, &list), Ok(None));
        self.bound.0.pop();
        assert_eq!(self.set(BALCONY, "<default name='public'/>"), Ok(None));
        self.bound.0.push(Session {
            jid: jid(CHAMBER),
            presence: None,
            kept: Kept::default(),
        });
        self.orders.clear();
        self
    }

    pub(super) fn inbound(&self, from: &str, to: &str, xml: &str) -> Verdict {
        let mut stanza = stanza(xml).with_from(jid(from)).with_to(jid(to));
        self.features.inbound(&mut stanza, self.view(&juliet()))
    }

    pub(super) fn outbound(&self, from: &str, to: &str, xml: &str) -> Verdict {
        let mut stanza = stanza(xml).with_from(jid(from)).with_to(jid(to));
        self.features.outbound(&mut stanza, self.view(&juliet()))
    }

    /// Whether somebody sees the presence of a session.
    pub(super) fn shows(&self, session: &str, to: &str) -> bool {
        let account = juliet();
        let view = self.view(&account);
        let session = view.session(&jid(session)).unwrap();
        self.features.shows_presence(session, &jid(to), view)
    }

    /// Which of message, iq, presence and subscription requests pass that come in for the account, and which
    /// messages and presence that go out.
    pub(super) fn passes(&self, with: &str) -> String {
        const PING: &str = "<iq type='get' id='1'><ping xmlns='urn:xmpp:ping'/></iq>";
        let account = "juliet@montague.lit";
        let inbound = |xml: &str| self.inbound(with, account, xml) == Verdict::Pass;
        let outbound = |xml: &str| self.outbound(BALCONY, with, xml) == Verdict::Pass;
        let tried = [
            ('m', inbound("<message type='chat'/>")),
            ('i', inbound(PING)),
            ('p', inbound("<presence/>")),
            ('s', inbound("<presence type='subscribe'/>")),
            ('M', outbound("<message type='chat'/>")),
            ('P', outbound("<presence/>")),
        ];
        let passed = tried.into_iter().filter(|(_, passed)| *passed);
        passed.map(|(what, _)| what).collect()
    }

    /// Which sessions something reaches that is for the account as a whole, and whether it is kept for later.
    pub(super) fn reached_by(&self, from: &str, xml: &str) -> String {
        let (account, stanza) = (juliet(), stanza(xml).with_from(jid(from)));
        let view = self.view(&account);
        let mut reached = Vec::new();
        view.sessions.each(&mut |session| {
            if self.features.reaches(&stanza, Some(session), view) {
                reached.extend(session.jid.resource().map(str::to_owned));
            }
        });
        if self.features.reaches(&stanza, None, view) {
            reached.push("later".to_owned());
        }
        reached.join(" ")
    }

    /// What was sent in the name of sessions since this was asked last.
    pub(super) fn sent(&mut self) -> Vec<String> {
        let orders = std::mem::take(&mut self.orders);
        let sent = orders.into_iter().filter_map(|order| match order {
            Order::Send(stanza) | Order::Tell(_, stanza) => Some(stanza),
            _ => None,
        });
        let sent = sent.map(|stanza| {
            let kind = stanza.kind.type_name().unwrap_or("available");
            format!("{} {kind} {}", stanza.from.unwrap(), stanza.to.unwrap())
        });
        sent.collect()
    }

    /// The payloads that were pushed since this was asked last.
    pub(super) fn pushed(&mut self) -> Vec<String> {
        let orders = std::mem::take(&mut self.orders);
        let pushed = orders.into_iter().filter_map(|order| match order {
            Order::PushToAll(payload) | Order::Push { payload, .. } => {
                Some(payload.to_bytes("").to_vec())
            }
            _ => None,
        });
        pushed.map(|xml| String::from_utf8(xml).unwrap()).collect()
    }

    pub(super) fn block_list(&mut self) -> String {
        let request = "<blocklist xmlns='urn:xmpp:blocking'/>";
        let list = self.request(BALCONY, IqMethod::Get, request).unwrap();
        let list = list.unwrap();
        let jids = list.children().map(|item| item.attribute("jid").unwrap());
        jids.collect::<Vec<_>>().join(" ")
    }
}
