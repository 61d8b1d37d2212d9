//! Components on real sockets, with a stand-in for the homes.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test that cannot go on fails"
)]

use std::fmt::Write as _;
use std::io::{Read, Write as _};
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::Duration;

use actix::Arbiter;
use futures_util::FutureExt;
use futures_util::future::{BoxFuture, ready};
use rookery_component::{Components, Credentials, Listener, Listening, Secret, Services, listen};
use rookery_delivery::{Domains, Inlet, Outward, Permit, Unreached};
use rookery_lifecycle::{Clock, TaskScope};
use rookery_stanza::{Jid, Kind, MessageType, Stanza};
use rookery_telemetry::Registry;
use rookery_xml::Element;
use sha1::{Digest, Sha1};
use tokio::runtime::{Handle, Runtime};

/// How long a test waits for something that must happen.
const PATIENCE: Duration = Duration::from_secs(20);
const NAME: &str = "irc.example.com";
const SECRET: &str = "correct horse";

/// What the homes were told.
#[derive(Debug)]
enum Event {
    Submitted(Vec<Stanza>, Permit),
    Written(Kind),
    Returned(Vec<Outward>),
}

#[derive(Debug)]
struct FakeHomes(SyncSender<Event>);

impl FakeHomes {
    fn tell(&self, event: Event) {
        // The test may have seen enough.
        drop(self.0.send(event));
    }
}

impl Inlet for FakeHomes {
    fn submit(&self, batch: Vec<Stanza>, permit: Permit) {
        self.tell(Event::Submitted(batch, permit));
    }

    fn written(&self, kind: Kind) {
        self.tell(Event::Written(kind));
    }

    fn returned(&self, batch: Vec<Outward>) -> BoxFuture<'static, ()> {
        self.tell(Event::Returned(batch));
        ready(()).boxed()
    }
}

struct Fixture {
    listening: Listening,
    components: Components,
    events: Receiver<Event>,
    registry: Registry,
}

/// Plays a test with a listener for one component.
fn run(change: impl FnOnce(&mut Listener), test: impl FnOnce(&Fixture)) {
    let runtime = Runtime::new().unwrap();
    let mut config = Listener {
        address: vec!["127.0.0.1:0".parse().unwrap()],
        ..Listener::default()
    };
    change(&mut config);
    let registry = Registry::new();
    let credentials = Credentials {
        name: NAME.to_owned(),
        secret: Secret::new(SECRET),
    };
    let components = Components::new([credentials], &config, &registry);
    let (sender, events) = sync_channel(100_000);
    let system = actix::System::new();
    let arbiters = [Arbiter::new(), Arbiter::new()];
    let services = Services {
        arbiters: arbiters.iter().map(Arbiter::handle).collect(),
        clock: Clock::system(),
        components: components.clone(),
        inlet: Arc::new(FakeHomes(sender)),
        scope: TaskScope::new("test", runtime.handle().clone(), 100),
        stream: rookery_stream::Config {
            close_timeout_seconds: 1,
            ..rookery_stream::Config::default()
        },
    };
    let fixture = Fixture {
        listening: listen(&config, services).unwrap(),
        components,
        events,
        registry,
    };
    test(&fixture);
    stop(runtime.handle(), &fixture);
    drop(system);
    for arbiter in arbiters {
        arbiter.stop();
        arbiter.join().unwrap();
    }
}

fn stop(runtime: &Handle, fixture: &Fixture) {
    runtime.block_on(fixture.listening.stop(PATIENCE));
}

// === impl Fixture ===

impl Fixture {
    /// A peer that has sent its header, and has the answer.
    fn greet(&self) -> (Peer, String) {
        let address = self.listening.addresses.first().unwrap();
        let socket = TcpStream::connect(address).unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        let mut peer = Peer {
            socket,
            seen: String::new(),
        };
        peer.send(&format!(
            "<stream:stream xmlns='jabber:component:accept' \
             xmlns:stream='http://etherx.jabber.org/streams' to='{NAME}'>"
        ));
        let header = peer.until("'>");
        let id = header.split("id='").nth(1).unwrap();
        let id = id.split('\'').next().unwrap().to_owned();
        (peer, id)
    }

    /// A component that is connected.
    fn connect(&self) -> Peer {
        let (mut peer, id) = self.greet();
        peer.send(&handshake(&id, SECRET));
        peer.until("<handshake/>");
        peer
    }

    fn deliver(&self, id: usize) -> Result<(), Unreached> {
        self.deliver_with(id, Vec::new())
    }

