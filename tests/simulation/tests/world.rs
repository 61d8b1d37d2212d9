//! A world: clients, their connections, one server and its disk, and chance, which decides what happens next.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use rookery_archive::{Copies, Side, Treatment};
use rookery_delivery::{Credit, Delivery, Load, SessionId};
use rookery_extension::{Host, Hosts, Registry};
use rookery_router::Config;
use rookery_router::simulation::Town;
use rookery_stanza::{BareJid, IqType, Jid, MessageType, Stanza, ns};
use rookery_xml::Element;
use tokio::time::Instant;

use crate::client::{Acks, Client, Up};
use crate::disk::Disk;
use crate::hazard::{Hazard, Hazards};
use crate::mutant::Mutant;
use crate::node::{Asked, Ground, Node};
use crate::promises::{Asked as Request, Promises, Sent, StreamId};
use crate::random::Random;
use crate::session::{Link, Said, ToConnection, ToSession};

const HOST: &str = "sim.example";

/// Inputs that wait for one account at most.
const WAITING: usize = 24;

/// How often something happens in one run.
const STEPS: usize = 700;

/// A world.
pub(crate) struct World {
    seed: u64,
    random: Random,
    town: Town,
    /// Wall time, in unix milliseconds.
    now: u64,
    start: Instant,
    disk: Disk,
    node: Node,
    clients: Vec<Client>,
    connections: BTreeMap<Link, Connection>,
    links: u64,
    numbers: u64,
    failing: bool,
    mutant: Option<Mutant>,
    promises: Promises,
    pub(crate) hazards: Hazards,
    /// What happened, as a number that tells one history from another.
    pub(crate) trace: u64,
}

/// A connection, as the server has it.
struct Connection {
    client: usize,
    session: Option<SessionId>,
    /// From the client, not yet read.
    up: VecDeque<Up>,
    /// For the client, not yet read by it.
    down: VecDeque<ToConnection>,
    /// The client is there.
    lives: bool,
    credit: Arc<Credit>,
}

/// What can happen next.
#[derive(Clone, Debug)]
enum Act {
    Mail(BareJid),
    Store(BareJid),
    StoreAnswer(BareJid),
    Confirm,
    ConfirmAgain(BareJid),
    Session(SessionId),
    Up(Link),
    Down(Link),
    Notice(Link),
}

impl World {
    pub(crate) fn new(seed: u64, mutant: Option<Mutant>) -> Self {
        let mut random = Random::new(seed);
        let host = Host::new(BareJid::parse(HOST).unwrap());
        let config = Config {
            waiting_stanzas: WAITING,
            offline_messages: 20,
            ..Config::default()
        };
        let features = Registry::new().freeze().unwrap();
        let clients = (0..3).flat_map(|account| clients_of(account, &mut random));
        Self {
            seed,
            town: Town::new(config, Hosts::new([host]), features),
            now: 1_700_000_000_000,
            start: Instant::now(),
            disk: Disk::default(),
            node: Node::new(0, 0),
            clients: clients.collect(),
            connections: BTreeMap::new(),
            links: 0,
            numbers: 0,
            failing: false,
            mutant,
            promises: Promises::default(),
            hazards: Hazards::default(),
            trace: 0,
            random,
        }
    }

    /// Notes what happens, to be read when a promise is broken.
    pub(crate) fn record(&mut self) {
        self.promises.history = Some(Vec::new());
    }

    /// What happened.
    pub(crate) fn history(&self) -> &[String] {
        self.promises.history.as_deref().unwrap_or_default()
    }

    /// Lives it to its end. The error says which promise was broken.
    pub(crate) fn run(&mut self) -> Result<(), String> {
        for step in 0..STEPS {
            self.step();
            self.check();
            if let Some(broken) = &self.promises.broken {
                return Err(format!("seed {}, step {step}: {broken}", self.seed));
            }
        }
        self.end();
        match &self.promises.broken {
            Some(broken) => Err(format!("seed {}, at the end: {broken}", self.seed)),
            None => Ok(()),
        }
    }

    fn check(&mut self) {
        self.promises.ledger(self.node.in_flight());
        self.node.check(WAITING, &mut self.promises);
        let times = self.trace.rotate_left(5) ^ self.random_trace();
        self.trace = times.wrapping_mul(0x517c_c1b7_2722_0a95);
    }

