//! The listener for operators, over real sockets.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test may panic"
)]

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use rookery_lifecycle::{Clock, TaskScope};
use rookery_telemetry::{Label, Registry};
use rookery_web::{Gate, Health, Heartbeats, ListenError, Ops, OpsListener, State, listen};
use tokio::runtime::{Handle, Runtime};

struct Node {
    runtime: Runtime,
    scope: TaskScope,
    registry: Registry,
    health: Health,
}

impl Node {
    fn new() -> Self {
        let runtime = Runtime::new().unwrap();
        let scope = TaskScope::new("test", runtime.handle().clone(), 8);
        let registry = Registry::new();
        let clock = Clock::system();
        let health = Health::new(&registry, Heartbeats::new([], clock.now()));
        Self {
            runtime,
            scope,
            registry,
            health,
        }
    }

    fn listen(&self, address: SocketAddr) -> Result<Ops, ListenError> {
        let config = OpsListener {
            address: vec![address],
        };
        let (registry, health) = (self.registry.clone(), self.health.clone());
        listen(&config, registry, health, Clock::system(), &self.scope)
    }

    fn serving(&self) -> (Ops, SocketAddr) {
        let ops = self.listen("127.0.0.1:0".parse().unwrap()).unwrap();
        let address = ops.addresses()[0];
        (ops, address)
    }
}

fn ask(address: SocketAddr, method: &str, path: &str) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    stream
        .set_read_timeout(Some(Duration::from_secs(10)))
        .unwrap();
    let request = format!("{method} {path} HTTP/1.1\r\nhost: test\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

fn body(answer: &str) -> &str {
    answer.split_once("\r\n\r\n").unwrap().1
}

#[test]
fn metrics_hold_the_registry_and_the_process() {
    let node = Node::new();
    let (_ops, address) = node.serving();
    let answer = ask(address, "GET", "/metrics");
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    assert!(answer.contains("text/plain; version=0.0.4"), "{answer}");
    assert!(
        body(&answer).contains("rookery_ready{gate=\"store\"} 0\n"),
        "{answer}"
    );
    assert!(
        body(&answer).contains("process_resident_memory_bytes "),
        "{answer}"
    );
}

#[test]
fn probes_follow_the_state_of_the_node() {
    let node = Node::new();
    let (_ops, address) = node.serving();
    assert!(ask(address, "GET", "/livez").starts_with("HTTP/1.1 200"));
    assert!(ask(address, "GET", "/startupz").starts_with("HTTP/1.1 503"));
    assert!(ask(address, "GET", "/readyz").starts_with("HTTP/1.1 503"));

    node.health.enter(State::Serving);
    for gate in Gate::VALUES {
        node.health.set(*gate, true);
    }
    assert!(ask(address, "GET", "/startupz").starts_with("HTTP/1.1 200"));
    assert!(ask(address, "GET", "/readyz").starts_with("HTTP/1.1 200"));

    node.health.enter(State::Draining);
    let answer = ask(address, "GET", "/readyz?verbose");
    assert!(answer.starts_with("HTTP/1.1 503"), "{answer}");
    assert!(body(&answer).contains("state draining\n"), "{answer}");
    assert!(
        body(&answer).contains("gate not_draining shut\n"),
        "{answer}"
    );
    assert!(ask(address, "GET", "/livez").starts_with("HTTP/1.1 200"));
}

#[test]
fn only_reading_is_possible_and_only_of_what_is_there() {
    let node = Node::new();
    let (_ops, address) = node.serving();
    let answer = ask(address, "HEAD", "/metrics");
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    assert_eq!(body(&answer), "");
    for path in ["/", "/metrics/", "/admin", "/livez/x"] {
        assert!(
            ask(address, "GET", path).starts_with("HTTP/1.1 404"),
            "{path}"
        );
    }
    assert!(ask(address, "POST", "/metrics").starts_with("HTTP/1.1 40"));
}

#[test]
fn a_taken_address_is_named() {
    let node = Node::new();
    let (_ops, address) = node.serving();
    let error = node.listen(address).unwrap_err();
    assert!(error.to_string().contains(&address.to_string()), "{error}");
}

#[test]
fn stopping_gives_the_address_back() {
    let node = Node::new();
    let (ops, address) = node.serving();
    node.runtime.block_on(ops.stop());
    node.runtime
        .block_on(node.scope.close(Duration::from_secs(5)));
    let (again, _) = (node.listen(address), Handle::try_current());
    assert_eq!(again.unwrap_err().to_string(), "the scope has ended");
    TcpStream::connect(address).unwrap_err();
}
