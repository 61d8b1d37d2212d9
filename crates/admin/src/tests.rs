//! Operations over the socket: both ends, with a store in memory.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use rookery_auth::{Accounts, Authenticator, Services};
use rookery_lifecycle::{Clock, Drain, TaskScope};
use rookery_stanza::BareJid;
use rookery_storage::memory::MemoryStore;
use rookery_storage::{AccountStore, StoreError};
use rookery_telemetry::Registry;
use tempfile::TempDir;
use tokio::runtime::Runtime;
use tokio::sync::mpsc;

use super::*;

#[derive(Debug)]
struct Ended(mpsc::Sender<BareJid>);

#[async_trait]
impl Sessions for Ended {
    async fn end(&self, account: &BareJid) {
        self.0.send(account.clone()).await.unwrap();
    }
}

struct Node {
    runtime: Runtime,
    directory: TempDir,
    store: Arc<MemoryStore>,
    registry: Registry,
    ended: mpsc::Receiver<BareJid>,
    drain: Drain,
    scope: TaskScope,
}

impl Node {
    fn new() -> Self {
        let runtime = Runtime::new().unwrap();
        let scope = TaskScope::new("admin", runtime.handle().clone(), 4);
        let (registry, store) = (Registry::new(), Arc::new(MemoryStore::new()));
        let hosts = vec!["example.org".to_owned(), "example.net".to_owned()];
        let config = rookery_auth::Config {
            iterations: 4096,
            ..rookery_auth::Config::default()
        };
        let services = Services {
            store: store.clone(),
            scope: TaskScope::new("hashing", runtime.handle().clone(), 4),
            clock: Clock::system(),
            registry: registry.clone(),
            secret: [7; 32],
        };
        let of_hosts = hosts
            .iter()
            .map(|host| (host.clone(), rookery_auth::HostConfig::default()));
        let authenticator = Authenticator::new(&config, of_hosts, services);
        let hashing = authenticator.hashing().clone();
        let accounts = Accounts::new(&config, hosts.clone(), store.clone(), hashing);
        let (sender, ended) = mpsc::channel(8);
        let sessions: Arc<dyn Sessions> = Arc::new(Ended(sender));
        let operations = Operations::new(accounts, hosts, Some(sessions), &registry);
        let directory = tempfile::tempdir().unwrap();
        let (drain, signal) = Drain::new();
        listen(
            &directory.path().join("admin.sock"),
            operations,
            &scope,
            signal,
        )
        .unwrap();
        Self {
            runtime,
            directory,
            store,
            registry,
            ended,
            drain,
            scope,
        }
    }

    fn path(&self) -> PathBuf {
        self.directory.path().join("admin.sock")
    }

    fn client(&self) -> Client {
        Client::connect(&self.path()).unwrap().unwrap()
    }

    fn exists(&self, jid: &str) -> bool {
        let jid = BareJid::parse(jid).unwrap();
        self.runtime
            .block_on(self.store.account_exists(&jid))
            .unwrap()
    }
}

fn user(jid: &str) -> NewUser {
    NewUser {
        jid: jid.to_owned(),
        password: Secret("correct horse".to_owned()),
    }
}

fn refused(response: Response) -> String {
    match response {
        Response::Refused { reason } => reason,
        other => panic!("{other:?}"),
    }
}

#[test]
fn an_account_lives_from_its_making_to_its_removal() {
    let mut node = Node::new();
    let mut client = node.client();
    let mut ask = |request| client.request(&request).unwrap();
    let jid = "Alice@Example.Org".to_owned();
    assert_eq!(ask(Request::AddUser(user(&jid))), Response::Done);
    assert!(node.exists("alice@example.org"), "the address was prepared");
    assert!(refused(ask(Request::AddUser(user(&jid)))).contains("exists already"));
    let exists = ask(Request::UserExists { jid: jid.clone() });
    assert_eq!(exists, Response::Exists { exists: true });

    assert_eq!(ask(Request::SetPassword(user(&jid))), Response::Done);
    assert_eq!(
        node.ended.blocking_recv().unwrap().as_str(),
        "alice@example.org"
    );
    assert_eq!(
        ask(Request::DeleteUser { jid: jid.clone() }),
        Response::Done
    );
    assert_eq!(
        node.ended.blocking_recv().unwrap().as_str(),
        "alice@example.org"
    );
    assert!(refused(ask(Request::DeleteUser { jid: jid.clone() })).contains("no such account"));
    assert!(refused(ask(Request::SetPassword(user(&jid)))).contains("no such account"));
    assert!(!node.exists("alice@example.org"));
    let metrics = node.registry.render();
    let counted = "rookery_admin_requests_total{code=\"refused\",method=\"delete_user\"} 1";
    assert!(metrics.contains(counted), "{metrics}");
}

