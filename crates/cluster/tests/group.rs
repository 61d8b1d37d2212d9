//! Nodes of one cluster, in one process, over loopback.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test that cannot go on fails"
)]

use std::sync::Arc;
use std::time::Duration;

use rookery_cluster::{Applied, ClusterError, IdentityError, Node, Proposals, Settings};
use rookery_delivery::SessionId;
use rookery_lifecycle::TaskScope;
use rookery_routing::{
    Answer, Change, Command, Incarnation, MemberId, Named, OnConflict, Outcome, Table,
};
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::runtime::Handle;
use tokio::sync::mpsc;

/// A node, and what it leaves behind when it stops.
struct Running {
    node: Node,
    proposals: Proposals,
    scope: TaskScope,
    directory: TempDir,
    address: String,
}

async fn listen() -> (TcpListener, String) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    (listener, address)
}

/// Starts a node in a directory: it founds a cluster if it has no peers.
async fn start(directory: TempDir, peers: &[&str]) -> Result<Running, ClusterError> {
    let (listener, address) = listen().await;
    let settings = Settings {
        directory: directory.path().to_owned(),
        address: address.clone(),
        peers: peers.iter().map(|peer| (*peer).to_owned()).collect(),
        found: peers.is_empty(),
        max_voters: 3,
        heartbeat: Duration::from_millis(200),
    };
    let scope = TaskScope::new("node", Handle::current(), 16);
    let (applied, mut events) = mpsc::channel::<Applied>(64);
    let listening = async move { while events.recv().await.is_some() {} };
    scope.spawn("events", listening).unwrap();
    let table = Arc::new(Table::new());
    let node = Node::start(settings, table, listener, applied, &scope).await?;
    assert_eq!(node.serve().await, Ok(Answer::Done));
    let proposals = node.proposals(&scope)?;
    Ok(Running {
        node,
        proposals,
        scope,
        directory,
        address,
    })
}

async fn new(peers: &[&str]) -> Running {
    start(tempfile::tempdir().unwrap(), peers).await.unwrap()
}

impl Running {
    /// Ends it without a word to the others; its directory stays.
    async fn stop(self) -> TempDir {
        self.node.stop().await;
        self.scope.close(Duration::ZERO).await;
        self.directory
    }

    async fn bind(&self, account: &str, session: u64) -> Outcome {
        self.proposals.change(bind(account, session)).await.unwrap()
    }

    /// Waits until the table says so.
    async fn until(&self, what: &str, holds: impl Fn(&Table) -> bool) {
        let waiting = self.node.until(|node| holds(node.table()));
        let waited = tokio::time::timeout(Duration::from_secs(20), waiting).await;
        waited.unwrap_or_else(|_| panic!("{what}")).unwrap();
    }
}

fn bind(account: &str, session: u64) -> Change {
    let named = Named {
        account: account.parse().unwrap(),
        resource: "balcony".into(),
        session: SessionId(session),
    };
    Change::Bind(named, OnConflict::Displace)
}

