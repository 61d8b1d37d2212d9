//! A table as it travels to a node that has none, and lies on its disk: frames of protobuf, the first with a
//! version.
//!
//! Taking one copies pointers; the frames are made from them one after the other, while the table goes on
//! changing. What runs that are over had is left out.

mod message;

use std::sync::Arc;
use std::sync::atomic::Ordering;

use prost::{DecodeError, Message};
use rookery_stanza::BareJid;

use crate::claims::{Components, Part, Room, Rooms};
use crate::members::{Incarnation, Members};
use crate::sessions::{Domains, Place, Route, Sessions, Shard};
use crate::table::Table;
use message::{
    AccountMessage, ComponentMessage, FrameMessage, Header, HeaderMessage, MemberMessage,
    RoomMessage, RouteMessage,
};

/// The version of snapshots that this node writes, and the newest that it reads.
pub const VERSION: u32 = 1;

/// A table at one moment.
#[derive(Debug)]
pub struct Snapshot {
    applied: u64,
    members: Arc<Members>,
    components: Arc<Components>,
    shards: Vec<Arc<Shard>>,
    domains: Domains,
    rooms: Vec<Arc<Part>>,
}

/// A table that is being read from frames.
#[derive(Debug)]
pub struct Restoring {
    header: Option<Header>,
    sessions: Sessions,
    rooms: Rooms,
}

/// Why frames are no table.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SnapshotError {
    /// A frame is no protobuf message of this kind.
    #[error("damaged: {0}")]
    Damaged(#[from] DecodeError),
    /// What has to be there is not, or makes no sense.
    #[error("damaged: {0}")]
    Field(&'static str),
    /// A node wrote it that knows more.
    #[error("version {0} is newer than this node, which reads up to {VERSION}")]
    Newer(u32),
}

// === impl Table ===

impl Table {
    /// The table as it is now.
    pub fn snapshot(&self) -> Snapshot {
        let _writing = self.writing.lock();
        let (shards, domains) = self.sessions.read().freeze();
        Snapshot {
            applied: self.applied(),
            members: self.members(),
            components: Arc::clone(&self.components.read()),
            shards,
            domains,
            rooms: self.rooms.read().freeze(),
        }
    }

    /// Becomes the table that was read.
    ///
    /// # Errors
    /// When frames were missing; the table is what it was then.
    pub fn install(&self, restoring: Restoring) -> Result<(), SnapshotError> {
        let header = restoring
            .header
            .ok_or(SnapshotError::Field("the first frame is missing"))?;
        let _writing = self.writing.lock();
        // A run that nobody knows yet has no routes, so readers in between see less, and nothing that is wrong.
        *self.sessions.write() = Arc::new(restoring.sessions);
        *self.rooms.write() = Arc::new(restoring.rooms);
        *self.components.write() = Arc::new(header.components);
        *self.members.write() = Arc::new(header.members);
        self.applied.store(header.applied, Ordering::Release);
        Ok(())
    }
}

// === impl Snapshot ===

impl Snapshot {
    /// The index of the entry that was applied last.
    pub fn applied(&self) -> u64 {
        self.applied
    }

    /// Its frames, to be read in this order.
    pub fn frames(&self) -> impl Iterator<Item = Vec<u8>> {
        let header = FrameMessage {
            header: Some(self.header()),
            ..FrameMessage::default()
        };
        let accounts = self.shards.iter().filter(|shard| shard.len() > 0);
        let accounts = accounts.map(|shard| FrameMessage {
            domains: self.domains.iter().map(ToString::to_string).collect(),
            accounts: shard
                .iter()
                .filter_map(|(key, routes)| self.account(key.parts(), routes))
                .collect(),
            ..FrameMessage::default()
        });
        let rooms = self.rooms.iter().filter(|part| !part.is_empty());
        let rooms = rooms.map(|part| FrameMessage {
            rooms: part
                .iter()
                .filter(|(_, room)| self.members.is_alive(room.owner))
                .map(|(name, room)| RoomMessage::of(name, *room))
                .collect(),
            ..FrameMessage::default()
        });
        std::iter::once(header)
            .chain(accounts)
            .chain(rooms)
            .map(|frame| frame.encode_to_vec())
    }

    fn header(&self) -> HeaderMessage {
        let members = &self.members;
        let alive = |place: &&Place| members.is_alive(place.run);
        HeaderMessage {
            version: VERSION,
            applied: self.applied,
            members: members
                .iter()
                .map(|(id, member)| MemberMessage::of(id, member))
                .collect(),
            last_run: members.last,
            active_version: members.version,
            components: self
                .components
                .iter()
                .flat_map(|(domain, places)| {
                    let of = |place: &Place| ComponentMessage {
                        domain: domain.to_string(),
                        run: place.run.0,
                        stream: place.session.0,
                    };
                    places.iter().filter(alive).map(of)
                })
                .collect(),
        }
    }

    fn account(
        &self,
        (domain, local): (u32, &str),
        routes: impl Iterator<Item = Route>,
    ) -> Option<AccountMessage> {
        let routes: Vec<_> = routes
            .filter(|route| self.members.is_alive(route.acting()))
            .map(|route| RouteMessage {
                resource: route.resource.into(),
                run: route.place.run.0,
                session: route.place.session.0,
                priority: route.priority.map(i32::from),
                custodian: route.custodian.map(|run| run.0),
            })
            .collect();
        let local = local.to_owned();
        (!routes.is_empty()).then_some(AccountMessage {
            domain,
            local,
            routes,
        })
    }
}

// === impl Restoring ===

impl Default for Restoring {
    fn default() -> Self {
        Self::new()
    }
}

impl Restoring {
    /// Nothing was read yet.
    pub fn new() -> Self {
        Self {
            header: None,
            sessions: Sessions::new(),
            rooms: Rooms::new(),
        }
    }

    /// Reads the next frame.
    ///
    /// # Errors
    /// When it is none, or of a newer version, or the first one was not the first.
    pub fn frame(&mut self, bytes: &[u8]) -> Result<(), SnapshotError> {
        let frame = FrameMessage::decode(bytes)?;
        match (&self.header, frame.header) {
            (None, Some(header)) => self.header = Some(header.try_into()?),
            (Some(_), None) => {}
            (None, None) => return Err(SnapshotError::Field("the first frame is missing")),
            (Some(_), Some(_)) => return Err(SnapshotError::Field("a second first frame")),
        }
        for account in frame.accounts {
            let domain = usize::try_from(account.domain).ok();
            let domain = domain
                .and_then(|at| frame.domains.get(at))
                .ok_or(SnapshotError::Field("domain"))?;
            let address = match account.local.as_str() {
                "" => BareJid::from_prepared(domain),
                local => BareJid::from_prepared(&format!("{local}@{domain}")),
            };
            let routes: Result<Vec<Route>, _> =
                account.routes.into_iter().map(Route::try_from).collect();
            self.sessions.restore(&address, &routes?);
        }
        for room in frame.rooms {
            self.rooms.put(
                &BareJid::from_prepared(&room.room),
                Room {
                    owner: Incarnation(room.owner),
                    standby: room.standby.map(Incarnation),
                    epoch: room.epoch,
                },
            );
        }
        Ok(())
    }
}
