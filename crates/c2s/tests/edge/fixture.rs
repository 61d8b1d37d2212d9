//! A running edge on loopback, with a stand-in for the homes, and a client of plain bytes.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test that cannot go on fails"
)]

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::Duration;

use actix::Arbiter;
use futures_util::future::{BoxFuture, FutureExt};
use parking_lot::Mutex;
use rookery_auth::{Authenticator, HostConfig};
use rookery_c2s::{Config, DirectTlsListener, Listening, Services, StartTlsListener};
use rookery_delivery::{
    BindRefused, BindRequest, BoundResource, Delivery, Homes, Overloaded, Permit, SessionKey,
    SessionPort,
};
use rookery_extension::{Features, Host, Hosts};
use rookery_lifecycle::{Clock, Drain, TaskScope};
use rookery_stanza::{BareJid, RowId, Stanza};
use rookery_stream::StartTls;
use rookery_telemetry::Registry;
use rookery_tls::CertificateStore;
use tokio::sync::Semaphore;

use crate::scram;

/// Asks for a resource.
const BIND: &str = "<iq type='set' id='b'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'>\
    <resource>r</resource></bind></iq>";

/// How long a test waits for something that must happen.
const PATIENCE: Duration = Duration::from_secs(20);
/// Binds that may be answered, before a test holds them.
const BINDS: usize = 1_000;

/// An account of the server, and its password.
const JULIET: &str = "juliet";
const PASSWORD: &str = "wherefore";

/// What the homes were told.
pub(crate) enum Event {
    Bound(Arc<dyn SessionPort>),
    Submitted(Vec<Stanza>),
    Confirmed(Vec<RowId>),
    Unbound(Vec<Delivery>),
    Detached(Vec<Delivery>),
    Resumed,
}

struct FakeHomes {
    events: SyncSender<Event>,
    hold: AtomicBool,
    held: Mutex<Vec<Permit>>,
    submitted: AtomicUsize,
    // One for each bind that may be answered.
    binds: Arc<Semaphore>,
}

pub(crate) struct Fixture {
    listening: Listening,
    registry: Registry,
    events: Receiver<Event>,
    homes: Arc<FakeHomes>,
    drain: Drain,
    _directory: tempfile::TempDir,
}

pub(crate) struct Client {
    socket: TcpStream,
    seen: Vec<u8>,
}

// === impl FakeHomes ===

impl std::fmt::Debug for FakeHomes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("FakeHomes")
    }
}

impl FakeHomes {
    fn tell(&self, event: Event) {
        // The test may have seen enough.
        drop(self.events.send(event));
    }
}

impl Homes for FakeHomes {
    fn arbiter(&self, _: &BareJid) -> usize {
        1
    }

    fn bind(&self, request: BindRequest) -> BoxFuture<'static, Result<BoundResource, BindRefused>> {
        let resource = request.resource.as_deref().unwrap_or("server-made");
        let jid = request.account.to_jid().with_resource(resource).unwrap();
        self.tell(Event::Bound(request.port));
        let binds = Arc::clone(&self.binds);
        async move {
            binds.acquire().await.unwrap().forget();
            Ok(BoundResource { jid, archive: None })
        }
        .boxed()
    }

    fn unbind(
        &self,
        _: &SessionKey,
        undelivered: Vec<Delivery>,
    ) -> Result<(), Overloaded<Vec<Delivery>>> {
        self.tell(Event::Unbound(undelivered));
        Ok(())
    }

    fn submit(
        &self,
        _: &SessionKey,
        batch: Vec<Stanza>,
        permit: Permit,
    ) -> Result<(), Overloaded<Vec<Stanza>>> {
        if self.hold.load(Ordering::SeqCst) {
            self.held.lock().push(permit);
        }
        self.submitted.fetch_add(batch.len(), Ordering::SeqCst);
        self.tell(Event::Submitted(batch));
        Ok(())
    }

    fn confirmed(&self, _: &SessionKey, rows: Vec<RowId>) -> Result<(), Overloaded<Vec<RowId>>> {
        self.tell(Event::Confirmed(rows));
        Ok(())
    }

    fn detached(
        &self,
        _: &SessionKey,
        waiting: Vec<Delivery>,
    ) -> Result<(), Overloaded<Vec<Delivery>>> {
        self.tell(Event::Detached(waiting));
        Ok(())
    }

    fn resumed(&self, _: &SessionKey) -> Result<(), Overloaded<()>> {
        self.tell(Event::Resumed);
        Ok(())
    }
}

// === impl Fixture ===

