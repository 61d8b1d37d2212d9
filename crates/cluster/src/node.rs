//! This node as a member of a cluster.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use openraft::{Config, SnapshotPolicy};
use rookery_lifecycle::{ScopeClosed, TaskScope};
use rookery_routing::{Answer, Command, Incarnation, MemberId, Refusal, Table, VersionRange};
use rookery_wire::raft::directory_server::DirectoryServer;
use rookery_wire::raft::raft_server::RaftServer;
use rookery_wire::{Caller, Checking};
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tonic::service::interceptor::InterceptedService;
use tonic::transport::Server;
use tonic::transport::server::TcpIncoming;

use crate::identity::{Identity, IdentityError};
use crate::member::{Member, ProposeError};
use crate::peers::{LONGEST_MESSAGE, Peers};
use crate::proposals::Proposals;
use crate::raft::log::Log;
use crate::raft::machine::{Applied, Machine};
use crate::raft::network::Network;
use crate::raft::service::Service;
use crate::raft::{Address, Raft};
use crate::{autopilot, joining};

/// The versions of wire, log and snapshots that this node speaks.
const VERSIONS: VersionRange = VersionRange { min: 1, max: 1 };

/// How a node takes part.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Where its identity, its log and its snapshots are. Of this node alone.
    pub directory: PathBuf,
    /// Where the others reach it: `host:port`.
    pub address: String,
    /// Where some of the others may be reached. Empty never means "I am alone".
    pub peers: Vec<String>,
    /// Whether this node founds a cluster if it belongs to none. One node does, once.
    pub found: bool,
    /// As many nodes vote at most; the others only listen. Odd.
    pub max_voters: usize,
    /// How often the leader says that it is there.
    pub heartbeat: Duration,
}

/// This node, and the routing table that it shares with the others.
#[derive(Debug)]
pub struct Node {
    member: Arc<Member>,
    incarnation: Incarnation,
}