fn has(table: &Table, account: &str, session: u64) -> bool {
    let found = table.session(&account.parse().unwrap(), "balcony");
    found.is_some_and(|(place, _)| place.session.0 == session)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn three_nodes_share_a_table_and_go_on_when_the_leader_dies() {
    let first = new(&[]).await;
    assert_eq!(first.node.id(), MemberId(1));
    let second = new(&[&first.address]).await;
    let third = new(&[&first.address, &second.address]).await;
    assert_eq!(third.node.incarnation(), Incarnation(3));
    for (session, node) in [&first, &second, &third].into_iter().enumerate() {
        let account = format!("user{session}@example.com");
        assert_eq!(node.bind(&account, session as u64).await, Outcome::Done);
        assert!(
            has(node.node.table(), &account, session as u64),
            "its own table has it at once"
        );
        third
            .until("every table has it", |table| {
                has(table, &account, session as u64)
            })
            .await;
    }
    // All three vote: the group is one of three once this holds, and bears the loss of one.
    let (a, b) = (second.node.id(), third.node.id());
    third
        .until("three members", |table| table.members().len() == 3)
        .await;
    wait_for_voters(&[&first, &second, &third]).await;
    assert_eq!(first.node.leader(), Some(MemberId(1)));
    first.stop().await;
    assert_eq!(second.bind("romeo@example.com", 50).await, Outcome::Done);
    third
        .until("the others go on", |table| {
            has(table, "romeo@example.com", 50)
        })
        .await;
    assert!(
        second
            .node
            .leader()
            .is_some_and(|leader| leader == a || leader == b)
    );
    let down = Command::Down(Incarnation(1));
    assert_eq!(third.node.propose(&down).await, Ok(Answer::Done));
    second
        .until("its routes are gone", |table| {
            !has(table, "user0@example.com", 0)
        })
        .await;
    second.stop().await;
    third.stop().await;
}

/// Waits until the group of voters has all of these.
async fn wait_for_voters(nodes: &[&Running]) {
    for node in nodes {
        let all = nodes.len();
        let waiting = node.node.until(|node| node.voters().len() == all);
        tokio::time::timeout(Duration::from_secs(20), waiting)
            .await
            .expect("all vote")
            .unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_starts_again_is_the_same_member_with_a_new_run() {
    let first = new(&[]).await;
    first.bind("juliet@example.com", 1).await;
    let directory = first.stop().await;
    let again = start(directory, &[]).await.unwrap();
    assert_eq!(again.node.id(), MemberId(1));
    assert_eq!(again.node.incarnation(), Incarnation(2));
    assert!(
        !has(again.node.table(), "juliet@example.com", 1),
        "what its earlier run had is void"
    );
    assert_eq!(again.bind("juliet@example.com", 2).await, Outcome::Done);
    again.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_lost_its_log_does_not_go_on_under_its_name() {
    let first = new(&[]).await;
    let second = new(&[&first.address]).await;
    let directory = second.stop().await;
    for file in std::fs::read_dir(directory.path()).unwrap() {
        let path = file.unwrap().path();
        if path.extension().is_some_and(|ending| ending == "log") {
            std::fs::remove_file(path).unwrap();
        }
    }
    let refused = start(directory, &[&first.address]).await.err();
    let identity = |error: &ClusterError| {
        matches!(
            error,
            ClusterError::Identity(IdentityError::IdentityWithoutLog { .. })
        )
    };
    assert!(refused.as_ref().is_some_and(identity), "{refused:?}");
    first.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_does_not_join_two_clusters_at_once() {
    let (one, other) = (new(&[]).await, new(&[]).await);
    let refused = start(
        tempfile::tempdir().unwrap(),
        &[&one.address, &other.address],
    )
    .await;
    assert!(matches!(
        refused.err(),
        Some(ClusterError::DifferentClusters(..))
    ));
    one.stop().await;
    other.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_comes_late_gets_the_table_as_a_snapshot() {
    let first = new(&[]).await;
    for session in 0..200 {
        first
            .bind(&format!("user{session}@example.com"), session)
            .await;
    }
    first.node.snapshot().await.unwrap();
    first.node.forget_entries().await.unwrap();
    let second = new(&[&first.address]).await;
    let all = (0..200).all(|session| {
        has(
            second.node.table(),
            &format!("user{session}@example.com"),
            session,
        )
    });
    assert!(all);
    let directory = second.stop().await;
    let again = start(directory, &[&first.address]).await.unwrap();
    assert!(
        has(again.node.table(), "user199@example.com", 199),
        "it is on its own disk too"
    );
    again.stop().await;
    first.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn changes_of_one_run_are_made_in_their_order() {
    let first = new(&[]).await;
    let second = new(&[&first.address]).await;
    let mut waiting = Vec::new();
    for session in 0..500 {
        let account = "juliet@example.com";
        let named = Named {
            account: account.parse().unwrap(),
            resource: "balcony".into(),
            session: SessionId(session),
        };
        let proposals = second.proposals.clone();
        waiting.push(async move {
            let bound = proposals.change(bind(account, session)).await;
            (bound, proposals.change(Change::Unbind(named)).await)
        });
    }
    for both in waiting {
        assert_eq!(both.await, (Ok(Outcome::Done), Ok(Outcome::Done)));
    }
    let account = "juliet@example.com".parse().unwrap();
    first
        .until("nothing is left", |table| table.routes(&account).is_empty())
        .await;
    second.stop().await;
    first.stop().await;
}
