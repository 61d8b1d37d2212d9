//! What is appended to the logs, and what is read back.

use bytes::Bytes;
use rookery_stanza::{BareJid, Jid};

use super::RowId;

/// What a stanza is recognised by when it comes a second time: after a crash, by another route, or because a command
/// to the store timed out and was carried out all the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct IngressId {
    /// The stream or session that the stanza came in by; never used again by another one.
    pub session: u64,
    /// Its number among the stanzas of that session, counted up.
    pub count: u64,
}

/// A digest of the `id` that its sender gave a message, by which it is found when it is taken back (XEP-0424 §4). The
/// ids of different messages may have the same digest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Origin(u32);

/// Why a row is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// It is in the archive, and not owed to anybody (any more).
    Archive,
    /// It is owed: one of the resources that it was routed to has to confirm it. None are named when there was none.
    Delivery(Vec<String>),
    /// It is in the archive and owed.
    Both(Vec<String>),
}

/// A message to append: one payload, and a row for each account whose log it goes into.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewMessage {
    /// What a repeat is recognised by.
    pub ingress: IngressId,
    /// When the server received it, in milliseconds since 1970-01-01T00:00:00Z.
    pub received: u64,
    /// What it is found by when its sender names it; nothing when he never can.
    pub origin: Option<Origin>,
    /// The message. The log does not know what is in it.
    pub payload: Bytes,
    /// Its rows. Several for one account become one, which is kept for all their reasons and is with whom the first of
    /// them is; the others are answered as repeats.
    pub rows: Vec<NewRow>,
}

/// A row to append to the log of an account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewRow {
    /// Whose log.
    pub account: BareJid,
    /// The epoch of the account's home.
    pub epoch: u64,
    /// With whom the message was exchanged; full if the resource is known.
    pub with: Jid,
    /// Why it is kept.
    pub purpose: Purpose,
}

/// What came of appending a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Appended {
    /// It is durable, and has this id.
    At(RowId),
    /// The account's log has had this message within the last hour: the id of that row. Nothing was appended.
    Repeat(RowId),
    /// The home that asks is not the account's home: the log was opened with another epoch. Nothing was appended.
    Fenced {
        /// The epoch of the log.
        epoch: u64,
    },
}

/// A row as it is read, without its payload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header {
    /// Its id.
    pub id: RowId,
    /// When the server received the message, in milliseconds since 1970-01-01T00:00:00Z.
    pub received: u64,
    /// With whom it was exchanged.
    pub with: Jid,
    /// Why it is kept.
    pub purpose: Purpose,
}

/// A row as it is read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// Its id.
    pub id: RowId,
    /// What a repeat is recognised by.
    pub ingress: IngressId,
    /// When the server received the message, in milliseconds since 1970-01-01T00:00:00Z.
    pub received: u64,
    /// With whom it was exchanged.
    pub with: Jid,
    /// Why it is kept.
    pub purpose: Purpose,
    /// The message, or what took its place.
    pub payload: Bytes,
}

// === impl Origin ===

impl Origin {
    /// The digest of an `id`: FNV-1a, which stays what it is, for it is kept.
    pub fn of(id: &str) -> Self {
        let digest = id.bytes().fold(0x811c_9dc5, |digest: u32, byte| {
            (digest ^ u32::from(byte)).wrapping_mul(0x0100_0193)
        });
        Self(digest)
    }

    /// The digest of these bits, as a store has kept them.
    pub fn from_bits(bits: u32) -> Self {
        Self(bits)
    }

    /// Its bits.
    pub fn bits(self) -> u32 {
        self.0
    }
}

// === impl Row ===

impl Row {
    /// What is left without the payload.
    pub fn into_header(self) -> Header {
        Header {
            id: self.id,
            received: self.received,
            with: self.with,
            purpose: self.purpose,
        }
    }
}

// === impl Purpose ===

impl Purpose {
    /// What a row is kept for that is in the archive, is owed to those it was routed to, or both; nothing when it is
    /// neither.
    pub fn of(archived: bool, routed: Option<Vec<String>>) -> Option<Self> {
        match (archived, routed) {
            (true, None) => Some(Self::Archive),
            (true, Some(routed)) => Some(Self::Both(routed)),
            (false, Some(routed)) => Some(Self::Delivery(routed)),
            (false, None) => None,
        }
    }

    /// Both reasons at once.
    #[must_use]
    pub fn and(self, other: &Self) -> Self {
        let archived = self.is_archived() || other.is_archived();
        let mut routed = self.routed().map(<[String]>::to_vec);
        if let Some(others) = other.routed() {
            let all = routed.get_or_insert_default();
            for resource in others {
                if !all.contains(resource) {
                    all.push(resource.clone());
                }
            }
        }
        Self::of(archived, routed).unwrap_or(self)
    }

    /// Whether the row is in the archive.
    pub fn is_archived(&self) -> bool {
        !matches!(self, Self::Delivery(_))
    }

    /// Whether the row is owed.
    pub fn is_owed(&self) -> bool {
        self.routed().is_some()
    }

    /// The resources that an owed row was routed to.
    pub fn routed(&self) -> Option<&[String]> {
        match self {
            Self::Archive => None,
            Self::Delivery(routed) | Self::Both(routed) => Some(routed),
        }
    }
}
