//! Commands as they lie in the log and travel to its leader: protobuf in an enclosing message with a version.
//!
//! A version is raised only when an older node must not apply the entry. A node that meets what it does not know
//! refuses it by name and goes no further: tables that skip an entry are not the same any more.

use std::sync::Arc;

use prost::{DecodeError, Message, Oneof};
use rookery_delivery::SessionId;
use rookery_stanza::BareJid;

use crate::command::{Change, Command, Named, OnConflict};
use crate::members::{Incarnation, MemberId, VersionRange};

/// The version of entries that this node writes, and the newest that it reads.
pub const VERSION: u32 = 1;

/// Why bytes are no command.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EntryError {
    /// They are no protobuf message of this kind.
    #[error("damaged: {0}")]
    Damaged(#[from] DecodeError),
    /// What has to be there is not, or makes no sense.
    #[error("damaged: {0}")]
    Field(&'static str),
    /// A node wrote it that knows more.
    #[error("version {0} is newer than this node, which reads up to {VERSION}")]
    Newer(u32),
}

#[derive(Clone, PartialEq, Message)]
struct EntryMessage {
    #[prost(uint32, tag = "1")]
    version: u32,
    #[prost(oneof = "CommandMessage", tags = "2, 3, 4, 5, 6, 7, 8, 9, 10")]
    command: Option<CommandMessage>,
}

#[derive(Clone, PartialEq, Oneof)]
enum CommandMessage {
    #[prost(message, tag = "2")]
    Admit(NodeMessage),
    #[prost(message, tag = "3")]
    Register(NodeMessage),
    #[prost(uint64, tag = "4")]
    Serve(u64),
    #[prost(uint64, tag = "5")]
    Drain(u64),
    #[prost(uint32, tag = "6")]
    Down(u32),
    #[prost(uint64, tag = "7")]
    Remove(u64),
    #[prost(uint32, tag = "8")]
    Finalize(u32),
    #[prost(message, tag = "9")]
    Batch(BatchMessage),
    #[prost(message, tag = "10")]
    Found(NodeMessage),
}

#[derive(Clone, PartialEq, Message)]
struct NodeMessage {
    #[prost(uint64, tag = "1")]
    member: u64,
    #[prost(fixed64, tag = "2")]
    nonce: u64,
    #[prost(string, tag = "3")]
    address: String,
    #[prost(uint32, tag = "4")]
    min: u32,
    #[prost(uint32, tag = "5")]
    max: u32,
}

#[derive(Clone, PartialEq, Message)]
struct BatchMessage {
    #[prost(uint32, tag = "1")]
    by: u32,
    #[prost(message, repeated, tag = "2")]
    changes: Vec<ChangeMessage>,
}

#[derive(Clone, PartialEq, Message)]
struct ChangeMessage {
    #[prost(oneof = "KindMessage", tags = "1, 2, 3, 4, 5, 6, 7, 8, 9, 10")]
    kind: Option<KindMessage>,
}

#[derive(Clone, PartialEq, Oneof)]
enum KindMessage {
    /// A bind that displaces.
    #[prost(message, tag = "1")]
    Bind(SessionMessage),
    /// A bind that yields.
    #[prost(message, tag = "2")]
    BindOrYield(SessionMessage),
    #[prost(message, tag = "3")]
    Unbind(SessionMessage),
    #[prost(message, tag = "4")]
    Presence(SessionMessage),
    #[prost(message, tag = "5")]
    Entrust(SessionMessage),
    #[prost(string, tag = "6")]
    ClaimRoom(String),
    #[prost(message, tag = "7")]
    SetStandby(RoomMessage),
    #[prost(message, tag = "8")]
    ReleaseRoom(RoomMessage),
    #[prost(message, tag = "9")]
    Attach(StreamMessage),
    #[prost(message, tag = "10")]
    Detach(StreamMessage),
}

#[derive(Clone, PartialEq, Message)]
struct SessionMessage {
    #[prost(string, tag = "1")]
    account: String,
    #[prost(string, tag = "2")]
    resource: String,
    #[prost(uint64, tag = "3")]
    session: u64,
    #[prost(sint32, optional, tag = "4")]
    priority: Option<i32>,
    #[prost(uint32, tag = "5")]
    custodian: u32,
}

#[derive(Clone, PartialEq, Message)]
struct RoomMessage {
    #[prost(string, tag = "1")]
    room: String,
    #[prost(uint64, tag = "2")]
    epoch: u64,
    #[prost(uint32, optional, tag = "3")]
    run: Option<u32>,
}

#[derive(Clone, PartialEq, Message)]
struct StreamMessage {
    #[prost(string, tag = "1")]
    domain: String,
    #[prost(uint64, tag = "2")]
    stream: u64,
}

// === impl Command ===

impl Command {
    /// The bytes of an entry.
    pub fn encode(&self) -> Vec<u8> {
        let command = Some(self.into());
        let version = VERSION;
        EntryMessage { version, command }.encode_to_vec()
    }

    /// Reads an entry.
    ///
    /// # Errors
    /// When the bytes are no entry that this node knows whole.
    pub fn decode(bytes: &[u8]) -> Result<Self, EntryError> {
        let EntryMessage { version, command } = EntryMessage::decode(bytes)?;
        if version > VERSION {
            return Err(EntryError::Newer(version));
        }
        command
            .ok_or(EntryError::Field("no command that this node knows"))?
            .try_into()
    }
}

impl From<&Command> for CommandMessage {
    fn from(command: &Command) -> Self {
        match command {
            Command::Found {
                admission,
                address,
                versions,
            } => Self::Found(NodeMessage::of(0, *admission, address, *versions)),
            Command::Admit {
                admission,
                address,
                versions,
            } => Self::Admit(NodeMessage::of(0, *admission, address, *versions)),
            Command::Register {
                member,
                nonce,
                address,
                versions,
            } => Self::Register(NodeMessage::of(member.0, *nonce, address, *versions)),
            Command::Serve(member) => Self::Serve(member.0),
            Command::Drain(member) => Self::Drain(member.0),
            Command::Down(run) => Self::Down(run.0),
            Command::Remove(member) => Self::Remove(member.0),
            Command::Finalize(version) => Self::Finalize(*version),
            Command::Batch { by, changes } => Self::Batch(BatchMessage {
                by: by.0,
                changes: changes.iter().map(ChangeMessage::from).collect(),
            }),
        }
    }
}

impl TryFrom<CommandMessage> for Command {
    type Error = EntryError;

    fn try_from(message: CommandMessage) -> Result<Self, EntryError> {
        Ok(match message {
            CommandMessage::Found(node) => Self::Found {
                admission: node.nonce,
                versions: node.versions(),
                address: node.address.into(),
            },
            CommandMessage::Admit(node) => Self::Admit {
                admission: node.nonce,
                versions: node.versions(),
                address: node.address.into(),
            },
            CommandMessage::Register(node) => Self::Register {
                member: MemberId(node.member),
                nonce: node.nonce,
                versions: node.versions(),
                address: node.address.into(),
            },
            CommandMessage::Serve(member) => Self::Serve(MemberId(member)),
            CommandMessage::Drain(member) => Self::Drain(MemberId(member)),
            CommandMessage::Down(run) => Self::Down(Incarnation(run)),
            CommandMessage::Remove(member) => Self::Remove(MemberId(member)),
            CommandMessage::Finalize(version) => Self::Finalize(version),
            CommandMessage::Batch(BatchMessage { by, changes }) => Self::Batch {
                by: Incarnation(by),
                changes: changes
                    .into_iter()
                    .map(Change::try_from)
                    .collect::<Result<_, _>>()?,
            },
        })
    }
}

impl NodeMessage {
    fn of(member: u64, nonce: u64, address: &Arc<str>, versions: VersionRange) -> Self {
        Self {
            member,
            nonce,
            address: address.to_string(),
            min: versions.min,
            max: versions.max,
        }
    }

    fn versions(&self) -> VersionRange {
        let Self { min, max, .. } = *self;
        VersionRange { min, max }
    }
}

// === impl Change ===

impl From<&Change> for ChangeMessage {
    fn from(change: &Change) -> Self {
        let kind = match change {
            Change::Bind(named, OnConflict::Displace) => KindMessage::Bind(named.into()),
            Change::Bind(named, OnConflict::Yield) => KindMessage::BindOrYield(named.into()),
            Change::Unbind(named) => KindMessage::Unbind(named.into()),
            Change::Presence(named, priority) => KindMessage::Presence(SessionMessage {
                priority: priority.map(i32::from),
                ..named.into()
            }),
            Change::Entrust(named, custodian) => KindMessage::Entrust(SessionMessage {
                custodian: custodian.0,
                ..named.into()
            }),
            Change::ClaimRoom { room } => KindMessage::ClaimRoom(room.as_str().to_owned()),
            Change::SetStandby { room, standby } => {
                KindMessage::SetStandby(RoomMessage::of(room, 0, *standby))
            }
            Change::ReleaseRoom { room, epoch, to } => {
                KindMessage::ReleaseRoom(RoomMessage::of(room, *epoch, *to))
            }
            Change::Attach { domain, stream } => {
                KindMessage::Attach(StreamMessage::of(domain, *stream))
            }
            Change::Detach { domain, stream } => {
                KindMessage::Detach(StreamMessage::of(domain, *stream))
            }
        };
        Self { kind: Some(kind) }
    }
}

impl TryFrom<ChangeMessage> for Change {
    type Error = EntryError;

    fn try_from(message: ChangeMessage) -> Result<Self, EntryError> {
        let kind = message
            .kind
            .ok_or(EntryError::Field("no change that this node knows"))?;
        Ok(match kind {
            KindMessage::Bind(named) => Self::Bind(named.try_into()?, OnConflict::Displace),
            KindMessage::BindOrYield(named) => Self::Bind(named.try_into()?, OnConflict::Yield),
            KindMessage::Unbind(named) => Self::Unbind(named.try_into()?),
            KindMessage::Presence(message) => {
                let priority = message.priority.map(i8::try_from).transpose();
                let priority = priority.map_err(|_| EntryError::Field("priority"))?;
                Self::Presence(message.try_into()?, priority)
            }
            KindMessage::Entrust(message) => {
                let custodian = Incarnation(message.custodian);
                Self::Entrust(message.try_into()?, custodian)
            }
            KindMessage::ClaimRoom(room) => Self::ClaimRoom {
                room: address(&room)?,
            },
            KindMessage::SetStandby(RoomMessage { room, run, .. }) => Self::SetStandby {
                room: address(&room)?,
                standby: run.map(Incarnation),
            },
            KindMessage::ReleaseRoom(RoomMessage { room, epoch, run }) => Self::ReleaseRoom {
                room: address(&room)?,
                epoch,
                to: run.map(Incarnation),
            },
            KindMessage::Attach(StreamMessage { domain, stream }) => Self::Attach {
                domain: domain.into(),
                stream: SessionId(stream),
            },
            KindMessage::Detach(StreamMessage { domain, stream }) => Self::Detach {
                domain: domain.into(),
                stream: SessionId(stream),
            },
        })
    }
}

impl From<&Named> for SessionMessage {
    fn from(named: &Named) -> Self {
        Self {
            account: named.account.as_str().to_owned(),
            resource: named.resource.to_string(),
            session: named.session.0,
            priority: None,
            custodian: 0,
        }
    }
}

impl TryFrom<SessionMessage> for Named {
    type Error = EntryError;

    fn try_from(message: SessionMessage) -> Result<Self, EntryError> {
        Ok(Self {
            account: address(&message.account)?,
            resource: message.resource.into(),
            session: SessionId(message.session),
        })
    }
}

impl RoomMessage {
    fn of(room: &BareJid, epoch: u64, run: Option<Incarnation>) -> Self {
        Self {
            room: room.as_str().to_owned(),
            epoch,
            run: run.map(|run| run.0),
        }
    }
}

impl StreamMessage {
    fn of(domain: &str, stream: SessionId) -> Self {
        Self {
            domain: domain.to_owned(),
            stream: stream.0,
        }
    }
}

/// Addresses were prepared before they were proposed; every node has to read them alike, also one whose tables of
/// Unicode are older.
fn address(text: &str) -> Result<BareJid, EntryError> {
    if text.is_empty() || text.len() > 2047 {
        return Err(EntryError::Field("address"));
    }
    Ok(BareJid::from_prepared(text))
}
