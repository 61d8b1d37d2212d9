//! What is committed changes the routing table; snapshots of it on disk.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use openraft::storage::RaftStateMachine;
use openraft::{
    AnyError, EntryPayload, OptionalSend, RaftSnapshotBuilder, Snapshot, StorageIOError,
};
use rookery_routing::snapshot::Restoring;
use rookery_routing::{Answer, Command, Event, Table};
use rookery_wire::raft as wire;
use tokio::sync::mpsc;

use super::snapshot_file::{self, FileError, Reader};
use super::{
    Entry, Group, LogId, SnapshotFile, SnapshotMeta, StorageError, StoredMembership, message,
};

/// What an applied entry means for this node.
#[derive(Debug)]
pub struct Applied {
    /// The index of the entry.
    pub index: u64,
    /// What others than its proposer have to know.
    pub events: Vec<Event>,
}

/// The table, and how far it is.
#[derive(Debug)]
pub(crate) struct Machine {
    table: Arc<Table>,
    directory: PathBuf,
    last: Option<LogId>,
    membership: StoredMembership,
    applied: mpsc::Sender<Applied>,
}

/// The table at one moment, on its way to the disk.
#[derive(Debug)]
pub(crate) struct Builder {
    snapshot: Option<rookery_routing::snapshot::Snapshot>,
    header: wire::SnapshotHeader,
    meta: SnapshotMeta,
    directory: PathBuf,
}

// === impl Machine ===

impl Machine {
    /// The table as the newest snapshot in this directory has it.
    pub(crate) fn open(
        table: Arc<Table>,
        directory: &Path,
        applied: mpsc::Sender<Applied>,
    ) -> Result<Self, FileError> {
        let mut machine = Self {
            table,
            directory: directory.to_owned(),
            last: None,
            membership: StoredMembership::default(),
            applied,
        };
        if let Some(path) = snapshot_file::newest(directory)? {
            machine.load(&path)?;
        }
        Ok(machine)
    }

    /// Becomes what a snapshot says.
    fn load(&mut self, path: &Path) -> Result<SnapshotMeta, FileError> {
        let mut reader = Reader::open(path)?;
        let header = reader.header()?;
        let mut restoring = Restoring::new();
        while let Some(frame) = reader.frame()? {
            restoring.frame(&frame)?;
        }
        self.table.install(restoring)?;
        let meta = meta(header);
        self.last = meta.last_log_id;
        self.membership = meta.last_membership.clone();
        Ok(meta)
    }

    /// Applies one command. What cannot be read is not skipped: the table would not be that of the others.
    async fn command(&mut self, id: LogId, bytes: &Bytes) -> Result<Answer, StorageError> {
        let command = Command::decode(bytes).map_err(|error| {
            tracing::error!(index = id.index, %error, "an entry of the cluster's log cannot be applied");
            StorageIOError::apply(id, AnyError::new(&error))
        })?;
        let mut events = Vec::new();
        let answer = self.table.apply(id.index, command, &mut events);
        if !events.is_empty() {
            let index = id.index;
            // Nobody listens when the node is being stopped.
            drop(self.applied.send(Applied { index, events }).await);
        }
        Ok(answer)
    }

    fn header(&self) -> wire::SnapshotHeader {
        let index = self.last.map_or(0, |id| id.index);
        wire::SnapshotHeader {
            vote: None,
            last: self.last.as_ref().map(message::log_id),
            membership_id: self.membership.log_id().as_ref().map(message::log_id),
            membership: Some(message::membership(self.membership.membership())),
            id: format!("{index:020}"),
        }
    }
}

/// What the library wants to know of a snapshot.
pub(crate) fn meta(header: wire::SnapshotHeader) -> SnapshotMeta {
    let group = header.membership.map(message::read_membership);
    let group = group.unwrap_or_default();
    SnapshotMeta {
        last_log_id: header.last.map(message::read_log_id),
        last_membership: StoredMembership::new(
            header.membership_id.map(message::read_log_id),
            group,
        ),
        snapshot_id: header.id,
    }
}

impl RaftStateMachine<Group> for Machine {
    type SnapshotBuilder = Builder;

    async fn applied_state(&mut self) -> Result<(Option<LogId>, StoredMembership), StorageError> {
        Ok((self.last, self.membership.clone()))
    }

    async fn apply<I>(&mut self, entries: I) -> Result<Vec<Option<Answer>>, StorageError>
    where
        I: IntoIterator<Item = Entry> + OptionalSend,
        I::IntoIter: OptionalSend,
    {
        let mut answers = Vec::new();
        for entry in entries {
            let id = entry.log_id;
            let answer = match entry.payload {
                EntryPayload::Blank => None,
                EntryPayload::Normal(command) => Some(self.command(id, &command.0).await?),
                EntryPayload::Membership(group) => {
                    self.membership = StoredMembership::new(Some(id), group);
                    None
                }
            };
            self.last = Some(id);
            answers.push(answer);
        }
        Ok(answers)
    }

    async fn get_snapshot_builder(&mut self) -> Builder {
        let header = self.header();
        Builder {
            snapshot: Some(self.table.snapshot()),
            meta: meta(header.clone()),
            header,
            directory: self.directory.clone(),
        }
    }

    async fn begin_receiving_snapshot(&mut self) -> Result<Box<SnapshotFile>, StorageError> {
        Ok(Box::new(SnapshotFile(self.directory.join("incoming"))))
    }

    async fn install_snapshot(
        &mut self,
        meta: &SnapshotMeta,
        snapshot: Box<SnapshotFile>,
    ) -> Result<(), StorageError> {
        let signature = Some(meta.signature());
        let failed = |error: FileError| {
            StorageIOError::read_snapshot(signature.clone(), AnyError::new(&error))
        };
        let path = snapshot_file::keep(&snapshot.0, &self.directory, &meta.snapshot_id);
        let path = path.map_err(failed)?;
        self.load(&path).map_err(failed)?;
        Ok(())
    }

    async fn get_current_snapshot(&mut self) -> Result<Option<Snapshot<Group>>, StorageError> {
        let failed = |error: FileError| StorageIOError::read_snapshot(None, AnyError::new(&error));
        let Some(path) = snapshot_file::newest(&self.directory).map_err(failed)? else {
            return Ok(None);
        };
        let header = Reader::open(&path).and_then(|mut reader| reader.header());
        Ok(Some(Snapshot {
            meta: meta(header.map_err(failed)?),
            snapshot: Box::new(SnapshotFile(path)),
        }))
    }
}

impl RaftSnapshotBuilder<Group> for Builder {
    async fn build_snapshot(&mut self) -> Result<Snapshot<Group>, StorageError> {
        let failed = |error: FileError| StorageIOError::write_snapshot(None, AnyError::new(&error));
        let stopped = || StorageIOError::write_snapshot(None, AnyError::error("built already"));
        let snapshot = self.snapshot.take().ok_or_else(stopped)?;
        let (header, directory) = (self.header.clone(), self.directory.clone());
        let written = tokio::task::spawn_blocking(move || {
            snapshot_file::write(&directory, &header, snapshot.frames())
        });
        let path = written.await.map_err(|_| stopped())?.map_err(failed)?;
        Ok(Snapshot {
            meta: self.meta.clone(),
            snapshot: Box::new(SnapshotFile(path)),
        })
    }
}
