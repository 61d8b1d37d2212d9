//! A small server without actors, sockets and time.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use futures_util::FutureExt;
use rookery_delivery::{BindTerms, BoundResource, Delivery, Refusal, SessionId, SessionKey};
use rookery_extension::{
    Addressee, Answer, Feature, Features, Host, Hosts, IqContext, IqHandler, IqMethod, IqRequest,
    Registry, Relation, Scope, Spec,
};
use rookery_stanza::payload::archive::Metadata;
use rookery_stanza::{BareJid, Condition, Jid, Kind, RowId, Stanza, StanzaError, ns};
use rookery_storage::memory::MemoryStore;
use rookery_storage::message_log::{Appended, IngressId, MemoryLog, MessageLog, Row};
use rookery_storage::{
    AccountStore, Credentials, DataStore, DataUpdate, DataWritten, RosterStore, ScramKeys,
    StoreError,
};
use rookery_xml::{Element, Limits, StreamNamespaces};

use super::super::{
    Account, Bind, Change, Effect, Input, PAGE, Rules, Scene, Step, Stored, Survey,
};
use crate::config::Config;
use crate::metrics::Outcome;

/// Messages accepted, settled, and lost.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Ledger {
    pub(super) accepted: i64,
    pub(super) settled: BTreeMap<&'static str, i64>,
    pub(super) lost: i64,
}

/// What a client received, each stanza as it would be written.
#[derive(Debug, Default)]
struct Client {
    session: u64,
    received: Vec<Delivery>,
    /// Why it refuses everything.
    refuses: Option<Refusal>,
}

pub(super) struct World {
    pub(super) rules: Rules,
    pub(super) store: MemoryStore,
    pub(super) log: MemoryLog,
    pub(super) ledger: Ledger,
    pub(super) accounts: BTreeMap<BareJid, Account>,
    clients: BTreeMap<Jid, Client>,
    /// Sessions that were asked to end.
    pub(super) closed: BTreeSet<u64>,
    /// Answers to requests to bind.
    pub(super) bound: BTreeMap<u64, Result<Jid, StanzaError>>,
    /// What sessions were told of the archive.
    pub(super) archives: BTreeMap<u64, Metadata>,
    todo: VecDeque<(BareJid, Input)>,
    failing: bool,
    sessions: u64,
    homes: u64,
    /// How often kept messages were asked for.
    pub(super) reads: usize,
    pub(super) now: u64,
    /// Senders may be told that what they send is settled.
    pub(super) promised: bool,
}

/// Answers `<ask xmlns='test'/>` with how the sender stands to the addressee.
struct Ask;

struct AskRequest;

impl IqRequest for AskRequest {
    const NAME: &'static str = "ask";
    const NAMESPACE: &'static str = "test";

    fn parse(_: IqMethod, _: &Element) -> Result<Self, StanzaError> {
        Ok(Self)
    }
}

impl IqHandler for Ask {
    type Request = AskRequest;
    const SCOPE: Scope = Scope {
        host: true,
        account: Some(Relation::Stranger),
    };

    fn handle(&self, _: AskRequest, context: IqContext<'_>) -> Answer {
        let relation = match context.addressee {
            Addressee::Host => "host",
            Addressee::Account(_, Relation::Own) => "own",
            Addressee::Account(_, Relation::Subscriber) => "subscriber",
            Addressee::Account(_, Relation::Stranger) => {
                return Answer::Now(Err(Condition::ServiceUnavailable.into()));
            }
        };
        Answer::Now(Ok(Some(Element::new(relation, "test"))))
    }
}

impl Feature for Ask {
    fn spec(&self) -> Spec {
        Spec::EMPTY
    }

    fn install(self: Box<Self>, registry: &mut Registry) {
        registry.iq(*self);
    }
}

pub(super) fn bare(jid: &str) -> BareJid {
    BareJid::parse(jid).unwrap()
}

pub(super) fn jid(jid: &str) -> Jid {
    Jid::parse(jid).unwrap()
}

pub(super) fn parse(xml: &str) -> Stanza {
    let namespaces = StreamNamespaces::with_default(ns::CLIENT);
    Stanza::parse(xml.to_owned().into(), &namespaces, &Limits::default()).unwrap()
}

pub(super) fn write(stanza: &Stanza) -> String {
    let mut out = Vec::new();
    stanza.write(&mut out);
    String::from_utf8(out).unwrap()
}

