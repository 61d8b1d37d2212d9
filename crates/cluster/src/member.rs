//! A member of the group: what it proposes, and what it puts into the log while it leads.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use openraft::error::{ClientWriteError, RaftError};
use rookery_routing::entry::EntryError;
use rookery_routing::{Answer, Command, Table};
use rookery_wire::raft as wire;
use tokio::time::Instant;
use tonic::{Code, Request, Status};

use crate::identity::Identity;
use crate::peers::Peers;
use crate::raft::{self, Address, Raft};

/// How long a proposal is tried again while nobody leads: longer than an election takes.
const PATIENCE: Duration = Duration::from_secs(30);

/// How long one try waits for the leader: a leader that cannot commit says nothing, and another may lead meanwhile.
const TRY: Duration = Duration::from_secs(2);

/// How long it waits before it tries again.
const PAUSE: Duration = Duration::from_millis(50);

/// This node among the others.
pub(crate) struct Member {
    pub(crate) raft: Raft,
    pub(crate) peers: Peers,
    pub(crate) identity: Identity,
    pub(crate) table: Arc<Table>,
}

/// Why a command did not get into the log, or is not known to have.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProposeError {
    /// Nobody led for too long, or the leader could not be reached. It may have got into the log all the same;
    /// proposing it again does no harm.
    #[error("the cluster has no leader that can be reached")]
    NoLeader,
    /// The log has stopped on this node.
    #[error("the log of the cluster has stopped: {0}")]
    Stopped(String),
    /// The leader's answer makes no sense.
    #[error("the leader's answer cannot be read: {0}")]
    Answer(#[from] EntryError),
}

/// Why the log of this node took no command.
#[derive(Debug)]
pub(crate) enum NotLed {
    /// Somebody else leads, or nobody does.
    Elsewhere,
    /// The log has stopped.
    Stopped(String),
}

// === impl Member ===

impl Member {
    /// Who leads, as far as this node knows, and where that is.
    pub(crate) fn leader(&self) -> Option<(u64, String)> {
        let metrics = self.raft.metrics().borrow().clone();
        let leader = metrics.current_leader?;
        let group = metrics.membership_config.membership();
        let Address(address) = group.get_node(&leader)?;
        Some((leader, address.clone()))
    }

    /// Puts a command into the log, wherever that is led, and answers when it has changed the table of this node.
    pub(crate) async fn propose(&self, command: &Command) -> Result<Answer, ProposeError> {
        let bytes = Bytes::from(command.encode());
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some((index, answer)) = self.try_once(&bytes).await? {
                self.applied(index).await?;
                return Ok(answer);
            }
            if Instant::now() > deadline {
                return Err(ProposeError::NoLeader);
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// Puts a command into the log while this node leads: its index, and what it was answered.
    pub(crate) async fn lead(&self, command: Bytes) -> Result<(u64, Answer), NotLed> {
        match self.raft.client_write(raft::Command(command)).await {
            Ok(written) => {
                let answer = written.data.unwrap_or(Answer::Done);
                Ok((written.log_id.index, answer))
            }
            Err(RaftError::APIError(ClientWriteError::ForwardToLeader(_))) => {
                Err(NotLed::Elsewhere)
            }
            Err(error) => Err(NotLed::Stopped(error.to_string())),
        }
    }

    /// How far this node is.
    pub(crate) fn status(&self) -> wire::StatusResponse {
        let last = self.raft.metrics().borrow().last_log_index;
        let (leader, leader_address) = self.leader().unwrap_or_default();
        wire::StatusResponse {
            cluster: self.identity.cluster.clone(),
            member: self.identity.member,
            leader,
            leader_address,
            last: last.unwrap_or_default(),
            applied: self.table.applied(),
        }
    }

    async fn try_once(&self, command: &Bytes) -> Result<Option<(u64, Answer)>, ProposeError> {
        let Some((leader, address)) = self.leader() else {
            return Ok(None);
        };
        if leader == self.identity.member {
            return match self.lead(command.clone()).await {
                Ok(done) => Ok(Some(done)),
                Err(NotLed::Elsewhere) => Ok(None),
                Err(NotLed::Stopped(error)) => Err(ProposeError::Stopped(error)),
            };
        }
        let command = command.clone();
        let mut request = Request::new(wire::ProposeRequest { command });
        request.set_timeout(TRY);
        match self.peers.member(leader, &address).propose(request).await {
            Ok(response) => {
                let wire::ProposeResponse { index, answer } = response.into_inner();
                Ok(Some((index, Answer::decode(&answer)?)))
            }
            Err(status) => {
                tracing::debug!(%status, leader, "a proposal did not get through");
                Ok(None)
            }
        }
    }

    /// Waits until the table of this node has the entry.
    async fn applied(&self, index: u64) -> Result<(), ProposeError> {
        let mut metrics = self.raft.data_metrics();
        let waited = metrics.wait_for(|now| now.last_applied.is_some_and(|id| id.index >= index));
        match waited.await {
            Ok(_) => Ok(()),
            Err(error) => Err(ProposeError::Stopped(error.to_string())),
        }
    }
}

impl fmt::Debug for Member {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let identity = &self.identity;
        f.debug_struct("Member")
            .field("identity", identity)
            .finish_non_exhaustive()
    }
}

impl From<NotLed> for Status {
    fn from(not: NotLed) -> Self {
        match not {
            NotLed::Elsewhere => Self::new(Code::FailedPrecondition, "this node does not lead"),
            NotLed::Stopped(error) => Self::unavailable(error),
        }
    }
}
