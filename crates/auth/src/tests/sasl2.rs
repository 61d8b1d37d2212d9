//! XEP-0388: what clients say and get along with their login, tokens (XEP-0484) and new keys (XEP-0480).

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rookery_lifecycle::{Clock, TaskScope};
use rookery_stanza::{BareJid, ns};
use rookery_storage::memory::MemoryStore;
use rookery_storage::{AccountStore as _, DataStore as _, ScramHash, StoreError};
use rookery_stream::{GrantedToken, Grants, SaslCondition, TokenUse, Wishes};
use rookery_telemetry::Registry;
use rookery_xml::Element;
use tokio::runtime::Handle;

use super::{ITERATIONS, PASSWORD, credentials, tls};
use crate::authenticator::{Authenticator, Services, Step};
use crate::clients::{KnownClient, Revocation};
use crate::config::{ClientsConfig, Config, FastConfig, HostConfig};
use crate::exchange::Success;
use crate::hashed_token::tests::initiate;
use crate::login::{Login, Origin, Reply, Request};
use crate::metrics::{Profile, Transport};
use crate::password::{Salts, derive, verify};
use crate::scram::hash;

const AGENT: &str = "d4565fa7-4d72-4749-b3d3-740edbf87770";
const BOUND: &str = "HT-SHA-256-EXPR";
const UNBOUND: &str = "HT-SHA-256-NONE";

struct Server {
    store: Arc<MemoryStore>,
    authenticator: Authenticator,
    registry: Registry,
}

impl Server {
    async fn new() -> Self {
        Self::with(|_| ()).await
    }

    async fn with(change: impl FnOnce(&mut Config)) -> Self {
        let mut config = Config {
            iterations: ITERATIONS,
            ..Config::default()
        };
        change(&mut config);
        let store = Arc::new(MemoryStore::new());
        store
            .create_accounts(vec![(juliet(), credentials())])
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
        let policy = HostConfig {
            anonymous: true,
            ..HostConfig::default()
        };
        let hosts = [("localhost".to_owned(), policy)];
        Self {
            authenticator: Authenticator::new(&config, hosts, services),
            store,
            registry,
        }
    }

    async fn step(&self, login: Login, request: Request) -> (Login, Reply) {
        match self.authenticator.step(login, request) {
            Step::Done(login, reply) => (login, reply),
            Step::Pending(future) => future.await,
        }
    }

    async fn start(&self, mechanism: &str, initial: &[u8], wishes: Wishes) -> (Login, Reply) {
        let origin = Origin {
            address: "192.0.2.1".parse().unwrap(),
            transport: Transport::Tls,
        };
        let login = self.authenticator.begin("localhost", Some(tls()), origin);
        let request = Request::Start {
            mechanism: mechanism.to_owned(),
            initial: Some(initial.to_vec()),
            wishes: Some(Box::new(wishes)),
        };
        self.step(login, request).await
    }

    async fn plain(&self, wishes: Wishes) -> (Login, Reply) {
        self.start("PLAIN", b"\0juliet\0pencil", wishes).await
    }

    /// Logs in by password, for a token.
    async fn token(&self, mechanism: &str) -> GrantedToken {
        let wishes = Wishes {
            token: Some(mechanism.to_owned()),
            ..agent()
        };
        let (_, reply) = self.plain(wishes).await;
        success(reply).grants.token.unwrap()
    }

    /// Logs in by token.
    async fn fast(&self, mechanism: &str, token: &str, used: TokenUse) -> Reply {
        let wishes = Wishes {
            fast: Some(used),
            ..agent()
        };
        let binding: &[u8] = if mechanism == BOUND { &[7; 32] } else { &[] };
        let message = initiate("juliet", token, binding);
        self.start(mechanism, &message, wishes).await.1
    }

    async fn clients(&self) -> Vec<KnownClient> {
        self.authenticator.clients().list(&juliet()).await.unwrap()
    }

    async fn change_password(&self) {
        let changed = derive("other", ITERATIONS, &Salts::random().unwrap()).unwrap();
        assert!(
            self.store
                .set_credentials(&juliet(), changed)
                .await
                .unwrap()
        );
    }
}

fn juliet() -> BareJid {
    BareJid::parse("juliet@localhost").unwrap()
}