    fn deliver_with(&self, id: usize, payload: Vec<Element>) -> Result<(), Unreached> {
        let stanza = Stanza::message(MessageType::Chat)
            .with_payloads(&payload)
            .with_id(id.to_string())
            .with_from(Jid::parse("romeo@example.com/orchard").unwrap())
            .with_to(Jid::parse(&format!("#verona@{NAME}")).unwrap());
        let outward = Outward {
            stanza,
            permit: None,
        };
        let delivered = self.components.deliver(outward);
        delivered.map_err(|untaken| untaken.why)
    }

    fn next(&self) -> Event {
        self.events.recv_timeout(PATIENCE).expect("an event")
    }

    fn metric(&self, line: &str) {
        let text = self.registry.render();
        assert!(text.contains(line), "{line} is not in {text}");
    }
}

fn handshake(id: &str, secret: &str) -> String {
    let digest = Sha1::digest(format!("{id}{secret}"));
    let mut text = "<handshake>".to_owned();
    for byte in digest {
        write!(text, "{byte:02x}").unwrap();
    }
    text + "</handshake>"
}

struct Peer {
    socket: TcpStream,
    seen: String,
}

// === impl Peer ===

impl Peer {
    fn send(&mut self, text: &str) {
        self.socket.write_all(text.as_bytes()).unwrap();
    }

    /// Everything up to and including `end`.
    fn until(&mut self, end: &str) -> String {
        loop {
            if let Some((before, rest)) = self.seen.split_once(end) {
                let found = format!("{before}{end}");
                self.seen = rest.to_owned();
                return found;
            }
            let mut buffer = [0; 4096];
            let read = self.socket.read(&mut buffer).unwrap();
            assert!(read > 0, "the end came before {end}: {}", self.seen);
            let text = buffer.get(..read).unwrap();
            self.seen.push_str(std::str::from_utf8(text).unwrap());
        }
    }

    /// Everything up to the end.
    fn rest(mut self) -> String {
        let mut rest = Vec::new();
        self.socket.read_to_end(&mut rest).unwrap();
        self.seen + std::str::from_utf8(&rest).unwrap()
    }
}

#[test]
fn a_component_sends_and_receives_by_xep0114_s3() {
    run(
        |_| {},
        |fixture| {
            assert_eq!(fixture.deliver(1), Err(Unreached::Absent));
            let mut peer = fixture.connect();
            peer.send(&format!(
                "<presence from='a@{NAME}' to='romeo@example.com'/>"
            ));
            let Event::Submitted(batch, permit) = fixture.next() else {
                panic!("a batch")
            };
            assert_eq!(batch.len(), 1);
            drop(permit);
            fixture.deliver(2).unwrap();
            assert!(peer.until("/>").contains("id='2'"));
            assert!(matches!(fixture.next(), Event::Written(Kind::Message(_))));
            fixture.metric("rookery_component_connected{component=\"irc.example.com\"} 1");
            fixture.metric(
                "rookery_component_stanzas_total{component=\"irc.example.com\",direction=\"out\",kind=\"message\"} 1",
            );
            peer.send("</stream:stream>");
            assert_eq!(peer.rest(), "</stream:stream>");
        },
    );
}

#[test]
fn ids_of_streams_differ_and_a_proof_is_good_for_one_of_them() {
    run(
        |_| {},
        |fixture| {
            let (_, first) = fixture.greet();
            let (mut peer, second) = fixture.greet();
            assert_ne!(first, second);
            assert!(first.len() >= 20, "{first}");
            peer.send(&handshake(&first, SECRET));
            assert!(peer.rest().contains("<not-authorized"));
            fixture.metric("rookery_component_attempts_total{outcome=\"not_authorized\"} 1");
        },
    );
}

#[test]
fn another_secret_counts_from_the_next_connection_on() {
    run(
        |_| {},
        |fixture| {
            let mut before = fixture.connect();
            let secret = |text: &str| Credentials {
                name: NAME.to_owned(),
                secret: Secret::new(text),
            };
            assert_eq!(fixture.components.change_secrets([secret(SECRET)]), 0);
            assert_eq!(
                fixture
                    .components
                    .change_secrets([secret("battery staple")]),
                1
            );
            fixture.deliver(1).unwrap();
            before.until("/>");
            let (mut old, id) = fixture.greet();
            old.send(&handshake(&id, SECRET));
            assert!(old.rest().contains("<not-authorized"));
            let (mut new, id) = fixture.greet();
            new.send(&handshake(&id, "battery staple"));
            new.until("<handshake/>");
            let other = Credentials {
                name: "nobody.example.com".to_owned(),
                secret: Secret::new("battery staple"),
            };
            assert_eq!(fixture.components.change_secrets([other]), 0);
        },
    );
}