impl Fixture {
    pub(crate) fn start(change: impl FnOnce(&mut Config)) -> Self {
        let mut config = Config {
            starttls: StartTlsListener {
                address: vec!["127.0.0.1:0".parse().unwrap()],
                starttls: StartTls::Off,
                ..StartTlsListener::default()
            },
            direct: DirectTlsListener {
                address: vec![],
                ..DirectTlsListener::default()
            },
            limits: rookery_c2s::Limits::default(),
            session: rookery_session::Config::default(),
            stream: rookery_stream::Config::default(),
        };
        change(&mut config);
        let (sender, events) = sync_channel(100_000);
        let homes = Arc::new(FakeHomes {
            events: sender,
            hold: AtomicBool::new(false),
            held: Mutex::default(),
            submitted: AtomicUsize::new(0),
            binds: Arc::new(Semaphore::new(BINDS)),
        });
        let directory = tempfile::tempdir().unwrap();
        let (drain, signal) = Drain::new();
        let (ready, listening) = sync_channel(1);
        let registry = Registry::new();
        let for_services = registry.clone();
        let (path, for_edge) = (directory.path().to_owned(), Arc::clone(&homes));
        std::thread::spawn(move || {
            let system = actix::System::new();
            system.block_on(async {
                let services = services(&path, for_edge, signal, for_services).await;
                let listening = rookery_c2s::listen(config, services).unwrap();
                ready.send(listening).unwrap();
            });
            system.run().unwrap();
        });
        let listening = listening.recv_timeout(PATIENCE).unwrap();
        Self {
            listening,
            registry,
            events,
            homes,
            drain,
            _directory: directory,
        }
    }

    pub(crate) fn client(&self) -> Client {
        Self::connect(self.listening.starttls[0])
    }

    /// A client at the listener with direct TLS, which it does not speak.
    pub(crate) fn client_without_tls(&self) -> Client {
        Self::connect(self.listening.direct[0])
    }

    fn connect(address: SocketAddr) -> Client {
        let socket = TcpStream::connect(address).unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        Client {
            socket,
            seen: Vec::new(),
        }
    }

    pub(crate) fn event(&self) -> Event {
        self.events
            .recv_timeout(PATIENCE)
            .expect("an event of the homes")
    }

    pub(crate) fn wait_for<T>(&self, mut wanted: impl FnMut(Event) -> Option<T>) -> T {
        loop {
            if let Some(found) = wanted(self.event()) {
                return found;
            }
        }
    }

    /// The port of the session that was bound last.
    pub(crate) fn port(&self) -> Arc<dyn SessionPort> {
        self.wait_for(|event| match event {
            Event::Bound(port) => Some(port),
            _ => None,
        })
    }

    /// What waits with a session that has no connection, as its home is told.
    pub(crate) fn detached(&self) -> Vec<Delivery> {
        self.wait_for(|event| match event {
            Event::Detached(waiting) => Some(waiting),
            _ => None,
        })
    }

    /// What was given back when a session ended.
    pub(crate) fn undelivered(&self) -> Vec<Delivery> {
        self.wait_for(|event| match event {
            Event::Unbound(undelivered) => Some(undelivered),
            _ => None,
        })
    }

    pub(crate) fn hold_permits(&self) {
        self.homes.hold.store(true, Ordering::SeqCst);
    }

    pub(crate) fn release_permits(&self) {
        self.homes.hold.store(false, Ordering::SeqCst);
        while self.events.try_recv().is_ok() {}
        self.homes.held.lock().clear();
    }

    /// Whether the node is short of memory, from now on.
    pub(crate) fn set_short_of_memory(&self, short: bool) {
        self.listening.set_short_of_memory(short);
    }

    /// From now on, binds are not answered.
    pub(crate) fn hold_binds(&self) {
        self.homes.binds.forget_permits(BINDS);
    }

    pub(crate) fn release_binds(&self) {
        self.homes.binds.add_permits(BINDS);
    }

    /// Waits until no connection is open.
    pub(crate) fn wait_until_all_have_left(&self) {
        while self.listening.connections() > 0 {
            std::thread::yield_now();
        }
    }

    /// The value of a series of the metrics, such as `connections{listener="c2s"}`.
    pub(crate) fn metric(&self, series: &str) -> u64 {
        let text = self.registry.render();
        let line = text
            .lines()
            .find_map(|line| line.strip_prefix("rookery_")?.strip_prefix(series));
        line.expect(series).trim().parse().unwrap()
    }

    /// Waits until a series has this value.
    pub(crate) fn wait_for_metric(&self, series: &str, value: u64) {
        while self.metric(series) != value {
            std::thread::yield_now();
        }
    }

    /// The node stops.
    pub(crate) fn stop(&self) {
        self.drain.start();
    }

    pub(crate) fn submitted(&self) -> usize {
        self.homes.submitted.load(Ordering::SeqCst)
    }
}

