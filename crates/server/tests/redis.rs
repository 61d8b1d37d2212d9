//! A server that keeps everything in Redis.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::process::{Child, Command, Stdio};

use rookery_testkit::{Options, Server};

/// A Redis of this test's own, ended by its handle.
struct Redis {
    child: Child,
    port: u16,
    _directory: tempfile::TempDir,
}

impl Redis {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        drop(listener);
        let directory = tempfile::tempdir().unwrap();
        let mut command = Command::new("/usr/bin/redis-server");
        command.args(["--port", &port.to_string(), "--bind", "127.0.0.1"]);
        command.args(["--save", "", "--dir"]).arg(directory.path());
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let ready = |line: &str| line.contains("Ready to accept connections");
        assert!(lines.any(|line| line.is_ok_and(|line| ready(&line))));
        Self {
            child,
            port,
            _directory: directory,
        }
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

fn options(redis: &Redis) -> Options {
    Options {
        extra: format!(
            "\n[auth]\niterations = 4096\n[store]\nkind = \"redis\"\n[store.redis]\n\
             urls = [\"redis://127.0.0.1:{}\"]\ndurability = \"reply\"\n",
            redis.port
        ),
        accounts: vec!["alice".to_owned(), "bob".to_owned()],
        ..Options::default()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn accounts_and_messages_are_in_redis_when_the_server_comes_back() {
    let redis = Redis::start();
    let mut server = Server::start(options(&redis)).await.unwrap();
    let mut alice = server.log_in("alice", "phone").await.unwrap();
    let message = "<message to='bob@localhost' type='chat'><body>still here</body></message>";
    alice.send(message).await.unwrap();
    // The server answers in order: once the answer is here, the message has been taken.
    let ping = "<iq type='get' id='p' to='localhost'><ping xmlns='urn:xmpp:ping'/></iq>";
    alice.send(ping).await.unwrap();
    while alice.element().await.unwrap().attribute("id") != Some("p") {}
    drop(alice);
    let up = "rookery_store_up{backend=\"redis\"}";
    assert_eq!(server.metric(up).await.unwrap(), Some(1.0));
    server.signal("TERM").unwrap();
    assert_eq!(
        server.exited().await.unwrap().code(),
        Some(0),
        "{}",
        server.log()
    );
    server.restart().await.unwrap();
    let mut bob = server.log_in("bob", "phone").await.unwrap();
    bob.send("<presence/>").await.unwrap();
    loop {
        let element = bob.element().await.unwrap();
        if element.name() == "message" {
            let body = element.child("body", "jabber:client").unwrap();
            assert_eq!(body.text(), "still here");
            break;
        }
    }
}
