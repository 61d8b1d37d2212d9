//! The shell: the store, the limits, and what is counted.

use std::sync::Arc;
use std::time::Duration;

use rookery_lifecycle::{Clock, TaskScope};
use rookery_stanza::BareJid;
use rookery_storage::memory::MemoryStore;
use rookery_storage::{AccountStore as _, ScramHash, StoreError};
use rookery_stream::SaslCondition;
use rookery_telemetry::Registry;
use tokio::runtime::Handle;

use super::client::Client;
use super::{ITERATIONS, PASSWORD, certified, credentials, tls};
use crate::authenticator::{Authenticator, Services, Step};
use crate::config::{Config, HostConfig};
use crate::login::{Login, Origin, Reply, Request};
use crate::mechanism::Mechanism;
use crate::metrics::Transport;

struct Server {
    store: Arc<MemoryStore>,
    authenticator: Authenticator,
    registry: Registry,
}

impl Server {
    async fn new() -> Self {
        let config = Config {
            iterations: ITERATIONS,
            failures_per_address: 3,
            ..Config::default()
        };
        let store = Arc::new(MemoryStore::new());
        let juliet = BareJid::parse("juliet@localhost").unwrap();
        store
            .create_accounts(vec![(juliet, credentials())])
            .await
            .unwrap();
        let registry = Registry::new();
        let services = Services {
            store: store.clone(),
            scope: TaskScope::new("test", Handle::current(), 8),
            clock: Clock::system(),
            registry: registry.clone(),
            secret: [5; 32],
        };
        let hosts = [("localhost".to_owned(), HostConfig::default())];
        let authenticator = Authenticator::new(&config, hosts, services);
        Self {
            store,
            authenticator,
            registry,
        }
    }

    fn login(&self) -> Login {
        self.authenticator.begin("localhost", Some(tls()), origin())
    }

    async fn step(&self, login: Login, request: Request) -> (Login, Reply) {
        match self.authenticator.step(login, request) {
            Step::Done(login, reply) => (login, reply),
            Step::Pending(future) => future.await,
        }
    }

    async fn plain(&self, login: Login, message: &str) -> (Login, Reply) {
        self.step(login, start("PLAIN", Some(message))).await
    }

    fn counted(&self, mechanism: &str, result: &str) -> bool {
        let line = format!(
            "rookery_logins_total{{mechanism=\"{mechanism}\",profile=\"legacy\",result=\"{result}\",transport=\"tls\"}} 1\n"
        );
        self.registry.render().contains(&line)
    }
}

fn origin() -> Origin {
    Origin {
        address: "192.0.2.1".parse().unwrap(),
        transport: Transport::Tls,
    }
}

fn start(mechanism: &str, initial: Option<&str>) -> Request {
    let initial = initial.map(|initial| initial.as_bytes().to_vec());
    Request::Start {
        mechanism: mechanism.to_owned(),
        initial,
        wishes: None,
    }
}

fn failure(condition: SaslCondition) -> Reply {
    Reply::Failure {
        condition,
        text: None,
        close: false,
    }
}

