//! What the records of the log say: protobuf messages that need nothing else to be understood.

use bytes::Bytes;
use prost::{Message, Oneof};
use rookery_stanza::Jid;
use rookery_storage::StoreError;
use rookery_storage::message_log::{IngressId, NewMessage, NewRow, Origin, Purpose, Row, RowId};

use super::frame::Place;
use super::index::Found;

/// One record.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct Entry {
    #[prost(oneof = "Event", tags = "1, 2, 3, 4, 5")]
    pub(crate) event: Option<Event>,
}

/// What has happened.
#[derive(Clone, PartialEq, Oneof)]
pub(crate) enum Event {
    /// A payload that rows of some logs refer to.
    #[prost(message, tag = "1")]
    Message(MessageEntry),
    /// Rows are not owed any more.
    #[prost(message, tag = "2")]
    Confirmed(Confirmed),
    /// A log has a new home.
    #[prost(message, tag = "3")]
    Opened(OpenedBy),
    /// A log is gone.
    #[prost(message, tag = "4")]
    Erased(Erased),
    /// Here was something that cannot be read any more.
    #[prost(message, tag = "5")]
    Lost(Lost),
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct MessageEntry {
    #[prost(fixed64, tag = "1")]
    pub(crate) session: u64,
    #[prost(uint64, tag = "2")]
    pub(crate) count: u64,
    #[prost(uint64, tag = "3")]
    pub(crate) received: u64,
    #[prost(bytes = "bytes", tag = "4")]
    pub(crate) payload: Bytes,
    #[prost(message, repeated, tag = "5")]
    pub(crate) rows: Vec<RowEntry>,
    /// Its rows were there before, and refer to this record from now on.
    #[prost(message, optional, tag = "6")]
    pub(crate) instead: Option<Instead>,
    /// What it is found by when its sender names it.
    #[prost(fixed32, optional, tag = "7")]
    pub(crate) origin: Option<u32>,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct RowEntry {
    #[prost(string, tag = "1")]
    pub(crate) account: String,
    #[prost(fixed64, tag = "2")]
    pub(crate) order: u64,
    #[prost(fixed64, tag = "3")]
    pub(crate) salt: u64,
    #[prost(string, tag = "4")]
    pub(crate) with: String,
    #[prost(bool, tag = "5")]
    pub(crate) archived: bool,
    #[prost(bool, tag = "6")]
    pub(crate) owed: bool,
    #[prost(string, repeated, tag = "7")]
    pub(crate) routed: Vec<String>,
}

/// The record that another takes the place of; a row that refers to yet another is left as it is.
#[derive(Clone, Copy, PartialEq, Message)]
pub(crate) struct Instead {
    #[prost(uint32, tag = "1")]
    pub(crate) segment: u32,
    #[prost(uint32, tag = "2")]
    pub(crate) offset: u32,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct Confirmed {
    #[prost(string, tag = "1")]
    pub(crate) account: String,
    #[prost(fixed64, repeated, tag = "2")]
    pub(crate) orders: Vec<u64>,
    #[prost(fixed64, repeated, tag = "3")]
    pub(crate) salts: Vec<u64>,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct OpenedBy {
    #[prost(string, tag = "1")]
    pub(crate) account: String,
    #[prost(uint64, tag = "2")]
    pub(crate) epoch: u64,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct Erased {
    #[prost(string, tag = "1")]
    pub(crate) account: String,
    /// Said again of records before this place, because the segment goes that said it first, while earlier ones stay.
    #[prost(message, optional, tag = "2")]
    pub(crate) before: Option<Instead>,
}

/// Takes the place of what was lost: its fields give it the length and the checksum of that.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct Lost {
    #[prost(bytes = "bytes", tag = "1")]
    pub(crate) padding: Bytes,
    #[prost(uint64, tag = "2")]
    pub(crate) more: u64,
    #[prost(fixed32, optional, tag = "3")]
    pub(crate) patch: Option<u32>,
}

// === impl Entry ===

impl Entry {
    pub(crate) fn read(body: Bytes) -> Result<Event, StoreError> {
        let corrupt = |what: &str| StoreError::Corrupt(format!("a record of the log: {what}"));
        let entry = Self::decode(body).map_err(|error| corrupt(&error.to_string()))?;
        entry
            .event
            .ok_or_else(|| corrupt("it says nothing that is known here"))
    }
}

// === impl Event ===

impl Event {
    /// Writes the record into the buffer, in place of what is there.
    pub(crate) fn write(self, into: &mut Vec<u8>) -> Self {
        into.clear();
        let entry = Entry { event: Some(self) };
        into.reserve(entry.encoded_len());
        entry.encode_raw(into);
        // It was put there two lines above.
        entry.event.unwrap_or(Self::Erased(Erased::default()))
    }

    /// Without the payload, which the index does not need.
    pub(crate) fn without_payload(self) -> Self {
        match self {
            Self::Message(message) => Self::Message(MessageEntry {
                payload: Bytes::new(),
                ..message
            }),
            other => other,
        }
    }

    /// The accounts whose logs change.
    pub(crate) fn accounts(&self) -> impl Iterator<Item = &str> {
        let (rows, one): (&[RowEntry], Option<&str>) = match self {
            Self::Message(message) => (&message.rows, None),
            Self::Confirmed(Confirmed { account, .. })
            | Self::Opened(OpenedBy { account, .. })
            | Self::Erased(Erased { account, .. }) => (&[], Some(account)),
            Self::Lost(_) => (&[], None),
        };
        rows.iter().map(|row| row.account.as_str()).chain(one)
    }
}

// === impl MessageEntry ===

impl MessageEntry {
    /// The record of a message, without rows.
    pub(crate) fn of(message: &NewMessage) -> Self {
        Self {
            session: message.ingress.session,
            count: message.ingress.count,
            received: message.received,
            payload: message.payload.clone(),
            rows: Vec::with_capacity(message.rows.len()),
            instead: None,
            origin: message.origin.map(Origin::bits),
        }
    }

    /// Another payload for this row alone, in place of the record at `place`.
    pub(crate) fn replaced(self, id: RowId, account: &str, payload: Bytes, place: Place) -> Self {
        let mut rows = self.rows;
        rows.retain(|row| row.is(account, id));
        Self {
            rows,
            payload,
            instead: Some(place.into()),
            ..self
        }
    }

    /// The row with this id in the log of the account, as it is read.
    pub(crate) fn row(
        self,
        account: &str,
        id: RowId,
        archived: bool,
        owed: bool,
    ) -> Result<Row, StoreError> {
        let corrupt = |what: &str| StoreError::Corrupt(format!("row {id} of a log: {what}"));
        let mut rows = self.rows.into_iter();
        let row = rows.find(|row| row.is(account, id));
        let row = row.ok_or_else(|| corrupt("its record is about others"))?;
        let with = Jid::parse(&row.with).map_err(|error| corrupt(&error.to_string()))?;
        let purpose = Purpose::of(archived, owed.then_some(row.routed));
        Ok(Row {
            id,
            ingress: IngressId {
                session: self.session,
                count: self.count,
            },
            received: self.received,
            with,
            purpose: purpose.ok_or_else(|| corrupt("nothing keeps it"))?,
            payload: self.payload,
        })
    }
}

// === impl RowEntry ===

impl RowEntry {
    pub(crate) fn of(row: &NewRow, id: RowId) -> Self {
        Self {
            account: row.account.as_str().to_owned(),
            order: id.order(),
            salt: id.salt(),
            with: row.with.as_str().to_owned(),
            archived: row.purpose.is_archived(),
            owed: row.purpose.is_owed(),
            routed: row.purpose.routed().unwrap_or_default().to_vec(),
        }
    }

    /// The row is kept for what it was found to be kept for.
    pub(crate) fn be(&mut self, found: Found) {
        self.archived = found.archived;
        self.owed = found.owed;
    }

    /// Keeps the row for one more reason.
    pub(crate) fn merge(&mut self, purpose: &Purpose) {
        self.archived |= purpose.is_archived();
        self.owed |= purpose.is_owed();
        for resource in purpose.routed().unwrap_or_default() {
            if !self.routed.contains(resource) {
                self.routed.push(resource.clone());
            }
        }
    }

    pub(crate) fn id(&self) -> RowId {
        RowId::from_halves(self.order, self.salt)
    }

    fn is(&self, account: &str, id: RowId) -> bool {
        self.id() == id && self.account == account
    }
}

// === impl Confirmed ===

impl Confirmed {
    pub(crate) fn of(account: &str, rows: &[RowId]) -> Self {
        Self {
            account: account.to_owned(),
            orders: rows.iter().map(|id| id.order()).collect(),
            salts: rows.iter().map(|id| id.salt()).collect(),
        }
    }

    pub(crate) fn ids(&self) -> impl Iterator<Item = RowId> {
        let halves = self.orders.iter().zip(&self.salts);
        halves.map(|(order, salt)| RowId::from_halves(*order, *salt))
    }
}

// === impl Instead ===

impl From<Place> for Instead {
    fn from(Place { segment, offset }: Place) -> Self {
        Self { segment, offset }
    }
}

impl From<Instead> for Place {
    fn from(Instead { segment, offset }: Instead) -> Self {
        Self { segment, offset }
    }
}