fn agent() -> Wishes {
    Wishes {
        agent: Some(AGENT.to_owned()),
        software: Some("AwesomeXMPP".to_owned()),
        ..Wishes::default()
    }
}

fn success(reply: Reply) -> Success {
    match reply {
        Reply::Success(success) => success,
        other => panic!("{other:?}"),
    }
}

fn condition(reply: Reply) -> SaslCondition {
    match reply {
        Reply::Failure { condition, .. } => condition,
        other => panic!("{other:?}"),
    }
}

fn once() -> TokenUse {
    TokenUse::default()
}

fn count(count: u64) -> TokenUse {
    TokenUse {
        count: Some(count),
        invalidate: false,
    }
}

#[tokio::test]
async fn a_client_that_names_itself_is_known_again_xep_0386() {
    let server = Server::new().await;
    let grants = async |wishes| success(server.plain(wishes).await.1).grants;
    let first = grants(agent()).await;
    assert!(first.client.is_some() && first.resource.is_some() && first.token.is_none());
    assert_eq!(first, grants(agent()).await);
    let other = Wishes {
        agent: Some(AGENT.replace('d', "e")),
        ..Wishes::default()
    };
    assert_ne!(first.client, grants(other).await.client);
    assert_eq!(grants(Wishes::default()).await, Grants::default());
}

#[tokio::test]
async fn the_header_of_the_stream_has_to_be_true_xep_0388() {
    let server = Server::new().await;
    let from = async |from: &str| {
        let wishes = Wishes {
            from: Some(BareJid::parse(from).unwrap()),
            ..agent()
        };
        server.plain(wishes).await.1
    };
    success(from("juliet@localhost").await);
    success(from("localhost").await);
    assert_eq!(
        condition(from("romeo@localhost").await),
        SaslCondition::InvalidAuthzid
    );
}

#[tokio::test]
async fn a_token_is_good_for_logins_and_shows_the_servers_as_well_xep_0484() {
    let server = Server::new().await;
    for (mechanism, binding) in [(BOUND, &[7u8; 32][..]), (UNBOUND, &[])] {
        let GrantedToken { token, .. } = server.token(mechanism).await;
        for _ in 0..2 {
            let success = success(server.fast(mechanism, &token, once()).await);
            assert_eq!(success.account, juliet());
            let responder = [b"Responder", binding].concat();
            let answer = hash::hmac(ScramHash::Sha256, token.as_bytes(), &responder);
            assert_eq!(success.data, Some(answer));
            assert_eq!(success.channel_binding.is_some(), mechanism == BOUND);
            assert_eq!(success.grants.token, None, "it is not time for another one");
        }
    }
    let counted = server.registry.render();
    let line =
        "rookery_logins_total{mechanism=\"HT-SHA-256-NONE\",profile=\"fast\",result=\"success\"";
    assert!(counted.contains(line), "{counted}");
}

#[tokio::test]
async fn a_token_is_good_for_its_mechanism_its_account_and_its_client_only_xep_0484() {
    let server = Server::new().await;
    let GrantedToken { token, .. } = server.token(BOUND).await;
    let refused = SaslCondition::NotAuthorized;
    assert_eq!(
        condition(server.fast(UNBOUND, &token, once()).await),
        refused
    );
    assert_eq!(
        condition(server.fast(BOUND, "other", once()).await),
        refused
    );
    let fast = Wishes {
        fast: Some(once()),
        ..agent()
    };
    for name in ["romeo", "a b"] {
        let message = initiate(name, &token, &[7; 32]);
        let (_, reply) = server.start(BOUND, &message, fast.clone()).await;
        assert_eq!(condition(reply), refused, "{name}");
    }
    let other = Wishes {
        agent: Some(AGENT.replace('d', "e")),
        ..fast.clone()
    };
    let message = initiate("juliet", &token, &[7; 32]);
    assert_eq!(
        condition(server.start(BOUND, &message, other).await.1),
        refused
    );
    let elsewhere = initiate("juliet", &token, &[8; 32]);
    assert_eq!(
        condition(server.start(BOUND, &elsewhere, fast).await.1),
        refused
    );
}

