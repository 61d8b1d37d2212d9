//! A row as it is stored.

use bytes::Bytes;
use prost::Message;
use rookery_stanza::Jid;
use rookery_storage::StoreError;
use rookery_storage::message_log::{IngressId, NewMessage, NewRow, Origin, Purpose, Row, RowId};
use rookery_storage::record::{Record, RecordError};

/// A row as it is stored. Whether it is in the archive, and whether it is owed, is told by where it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Stored {
    pub(crate) salt: u64,
    pub(crate) ingress: IngressId,
    pub(crate) received: u64,
    pub(crate) with: Jid,
    pub(crate) origin: Option<Origin>,
    /// Whom it was routed to, if it was owed.
    pub(crate) routed: Option<Vec<String>>,
    pub(crate) payload: Bytes,
}

#[derive(Clone, PartialEq, Message)]
struct StoredMessage {
    #[prost(fixed64, tag = "1")]
    salt: u64,
    #[prost(fixed64, tag = "2")]
    session: u64,
    #[prost(uint64, tag = "3")]
    count: u64,
    #[prost(uint64, tag = "4")]
    received: u64,
    #[prost(string, tag = "5")]
    with: String,
    #[prost(fixed32, optional, tag = "6")]
    origin: Option<u32>,
    #[prost(bool, tag = "7")]
    owed: bool,
    #[prost(string, repeated, tag = "8")]
    routed: Vec<String>,
    #[prost(bytes = "bytes", tag = "9")]
    payload: Bytes,
}

// === impl Stored ===

impl Stored {
    /// A row that is about to be appended.
    pub(crate) fn of(message: &NewMessage, row: &NewRow, salt: u64) -> Self {
        Self {
            salt,
            ingress: message.ingress,
            received: message.received,
            with: row.with.clone(),
            origin: message.origin,
            routed: row.purpose.routed().map(<[String]>::to_vec),
            payload: message.payload.clone(),
        }
    }

    /// The row as it is read; nothing when nothing keeps it.
    pub(crate) fn row(
        self,
        order: u64,
        archived: bool,
        owed: bool,
        instead: Option<Vec<u8>>,
    ) -> Option<Row> {
        let routed = owed.then(|| self.routed.unwrap_or_default());
        Some(Row {
            id: RowId::from_halves(order, self.salt),
            ingress: self.ingress,
            received: self.received,
            with: self.with,
            purpose: Purpose::of(archived, routed)?,
            payload: instead.map_or(self.payload, Bytes::from),
        })
    }

    /// Reads a record.
    pub(crate) fn read(record: &[u8]) -> Result<Self, StoreError> {
        Self::from_record(record)
    }
}

impl Record for Stored {
    const NAME: &'static str = "row of a message log";
    const VERSION: u32 = 1;

    fn encode_body(&self) -> Vec<u8> {
        let message = StoredMessage {
            salt: self.salt,
            session: self.ingress.session,
            count: self.ingress.count,
            received: self.received,
            with: self.with.as_str().to_owned(),
            origin: self.origin.map(Origin::bits),
            owed: self.routed.is_some(),
            routed: self.routed.clone().unwrap_or_default(),
            payload: self.payload.clone(),
        };
        message.encode_to_vec()
    }

    fn decode_body(body: &[u8]) -> Result<Self, RecordError> {
        let message = StoredMessage::decode(body)?;
        Ok(Self {
            salt: message.salt,
            ingress: IngressId {
                session: message.session,
                count: message.count,
            },
            received: message.received,
            with: Jid::parse(&message.with)
                .map_err(|_| RecordError::Field("the correspondent is not a JID"))?,
            origin: message.origin.map(Origin::from_bits),
            routed: message.owed.then_some(message.routed),
            payload: message.payload,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_of_the_first_version_are_read() {
        let stored = Stored {
            salt: 1,
            ingress: IngressId {
                session: 2,
                count: 3,
            },
            received: 4,
            with: Jid::parse("a@b/c").unwrap(),
            origin: Some(Origin::from_bits(5)),
            routed: Some(vec!["d".to_owned()]),
            payload: Bytes::from_static(b"e"),
        };
        let golden = b"\x08\x01\x12\x2a\x09\x01\0\0\0\0\0\0\0\x11\x02\0\0\0\0\0\0\0\x18\x03\x20\x04\x2a\x05a@b/c\x35\x05\0\0\0\x38\x01\x42\x01d\x4a\x01e";
        assert_eq!(Stored::read(golden), Ok(stored.clone()));
        assert_eq!(stored.to_record(), golden);
        assert!(matches!(
            Stored::read(b"\x08\x02"),
            Err(StoreError::Corrupt(_))
        ));
    }
}