async fn services(
    path: &std::path::Path,
    homes: Arc<FakeHomes>,
    drain: rookery_lifecycle::DrainSignal,
    registry: Registry,
) -> Services {
    let clock = Clock::system();
    let scope = TaskScope::new("test", tokio::runtime::Handle::current(), 100);
    let names = vec!["localhost".to_owned()];
    let made = rookery_tls::ensure_development_certificate(path, &names, &clock).unwrap();
    let tls = rookery_tls::Config {
        certificate: Some(made.certificate),
        key: Some(made.key),
        ..rookery_tls::Config::default()
    };
    let policy = HostConfig {
        anonymous: true,
        ..HostConfig::default()
    };
    let store = Arc::new(rookery_storage::memory::MemoryStore::new());
    let logins = rookery_auth::Services {
        store: store.clone(),
        scope: scope.clone(),
        clock: clock.clone(),
        registry: registry.clone(),
        secret: [7; 32],
    };
    let hosts = [("localhost".to_owned(), policy)];
    let host = Host {
        anonymous: true,
        ..Host::new("localhost".parse().unwrap())
    };
    let names = ["localhost".to_owned()];
    let config = rookery_auth::Config::default();
    let authenticator = Authenticator::new(&config, hosts, logins);
    let accounts =
        rookery_auth::Accounts::new(&config, names, store, authenticator.hashing().clone());
    let juliet = format!("{JULIET}@localhost");
    accounts.create(&juliet, PASSWORD.to_owned()).await.unwrap();
    Services {
        arbiters: (0..2).map(|_| Arbiter::new().handle()).collect(),
        authenticator,
        certificates: CertificateStore::load(&tls, &[], clock.clone(), &registry).unwrap(),
        clock,
        features: Features::default(),
        homes,
        hosts: Hosts::new([host]),
        default_host: "localhost".to_owned(),
        registry,
        scope,
        drain,
    }
}

// === impl Client ===

impl Client {
    pub(crate) fn send(&mut self, text: &str) {
        self.socket.write_all(text.as_bytes()).unwrap();
    }

    pub(crate) fn send_bytes(&mut self, bytes: &[u8]) {
        self.socket.write_all(bytes).unwrap();
    }

    pub(crate) fn try_send(&mut self, text: &str) -> bool {
        self.socket.write_all(text.as_bytes()).is_ok()
    }

    pub(crate) fn set_write_timeout(&mut self, timeout: Duration) {
        self.socket.set_write_timeout(Some(timeout)).unwrap();
    }

    /// Reads up to and including `end`; gives everything since the last time.
    pub(crate) fn read_until(&mut self, end: &str) -> String {
        let mut searched = 0;
        loop {
            if let Some(at) = memchr::memmem::find(&self.seen[searched..], end.as_bytes()) {
                let text: Vec<u8> = self.seen.drain(..searched + at + end.len()).collect();
                return String::from_utf8_lossy(&text).into_owned();
            }
            searched = self.seen.len().saturating_sub(end.len());
            let mut buffer = vec![0; 64 * 1024];
            let read = self.socket.read(&mut buffer).expect("an answer in time");
            let text = String::from_utf8_lossy(&self.seen);
            assert!(read > 0, "the connection ended before {end:?}: {text:.500}");
            self.seen.extend_from_slice(&buffer[..read]);
        }
    }

    pub(crate) fn open(&mut self) {
        self.send(
            "<?xml version='1.0'?><stream:stream to='localhost' version='1.0' xmlns='jabber:client' \
             xmlns:stream='http://etherx.jabber.org/streams'>",
        );
        self.read_until("</stream:features>");
    }

    pub(crate) fn authenticate(&mut self) {
        self.send("<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='ANONYMOUS'/>");
        self.read_until("<success");
        self.read_until(">");
    }

    /// Authenticates as an account that there is, up to the features of the last stream.
    pub(crate) fn authenticate_as_juliet(&mut self) {
        self.open();
        let hello = scram::hello(JULIET);
        self.send(&format!(
            "<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='SCRAM-SHA-1'>{hello}</auth>"
        ));
        let challenge = self.read_until("</challenge>");
        let challenge = challenge.split(['<', '>']).nth(2).unwrap();
        let proof = scram::proof(JULIET, PASSWORD, challenge);
        self.send(&format!(
            "<response xmlns='urn:ietf:params:xml:ns:xmpp-sasl'>{proof}</response>"
        ));
        self.read_until("</success>");
        self.open();
    }

    /// Binds a resource, once it has authenticated.
    pub(crate) fn bind(&mut self) {
        self.send(BIND);
        self.read_until("</iq>");
    }

    /// Logs in anonymously and binds a resource; gives the full JID.
    pub(crate) fn log_in(&mut self) -> String {
        self.ask_for_a_resource();
        let answer = self.read_until("</iq>");
        let jid = answer
            .split("<jid>")
            .nth(1)
            .expect("a JID")
            .split("</jid>")
            .next()
            .unwrap();
        jid.to_owned()
    }

    /// Logs in anonymously and does not wait for the resource.
    pub(crate) fn ask_for_a_resource(&mut self) {
        self.open();
        self.authenticate();
        self.open();
        self.send(BIND);
    }

    /// Ends the connection as a crash would.
    pub(crate) fn reset(self) {
        let socket = socket2::Socket::from(self.socket);
        socket.set_linger(Some(Duration::ZERO)).unwrap();
    }

    /// Leaves everything behind that comes before the end of the connection.
    pub(crate) fn read_to_end(mut self) -> std::io::Result<u64> {
        std::io::copy(&mut self.socket, &mut std::io::sink())
    }

    /// Whether the server has closed the connection.
    pub(crate) fn is_closed(&mut self) -> bool {
        let mut byte = [0; 1];
        match self.socket.read(&mut byte) {
            Ok(read) => read == 0,
            Err(error) => error.kind() == std::io::ErrorKind::ConnectionReset,
        }
    }
}
