//! What this node asks the other members of the group.

use std::future::Future;

use futures_util::StreamExt;
use openraft::error::{
    Fatal, NetworkError, RPCError, RaftError, ReplicationClosed, StreamingError, Unreachable,
};
use openraft::network::{Backoff, RPCOption, RaftNetwork, RaftNetworkFactory};
use openraft::raft::{
    AppendEntriesRequest, AppendEntriesResponse, SnapshotResponse, VoteRequest, VoteResponse,
};
use openraft::{AnyError, OptionalSend, Snapshot};
use rookery_wire::raft::append_response::Result as Appended;
use rookery_wire::raft::snapshot_chunk::Chunk;
use rookery_wire::raft::{self as wire};
use tonic::{Code, Request, Status};

use super::message::{self, Missing};
use super::snapshot_file::{FileError, Reader};
use super::{Address, Group, Vote};
use crate::peers::{Client, Peers};

/// Connects to the others when there is something to say.
#[derive(Clone, Debug)]
pub(crate) struct Network {
    pub(crate) peers: Peers,
}

/// The way to one of them.
#[derive(Debug)]
pub(crate) struct Link {
    peers: Peers,
    member: u64,
    address: String,
}

type Failure<E = RaftError<u64>> = RPCError<u64, Address, E>;

impl RaftNetworkFactory<Group> for Network {
    type Network = Link;

    async fn new_client(&mut self, member: u64, address: &Address) -> Link {
        Link {
            peers: self.peers.clone(),
            member,
            address: address.0.clone(),
        }
    }
}

impl Link {
    fn client(&self) -> Client {
        self.peers.member(self.member, &self.address)
    }
}

impl RaftNetwork<Group> for Link {
    async fn append_entries(
        &mut self,
        rpc: AppendEntriesRequest<Group>,
        option: RPCOption,
    ) -> Result<AppendEntriesResponse<u64>, Failure> {
        let message = wire::AppendRequest {
            vote: Some(message::vote(&rpc.vote)),
            previous: rpc.prev_log_id.as_ref().map(message::log_id),
            entries: rpc.entries.iter().map(message::entry).collect(),
            committed: rpc.leader_commit.as_ref().map(message::log_id),
        };
        let mut request = Request::new(message);
        request.set_timeout(option.hard_ttl());
        let response = self.client().append(request).await.map_err(failure)?;
        let result = response.into_inner().result.ok_or(Missing("result"));
        Ok(match result.map_err(nonsense)? {
            Appended::Success(_) => AppendEntriesResponse::Success,
            Appended::Partial(partial) => {
                AppendEntriesResponse::PartialSuccess(partial.upto.map(message::read_log_id))
            }
            Appended::Conflict(_) => AppendEntriesResponse::Conflict,
            Appended::HigherVote(vote) => {
                let vote = message::read_vote(Some(vote)).map_err(nonsense)?;
                AppendEntriesResponse::HigherVote(vote)
            }
        })
    }

    async fn vote(
        &mut self,
        rpc: VoteRequest<u64>,
        option: RPCOption,
    ) -> Result<VoteResponse<u64>, Failure> {
        let message = wire::VoteRequest {
            vote: Some(message::vote(&rpc.vote)),
            last: rpc.last_log_id.as_ref().map(message::log_id),
        };
        let mut request = Request::new(message);
        request.set_timeout(option.hard_ttl());
        let response = self.client().vote(request).await.map_err(failure)?;
        let response = response.into_inner();
        Ok(VoteResponse {
            vote: message::read_vote(response.vote).map_err(nonsense)?,
            vote_granted: response.granted,
            last_log_id: response.last.map(message::read_log_id),
        })
    }

    async fn full_snapshot(
        &mut self,
        vote: Vote,
        snapshot: Snapshot<Group>,
        cancel: impl Future<Output = ReplicationClosed> + OptionalSend + 'static,
        _: RPCOption,
    ) -> Result<SnapshotResponse<u64>, StreamingError<Group, Fatal<u64>>> {
        let unreadable = |error: FileError| StreamingError::Unreachable(Unreachable::new(&error));
        let mut reader = Reader::open(&snapshot.snapshot.0).map_err(unreadable)?;
        let mut header = reader.header().map_err(unreadable)?;
        header.vote = Some(message::vote(&vote));
        let first = wire::SnapshotChunk {
            chunk: Some(Chunk::Header(header)),
        };
        let first = futures_util::stream::once(std::future::ready(first));
        let mut client = self.client();
        let sent = client.install_snapshot(first.chain(frames(reader)));
        tokio::select! {
            closed = cancel => Err(closed.into()),
            response = sent => {
                let response = response.map_err(|status| StreamingError::Network(network(&status)))?;
                let vote = message::read_vote(response.into_inner().vote);
                let vote = vote.map_err(|error| StreamingError::Network(NetworkError::new(&error)))?;
                Ok(SnapshotResponse::new(vote))
            }
        }
    }

    /// Tried again as often as heartbeats are: the library's half a second is long for a node that has started again.
    fn backoff(&self) -> Backoff {
        Backoff::new(std::iter::repeat(std::time::Duration::from_millis(100)))
    }
}

/// The frames of a file, as fast as they are taken. One that cannot be read ends the stream before its end, which
/// the receiver refuses.
fn frames(
    reader: Reader,
) -> impl futures_util::Stream<Item = wire::SnapshotChunk> + Send + 'static {
    futures_util::stream::unfold(Some((reader, 0_u64)), async |state| {
        let (mut reader, count) = state?;
        let read = tokio::task::spawn_blocking(move || (reader.frame(), reader));
        let (frame, reader) = read.await.ok()?;
        let (chunk, next) = match frame {
            Ok(Some(frame)) => (Chunk::Frame(frame), Some((reader, count + 1))),
            Ok(None) => (Chunk::End(count), None),
            Err(error) => {
                tracing::error!(%error, "a snapshot of the routing table cannot be read");
                return None;
            }
        };
        let chunk = Some(chunk);
        Some((wire::SnapshotChunk { chunk }, next))
    })
}

/// Nobody answered, or a stranger: the library waits a little. Anything else: it tries again.
fn failure(status: Status) -> Failure {
    match status.code() {
        Code::Unavailable
        | Code::Unauthenticated
        | Code::PermissionDenied
        | Code::FailedPrecondition => {
            RPCError::Unreachable(Unreachable::new(&AnyError::error(status.message())))
        }
        _ => RPCError::Network(network(&status)),
    }
}

fn network(status: &Status) -> NetworkError {
    NetworkError::new(&AnyError::error(status.message()))
}

fn nonsense(error: Missing) -> Failure {
    RPCError::Network(NetworkError::new(&error))
}