#[tokio::test]
async fn whoever_has_a_token_says_so_and_who_it_is_xep_0484() {
    let server = Server::new().await;
    let GrantedToken { token, .. } = server.token(UNBOUND).await;
    let message = initiate("juliet", &token, &[]);
    let (_, reply) = server.start(UNBOUND, &message, agent()).await;
    assert_eq!(condition(reply), SaslCondition::InvalidMechanism);
    let nameless = Wishes {
        fast: Some(once()),
        ..Wishes::default()
    };
    let (_, reply) = server.start(UNBOUND, &message, nameless).await;
    assert_eq!(condition(reply), SaslCondition::MalformedRequest);
}

#[tokio::test]
async fn tokens_end_with_the_password_and_with_the_account_xep_0484() {
    let server = Server::new().await;
    let GrantedToken { token, .. } = server.token(UNBOUND).await;
    server.change_password().await;
    assert_eq!(
        condition(server.fast(UNBOUND, &token, once()).await),
        SaslCondition::CredentialsExpired
    );
    let account = juliet();
    server.store.delete_account(&account).await.unwrap();
    assert_eq!(
        condition(server.fast(UNBOUND, &token, once()).await),
        SaslCondition::NotAuthorized
    );
    let again = vec![(account, credentials())];
    server.store.create_accounts(again).await.unwrap();
    assert_eq!(
        condition(server.fast(UNBOUND, &token, once()).await),
        SaslCondition::NotAuthorized,
        "not even for who has the name and the password of before"
    );
}

#[tokio::test]
async fn an_old_token_is_replaced_when_the_new_one_is_used_xep_0484() {
    let server = Server::with(|config| config.fast.rotation_seconds = 0).await;
    let GrantedToken { token: first, .. } = server.token(UNBOUND).await;
    let rotated = success(server.fast(UNBOUND, &first, once()).await);
    let second = rotated.grants.token.unwrap().token;
    assert_ne!(first, second);
    let again = success(server.fast(UNBOUND, &first, once()).await);
    let third = again.grants.token.unwrap().token;
    assert_eq!(
        condition(server.fast(UNBOUND, &second, once()).await),
        SaslCondition::NotAuthorized,
        "it was not used before another one was given"
    );
    success(server.fast(UNBOUND, &third, once()).await);
    assert_eq!(
        condition(server.fast(UNBOUND, &first, once()).await),
        SaslCondition::NotAuthorized
    );
}

#[tokio::test]
async fn a_client_can_log_out_and_gets_no_token_then_xep_0484() {
    let server = Server::with(|config| config.fast.rotation_seconds = 0).await;
    let GrantedToken { token, .. } = server.token(UNBOUND).await;
    let out = TokenUse {
        count: None,
        invalidate: true,
    };
    let last = success(server.fast(UNBOUND, &token, out).await);
    assert_eq!(last.grants.token, None);
    assert_eq!(
        condition(server.fast(UNBOUND, &token, once()).await),
        SaslCondition::NotAuthorized
    );
}

#[tokio::test]
async fn a_count_is_good_once_xep_0484() {
    let server = Server::new().await;
    let GrantedToken { token, .. } = server.token(UNBOUND).await;
    let both = tokio::join!(
        server.fast(UNBOUND, &token, count(1)),
        server.fast(UNBOUND, &token, count(1)),
    );
    let replies = [both.0, both.1];
    let successes = replies
        .iter()
        .filter(|reply| matches!(reply, Reply::Success(_)));
    assert_eq!(successes.count(), 1, "{replies:?}");
    success(server.fast(UNBOUND, &token, count(2)).await);
    assert_eq!(
        condition(server.fast(UNBOUND, &token, count(2)).await),
        SaslCondition::NotAuthorized
    );
}

#[tokio::test]
async fn nobody_gets_a_token_for_what_is_not_offered_or_without_a_name_xep_0484() {
    let server = Server::new().await;
    let unknown = Wishes {
        token: Some("HT-SHA-256-UNIQ".to_owned()),
        ..agent()
    };
    let nameless = Wishes {
        token: Some(UNBOUND.to_owned()),
        ..Wishes::default()
    };
    for wishes in [unknown, nameless] {
        assert_eq!(success(server.plain(wishes).await.1).grants.token, None);
    }
    let guest = Wishes {
        token: Some(UNBOUND.to_owned()),
        ..agent()
    };
    let (_, reply) = server.start("ANONYMOUS", b"", guest).await;
    assert_eq!(success(reply).grants.token, None);
}

