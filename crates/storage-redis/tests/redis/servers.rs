//! Real servers, started for one test and ended by their handles.

use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::ops::Deref;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use redis::{Cmd, Value};
use rookery_storage_redis::{Config, Durability, RedisStore};
use rookery_telemetry::Registry;
use tempfile::TempDir;
use tokio::runtime::Handle;
use tokio::time::Instant;

/// Where Debian has it.
const SERVER: &str = "/usr/bin/redis-server";
/// How long a server may take for anything.
const PATIENCE: Duration = Duration::from_secs(30);

/// A server.
pub(crate) struct Server {
    pub(crate) port: u16,
    pub(crate) directory: TempDir,
    arguments: Vec<String>,
    child: Option<Child>,
}

/// A store, with the servers that it lives on.
pub(crate) struct Lodging {
    pub(crate) store: Arc<RedisStore>,
    pub(crate) registry: Registry,
    pub(crate) servers: Vec<Server>,
}

/// A port that nobody has at the moment.
pub(crate) fn free_port() -> u16 {
    loop {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        // A member of a cluster listens 10000 above, too.
        if port < 50_000 {
            return port;
        }
        let low = 20_000 + port % 20_000;
        if TcpListener::bind(("127.0.0.1", low)).is_ok()
            && TcpListener::bind(("127.0.0.1", low + 10_000)).is_ok()
        {
            return low;
        }
    }
}

// === impl Server ===

impl Server {
    /// Starts a server with further arguments.
    pub(crate) fn start(arguments: &[&str]) -> Self {
        let arguments: Vec<String> = arguments.iter().map(|it| (*it).to_owned()).collect();
        for _ in 0..5 {
            let mut server = Self {
                port: free_port(),
                directory: tempfile::tempdir().unwrap(),
                arguments: arguments.clone(),
                child: None,
            };
            if server.run() {
                return server;
            }
        }
        panic!("{SERVER} does not start with {arguments:?}");
    }

    /// Starts a server that keeps an append-only file.
    pub(crate) fn durable(arguments: &[&str]) -> Self {
        Self::start(
            &[
                &["--appendonly", "yes", "--appendfsync", "everysec"],
                arguments,
            ]
            .concat(),
        )
    }

    /// Starts a replica of another.
    pub(crate) async fn replica_of(primary: &Self) -> Self {
        let port = primary.port.to_string();
        let replica = Self::durable(&[
            "--replicaof",
            "127.0.0.1",
            &port,
            "--repl-diskless-sync-delay",
            "0",
        ]);
        primary
            .until("INFO", |info| info.contains("state=online"))
            .await;
        replica
    }

    /// Starts a Sentinel that watches a primary.
    pub(crate) fn sentinel_of(primary: &Self) -> Self {
        let mut sentinel = Self {
            port: free_port(),
            directory: tempfile::tempdir().unwrap(),
            arguments: Vec::new(),
            child: None,
        };
        let configuration = format!(
            "sentinel monitor rookery 127.0.0.1 {} 1\n\
             sentinel down-after-milliseconds rookery 500\n\
             sentinel failover-timeout rookery 3000\n",
            primary.port
        );
        std::fs::write(sentinel.path().join("sentinel.conf"), configuration).unwrap();
        assert!(sentinel.run());
        sentinel
    }

    /// Starts it, again perhaps; whether it could.
    pub(crate) fn run(&mut self) -> bool {
        let sentinel = self.directory.path().join("sentinel.conf");
        let mut command = Command::new(SERVER);
        if sentinel.exists() {
            command.arg(&sentinel).arg("--sentinel");
        } else {
            command.args(["--save", "", "--repl-diskless-sync-delay", "0"]);
        }
        if !self
            .arguments
            .iter()
            .any(|argument| argument == "--tls-port")
        {
            command.args(["--port", &self.port.to_string()]);
        }
        command.args(["--bind", "127.0.0.1"]);
        command.arg("--dir").arg(self.directory.path());
        let child = command
            .args(&self.arguments)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn();
        let mut child = child.unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap())
            .lines()
            .map_while(Result::ok);
        let ready = lines.any(|line| {
            line.contains("Ready to accept connections") || line.contains("monitor master")
        });
        self.child = Some(child);
        // It must not wait for a reader of its log.
        std::thread::spawn(move || lines.for_each(drop));
        ready
    }

    /// Kills it.
    pub(crate) fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }

    /// Sends it a signal.
    pub(crate) fn signal(&self, signal: &str) {
        let pid = self.child.as_ref().unwrap().id().to_string();
        assert!(
            Command::new("kill")
                .args([signal, &pid])
                .status()
                .unwrap()
                .success()
        );
    }

    pub(crate) fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    pub(crate) fn path(&self) -> &Path {
        self.directory.path()
    }

    /// Asks it something.
    pub(crate) fn ask(&self, words: &str) -> Value {
        let mut words = words.split(' ');
        let mut command: Cmd = redis::cmd(words.next().unwrap());
        for word in words {
            command.arg(word);
        }
        let client = redis::Client::open(self.url()).unwrap();
        command
            .query(&mut client.get_connection().unwrap())
            .unwrap()
    }

    /// Asks it something until the answer is as it shall be.
    pub(crate) async fn until(&self, words: &str, holds: impl Fn(&str) -> bool) {
        let started = Instant::now();
        loop {
            let answer = match self.ask(words) {
                Value::BulkString(bytes) => String::from_utf8(bytes).unwrap(),
                Value::VerbatimString { text, .. } => text,
                other => format!("{other:?}"),
            };
            if holds(&answer) {
                return;
            }
            assert!(started.elapsed() < PATIENCE, "{words}: {answer}");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
    }
}

// === impl Lodging ===

impl Lodging {
    /// A store on these servers.
    pub(crate) async fn open(config: &Config, servers: Vec<Server>) -> Self {
        let registry = Registry::new();
        let store = RedisStore::open(config, Handle::current(), &registry)
            .await
            .unwrap();
        Self {
            store,
            registry,
            servers,
        }
    }

    /// A store on one server that confirms by itself.
    pub(crate) async fn alone() -> Self {
        let server = Server::start(&[]);
        let config = Config {
            urls: vec![server.url()],
            durability: Durability::Reply,
            ..Config::default()
        };
        Self::open(&config, vec![server]).await
    }
}

impl Deref for Lodging {
    type Target = RedisStore;

    fn deref(&self) -> &RedisStore {
        &self.store
    }
}

/// Three servers that are a cluster.
pub(crate) async fn cluster(arguments: &[&str]) -> Vec<Server> {
    let own = ["--cluster-enabled", "yes", "--cluster-node-timeout", "2000"];
    let servers: Vec<Server> = (0..3)
        .map(|_| Server::durable(&[&own, arguments].concat()))
        .collect();
    for (server, slots) in servers.iter().zip(["0 5460", "5461 10922", "10923 16383"]) {
        server.ask(&format!("CLUSTER ADDSLOTSRANGE {slots}"));
    }
    // Members have epochs of their own, which they would otherwise have to settle.
    for (epoch, server) in (1..).zip(&servers) {
        server.ask(&format!("CLUSTER SET-CONFIG-EPOCH {epoch}"));
    }
    for server in servers.iter().skip(1) {
        servers[0].ask(&format!("CLUSTER MEET 127.0.0.1 {}", server.port));
    }
    for server in &servers {
        server
            .until("CLUSTER INFO", |info| {
                info.contains("cluster_state:ok") && info.contains("cluster_size:3")
            })
            .await;
    }
    servers
}
