//! How a node without identity finds its cluster, and is admitted.

use std::time::Duration;

use rookery_routing::{Answer, Command, MemberId, VersionRange};
use rookery_wire::Caller;
use rookery_wire::raft as wire;
use rookery_wire::raft::directory_client::DirectoryClient;

use crate::identity::Identity;
use crate::node::{ClusterError, Settings};
use crate::peers::{self, Peers};

/// How long it asks.
const PATIENCE: Duration = Duration::from_secs(60);

/// How long it waits before it asks again.
const PAUSE: Duration = Duration::from_millis(250);

/// Asks the peers until one of them belongs to a cluster: which. That none answers never means that there is none.
pub(crate) async fn find(peers: &[String]) -> Result<String, ClusterError> {
    let found = until(|| async {
        let mut found: Option<String> = None;
        for status in ask(peers).await {
            match &found {
                Some(first) if *first != status.cluster => {
                    let first = first.clone();
                    return Some(Err(ClusterError::DifferentClusters(first, status.cluster)));
                }
                _ => found = Some(status.cluster),
            }
        }
        found.map(Ok)
    });
    found.await.unwrap_or_else(|| Err(nobody(peers)))
}

/// Asks the leader for an id.
pub(crate) async fn admit(
    settings: &Settings,
    identity: &Identity,
    versions: VersionRange,
) -> Result<u64, ClusterError> {
    let command = Command::Admit {
        admission: identity.admission,
        address: settings.address.as_str().into(),
        versions,
    };
    let command = bytes::Bytes::from(command.encode());
    let caller = Caller {
        cluster: identity.cluster.clone(),
        member: 0,
        address: settings.address.clone(),
    };
    let clients = Peers::new(caller);
    let answered = until(|| async {
        let leaders = ask(&settings.peers).await.into_iter();
        let leader = leaders
            .map(|status| status.leader_address)
            .find(|at| !at.is_empty())?;
        let command = command.clone();
        let proposed = clients
            .client(&leader)
            .propose(wire::ProposeRequest { command })
            .await;
        match proposed {
            Ok(response) => Answer::decode(&response.into_inner().answer).ok(),
            Err(status) => {
                tracing::info!(%status, leader, "the cluster did not admit this node yet");
                None
            }
        }
    });
    match answered.await {
        Some(Answer::Admitted(MemberId(id))) => Ok(id),
        Some(Answer::Refused(refusal)) => Err(ClusterError::Refused(refusal)),
        Some(other) => Err(ClusterError::Stopped(format!("admitted with {other:?}"))),
        None => Err(nobody(&settings.peers)),
    }
}

/// Those of the peers that answer.
async fn ask(peers: &[String]) -> Vec<wire::StatusResponse> {
    let mut answers = Vec::new();
    for address in peers {
        let mut client = DirectoryClient::new(peers::channel(address));
        match client.status(wire::StatusRequest {}).await {
            Ok(response) => answers.push(response.into_inner()),
            Err(status) => tracing::debug!(%status, address, "a peer does not answer"),
        }
    }
    answers
}

/// Tries again until there is a result, or patience ends.
async fn until<T, F: Future<Output = Option<T>>>(mut attempt: impl FnMut() -> F) -> Option<T> {
    let tries = async {
        loop {
            if let Some(result) = attempt().await {
                return result;
            }
            tokio::time::sleep(PAUSE).await;
        }
    };
    tokio::time::timeout(PATIENCE, tries).await.ok()
}

fn nobody(peers: &[String]) -> ClusterError {
    ClusterError::NoPeer(peers.join(", "))
}