/// Why a node does not take part.
#[derive(Debug, thiserror::Error)]
pub enum ClusterError {
    /// Its directory contradicts itself.
    #[error(transparent)]
    Identity(#[from] IdentityError),
    /// Its log or its snapshot cannot be read or written.
    #[error("{0}")]
    Disk(String),
    /// The peers belong to different clusters.
    #[error("the peers belong to different clusters: {0} and {1}")]
    DifferentClusters(String, String),
    /// The cluster refuses it.
    #[error("the cluster refuses this node: {0}")]
    Refused(Refusal),
    /// None of the peers can say where the cluster is.
    #[error("none of the peers answers: {0}")]
    NoPeer(String),
    /// The library gave up.
    #[error("the log of the cluster has stopped: {0}")]
    Stopped(String),
    /// Nobody answered.
    #[error(transparent)]
    Propose(#[from] ProposeError),
}

// === impl Node ===

impl Node {
    /// Takes part: founds a cluster or joins one if it belongs to none, and registers the new run. Returns when the
    /// run is in the table of this node.
    ///
    /// What the log means for this node comes in `applied`; while that is full, nothing is applied.
    ///
    /// # Errors
    /// When the node must not, or cannot, take part.
    pub async fn start(
        settings: Settings,
        table: Arc<Table>,
        listener: TcpListener,
        applied: mpsc::Sender<Applied>,
        scope: &TaskScope,
    ) -> Result<Self, ClusterError> {
        let directory = &settings.directory;
        std::fs::create_dir_all(directory)
            .map_err(|error| ClusterError::Disk(format!("{}: {error}", directory.display())))?;
        let log = Log::open(directory).map_err(|error| ClusterError::Disk(error.to_string()))?;
        let known = Identity::read(directory, log.is_empty())?;
        let machine = Machine::open(Arc::clone(&table), directory, applied)
            .map_err(|error| ClusterError::Disk(error.to_string()))?;
        let identity = identify(&settings, known).await?;
        let caller = Caller {
            cluster: identity.cluster.clone(),
            member: identity.member,
            address: settings.address.clone(),
        };
        let peers = Peers::new(caller);
        let network = Network {
            peers: peers.clone(),
        };
        let config = Arc::new(config(&settings));
        let raft = Raft::new(identity.member, config, network, log, machine).await;
        let raft = raft.map_err(|error| ClusterError::Stopped(error.to_string()))?;
        let member = Arc::new(Member {
            raft,
            peers,
            identity,
            table,
        });
        serve(&member, listener, &settings, scope)?;
        let incarnation = enter(&member, &settings).await?;
        let pilot = autopilot::run(Arc::clone(&member), settings.max_voters);
        scope.spawn("autopilot", pilot).map_err(ended)?;
        Ok(Self {
            member,
            incarnation,
        })
    }

    /// Which member it is.
    pub fn id(&self) -> MemberId {
        MemberId(self.member.identity.member)
    }

    /// This run of it.
    pub fn incarnation(&self) -> Incarnation {
        self.incarnation
    }

    /// The routing table.
    pub fn table(&self) -> &Arc<Table> {
        &self.member.table
    }

    /// The member that leads, as far as this one knows.
    pub fn leader(&self) -> Option<MemberId> {
        self.member.leader().map(|(id, _)| MemberId(id))
    }

    /// Puts a command into the log, and answers when it has changed the table of this node.
    ///
    /// # Errors
    /// When it is not known to be in the log.
    pub async fn propose(&self, command: &Command) -> Result<Answer, ProposeError> {
        self.member.propose(command).await
    }

    /// The node takes what is new.
    ///
    /// # Errors
    /// As [`propose`](Self::propose).
    pub async fn serve(&self) -> Result<Answer, ProposeError> {
        self.propose(&Command::Serve(self.id())).await
    }

    /// What this run changes in the table, in order and many at once.
    ///
    /// # Errors
    /// When the node is being stopped.
    pub fn proposals(&self, scope: &TaskScope) -> Result<Proposals, ClusterError> {
        Proposals::start(Arc::clone(&self.member), self.incarnation, scope).map_err(ended)
    }

    /// Those whose votes count whatever comes of a change of the group that is under way, as far as this node knows.
    pub fn voters(&self) -> Vec<MemberId> {
        let metrics = self.member.raft.metrics().borrow().clone();
        let group = metrics.membership_config.membership();
        let sets = group.get_joint_config();
        let counts = |id: &u64| sets.iter().all(|set| set.contains(id));
        group.voter_ids().filter(counts).map(MemberId).collect()
    }

    /// Writes the table down now, and not only when the log has grown.
    ///
    /// # Errors
    /// When the log has stopped.
    pub async fn snapshot(&self) -> Result<(), ClusterError> {
        let raft = &self.member.raft;
        let mut metrics = raft.metrics();
        let wanted = metrics.borrow().last_applied;
        let stopped = |error: String| ClusterError::Stopped(error);
        let asked = raft.trigger().snapshot().await;
        asked.map_err(|error| stopped(error.to_string()))?;
        let written = metrics.wait_for(|now| now.snapshot >= wanted).await;
        written.map_err(|error| stopped(error.to_string()))?;
        Ok(())
    }

    /// Forgets the entries that the newest snapshot has: who lacks them gets the snapshot.
    ///
    /// # Errors
    /// When the log has stopped.
    pub async fn forget_entries(&self) -> Result<(), ClusterError> {
        let raft = &self.member.raft;
        let mut metrics = raft.metrics();
        let Some(upto) = metrics.borrow().snapshot else {
            return Ok(());
        };
        let stopped = |error: String| ClusterError::Stopped(error);
        let asked = raft.trigger().purge_log(upto.index).await;
        asked.map_err(|error| stopped(error.to_string()))?;
        let purged = metrics.wait_for(|now| now.purged >= Some(upto)).await;
        purged.map_err(|error| stopped(error.to_string()))?;
        Ok(())
    }

    /// Waits until what this node knows of the cluster is so; looked at after each entry that changed it.
    ///
    /// # Errors
    /// When the log has stopped.
    pub async fn until(&self, holds: impl Fn(&Self) -> bool) -> Result<(), ClusterError> {
        let mut metrics = self.member.raft.metrics();
        // Not `wait_for`: it holds the lock of what `holds` reads.
        loop {
            metrics.mark_unchanged();
            if holds(self) {
                return Ok(());
            }
            let changed = metrics.changed().await;
            changed.map_err(|error| ClusterError::Stopped(error.to_string()))?;
        }
    }

    /// Stops taking part, as a crash would, but with everything written.
    pub async fn stop(&self) {
        if self.member.raft.shutdown().await.is_err() {
            tracing::error!("the log of the cluster has panicked");
        }
    }
}

/// Who this node is: known, founder, or admitted by the others.
async fn identify(settings: &Settings, known: Option<Identity>) -> Result<Identity, ClusterError> {
    let mut identity = match known {
        Some(identity) if identity.member != 0 => return Ok(identity),
        Some(identity) => identity,
        None => {
            let cluster = if settings.found {
                format!("{:016x}", random()?)
            } else {
                joining::find(&settings.peers).await?
            };
            Identity {
                cluster,
                admission: random()?,
                member: 0,
                founder: settings.found,
            }
        }
    };
    // Written before it is asked for: asked again after a crash, the same number gets the same answer.
    identity.write(&settings.directory)?;
    identity.member = if identity.founder {
        FOUNDER
    } else {
        joining::admit(settings, &identity, VERSIONS).await?
    };
    identity.write(&settings.directory)?;
    Ok(identity)
}

/// The member that founds a cluster.
const FOUNDER: u64 = 1;

/// Becomes a member of the group, and registers this run.
async fn enter(member: &Member, settings: &Settings) -> Result<Incarnation, ClusterError> {
    let id = member.identity.member;
    if member.identity.founder {
        let initialized = member.raft.is_initialized().await;
        if !initialized.map_err(|error| ClusterError::Stopped(error.to_string()))? {
            let group = BTreeMap::from([(id, Address(settings.address.clone()))]);
            let founded = member.raft.initialize(group).await;
            founded.map_err(|error| ClusterError::Stopped(error.to_string()))?;
        }
        let found = Command::Found {
            admission: member.identity.admission,
            address: settings.address.as_str().into(),
            versions: VERSIONS,
        };
        if let Answer::Refused(refusal) = member.propose(&found).await? {
            return Err(ClusterError::Refused(refusal));
        }
    }
    let register = Command::Register {
        member: MemberId(id),
        nonce: random()?,
        address: settings.address.as_str().into(),
        versions: VERSIONS,
    };
    match member.propose(&register).await? {
        Answer::Registered(incarnation) => Ok(incarnation),
        Answer::Refused(refusal) => Err(ClusterError::Refused(refusal)),
        other => Err(ClusterError::Stopped(format!("registered with {other:?}"))),
    }
}

/// Answers what the others ask.
fn serve(
    member: &Arc<Member>,
    listener: TcpListener,
    settings: &Settings,
    scope: &TaskScope,
) -> Result<(), ClusterError> {
    let service = Service {
        member: Arc::clone(member),
        directory: settings.directory.clone(),
        receiving: Arc::default(),
    };
    let cluster = member.identity.cluster.clone();
    let raft = RaftServer::new(service.clone()).max_decoding_message_size(LONGEST_MESSAGE);
    let server = Server::builder()
        .http2_keepalive_interval(Some(Duration::from_secs(5)))
        .add_service(DirectoryServer::new(service))
        .add_service(InterceptedService::new(raft, Checking { cluster }))
        .serve_with_incoming(TcpIncoming::from(listener).with_nodelay(Some(true)));
    let serving = async move {
        if let Err(error) = server.await {
            tracing::error!(%error, "the listener for the other nodes has ended");
        }
    };
    scope.spawn("cluster listener", serving).map_err(ended)
}

/// Settings of the library.
///
/// An entry holds a batch, so few of them travel at once. What a follower lacks is "little" by number of entries, which
/// says nothing about how much that is: snapshots are made often, and what lies before them is not kept for long.
fn config(settings: &Settings) -> Config {
    let millis = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
    Config {
        cluster_name: "rookery".to_owned(),
        heartbeat_interval: millis(settings.heartbeat),
        election_timeout_min: millis(settings.heartbeat * 5),
        election_timeout_max: millis(settings.heartbeat * 10),
        install_snapshot_timeout: 600_000,
        max_payload_entries: 64,
        snapshot_policy: SnapshotPolicy::LogsSinceLast(4096),
        replication_lag_threshold: 8192,
        max_in_snapshot_log_to_keep: 512,
        ..Config::default()
    }
}

fn random() -> Result<u64, ClusterError> {
    getrandom::u64().map_err(|error| ClusterError::Disk(format!("no random numbers: {error}")))
}

fn ended(_: ScopeClosed) -> ClusterError {
    ClusterError::Stopped("the node is being stopped".to_owned())
}
