//! A load balancer in front of the server, which says with the PROXY protocol whom it speaks for: limits and
//! logs are about the client behind it.

use std::net::{Ipv4Addr, SocketAddr};

use rookery_testkit::{Client, Options, Server};
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use crate::stage::log_in_direct;

const TRUSTING: &str = "
[listener.c2s.proxy_protocol]
trusted = [\"127.0.0.0/8\"]
[listener.c2s_tls.proxy_protocol]
trusted = [\"127.0.0.0/8\"]
[log]
level = \"info,rookery_c2s=debug\"
[auth]
failures_per_address = 2
";

async fn server() -> Server {
    let options = Options {
        accounts: vec!["romeo".to_owned(), "juliet".to_owned()],
        extra: TRUSTING.to_owned(),
        ..Options::default()
    };
    Server::start(options).await.unwrap()
}

fn version_1(client: [u8; 4]) -> Vec<u8> {
    let client = Ipv4Addr::from(client);
    format!("PROXY TCP4 {client} 198.51.100.1 40000 5222\r\n").into_bytes()
}

/// With a name that the client has asked for, which the server has no use for.
fn version_2(client: [u8; 4]) -> Vec<u8> {
    let (start, name) = (b"\r\n\r\n\0\r\nQUIT\n\x21\x11", b"\x02\0\x09localhost");
    let addresses = [&client[..], &[198, 51, 100, 1], &[0x9c, 0x40, 0x14, 0x67]].concat();
    let length = u8::try_from(addresses.len() + name.len()).unwrap();
    [&start[..], &[0, length], &addresses, name].concat()
}

/// Passes connections on to a server, until it is dropped.
struct Balancer {
    address: SocketAddr,
    _tasks: JoinSet<()>,
}

impl Balancer {
    /// One that puts this header before each connection.
    async fn start(server: SocketAddr, header: Vec<u8>) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            let mut passed_on = JoinSet::new();
            while let Ok((mut client, _)) = listener.accept().await {
                let mut behind = TcpStream::connect(server).await.unwrap();
                behind.write_all(&header).await.unwrap();
                passed_on.spawn(async move {
                    tokio::io::copy_bidirectional(&mut client, &mut behind).await
                });
            }
        });
        Self {
            address,
            _tasks: tasks,
        }
    }
}

async fn log_in(server: &Server, through: SocketAddr, password: &str) -> bool {
    let (trust, romeo) = (server.trust(&[]).unwrap(), ("romeo", "localhost"));
    let client = Client::log_in(through, &trust, romeo, password, "here").await;
    client.is_ok()
}

#[tokio::test]
async fn clients_are_known_by_their_own_addresses_behind_a_load_balancer() {
    let mut server = server().await;
    let starttls = Balancer::start(server.c2s, version_1([192, 0, 2, 1])).await;
    let direct = Balancer::start(server.c2s_tls, version_2([192, 0, 2, 2])).await;
    assert!(log_in(&server, starttls.address, Server::PASSWORD).await);
    server.c2s_tls = direct.address;
    log_in_direct(&server, "juliet").await.unwrap();
    let log = server.log();
    for client in ["peer=192.0.2.1:40000", "peer=192.0.2.2:40000"] {
        assert!(log.contains(client), "{client} is not in the log: {log}");
    }
}

#[tokio::test]
async fn who_guesses_passwords_shuts_out_nobody_else_behind_the_load_balancer() {
    let server = server().await;
    let bad = Balancer::start(server.c2s, version_2([192, 0, 2, 1])).await;
    let good = Balancer::start(server.c2s, version_1([192, 0, 2, 2])).await;
    for _ in 0..2 {
        assert!(!log_in(&server, bad.address, "guess").await);
    }
    assert!(
        !log_in(&server, bad.address, Server::PASSWORD).await,
        "shut out"
    );
    assert!(log_in(&server, good.address, Server::PASSWORD).await);
}

#[tokio::test]
async fn a_trusted_address_without_a_header_is_refused() {
    let server = server().await;
    assert!(!log_in(&server, server.c2s, Server::PASSWORD).await);
    // It is logged and counted after the connection is closed.
    let refused = "rookery_connections_rejected_total{listener=\"c2s\",reason=\"proxy_header\"}";
    server.until_metric(refused, 1.0).await.unwrap();
    let log = server.log();
    assert!(
        log.contains("a proxy does not say whom it speaks for"),
        "{log}"
    );
}