#[tokio::test]
async fn a_store_that_fails_gives_no_token_and_takes_none() {
    let server = Server::new().await;
    let GrantedToken { token, .. } = server.token(UNBOUND).await;
    let down = StoreError::Unavailable("busy".to_owned());
    server.store.fail(Some(down));
    assert_eq!(
        condition(server.fast(UNBOUND, &token, once()).await),
        SaslCondition::TemporaryAuthFailure
    );
    server.store.fail(None);
    success(server.fast(UNBOUND, &token, once()).await);
}

#[tokio::test]
async fn an_account_has_as_many_clients_as_it_may() {
    let server = Server::with(|config| config.clients.per_account = 2).await;
    for client in ["a", "b", "c"] {
        let wishes = Wishes {
            agent: Some(client.to_owned()),
            token: Some(UNBOUND.to_owned()),
            ..Wishes::default()
        };
        server.plain(wishes).await;
    }
    assert_eq!(server.clients().await.len(), 2);
    let counted = server.registry.render();
    assert!(counted.contains("rookery_login_tokens_total{event=\"evicted\"} 1"));
}

#[tokio::test]
async fn clients_are_remembered_unless_the_operator_does_not_want_that_xep_0494() {
    let server = Server::new().await;
    server.plain(agent()).await;
    let clients = server.clients().await;
    let [known] = &clients[..] else {
        panic!("{clients:?}");
    };
    assert!(known.knows_password && !known.has_token);
    assert_eq!(known.software.as_deref(), Some("AwesomeXMPP"));
    let clients = ClientsConfig {
        remember: false,
        ..ClientsConfig::default()
    };
    let server = Server::with(|config| config.clients = clients).await;
    server.plain(agent()).await;
    assert_eq!(server.clients().await, []);
    server.token(UNBOUND).await;
    assert_eq!(server.clients().await.len(), 1, "its token is to be seen");
}

#[tokio::test]
async fn access_is_taken_back_from_who_does_not_know_the_password_xep_0494() {
    let server = Server::new().await;
    let GrantedToken { token, .. } = server.token(UNBOUND).await;
    let clients = server.authenticator.clients();
    let [known] = &server.clients().await[..] else {
        panic!("there is one");
    };
    let revoke = async || clients.revoke(&juliet(), known.id).await.unwrap();
    assert_eq!(revoke().await, Revocation::KnowsPassword);
    server.change_password().await;
    assert!(!server.clients().await[0].knows_password);
    assert_eq!(revoke().await, Revocation::Done);
    assert_eq!(revoke().await, Revocation::Unknown);
    assert_eq!(server.clients().await, []);
    let records = server.store.read_data(&juliet(), "client", None).await;
    assert_eq!(records.unwrap(), []);
    assert_eq!(
        condition(server.fast(UNBOUND, &token, once()).await),
        SaslCondition::NotAuthorized
    );
}

fn upgrading(upgrades: &[&str]) -> Wishes {
    Wishes {
        upgrades: upgrades.iter().map(|&name| name.to_owned()).collect(),
        ..agent()
    }
}

/// What a client makes of its password for the task that it is given.
fn salted(hash: ScramHash, asked: Reply) -> Element {
    let Reply::TaskData(asked) = asked else {
        panic!("{asked:?}");
    };
    let salt = STANDARD.decode(&*asked.text()).unwrap();
    let iterations = asked.attribute("iterations").unwrap().parse().unwrap();
    let salted = hash::hi(hash, PASSWORD.as_bytes(), &salt, iterations);
    Element::new("hash", ns::SCRAM_UPGRADE).with_text(STANDARD.encode(&*salted))
}