#[test]
fn an_import_says_what_became_of_each_line_and_a_list_pages() {
    let node = Node::new();
    let mut client = node.client();
    let mut ask = |request| client.request(&request).unwrap();
    let users = [
        "b@example.org",
        "nobody",
        "a@example.org",
        "b@example.org",
        "c@elsewhere.org",
    ];
    let response = ask(Request::ImportUsers {
        users: users.map(user).to_vec(),
    });
    let Response::Imported { refused: reasons } = response else {
        panic!("{response:?}")
    };
    let made: Vec<bool> = reasons.iter().map(Option::is_none).collect();
    assert_eq!(made, [true, false, true, false, false]);
    assert!(
        reasons[4].as_ref().unwrap().contains("not served here"),
        "{reasons:?}"
    );

    let list = |after: Option<&str>| Request::ListUsers {
        host: "EXAMPLE.org".to_owned(),
        after: after.map(str::to_owned),
    };
    let both = vec!["a@example.org".to_owned(), "b@example.org".to_owned()];
    assert_eq!(ask(list(None)), Response::Users { users: both });
    let rest = vec!["b@example.org".to_owned()];
    assert_eq!(ask(list(Some("a"))), Response::Users { users: rest });
    let hosts = vec!["example.org".to_owned(), "example.net".to_owned()];
    assert_eq!(ask(Request::ListHosts), Response::Hosts { hosts });
    let elsewhere = Request::ListUsers {
        host: "elsewhere.org".to_owned(),
        after: None,
    };
    assert!(refused(ask(elsewhere)).contains("not served here"));
    let too_many = vec![user("x@example.org"); MOST_USERS + 1];
    assert!(refused(ask(Request::ImportUsers { users: too_many })).contains("at most"));
}

#[test]
fn a_store_that_fails_is_told_apart_from_a_refusal() {
    let node = Node::new();
    node.store
        .fail(Some(StoreError::Unavailable("the disk is full".to_owned())));
    let response = node
        .client()
        .request(&Request::AddUser(user("a@example.org")))
        .unwrap();
    let Response::Failed { reason } = response else {
        panic!("{response:?}")
    };
    assert!(reason.contains("the disk is full"), "{reason}");
}

#[test]
fn only_the_servers_user_reaches_the_socket() {
    let node = Node::new();
    let mode = std::fs::metadata(node.path()).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}

#[test]
fn nonsense_is_refused_and_the_conversation_goes_on() {
    let node = Node::new();
    let mut stream = BufReader::new(UnixStream::connect(node.path()).unwrap());
    for nonsense in [
        "nonsense\n",
        "{\"operation\":\"add-user\",\"jid\":1}\n",
        "{}\n",
    ] {
        stream.get_mut().write_all(nonsense.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_line(&mut answer).unwrap();
        let response: Response = serde_json::from_str(&answer).unwrap();
        assert!(refused(response).contains("not understood"), "{nonsense}");
    }
}

#[test]
fn clients_beyond_the_limit_are_turned_away() {
    let node = Node::new();
    // The scope holds four tasks: the socket's own and three clients.
    let mut clients: Vec<Client> = (0..3).map(|_| node.client()).collect();
    for client in &mut clients {
        client.request(&Request::ListHosts).unwrap();
    }
    let error = node.client().request(&Request::ListHosts).unwrap_err();
    assert!(matches!(error, ClientError::Closed(_)), "{error}");
    clients[0].request(&Request::ListHosts).unwrap();
}

#[test]
fn a_server_that_stopped_is_told_apart_from_one_that_is_silent() {
    let node = Node::new();
    let path = node.path();
    node.drain.start();
    node.runtime
        .block_on(node.scope.close(Duration::from_secs(5)));
    assert!(Client::connect(&path).unwrap().is_none());
    assert!(!path.exists());
    // What a killed server leaves behind.
    drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
    assert!(Client::connect(&path).unwrap().is_none());
}

#[test]
fn secrets_are_not_shown() {
    let shown = format!("{:?}", Request::AddUser(user("a@example.org")));
    assert!(!shown.contains("horse"), "{shown}");
}