    fn random_trace(&self) -> u64 {
        let accepted = self.promises.accepted.unsigned_abs();
        self.now ^ (accepted << 40) ^ self.node.in_flight().unsigned_abs()
    }

    fn on_ground<T>(&mut self, act: impl FnOnce(&mut Node, &mut Ground<'_>) -> T) -> T {
        let mut ground = Ground {
            now: self.now,
            instant: self.start + Duration::from_millis(self.now - 1_700_000_000_000),
            town: &self.town,
            mutant: self.mutant,
            random: &mut self.random,
            hazards: &mut self.hazards,
            promises: &mut self.promises,
            disk: &mut self.disk,
            failing: self.failing,
        };
        act(&mut self.node, &mut ground)
    }

    fn step(&mut self) {
        let passes = match self.random.below(100) {
            0 => self.random.below(400_000),
            1..=4 => self.random.below(20_000),
            _ => self.random.below(100),
        };
        self.now += passes as u64;
        self.wake();
        if self.random.happens(380) {
            let client = self.random.below(self.clients.len());
            self.client_acts(client);
        } else if self.random.happens(12) {
            self.fault();
        } else {
            let acts = self.acts();
            if !acts.is_empty() {
                let act = acts[self.random.below(acts.len())].clone();
                self.act(act);
            }
        }
    }

    /// Brings what sessions say to their connections, and tells sessions what is due.
    fn wake(&mut self) {
        let instant = self.start + Duration::from_millis(self.now - 1_700_000_000_000);
        self.node.wake(self.now, instant);
        self.on_ground(Node::time_out);
        while let Some((link, what)) = self.node.told.pop_front() {
            if let ToConnection::Abandon = what {
                self.close(link, false);
            } else if let Some(connection) = self.connections.get_mut(&link) {
                if let ToConnection::Resumed(session, _) = &what {
                    connection.session = Some(*session);
                }
                connection.down.push_back(what);
            } else if let ToConnection::Resumed(session, _) = what {
                self.never_there(session, link);
            } else if let ToConnection::Deliver(delivery) = what {
                self.give_back(link, vec![delivery], true);
            }
        }
    }

    fn fault(&mut self) {
        match self.random.below(10) {
            0..=2 => {
                self.promises.note(|| "crash".to_owned());
                self.on_ground(Node::crash);
                self.connections.clear();
                self.clients.iter_mut().for_each(Client::cut);
            }
            3..=5 => self.failing = !self.failing,
            6 => self.disk.sync(),
            7..=8 => self.on_ground(Node::let_go),
            _ => self.now += 700_000,
        }
    }

    /// What can happen now.
    fn acts(&self) -> Vec<Act> {
        let mut acts = Vec::new();
        for (account, mailbox) in &self.node.mail {
            if !mailbox.is_empty() {
                acts.push(Act::Mail(account.clone()));
            }
        }
        for (account, asked) in &self.node.asked {
            match asked {
                Asked::Waits(_) if !self.node.is_answered(account) => {}
                Asked::Waits(_) => acts.push(Act::Store(account.clone())),
                Asked::Done(..) => acts.push(Act::StoreAnswer(account.clone())),
            }
        }
        if !self.node.confirms.is_empty() {
            acts.push(Act::Confirm);
        }
        let unnoted = self.node.unnoted().cloned();
        acts.extend(unnoted.map(Act::ConfirmAgain));
        let sessions = self.node.sessions.iter();
        let busy = sessions.filter(|(_, session)| !session.inbox.is_empty());
        acts.extend(busy.map(|(id, _)| Act::Session(*id)));
        for (link, connection) in &self.connections {
            if !connection.up.is_empty() {
                acts.push(Act::Up(*link));
            } else if !connection.lives {
                acts.push(Act::Notice(*link));
            }
            let reads = connection.lives && !self.clients[connection.client].stalled;
            if reads && !connection.down.is_empty() {
                acts.push(Act::Down(*link));
            }
        }
        acts
    }

    fn act(&mut self, act: Act) {
        self.promises.note(|| format!("{act:?}"));
        match act {
            Act::Mail(account) => {
                self.on_ground(|node, ground| node.take_mail(&account, ground));
            }
            Act::Store(account) => self.on_ground(|node, ground| node.store(&account, ground)),
            Act::StoreAnswer(account) => {
                self.on_ground(|node, ground| node.store_answered(&account, ground));
            }
            Act::Confirm => {
                let at = self.random.below(self.node.confirms.len());
                self.on_ground(|node, ground| node.confirm(at, ground));
            }
            Act::ConfirmAgain(account) => {
                self.on_ground(|node, ground| node.confirm_again(&account, ground));
            }
            Act::Session(id) => self.on_ground(|node, ground| node.take_inbox(id, ground)),
            Act::Up(link) => self.read_up(link),
            Act::Down(link) => self.read_down(link),
            Act::Notice(link) => self.close(link, false),
        }
    }

    /// The server reads what a client sent: one thing, or several at once.
    fn read_up(&mut self, link: Link) {
        let count = 1 + self.random.below(4);
        let mut said = Vec::new();
        let Some(connection) = self.connections.get_mut(&link) else {
            return;
        };
        let since = self.start + Duration::from_millis(self.now - 1_700_000_000_000);
        let (client, since) = (connection.client, since.into_std());
        for _ in 0..count {
            match connection.up.pop_front() {
                Some(Up::Said(what)) => {
                    let load = Load {
                        stanzas: 1,
                        bytes: 1,
                    };
                    said.push((what, connection.credit.take(load, since)));
                }
                Some(Up::Bind) => {
                    let client = &self.clients[client];
                    let session = self.node.bind(&client.jid, client.carbons, link);
                    connection.session = Some(session);
                    break;
                }
                Some(Up::Resume(id, handled)) => {
                    let account = self.clients[client].account.clone();
                    return self.on_ground(|node, ground| {
                        node.resume(&account, &id, handled, link, ground);
                    });
                }
                Some(Up::End) => return self.close(link, true),
                None => break,
            }
        }
        let session = connection
            .session
            .and_then(|id| self.node.sessions.get_mut(&id));
        if let (Some(session), false) = (session, said.is_empty()) {
            session.inbox.push_back(ToSession::FromClient(link, said));
        }
    }

    /// A client reads one thing.
    fn read_down(&mut self, link: Link) {
        let Some(connection) = self.connections.get_mut(&link) else {
            return;
        };
        let Some(what) = connection.down.pop_front() else {
            return;
        };
        let client = &mut self.clients[connection.client];
        self.promises
            .note(|| format!("   {} reads {what:?}", client.jid));
        if client.link != Some(link) {
            return;
        }
        let (session, before) = (connection.session, connection.up.len());
        let goes_on = client.read(&what, &mut connection.up, &mut self.promises);
        if matches!(what, ToConnection::Resumed(..)) && connection.up.len() > before {
            self.hazards.met(Hazard::ClientSentAgain);
        }
        if let (ToConnection::Deliver(delivery), Some(id)) = (&what, session)
            && let Some(session) = self.node.sessions.get_mut(&id)
        {
            session.budget.give_back(delivery.stanza.size());
            let rows = delivery.custody.row();
            session
                .inbox
                .extend(rows.map(|row| ToSession::Written(vec![row])));
        }
        if !goes_on {
            let finished = !matches!(what, ToConnection::Abandon);
            self.close(link, finished);
        }
    }

    /// The server has done with a connection.
    fn close(&mut self, link: Link, finished: bool) {
        let Some(connection) = self.connections.remove(&link) else {
            return;
        };
        let client = &mut self.clients[connection.client];
        if client.link == Some(link) {
            client.cut();
        }
        let Some(session) = connection.session else {
            return;
        };
        let unread = connection.down.into_iter().filter_map(|what| match what {
            ToConnection::Deliver(delivery) => Some(delivery),
            _ => None,
        });
        let closed = ToSession::Closed {
            link,
            undelivered: unread.collect(),
            finished,
        };
        if let Some(session) = self.node.sessions.get_mut(&session) {
            session.inbox.push_back(closed);
        }
    }

    /// A session goes on at a connection that was gone when it heard of it, and says so.
    fn never_there(&mut self, session: SessionId, link: Link) {
        if let Some(session) = self.node.sessions.get_mut(&session) {
            session.inbox.push_back(ToSession::Closed {
                link,
                undelivered: Vec::new(),
                finished: false,
            });
        }
    }

    /// What a session told a connection that was gone already.
    fn give_back(&mut self, link: Link, undelivered: Vec<Delivery>, finished: bool) {
        let of_link = |session: &&mut crate::session::Session| session.had(link);
        if let Some(session) = self.node.sessions.values_mut().find(of_link) {
            session.inbox.push_back(ToSession::Closed {
                link,
                undelivered,
                finished,
            });
        }
    }

    fn client_acts(&mut self, at: usize) {
        if self.clients[at].link.is_none() {
            if self.random.happens(500) {
                self.connect(at);
            }
            return;
        }
        match self.random.below(100) {
            0..=3 => self.cut(at),
            4 => self.say_goodbye(at),
            5..=7 => self.clients[at].stalled = !self.clients[at].stalled,
            8..=11 => self.change_presence(at),
            12..=24 if self.clients[at].acks == Acks::Sometimes => {
                self.acknowledge(at);
            }
            25..=34 => self.request(at),
            35..=45 => self.ask(at),
            _ => {
                for _ in 0..=self.random.below(3) {
                    self.send(at);
                }
            }
        }
    }

    fn connect(&mut self, at: usize) {
        self.links += 1;
        let link = Link(self.links);
        let client = &mut self.clients[at];
        client.link = Some(link);
        client.stalled = false;
        let limit = Load {
            stanzas: 1000,
            bytes: 1_000_000,
        };
        let connection = Connection {
            client: at,
            session: None,
            up: VecDeque::from([client.open()]),
            down: VecDeque::new(),
            lives: true,
            credit: Credit::new(limit),
        };
        self.connections.insert(link, connection);
    }

    /// The connection is lost, and with it what is on its way. The server notices later.
    fn cut(&mut self, at: usize) {
        let Some(link) = self.clients[at].link else {
            return;
        };
        self.hazards.met(Hazard::ConnectionCut);
        self.promises.note(|| format!("cut {link:?}"));
        self.clients[at].cut();
        if let Some(connection) = self.connections.get_mut(&link) {
            let kept = self.random.below(connection.up.len() + 1);
            let on_the_wire = connection.up.len() > kept || !connection.down.is_empty();
            connection.up.truncate(kept);
            connection.lives = false;
            if on_the_wire {
                self.hazards.met(Hazard::CutWithStanzasOnTheWire);
            }
        }
    }

    fn up(&mut self, at: usize) -> Option<(&mut Client, &mut VecDeque<Up>)> {
        let client = &mut self.clients[at];
        let connection = self.connections.get_mut(&client.link?)?;
        client.is_online().then_some((client, &mut connection.up))
    }

    fn say_goodbye(&mut self, at: usize) {
        if let Some((client, up)) = self.up(at) {
            up.push_back(Up::End);
            client.link = None;
            client.stream = None;
        }
    }

    fn change_presence(&mut self, at: usize) {
        let priority = self.random.pick(&[-1, 0, 0, 1, 5]);
        if let Some((client, up)) = self.up(at) {
            client.priority = priority;
            let presence = client.presence();
            client.say(presence, up);
        }
    }

    fn acknowledge(&mut self, at: usize) -> bool {
        self.up(at)
            .is_some_and(|(client, up)| client.acknowledge(up))
    }

    fn request(&mut self, at: usize) {
        if let Some((client, up)) = self.up(at)
            && client.manages
        {
            up.push_back(Up::Said(Said::Request));
        }
    }

    /// Asks the host, or another client.
    fn ask(&mut self, at: usize) {
        let to = if self.random.happens(400) {
            Jid::parse(HOST).unwrap()
        } else {
            self.clients[self.random.below(self.clients.len())]
                .jid
                .clone()
        };
        self.numbers += 1;
        let number = self.numbers;
        let Some((client, up)) = self.up(at) else {
            return;
        };
        let Some(stream) = client.stream.as_ref().map(|stream| stream.id) else {
            return;
        };
        let question = Stanza::iq(IqType::Get, format!("m{number}"));
        let question = question
            .with_payload(Element::new("ask", "test"))
            .with_to(to);
        client.say(question, up);
        let request = Request {
            stream,
            read: false,
            left_to_client: false,
            answers: 0,
        };
        self.promises.requests.insert(number, request);
    }

    /// Sends a message to another account, to a client of one, or to its own account.
    fn send(&mut self, at: usize) {
        let other = self.clients[self.random.below(self.clients.len())]
            .jid
            .clone();
        let to = if self.random.happens(750) {
            other.bare().to_jid()
        } else {
            other
        };
        let is_passing = self.random.happens(80);
        self.numbers += 1;
        let number = self.numbers;
        let Some((client, up)) = self.up(at) else {
            return;
        };
        let Some(stream) = client.stream.as_ref().map(|stream| stream.id) else {
            return;
        };
        let message = Stanza::message(MessageType::Chat).with_id(format!("m{number}"));
        let body = Element::new("body", ns::CLIENT).with_text("but soft");
        let mut message = message.with_to(to.clone()).with_payload(body);
        if is_passing {
            message.append(Element::new("no-store", "urn:xmpp:hints"));
        }
        let treatment = Treatment::of(&message, Side::Recipient);
        let sent = Sent {
            stream,
            from: client.account.clone(),
            from_jid: client.jid.clone(),
            to: to.bare(),
            to_jid: to,
            is_copied: treatment.copies == Copies::Yes,
            is_owed: treatment.owed,
            counted: false,
            told: false,
            arrived: false,
        };
        client.say(message, up);
        self.promises.messages.insert(number, sent);
    }

    // === the end ===

    /// No more faults: everybody reads and acknowledges all; whoever is away expires; each account gets one more client
    /// that takes what is left.
    fn end(&mut self) {
        self.failing = false;
        for client in &mut self.clients {
            client.stalled = false;
            client.acks = Acks::WhenAsked;
        }
        for client in 0..self.clients.len() {
            if self.clients[client].link.is_none() && self.random.happens(500) {
                self.connect(client);
            }
        }
        self.settle();
        self.now += 2_000_000;
        self.settle();
        for account in 0..3 {
            let mut client = client(account, "last");
            client.manages = true;
            client.priority = 10;
            client.acks = Acks::WhenAsked;
            self.clients.push(client);
            self.connect(self.clients.len() - 1);
        }
        self.settle();
        self.now += 2_000_000;
        self.settle();
        let connected = self.clients.iter().filter(|client| client.is_online());
        let streams = connected.filter_map(|client| client.stream.as_ref());
        let living: BTreeSet<StreamId> = streams.map(|stream| stream.id).collect();
        self.promises
            .at_the_end(&self.disk, &living, self.node.in_flight());
    }

    /// Until nothing happens any more.
    fn settle(&mut self) {
        for _ in 0..200_000 {
            self.now += 1;
            self.wake();
            let acts = self.acts();
            if !acts.is_empty() {
                let act = acts[self.random.below(acts.len())].clone();
                self.act(act);
                self.check();
                continue;
            }
            let all = 0..self.clients.len();
            let news = all
                .map(|at| self.acknowledge(at))
                .fold(false, |one, other| one | other);
            let quiet = self
                .connections
                .values()
                .all(|connection| connection.up.is_empty());
            if !news && quiet {
                return;
            }
        }
        self.promises.break_with(|| "it never ends".to_owned());
    }
}

fn clients_of(account: usize, random: &mut Random) -> Vec<Client> {
    let count = 1 + random.below(3);
    let mut clients: Vec<Client> = ["one", "two", "three"][..count]
        .iter()
        .map(|resource| client(account, resource))
        .collect();
    for client in &mut clients {
        client.manages = random.happens(750);
        client.carbons = random.happens(600);
        client.priority = random.pick(&[-1, 0, 0, 0, 1]);
        client.acks = random.pick(&[
            Acks::Never,
            Acks::Sometimes,
            Acks::WhenAsked,
            Acks::WhenAsked,
        ]);
    }
    clients
}

fn client(account: usize, resource: &str) -> Client {
    let account = ["romeo", "juliet", "nurse"][account];
    let jid = Jid::parse(&format!("{account}@{HOST}/{resource}")).unwrap();
    Client {
        account: jid.bare(),
        jid,
        manages: false,
        carbons: false,
        priority: 0,
        acks: Acks::WhenAsked,
        stalled: false,
        link: None,
        resuming: false,
        stream: None,
    }
}