#[tokio::test]
async fn a_client_makes_the_keys_that_are_outdated_one_after_the_other_xep_0480() {
    let server = Server::with(|config| config.iterations = ITERATIONS * 2).await;
    let wishes = upgrading(&["UPGR-SCRAM-SHA-256", "UPGR-SCRAM-SHA-512", "UPGR-BLOOP"]);
    let (mut login, mut reply) = server.plain(wishes).await;
    for hash in [ScramHash::Sha256, ScramHash::Sha512] {
        let Reply::Continue { task, .. } = reply else {
            panic!("{reply:?}");
        };
        let (begun, asked) = server.step(login, Request::Next(task.to_owned())).await;
        let answer = Request::TaskData(Some(salted(hash, asked)));
        (login, reply) = server.step(begun, answer).await;
        let kept = server.store.credentials(&juliet()).await.unwrap().unwrap();
        assert_eq!(kept.keys(hash).iterations, ITERATIONS * 2);
        assert!(verify(PASSWORD, hash, kept.keys(hash)));
    }
    assert!(success(reply).grants.client.is_some());
    let wishes = upgrading(&["UPGR-SCRAM-SHA-256"]);
    success(server.plain(wishes).await.1);
}

#[tokio::test]
async fn keys_are_made_by_who_knows_the_password_only_xep_0480() {
    let server = Server::with(|config| config.iterations = ITERATIONS * 2).await;
    let GrantedToken { token, .. } = server.token(UNBOUND).await;
    let wishes = Wishes {
        fast: Some(once()),
        ..upgrading(&["UPGR-SCRAM-SHA-256"])
    };
    let message = initiate("juliet", &token, &[]);
    success(server.start(UNBOUND, &message, wishes).await.1);
}

#[tokio::test]
async fn a_task_that_goes_wrong_fails_the_login_xep_0388() {
    let server = Server::with(|config| config.iterations = ITERATIONS * 2).await;
    let begin = async || server.plain(upgrading(&["UPGR-SCRAM-SHA-256"])).await.0;
    let next = || Request::Next("UPGR-SCRAM-SHA-256".to_owned());
    let empty = || Request::TaskData(None);
    let malformed = SaslCondition::MalformedRequest;
    let (_, reply) = server.step(begin().await, empty()).await;
    assert_eq!(condition(reply), malformed, "it has not begun");
    let other = Request::Next("UPGR-SCRAM-SHA-512".to_owned());
    let (login, reply) = server.step(begin().await, other).await;
    assert_eq!(condition(reply), malformed, "it is another task");
    let (_, reply) = server.step(login, next()).await;
    assert_eq!(condition(reply), malformed, "it is over");
    let (login, _) = server.step(begin().await, next()).await;
    let (_, reply) = server.step(login, empty()).await;
    assert_eq!(condition(reply), malformed, "there is no answer");
    let (login, asked) = server.step(begin().await, next()).await;
    let (login, reply) = server.step(login, Request::Abort).await;
    assert_eq!(condition(reply), SaslCondition::Aborted);
    let answer = Request::TaskData(Some(salted(ScramHash::Sha256, asked)));
    let (_, reply) = server.step(login, answer).await;
    assert_eq!(condition(reply), malformed, "it was given up");
    let kept = server.store.credentials(&juliet()).await.unwrap();
    assert_eq!(kept, Some(credentials()));
}

#[tokio::test]
async fn keys_of_a_password_that_was_changed_meanwhile_are_dropped_xep_0480() {
    let server = Server::with(|config| config.iterations = ITERATIONS * 2).await;
    let (login, _) = server.plain(upgrading(&["UPGR-SCRAM-SHA-256"])).await;
    let next = Request::Next("UPGR-SCRAM-SHA-256".to_owned());
    let (login, asked) = server.step(login, next).await;
    server.change_password().await;
    let answer = Request::TaskData(Some(salted(ScramHash::Sha256, asked)));
    success(server.step(login, answer).await.1);
    let kept = server.store.credentials(&juliet()).await.unwrap().unwrap();
    assert!(verify("other", ScramHash::Sha256, &kept.sha256));
}

#[tokio::test]
async fn tokens_last_as_long_as_the_operator_says_xep_0484() {
    let fast = FastConfig {
        lifetime_seconds: 100,
        rotation_seconds: 10,
    };
    let server = Server::with(|config| config.fast = fast).await;
    let now = i64::try_from(Clock::system().unix_millis()).unwrap();
    let token = server.token(UNBOUND).await;
    assert!((now + 98_000..=now + 102_000).contains(&token.expiry));
    assert_eq!(server.plain(agent()).await.0.profile(), Profile::Sasl2);
}