fn hosts() -> Hosts {
    let host = |name: &str, anonymous| Host {
        anonymous,
        archive: !anonymous,
        ..Host::new(bare(name))
    };
    Hosts::new([host("example.com", false), host("guests.example.com", true)])
}

fn features(more: impl IntoIterator<Item = Box<dyn Feature>>) -> Features {
    let mut registry = Registry::new();
    registry.install(Box::new(Ask));
    for feature in more {
        registry.install(feature);
    }
    registry.freeze().unwrap()
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

impl World {
    /// A world with these accounts of `example.com`.
    pub(super) fn new(accounts: &[&str]) -> Self {
        Self::with(accounts, Config::default())
    }

    pub(super) fn with(accounts: &[&str], config: Config) -> Self {
        let store = MemoryStore::new();
        let all = accounts
            .iter()
            .map(|name| (bare(&format!("{name}@example.com")), credentials()));
        store
            .create_accounts(all.collect())
            .now_or_never()
            .unwrap()
            .unwrap();
        Self {
            rules: Rules {
                config,
                hosts: hosts(),
                features: features([]),
            },
            store,
            log: MemoryLog::new(),
            ledger: Ledger::default(),
            accounts: BTreeMap::new(),
            clients: BTreeMap::new(),
            closed: BTreeSet::new(),
            bound: BTreeMap::new(),
            archives: BTreeMap::new(),
            todo: VecDeque::new(),
            failing: false,
            sessions: 0,
            homes: 0,
            reads: 0,
            promised: true,
            now: 1_000_000,
        }
    }

    /// With a feature besides.
    pub(super) fn with_feature(mut self, feature: impl Feature + 'static) -> Self {
        let feature: Box<dyn Feature> = Box::new(feature);
        self.rules.features = features([feature]);
        self
    }

    /// Asks for a resource; the number of the session.
    pub(super) fn bind(&mut self, account: &str, resource: Option<&str>) -> u64 {
        self.bind_with(account, resource, BindTerms::default())
    }

    /// Asks for a resource by XEP-0386; the number of the session.
    pub(super) fn bind_with(
        &mut self,
        account: &str,
        resource: Option<&str>,
        terms: BindTerms,
    ) -> u64 {
        self.sessions += 1;
        let session = self.sessions;
        let bind = Bind {
            session: SessionId(session),
            resource: resource.map(str::to_owned),
            random: format!("random-{session}"),
            terms,
        };
        self.input(&bare(account), Input::Bind(bind));
        session
    }

    /// Binds `client`, which must work.
    pub(super) fn connect(&mut self, client: &str) -> u64 {
        let full = jid(client);
        let session = self.bind(full.bare().as_str(), full.resource());
        assert_eq!(
            self.bound.get(&session),
            Some(&Ok(full)),
            "{client} is bound"
        );
        session
    }

    /// Binds `client`, asks for the roster and becomes available; forgets what that brought.
    pub(super) fn login(&mut self, client: &str) {
        self.connect(client);
        self.send(
            client,
            "<iq type='get' id='roster'><query xmlns='jabber:iq:roster'/></iq>",
        );
        self.send(client, "<presence/>");
        self.forget();
    }

    /// Binds `client` and becomes available.
    pub(super) fn login_and_keep(&mut self, client: &str) {
        self.connect(client);
        self.send(client, "<presence/>");
    }

    /// The client gets what is pushed about a topic.
    pub(super) fn follow(&mut self, client: &str, topic: &'static str) {
        let client = jid(client);
        let account = self.accounts.get_mut(&client.bare()).unwrap();
        let session = account.sessions.at_mut(&client).unwrap();
        session.dialogue().follow(topic);
    }

    /// The home of the account is lost, with all of its sessions.
    pub(super) fn crash(&mut self, account: &str) {
        self.accounts.remove(&bare(account));
        self.clients
            .retain(|client, _| client.bare().as_str() != account);
    }

    /// Both accounts subscribe to each other; everybody forgets what that brought.
    pub(super) fn befriend(&mut self, one: &str, other: &str) {
        for (from, to) in [(one, other), (other, one)] {
            let to_bare = jid(to).bare();
            let from_bare = jid(from).bare();
            self.send(
                from,
                &format!("<presence type='subscribe' to='{to_bare}'/>"),
            );
            self.send(
                to,
                &format!("<presence type='subscribed' to='{from_bare}'/>"),
            );
        }
        self.forget();
    }

    /// The client sends a stanza.
    pub(super) fn send(&mut self, client: &str, xml: &str) {
        self.send_at_once(client, &[xml]);
    }

    /// What a client sends in one go: all of it comes to the account before anything that it causes.
    pub(super) fn send_at_once(&mut self, client: &str, stanzas: &[&str]) {
        let client = jid(client);
        let id = SessionId(self.clients.get(&client).map_or(0, |client| client.session));
        let account = client.bare();
        let session = SessionKey { jid: client, id };
        let mut inputs = stanzas.iter().map(|xml| Input::Sent {
            session: session.clone(),
            stanza: parse(xml),
        });
        let Some(last) = inputs.next_back() else {
            return;
        };
        self.todo
            .extend(inputs.map(|input| (account.clone(), input)));
        self.input(&account, last);
    }

    /// The client's session ends and returns this.
    pub(super) fn disconnect(&mut self, client: &str, undelivered: Vec<Delivery>) {
        let client = jid(client);
        let Some(gone) = self.clients.remove(&client) else {
            return;
        };
        let session = SessionKey {
            jid: client.clone(),
            id: SessionId(gone.session),
        };
        self.input(
            &client.bare(),
            Input::Unbound {
                session,
                undelivered,
            },
        );
    }

    /// The client's session loses its connection, and waits with this.
    pub(super) fn detach(&mut self, client: &str, waiting: Vec<Delivery>) {
        let client = jid(client);
        let session = SessionId(self.clients[&client].session);
        self.input(&client.bare(), Input::Detached { session, waiting });
    }

    /// The client is back.
    pub(super) fn resume(&mut self, client: &str) {
        let client = jid(client);
        let session = SessionId(self.clients[&client].session);
        self.input(&client.bare(), Input::Resumed(session));
    }

    /// The client has these rows.
    pub(super) fn confirm(&mut self, client: &str, rows: Vec<RowId>) {
        let client = jid(client);
        let session = SessionId(self.clients[&client].session);
        self.input(&client.bare(), Input::Confirmed { session, rows });
    }

    /// The rows that an account is owed.
    pub(super) fn owed(&self, account: &str) -> Vec<Row> {
        let account = bare(account);
        let owed = self.log.read_owed(&account, None, 10_000);
        owed.now_or_never().unwrap().unwrap()
    }

    /// From now on the client's session refuses what it is handed.
    pub(super) fn refuse(&mut self, client: &str, why: Refusal) {
        self.clients.get_mut(&jid(client)).unwrap().refuses = Some(why);
    }

    /// What the client received since the last time, as text, without the ids of rows.
    pub(super) fn received(&mut self, client: &str) -> Vec<String> {
        let deliveries = self.deliveries(client).into_iter();
        let without_id = deliveries.map(|mut delivery| {
            delivery
                .stanza
                .retain(|name| !name.is("stanza-id", ns::STANZA_ID));
            write(&delivery.stanza)
        });
        without_id.collect()
    }

    /// What the client received since the last time.
    pub(super) fn deliveries(&mut self, client: &str) -> Vec<Delivery> {
        let client = self.clients.get_mut(&jid(client));
        client
            .map(|client| std::mem::take(&mut client.received))
            .unwrap_or_default()
    }

    /// Forgets what everybody received.
    pub(super) fn forget(&mut self) {
        for client in self.clients.values_mut() {
            client.received.clear();
        }
    }

    pub(super) fn is_connected(&self, client: &str) -> bool {
        self.clients.contains_key(&jid(client))
    }

    /// From now on the store fails, or works again.
    pub(super) fn fail_store(&mut self, fails: bool) {
        self.failing = fails;
        let failure = fails.then(|| StoreError::Unavailable("test".to_owned()));
        self.log.fail(failure.clone());
        self.store.fail(failure);
    }

    /// The account is let go, as a shard lets idle ones go.
    pub(super) fn let_go(&mut self, account: &str) {
        self.accounts.remove(&bare(account));
    }

    /// Hands an input to an account and does everything that follows.
    pub(super) fn input(&mut self, account: &BareJid, input: Input) {
        self.todo.push_back((account.clone(), input));
        let mut steps = 0;
        while let Some((account, input)) = self.todo.pop_front() {
            steps += 1;
            assert!(steps < 100_000, "this never ends");
            self.handle(&account, input);
        }
        self.check();
    }

    fn handle(&mut self, jid: &BareJid, input: Input) {
        if !self.accounts.contains_key(jid) {
            if !input.concerns_absent() {
                if let Input::Received(stanza, _) = input {
                    self.settle(stanza.kind, Outcome::Dropped);
                }
                return;
            }
            let kinds = self.rules.features.data_kinds();
            let loaded = self.store.load_account(jid, kinds).now_or_never().unwrap();
            let Ok(state) = loaded else {
                return self.refuse_input(input);
            };
            self.homes += 1;
            let mut account = Account::new(jid.clone(), self.homes);
            let tail = self.log.tail(jid).now_or_never().unwrap().unwrap();
            account.load(state.map(|state| {
                let kept = self.rules.features.keep(&state.data).unwrap();
                (state, kept, tail)
            }));
            self.accounts.insert(jid.clone(), account);
        }
        let mut account = self.accounts.remove(jid).unwrap();
        let mut step = Step::default();
        let scene = Scene {
            rules: &self.rules,
            now: self.now,
            promised: self.promised,
        };
        let messages = input.messages();
        account.handle(input, &scene, &mut step);
        assert_eq!(
            messages,
            step.messages(),
            "none is lost, none is made: {step:?}"
        );
        self.accounts.insert(jid.clone(), account);
        self.carry_out(jid, step);
        if self.accounts[jid].is_idle() && !self.accounts[jid].is_stored() {
            self.accounts.remove(jid);
        }
    }

    fn refuse_input(&mut self, input: Input) {
        let (mut stanza, sent) = match input {
            Input::Sent { session, stanza } => (stanza.with_from(session.jid), true),
            Input::Received(stanza, _) => (stanza, false),
            Input::Bind(bind) => {
                let error = Condition::ResourceConstraint.into();
                self.bound.insert(bind.session.0, Err(error));
                return;
            }
            _ => return,
        };
        if let (Kind::Message(_), true) = (stanza.kind, sent) {
            self.ledger.accepted += 1;
        }
        stanza.to.get_or_insert_with(|| jid("example.com"));
        self.bounce(&stanza, &Condition::ResourceConstraint.into());
    }

    fn carry_out(&mut self, account: &BareJid, step: Step) {
        for effect in step.effects.0 {
            self.perform(account, effect);
        }
        for (mut write, after) in step.writes {
            let answer = self.ask(account, &mut write.change);
            let mut next = Step::default();
            let mut home = self.accounts.remove(account).unwrap();
            let scene = Scene {
                rules: &self.rules,
                now: self.now,
                promised: self.promised,
            };
            let messages = i64::from(matches!(write.change, Change::Append(_)));
            home.stored(write, answer, &scene, &mut next);
            assert_eq!(
                messages,
                next.messages(),
                "none is lost, none is made: {next:?}"
            );
            next.append(after);
            self.accounts.insert(account.clone(), home);
            self.carry_out(account, next);
        }
    }

    fn ask(&mut self, account: &BareJid, change: &mut Change) -> Stored {
        match change {
            Change::Ask(asking) => match asking.outcome.take().unwrap().now_or_never() {
                Some(outcome) => Stored::Outcome(Box::new(outcome)),
                None => panic!("nothing here has to wait"),
            },
            Change::Data(update) => self.ask_data(update.clone()),
            Change::Roster(update) => {
                match self
                    .store
                    .update_roster(update.clone())
                    .now_or_never()
                    .unwrap()
                {
                    Ok(true) => Stored::Done,
                    Ok(false) => Stored::Refused,
                    Err(_) => Stored::Failed,
                }
            }
            Change::Append(append) => {
                let answer = self.log.append(vec![append.to_message(account)]);
                match answer.now_or_never().unwrap().as_deref() {
                    Ok([Appended::At(row) | Appended::Repeat(row)]) => Stored::At(*row),
                    _ => Stored::Failed,
                }
            }
            Change::Survey(_) => match Survey::read(&self.log, account).now_or_never().unwrap() {
                Ok(survey) => Stored::Surveyed(Box::new(survey)),
                Err(_) => Stored::Failed,
            },
            Change::Read(after) => {
                self.reads += 1;
                match self
                    .log
                    .read_owed(account, *after, PAGE)
                    .now_or_never()
                    .unwrap()
                {
                    Ok(page) => Stored::Page(page),
                    Err(_) => Stored::Failed,
                }
            }
        }
    }

    fn ask_data(&self, update: DataUpdate) -> Stored {
        match self.store.update_data(update).now_or_never().unwrap() {
            Ok(DataWritten::Done) => Stored::Done,
            Ok(_) => Stored::Refused,
            Err(_) => Stored::Failed,
        }
    }

    fn perform(&mut self, account: &BareJid, effect: Effect) {
        match effect {
            Effect::Deliver(session, delivery) => self.deliver(account, session, delivery),
            Effect::Route(stanza) => self.route(stanza, None),
            Effect::PassOn(stanza, ingress) => self.route(stanza, Some(ingress)),
            // What cannot be confirmed is handed over once more.
            Effect::Confirm(rows) => drop(self.log.confirm(account, rows).now_or_never().unwrap()),
            Effect::FanOut { stanza, to } => {
                for to in to {
                    let stanza = stanza.clone().with_to(to.clone());
                    self.todo
                        .push_back((to.bare(), Input::Received(stanza, None)));
                }
            }
            Effect::Probe { from, to } => {
                for to in to {
                    self.todo
                        .push_back((to.bare(), Input::Probed { from: from.clone() }));
                }
            }
            Effect::Bounce(stanza, error) => self.bounce(&stanza, &error),
            Effect::Return(session, stanza, error) => {
                if let Some(reply) = self.error_reply(&stanza, &error) {
                    self.settle(reply.kind, Outcome::Local);
                    self.deliver(account, session, reply.into());
                }
            }
            Effect::Later(..) | Effect::Results(..) => panic!("nothing answers later here"),
            Effect::Accepted => self.ledger.accepted += 1,
            Effect::Settled(kind, outcome) => self.settle(kind, outcome),
            Effect::Unreadable => panic!("everything stored can be read"),
            Effect::Bound(session, answer) => {
                if let Ok(BoundResource { jid, archive }) = &answer {
                    (self.archives).extend(archive.clone().map(|archive| (session.0, archive)));
                    let client = Client {
                        session: session.0,
                        ..Client::default()
                    };
                    self.clients.insert(jid.clone(), client);
                }
                self.bound.insert(
                    session.0,
                    answer.map(|bound| bound.jid).map_err(|error| *error),
                );
            }
            Effect::Close(session, _) => {
                self.closed.insert(session.0);
            }
            Effect::End(_) => {
                let (bound, _) = self.accounts[account].session_ids();
                self.closed
                    .extend(bound.into_iter().map(|session| session.0));
            }
            Effect::Forget(session) => {
                self.clients.retain(|_, client| client.session != session.0);
            }
            Effect::Detached(_)
            | Effect::Resumed(_)
            | Effect::Expire(_)
            | Effect::Online(_)
            | Effect::Limited(_) => {}
        }
    }

    fn route(&mut self, stanza: Stanza, ingress: Option<IngressId>) {
        let to = stanza.to.as_ref().unwrap().bare();
        self.todo.push_back((to, Input::Received(stanza, ingress)));
    }

    fn deliver(&mut self, account: &BareJid, session: SessionId, delivery: Delivery) {
        let client = self
            .clients
            .values_mut()
            .find(|client| client.session == session.0);
        let why = match client {
            Some(Client {
                refuses: None,
                received,
                ..
            }) => return received.push(delivery),
            Some(client) => client.refuses.unwrap(),
            None => Refusal::Gone,
        };
        let refused = Input::Refused {
            session,
            why,
            batch: vec![delivery],
        };
        self.todo.push_back((account.clone(), refused));
    }

    fn bounce(&mut self, stanza: &Stanza, error: &StanzaError) {
        if let Some(reply) = self.error_reply(stanza, error) {
            self.route(reply, None);
        }
    }

    fn error_reply(&mut self, stanza: &Stanza, error: &StanzaError) -> Option<Stanza> {
        let Some(reply) = stanza.error_reply(error) else {
            self.settle(stanza.kind, Outcome::Dropped);
            return None;
        };
        self.settle(stanza.kind, Outcome::Bounced);
        if let Kind::Message(_) = reply.kind {
            self.ledger.accepted += 1;
        }
        Some(reply)
    }

    fn settle(&mut self, kind: Kind, outcome: Outcome) {
        use rookery_telemetry::Label;
        if let Kind::Message(_) = kind {
            *self.ledger.settled.entry(outcome.value()).or_default() += 1;
        }
    }

    /// Memory is what the store has, and every message is accounted for.
    fn check(&self) {
        let settled: i64 = self.ledger.settled.values().sum();
        assert_eq!(
            self.ledger.accepted,
            settled + self.ledger.lost,
            "the ledger: {:?}",
            self.ledger
        );
        if self.failing {
            return;
        }
        for (jid, account) in &self.accounts {
            let loaded = self.store.load_account(jid, &[]).now_or_never().unwrap();
            if let Some(stored) = loaded.unwrap() {
                assert_eq!(
                    account.roster.to_stored(),
                    stored.roster,
                    "the roster of {jid}"
                );
            }
        }
    }
}
