//! The messages of frames, and what they stand for.

use prost::Message;
use rookery_delivery::SessionId;

use super::{SnapshotError, VERSION};
use crate::claims::{Components, Room};
use crate::members::{Incarnation, Member, MemberId, Members, Run, Standing, VersionRange};
use crate::sessions::{Place, Route};

/// What the first frame says.
#[derive(Debug)]
pub(super) struct Header {
    pub(super) applied: u64,
    pub(super) members: Members,
    pub(super) components: Components,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct FrameMessage {
    #[prost(message, optional, tag = "1")]
    pub(super) header: Option<HeaderMessage>,
    #[prost(string, repeated, tag = "2")]
    pub(super) domains: Vec<String>,
    #[prost(message, repeated, tag = "3")]
    pub(super) accounts: Vec<AccountMessage>,
    #[prost(message, repeated, tag = "4")]
    pub(super) rooms: Vec<RoomMessage>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct HeaderMessage {
    #[prost(uint32, tag = "1")]
    pub(super) version: u32,
    #[prost(uint64, tag = "2")]
    pub(super) applied: u64,
    #[prost(message, repeated, tag = "3")]
    pub(super) members: Vec<MemberMessage>,
    #[prost(uint32, tag = "4")]
    pub(super) last_run: u32,
    #[prost(uint32, tag = "5")]
    pub(super) active_version: u32,
    #[prost(message, repeated, tag = "6")]
    pub(super) components: Vec<ComponentMessage>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct MemberMessage {
    #[prost(uint64, tag = "1")]
    pub(super) id: u64,
    #[prost(fixed64, tag = "2")]
    pub(super) admission: u64,
    #[prost(string, tag = "3")]
    pub(super) address: String,
    #[prost(uint32, tag = "4")]
    pub(super) min: u32,
    #[prost(uint32, tag = "5")]
    pub(super) max: u32,
    #[prost(enumeration = "StandingMessage", tag = "6")]
    pub(super) standing: i32,
    /// 0 when none is alive.
    #[prost(uint32, tag = "7")]
    pub(super) run: u32,
    #[prost(fixed64, tag = "8")]
    pub(super) nonce: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, prost::Enumeration)]
#[repr(i32)]
pub(super) enum StandingMessage {
    Joining = 0,
    Serving = 1,
    Draining = 2,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct ComponentMessage {
    #[prost(string, tag = "1")]
    pub(super) domain: String,
    #[prost(uint32, tag = "2")]
    pub(super) run: u32,
    #[prost(uint64, tag = "3")]
    pub(super) stream: u64,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct AccountMessage {
    /// Which of the frame's domains.
    #[prost(uint32, tag = "1")]
    pub(super) domain: u32,
    /// Empty when the account is the domain.
    #[prost(string, tag = "2")]
    pub(super) local: String,
    #[prost(message, repeated, tag = "3")]
    pub(super) routes: Vec<RouteMessage>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct RouteMessage {
    #[prost(string, tag = "1")]
    pub(super) resource: String,
    #[prost(uint32, tag = "2")]
    pub(super) run: u32,
    #[prost(uint64, tag = "3")]
    pub(super) session: u64,
    #[prost(sint32, optional, tag = "4")]
    pub(super) priority: Option<i32>,
    #[prost(uint32, optional, tag = "5")]
    pub(super) custodian: Option<u32>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct RoomMessage {
    #[prost(string, tag = "1")]
    pub(super) room: String,
    #[prost(uint32, tag = "2")]
    pub(super) owner: u32,
    #[prost(uint32, optional, tag = "3")]
    pub(super) standby: Option<u32>,
    #[prost(uint64, tag = "4")]
    pub(super) epoch: u64,
}

impl TryFrom<RouteMessage> for Route {
    type Error = SnapshotError;

    fn try_from(message: RouteMessage) -> Result<Self, SnapshotError> {
        let priority = message.priority.map(i8::try_from).transpose();
        Ok(Self {
            resource: message.resource.into(),
            place: Place {
                run: Incarnation(message.run),
                session: SessionId(message.session),
            },
            priority: priority.map_err(|_| SnapshotError::Field("priority"))?,
            custodian: message.custodian.map(Incarnation),
        })
    }
}

impl RoomMessage {
    pub(super) fn of(name: &str, room: Room) -> Self {
        Self {
            room: name.to_owned(),
            owner: room.owner.0,
            standby: room.standby.map(|run| run.0),
            epoch: room.epoch,
        }
    }
}

impl MemberMessage {
    pub(super) fn of(id: MemberId, member: &Member) -> Self {
        let standing = match member.standing {
            Standing::Joining => StandingMessage::Joining,
            Standing::Serving => StandingMessage::Serving,
            Standing::Draining => StandingMessage::Draining,
        };
        Self {
            id: id.0,
            admission: member.admission,
            address: member.address.to_string(),
            min: member.versions.min,
            max: member.versions.max,
            standing: standing.into(),
            run: member.run.map_or(0, |run| run.incarnation.0),
            nonce: member.run.map_or(0, |run| run.nonce),
        }
    }
}

impl TryFrom<HeaderMessage> for Header {
    type Error = SnapshotError;

    fn try_from(message: HeaderMessage) -> Result<Self, SnapshotError> {
        if message.version > VERSION {
            return Err(SnapshotError::Newer(message.version));
        }
        let mut members = Members {
            last: message.last_run,
            version: message.active_version,
            ..Members::default()
        };
        for member in message.members {
            let id = MemberId(member.id);
            let standing = StandingMessage::try_from(member.standing)
                .map_err(|_| SnapshotError::Field("standing"))?;
            let run = (member.run != 0).then_some(Run {
                incarnation: Incarnation(member.run),
                nonce: member.nonce,
            });
            members.runs.extend(run.map(|run| (run.incarnation, id)));
            let member = Member {
                admission: member.admission,
                address: member.address.into(),
                versions: VersionRange {
                    min: member.min,
                    max: member.max,
                },
                standing: standing.into(),
                run,
            };
            members.all.insert(id, member);
        }
        let mut components = Components::new();
        for ComponentMessage {
            domain,
            run,
            stream,
        } in message.components
        {
            let place = Place {
                run: Incarnation(run),
                session: SessionId(stream),
            };
            components.entry(domain.into()).or_default().push(place);
        }
        let applied = message.applied;
        Ok(Self {
            applied,
            members,
            components,
        })
    }
}

impl From<StandingMessage> for Standing {
    fn from(message: StandingMessage) -> Self {
        match message {
            StandingMessage::Joining => Self::Joining,
            StandingMessage::Serving => Self::Serving,
            StandingMessage::Draining => Self::Draining,
        }
    }
}
