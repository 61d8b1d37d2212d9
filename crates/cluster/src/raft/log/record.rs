//! Records as bytes: length, checksum, and a message of protobuf.

use bytes::{Buf, BufMut, Bytes};
use prost::{Message, Oneof};
use rookery_wire::raft as wire;

use crate::raft::{Entry, LogId, Vote, message};

/// One record.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Record {
    /// The vote that the node has given.
    Vote(Vote),
    /// An entry.
    Entry(Entry),
    /// The entries from this index on are void.
    Truncated(u64),
    /// The entries up to this one are not needed.
    Purged(LogId),
    /// The entries up to this one are committed.
    Committed(LogId),
}

#[derive(Clone, PartialEq, Message)]
struct RecordMessage {
    #[prost(oneof = "KindMessage", tags = "1, 2, 3, 4, 5")]
    kind: Option<KindMessage>,
}

#[derive(Clone, PartialEq, Oneof)]
enum KindMessage {
    #[prost(message, tag = "1")]
    Vote(wire::Vote),
    #[prost(message, tag = "2")]
    Entry(wire::Entry),
    #[prost(uint64, tag = "3")]
    Truncated(u64),
    #[prost(message, tag = "4")]
    Purged(wire::LogId),
    #[prost(message, tag = "5")]
    Committed(wire::LogId),
}

/// Bytes before the message: its length and its checksum.
pub(crate) const HEADER: usize = 8;

/// No record is longer.
const LONGEST: usize = 64 << 20;

// === impl Record ===

impl Record {
    /// Writes the record at the end of `bytes`.
    pub(crate) fn encode(&self, bytes: &mut Vec<u8>) {
        let kind = match self {
            Self::Vote(vote) => KindMessage::Vote(message::vote(vote)),
            Self::Entry(entry) => KindMessage::Entry(message::entry(entry)),
            Self::Truncated(from) => KindMessage::Truncated(*from),
            Self::Purged(id) => KindMessage::Purged(message::log_id(id)),
            Self::Committed(id) => KindMessage::Committed(message::log_id(id)),
        };
        let body = RecordMessage { kind: Some(kind) }.encode_to_vec();
        bytes.put_u32_le(u32::try_from(body.len()).unwrap_or(u32::MAX));
        bytes.put_u32_le(crc32fast::hash(&body));
        bytes.extend(body);
    }

    /// Reads the record at the front of `bytes`, and takes it away; `None` when there is none that is whole.
    pub(crate) fn decode(bytes: &mut Bytes) -> Option<Self> {
        let mut rest = bytes.clone();
        if rest.len() < HEADER {
            return None;
        }
        let length = usize::try_from(rest.get_u32_le()).ok()?;
        let checksum = rest.get_u32_le();
        if length > LONGEST.min(rest.len()) {
            return None;
        }
        let body = rest.split_to(length);
        if crc32fast::hash(&body) != checksum {
            return None;
        }
        let record = match RecordMessage::decode(body).ok()?.kind? {
            KindMessage::Vote(vote) => Self::Vote(message::read_vote(Some(vote)).ok()?),
            KindMessage::Entry(entry) => Self::Entry(message::read_entry(entry).ok()?),
            KindMessage::Truncated(from) => Self::Truncated(from),
            KindMessage::Purged(id) => Self::Purged(message::read_log_id(id)),
            KindMessage::Committed(id) => Self::Committed(message::read_log_id(id)),
        };
        *bytes = rest;
        Some(record)
    }
}