#[test]
fn a_newer_connection_takes_the_place_of_the_older_and_misses_nothing() {
    run(
        |_| {},
        |fixture| {
            let older = fixture.connect();
            let mut newer = fixture.connect();
            fixture.deliver(1).unwrap();
            assert!(newer.until("/>").contains("id='1'"));
            let last_words = older.rest();
            assert!(last_words.contains("<conflict"), "{last_words}");
            assert!(!last_words.contains("id='1'"));
            fixture.deliver(2).unwrap();
            assert!(newer.until("/>").contains("id='2'"));
            fixture.metric("rookery_component_replaced_total{component=\"irc.example.com\"} 1");
        },
    );
}

#[test]
fn a_component_that_does_not_read_fills_its_queue_and_what_it_missed_is_returned() {
    run(
        |config| {
            config.queue_stanzas = 100;
            config.queue_bytes = usize::MAX;
        },
        |fixture| {
            let peer = fixture.connect();
            // More than the sockets take.
            let body = Element::new("body", "jabber:client").with_text("x".repeat(1_000_000));
            let mut taken = 0;
            let why = loop {
                match fixture.deliver_with(taken, vec![body.clone()]) {
                    Ok(()) => taken += 1,
                    Err(why) => break why,
                }
            };
            assert_eq!(why, Unreached::Unread);
            drop(peer);
            let mut written = 0;
            loop {
                match fixture.next() {
                    Event::Written(_) => written += 1,
                    Event::Returned(batch) => break assert_eq!(written + batch.len(), taken),
                    Event::Submitted(..) => {}
                }
            }
            assert_eq!(fixture.deliver(0), Err(Unreached::Absent));
        },
    );
}

#[test]
fn a_component_is_not_read_from_while_as_much_is_under_way_as_may() {
    run(
        |config| config.in_flight_stanzas = 1,
        |fixture| {
            let mut peer = fixture.connect();
            let presence = format!("<presence from='a@{NAME}' to='romeo@example.com'/>");
            peer.send(&presence);
            let Event::Submitted(_, permit) = fixture.next() else {
                panic!("a batch")
            };
            peer.send(&presence);
            // The answer to what it is sent shows that it lives.
            fixture.deliver(1).unwrap();
            peer.until("/>");
            assert!(matches!(fixture.next(), Event::Written(_)));
            drop(permit);
            assert!(matches!(fixture.next(), Event::Submitted(..)));
        },
    );
}

#[test]
fn one_address_has_a_bound_on_attempts_and_all_have_one_on_connections() {
    run(
        |config| config.connections_per_address_and_minute = 2,
        |fixture| {
            let _first = fixture.connect();
            let _second = fixture.connect();
            let address = fixture.listening.addresses.first().unwrap();
            let mut third = TcpStream::connect(address).unwrap();
            assert_eq!(third.read(&mut [0; 8]).unwrap_or_default(), 0);
            fixture.metric("rookery_component_attempts_total{outcome=\"rate\"} 1");
        },
    );
    run(
        |config| config.connections = 1,
        |fixture| {
            let _first = fixture.connect();
            let address = fixture.listening.addresses.first().unwrap();
            let mut second = TcpStream::connect(address).unwrap();
            assert_eq!(second.read(&mut [0; 8]).unwrap_or_default(), 0);
            fixture.metric("rookery_component_attempts_total{outcome=\"max_connections\"} 1");
        },
    );
}

#[test]
fn the_end_of_the_node_is_told_by_rfc6120_s4_9_3_20() {
    let mut left = None;
    run(|_| {}, |fixture| left = Some(fixture.connect()));
    let last_words = left.unwrap().rest();
    assert!(last_words.contains("<system-shutdown"), "{last_words}");
}

#[test]
fn nothing_listens_without_components() {
    let runtime = Runtime::new().unwrap();
    let system = actix::System::new();
    let config = Listener::default();
    let services = Services {
        arbiters: Vec::new(),
        clock: Clock::system(),
        components: Components::new([], &config, &Registry::new()),
        inlet: Arc::new(FakeHomes(sync_channel(1).0)),
        scope: TaskScope::new("test", runtime.handle().clone(), 1),
        stream: rookery_stream::Config::default(),
    };
    let listening = listen(&config, services).unwrap();
    assert!(listening.addresses.is_empty());
    drop(system);
}