fn challenge(reply: Reply) -> Vec<u8> {
    match reply {
        Reply::Challenge(challenge) => challenge,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_client_logs_in_by_scram() {
    let server = Server::new().await;
    let client = Client::new(ScramHash::Sha256, "juliet", PASSWORD).bound("tls-exporter", &[7; 32]);
    let request = start("SCRAM-SHA-256-PLUS", Some(&client.first()));
    let (login, reply) = server.step(server.login(), request).await;
    let proven = client.last(&challenge(reply)).unwrap();
    let request = Request::Response(proven.message.clone().into_bytes());
    let Step::Done(_, Reply::Success(success)) = server.authenticator.step(login, request) else {
        panic!("a proof is checked without waiting");
    };
    assert_eq!(success.account.as_str(), "juliet@localhost");
    assert!(proven.accepts(&success.data.unwrap()));
    assert!(server.counted("SCRAM-SHA-256-PLUS", "success"));
}

#[tokio::test]
async fn a_client_logs_in_by_plain_with_its_password_hashed_elsewhere() {
    let server = Server::new().await;
    let (_, reply) = server.plain(server.login(), "\0juliet\0pencil").await;
    assert!(matches!(reply, Reply::Success(_)), "{reply:?}");
    let (_, reply) = server.plain(server.login(), "\0juliet\0wrong").await;
    assert_eq!(reply, failure(SaslCondition::NotAuthorized));
    assert!(server.counted("PLAIN", "success") && server.counted("PLAIN", "auth_failed"));
}

#[tokio::test]
async fn an_unknown_user_is_challenged_like_a_known_one_and_always_alike() {
    let server = Server::new().await;
    let ask = async |name: &str| {
        let request = start("SCRAM-SHA-1", Some(&format!("n,,n={name},r=abc")));
        let (_, reply) = server.step(server.login(), request).await;
        let message = String::from_utf8(challenge(reply)).unwrap();
        let (_, rest) = message.split_once(",s=").unwrap();
        rest.to_owned()
    };
    let (known, unknown) = (ask("juliet").await, ask("romeo").await);
    assert_eq!(known.len(), unknown.len());
    assert_eq!(
        known.split_once(",i="),
        known
            .split_once(",i=")
            .map(|(salt, _)| { (salt, unknown.split_once(",i=").unwrap().1) })
    );
    assert_ne!(known, unknown, "the salt is another");
    assert_eq!(unknown, ask("romeo").await, "and stays the same");
    assert_eq!(unknown, ask("ROMEO").await, "in any spelling");
}

#[tokio::test]
async fn mechanisms_that_are_not_offered_are_refused_by_rfc_6120_s6_5() {
    let server = Server::new().await;
    let refused = async |login: Login, mechanism| {
        let (_, reply) = server.step(login, start(mechanism, Some(""))).await;
        reply
    };
    let clear = || server.authenticator.begin("localhost", None, origin());
    let invalid = failure(SaslCondition::InvalidMechanism);
    for mechanism in ["", "DIGEST-MD5", "plain", "ANONYMOUS", "EXTERNAL"] {
        assert_eq!(
            refused(server.login(), mechanism).await,
            invalid,
            "{mechanism}"
        );
    }
    assert_eq!(refused(clear(), "SCRAM-SHA-1-PLUS").await, invalid);
    assert_eq!(
        refused(clear(), "PLAIN").await,
        failure(SaslCondition::EncryptionRequired)
    );
    assert!(server.counted("EXTERNAL", "policy"));
}

#[tokio::test]
async fn a_refused_certificate_closes_the_stream_by_xep_0178() {
    let server = Server::new().await;
    let tls = certified(&["nobody@localhost"]);
    let login = server.authenticator.begin("localhost", Some(tls), origin());
    assert_eq!(
        login.offer().mechanisms().first(),
        Some(&Mechanism::External)
    );
    let (_, reply) = server.step(login, start("EXTERNAL", Some(""))).await;
    let condition = SaslCondition::NotAuthorized;
    assert_eq!(
        reply,
        Reply::Failure {
            condition,
            text: None,
            close: true
        }
    );
}

#[tokio::test]
async fn a_store_that_fails_is_a_temporary_failure_by_rfc_6120_s6_5_11() {
    let server = Server::new().await;
    server
        .store
        .fail(Some(StoreError::Unavailable("busy".to_owned())));
    let (login, reply) = server.plain(server.login(), "\0juliet\0pencil").await;
    assert_eq!(reply, failure(SaslCondition::TemporaryAuthFailure));
    assert!(server.counted("PLAIN", "store_error"));
    server.store.fail(None);
    let (_, reply) = server.plain(login, "\0juliet\0pencil").await;
    assert!(matches!(reply, Reply::Success(_)), "and trying again helps");
}

#[tokio::test(start_paused = true)]
async fn an_address_that_guesses_has_to_wait() {
    let server = Server::new().await;
    for _ in 0..3 {
        let (_, reply) = server.plain(server.login(), "\0juliet\0wrong").await;
        assert_eq!(reply, failure(SaslCondition::NotAuthorized));
    }
    let (_, reply) = server.plain(server.login(), "\0juliet\0pencil").await;
    let Reply::Failure {
        condition,
        close: true,
        ..
    } = reply
    else {
        panic!("{reply:?}")
    };
    assert_eq!(condition, SaslCondition::TemporaryAuthFailure);
    let elsewhere = server.authenticator.begin(
        "localhost",
        Some(tls()),
        Origin {
            address: "192.0.2.2".parse().unwrap(),
            ..origin()
        },
    );
    let (_, reply) = server.plain(elsewhere, "\0juliet\0pencil").await;
    assert!(matches!(reply, Reply::Success(_)));
    tokio::time::advance(Duration::from_secs(20)).await;
    let (_, reply) = server.plain(server.login(), "\0juliet\0pencil").await;
    assert!(matches!(reply, Reply::Success(_)));
}

#[tokio::test]
async fn a_guess_under_way_is_refused_once_the_address_has_to_wait() {
    let server = Server::new().await;
    let request = start("SCRAM-SHA-1", Some("n,,n=juliet,r=abc"));
    let (early, reply) = server.step(server.login(), request).await;
    challenge(reply);
    for _ in 0..3 {
        drop(server.plain(server.login(), "\0juliet\0wrong").await);
    }
    let (_, reply) = server
        .step(early, Request::Response(b"c=biws,r=abc,p=AAAA".to_vec()))
        .await;
    assert!(
        matches!(reply, Reply::Failure { close: true, .. }),
        "{reply:?}"
    );
}

#[tokio::test]
async fn aborting_ends_the_exchange_by_rfc_6120_s6_4_4() {
    let server = Server::new().await;
    let request = start("SCRAM-SHA-1", Some("n,,n=juliet,r=abc"));
    let (login, reply) = server.step(server.login(), request).await;
    challenge(reply);
    let (login, reply) = server.step(login, Request::Abort).await;
    assert_eq!(reply, failure(SaslCondition::Aborted));
    let (login, reply) = server.step(login, Request::Response(b"x".to_vec())).await;
    assert_eq!(reply, failure(SaslCondition::MalformedRequest));
    let (_, reply) = server.plain(login, "\0juliet\0pencil").await;
    assert!(matches!(reply, Reply::Success(_)));
}

#[tokio::test]
async fn another_auth_discards_the_exchange_under_way_by_rfc_6120_s6_4_2() {
    let server = Server::new().await;
    let request = start("SCRAM-SHA-1", Some("n,,n=juliet,r=abc"));
    let (login, _) = server.step(server.login(), request).await;
    let (login, reply) = server.step(login, start("PLAIN", None)).await;
    assert_eq!(challenge(reply), b"");
    assert_eq!(login.mechanism(), Some(Mechanism::Plain));
    let response = Request::Response(b"\0juliet\0pencil".to_vec());
    let (_, reply) = server.step(login, response).await;
    assert!(matches!(reply, Reply::Success(_)));
}

#[tokio::test]
async fn nonces_are_fresh() {
    let server = Server::new().await;
    let nonce = async || {
        let request = start("SCRAM-SHA-1", Some("n,,n=juliet,r=abc"));
        challenge(server.step(server.login(), request).await.1)
    };
    assert_ne!(nonce().await, nonce().await);
}

#[tokio::test]
async fn what_the_features_list_is_what_a_login_knows() {
    let server = Server::new().await;
    let listed = server
        .authenticator
        .offer("localhost", Some(&tls().protection()));
    let login = server.login();
    assert_eq!(listed.mechanisms(), login.offer().mechanisms());
    assert_eq!(listed.channel_bindings(), login.offer().channel_bindings());
    assert!(listed.mechanisms().len() > 1);
}
