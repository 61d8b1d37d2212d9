//! What the other members of the group ask this one.

use std::path::PathBuf;
use std::sync::Arc;

use openraft::Snapshot;
use openraft::raft::{AppendEntriesRequest, AppendEntriesResponse, VoteRequest};
use rookery_wire::Caller;
use rookery_wire::raft::append_response::Result as Appended;
use rookery_wire::raft::directory_server::Directory as DirectoryService;
use rookery_wire::raft::raft_server::Raft as RaftService;
use rookery_wire::raft::snapshot_chunk::Chunk;
use rookery_wire::raft::{self as wire};
use tonic::{Request, Response, Status, Streaming};

use super::message::{self, Missing};
use super::snapshot_file::{FileError, Writer};
use super::{SnapshotFile, machine};
use crate::member::Member;

/// Answers for a member.
#[derive(Clone, Debug)]
pub(crate) struct Service {
    pub(crate) member: Arc<Member>,
    /// Where a table that is being received is written.
    pub(crate) directory: PathBuf,
    /// Held while one is.
    pub(crate) receiving: Arc<tokio::sync::Mutex<()>>,
}

impl Service {
    /// Who calls says where it is.
    fn learn<T>(&self, request: &Request<T>) {
        if let Some(caller) = request.extensions().get::<Caller>() {
            self.member.peers.learn(caller);
        }
    }
}

#[tonic::async_trait]
impl RaftService for Service {
    async fn append(
        &self,
        request: Request<wire::AppendRequest>,
    ) -> Result<Response<wire::AppendResponse>, Status> {
        self.learn(&request);
        let request = request.into_inner();
        let entries = request.entries.into_iter().map(message::read_entry);
        let rpc = AppendEntriesRequest {
            vote: message::read_vote(request.vote)?,
            prev_log_id: request.previous.map(message::read_log_id),
            entries: entries.collect::<Result<_, _>>()?,
            leader_commit: request.committed.map(message::read_log_id),
        };
        let appended = self.member.raft.append_entries(rpc).await;
        let result = match appended.map_err(stopped)? {
            AppendEntriesResponse::Success => Appended::Success(wire::Nothing {}),
            AppendEntriesResponse::PartialSuccess(upto) => {
                Appended::Partial(wire::PartialSuccess {
                    upto: upto.as_ref().map(message::log_id),
                })
            }
            AppendEntriesResponse::Conflict => Appended::Conflict(wire::Nothing {}),
            AppendEntriesResponse::HigherVote(vote) => Appended::HigherVote(message::vote(&vote)),
        };
        let result = Some(result);
        Ok(Response::new(wire::AppendResponse { result }))
    }

    async fn vote(
        &self,
        request: Request<wire::VoteRequest>,
    ) -> Result<Response<wire::VoteResponse>, Status> {
        self.learn(&request);
        let request = request.into_inner();
        let rpc = VoteRequest {
            vote: message::read_vote(request.vote)?,
            last_log_id: request.last.map(message::read_log_id),
        };
        let response = self.member.raft.vote(rpc).await.map_err(stopped)?;
        Ok(Response::new(wire::VoteResponse {
            vote: Some(message::vote(&response.vote)),
            granted: response.vote_granted,
            last: response.last_log_id.as_ref().map(message::log_id),
        }))
    }

    async fn install_snapshot(
        &self,
        request: Request<Streaming<wire::SnapshotChunk>>,
    ) -> Result<Response<wire::SnapshotResponse>, Status> {
        let _receiving = self.receiving.lock().await;
        let mut chunks = request.into_inner();
        let first = chunks.message().await?.and_then(|chunk| chunk.chunk);
        let Some(Chunk::Header(header)) = first else {
            return Err(Missing("header").into());
        };
        let vote = message::read_vote(header.vote)?;
        let path = self.directory.join("incoming");
        let mut writer = Writer::create(&path)?;
        let meta = machine::meta(header.clone());
        writer.chunk(Chunk::Header(header))?;
        let mut whole = false;
        while let Some(chunk) = chunks.message().await? {
            let chunk = chunk.chunk.ok_or(Missing("piece"))?;
            whole = matches!(chunk, Chunk::End(_));
            writer.chunk(chunk)?;
        }
        if !whole {
            return Err(Missing("end").into());
        }
        let finished = tokio::task::spawn_blocking(move || writer.finish());
        finished
            .await
            .map_err(|_| Status::internal("not written"))??;
        let snapshot = Box::new(SnapshotFile(path));
        let installed = self
            .member
            .raft
            .install_full_snapshot(vote, Snapshot { meta, snapshot });
        let response = installed.await.map_err(stopped)?;
        let vote = Some(message::vote(&response.vote));
        Ok(Response::new(wire::SnapshotResponse { vote }))
    }

    async fn propose(
        &self,
        request: Request<wire::ProposeRequest>,
    ) -> Result<Response<wire::ProposeResponse>, Status> {
        self.learn(&request);
        let command = request.into_inner().command;
        let (index, answer) = self.member.lead(command).await?;
        let answer = answer.encode().into();
        Ok(Response::new(wire::ProposeResponse { index, answer }))
    }
}

#[tonic::async_trait]
impl DirectoryService for Service {
    async fn status(
        &self,
        _: Request<wire::StatusRequest>,
    ) -> Result<Response<wire::StatusResponse>, Status> {
        Ok(Response::new(self.member.status()))
    }
}

/// The library has stopped, and will not start again in this process.
fn stopped(error: impl std::fmt::Display) -> Status {
    Status::unavailable(error.to_string())
}

impl From<Missing> for Status {
    fn from(missing: Missing) -> Self {
        Self::invalid_argument(missing.to_string())
    }
}

impl From<FileError> for Status {
    fn from(error: FileError) -> Self {
        Self::internal(error.to_string())
    }
}
