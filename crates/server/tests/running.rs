//! The command `rookery` beside a running server, and the running server beside its operator.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::io::{BufRead, BufReader};
use std::os::unix::fs::PermissionsExt;
use std::process::{Child, Command, Stdio};

use rookery_testkit::{Options, Server};

const CHEAP: &str = "\n[auth]\niterations = 4096\n";

async fn server(accounts: &[&str]) -> Server {
    let accounts = accounts.iter().map(|&account| account.to_owned()).collect();
    let options = Options {
        extra: CHEAP.to_owned(),
        accounts,
        ..Options::default()
    };
    Server::start(options).await.unwrap()
}

/// Exit code, standard output, standard error.
fn run(server: &Server, arguments: &[&str]) -> (i32, String, String) {
    let output = server.command(arguments).unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (
        output.status.code().unwrap(),
        text(output.stdout),
        text(output.stderr),
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_made_while_the_server_runs_can_log_in() {
    let server = server(&[]).await;
    let add = [
        "user",
        "add",
        "alice@localhost",
        "--password",
        Server::PASSWORD,
    ];
    assert_eq!(run(&server, &add).0, 0);
    server.log_in("alice", "phone").await.unwrap();
    assert_eq!(run(&server, &["user", "list"]).1, "alice@localhost\n");
    assert_eq!(run(&server, &add).0, 3);
    let metric = "rookery_admin_requests_total{code=\"ok\",method=\"add_user\"}";
    assert_eq!(
        server.metric(metric).await.unwrap(),
        Some(1.0),
        "the server did it"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn another_password_and_removal_end_the_sessions_s4_9_3_12() {
    let server = server(&["alice", "bob"]).await;
    let mut alice = server.log_in("alice", "phone").await.unwrap();
    let mut bob = server.log_in("bob", "phone").await.unwrap();
    let change = [
        "user",
        "password",
        "alice@localhost",
        "--password",
        "another",
    ];
    assert_eq!(run(&server, &change).0, 0);
    assert_eq!(run(&server, &["user", "delete", "bob@localhost"]).0, 0);
    for client in [&mut alice, &mut bob] {
        let error = client.element().await.unwrap();
        assert_eq!(error.name(), "error", "{error:?}");
        let condition = error.children().next().unwrap();
        assert_eq!(condition.name(), "not-authorized");
    }
    server.log_in("alice", "phone").await.unwrap_err();
    server.log_in("bob", "phone").await.unwrap_err();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_end_is_told_to_clients_and_nothing_is_left_s4_9_3_18() {
    let mut server = server(&["alice"]).await;
    let mut alice = server.log_in("alice", "phone").await.unwrap();
    let socket = server.directory().join("data/admin.sock");
    assert!(socket.exists());
    server.signal("TERM").unwrap();
    let error = alice.element().await.unwrap();
    assert_eq!(
        error.children().next().unwrap().name(),
        "system-shutdown",
        "{error:?}"
    );
    drop(alice);
    let status = server.exited().await.unwrap();
    assert_eq!(status.code(), Some(0), "{}", server.log());
    assert!(!socket.exists());
    server.restart().await.unwrap();
    server.log_in("alice", "phone").await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_sent_before_the_end_is_there_after_it() {
    let mut server = server(&["alice", "bob"]).await;
    let mut alice = server.log_in("alice", "phone").await.unwrap();
    for number in 0..500 {
        let body =
            format!("<message to='bob@localhost' type='chat'><body>{number}</body></message>");
        alice.send(body).await.unwrap();
    }
    // The server answers in order: once the answer is here, every message has been taken.
    let ping = "<iq type='get' id='p' to='localhost'><ping xmlns='urn:xmpp:ping'/></iq>";
    alice.send(ping).await.unwrap();
    while alice.element().await.unwrap().attribute("id") != Some("p") {}
    let status = server.terminate().await.unwrap();
    assert_eq!(status.code(), Some(0), "{}", server.log());

    server.restart().await.unwrap();
    let mut bob = server.log_in("bob", "phone").await.unwrap();
    bob.send("<presence/>").await.unwrap();
    for number in 0..500 {
        let message = loop {
            let element = bob.element().await.unwrap();
            if element.name() == "message" {
                break element;
            }
        };
        let body = message.child("body", "jabber:client").unwrap();
        assert_eq!(body.text(), number.to_string());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_signal_ends_at_once() {
    let mut server = server(&["alice"]).await;
    // It does not close its side, so the server waits for it.
    let _alice = server.log_in("alice", "phone").await.unwrap();
    server.signal("TERM").unwrap();
    while !server.log().contains("ending; a second signal") {
        tokio::task::yield_now().await;
    }
    server.signal("INT").unwrap();
    let status = server.exited().await.unwrap();
    assert_eq!(status.code(), Some(1), "{}", server.log());
    assert!(server.log().contains("ended at once"), "{}", server.log());
}

#[tokio::test(flavor = "multi_thread")]
async fn probes_and_metrics_answer() {
    let server = server(&[]).await;
    for path in ["/livez", "/readyz", "/readyz?verbose", "/startupz"] {
        assert_eq!(server.get(path).await.unwrap().0, 200, "{path}");
    }
    assert_eq!(server.get("/").await.unwrap().0, 404);
    let (_, metrics) = server.get("/metrics").await.unwrap();
    for name in [
        "rookery_build_info{",
        "rookery_lifecycle_state{state=\"serving\"} 1",
    ] {
        assert!(metrics.contains(name), "{metrics}");
    }
    let (code, list, _) = run(&server, &["metrics", "list"]);
    assert_eq!(code, 0);
    for line in metrics
        .lines()
        .filter_map(|line| line.strip_prefix("# TYPE "))
    {
        let (name, kind) = line.split_once(' ').unwrap();
        assert!(
            list.contains(&format!("{name} {kind} ")),
            "{name} is not in the list"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hangup_reloads_certificates_and_says_what_it_does_not_reload() {
    let server = server(&[]).await;
    server.signal("HUP").unwrap();
    while !server.log().contains("certificates reloaded") {
        tokio::task::yield_now().await;
    }
    assert!(server.log().contains("every other setting needs a restart"));
    assert_eq!(server.get("/readyz").await.unwrap().0, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_server_on_the_same_data_is_refused() {
    let server = server(&[]).await;
    let (code, _, err) = run(&server, &["serve"]);
    assert_eq!(code, 1, "{err}");
    assert!(
        err.contains(&format!("in use by process {}", server.pid())),
        "{err}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_whose_server_does_not_answer_is_named() {
    let server = server(&[]).await;
    std::fs::remove_file(server.directory().join("data/admin.sock")).unwrap();
    let (code, _, err) = run(&server, &["user", "list"]);
    assert_eq!(code, 1, "{err}");
    assert!(err.contains("admin.sock"), "{err}");
}

/// A server that nobody has configured, in an empty directory, on free ports.
struct Newcomer {
    directory: tempfile::TempDir,
    child: Child,
    said: Vec<String>,
}

impl Newcomer {
    fn start() -> Self {
        Self::start_in(tempfile::tempdir().unwrap())
    }

    fn start_in(directory: tempfile::TempDir) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_rookery"))
            .current_dir(directory.path())
            .env("ROOKERY_LISTENER_C2S_ADDRESS", "127.0.0.1:0")
            .env("ROOKERY_LISTENER_C2S_TLS_ADDRESS", "127.0.0.1:0")
            .env("ROOKERY_LISTENER_OPS_ADDRESS", "127.0.0.1:0")
            .env("ROOKERY_AUTH_ITERATIONS", "4096")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut said = Vec::new();
        for line in lines {
            said.push(line.unwrap());
            if said.last().unwrap().starts_with("Ctrl-C") {
                break;
            }
        }
        Self {
            directory,
            child,
            said,
        }
    }

    fn end(mut self) -> tempfile::TempDir {
        let pid = self.child.id().to_string();
        assert!(
            Command::new("kill")
                .args(["-s", "INT", &pid])
                .status()
                .unwrap()
                .success()
        );
        assert_eq!(self.child.wait().unwrap().code(), Some(0));
        self.directory
    }
}

#[test]
fn a_newcomer_is_told_how_to_connect_and_keeps_the_accounts() {
    let first = Newcomer::start();
    let text = first.said.join("\n");
    let data = first.directory.path().join("rookery-data");
    let file = data.join("development-accounts.txt");
    assert_eq!(
        std::fs::metadata(&file).unwrap().permissions().mode() & 0o777,
        0o600
    );
    let accounts = std::fs::read_to_string(&file).unwrap();
    let accounts: Vec<_> = accounts
        .lines()
        .filter_map(|line| line.split_once(' '))
        .collect();
    let jids: Vec<_> = accounts.iter().map(|(jid, _)| *jid).collect();
    assert_eq!(jids, ["alice@localhost", "bob@localhost"]);
    assert_ne!(accounts[0].1, accounts[1].1);
    for (jid, password) in &accounts {
        assert!(text.contains(jid) && text.contains(password), "{text}");
    }
    assert!(
        text.contains("rookery-data/tls/ca.pem") && text.contains("go-sendxmpp"),
        "{text}"
    );
    assert!(
        !text.contains("127.0.0.1:0"),
        "the ports are those that are listened on: {text}"
    );

    let again = Newcomer::start_in(first.end());
    assert!(
        again.said.join("\n").contains(accounts[0].1),
        "the same passwords"
    );
    again.end();
}
