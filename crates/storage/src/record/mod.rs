//! Records as they lie in a store: protobuf in an enclosing message that carries a version.
//!
//! A new field does not raise the version: an older server skips it, and keeps working beside a newer
//! one. The version rises only when an older server must not read the record at all.

mod client;
mod credentials;
mod offline_message;
mod roster_item;
#[cfg(test)]
mod tests;

use prost::{DecodeError, Message};

use crate::error::StoreError;

/// A value that is stored as one record.
pub trait Record: Sized {
    /// What it is, for people who read an error.
    const NAME: &'static str;
    /// The newest version of its protobuf message that this server reads, and the one that it writes.
    const VERSION: u32;

    /// Writes the value as its protobuf message.
    fn encode_body(&self) -> Vec<u8>;

    /// Reads the value from its protobuf message.
    fn decode_body(body: &[u8]) -> Result<Self, RecordError>;

    /// The whole record.
    fn to_record(&self) -> Vec<u8> {
        Enclosing {
            version: Self::VERSION,
            body: self.encode_body(),
        }
        .encode_to_vec()
    }

    /// Reads a whole record; [`StoreError::Corrupt`] when it is damaged or newer than this server.
    fn from_record(record: &[u8]) -> Result<Self, StoreError> {
        read(record).map_err(|error| StoreError::Corrupt(format!("{}: {error}", Self::NAME)))
    }
}

/// Why a record cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RecordError {
    /// Bytes that are no protobuf message of this kind.
    #[error("damaged: {0}")]
    Damaged(#[from] DecodeError),
    /// A field has a value, or lacks one, so that the record makes no sense.
    #[error("damaged: {0}")]
    Field(&'static str),
    /// A server wrote it that knows more.
    #[error(
        "it has version {found} and this server reads up to {known}: a newer rookery wrote it, use that"
    )]
    Newer {
        /// The version of the record.
        found: u32,
        /// The newest version known here.
        known: u32,
    },
}

/// The message around every record.
#[derive(Clone, PartialEq, Message)]
struct Enclosing {
    #[prost(uint32, tag = "1")]
    version: u32,
    #[prost(bytes = "vec", tag = "2")]
    body: Vec<u8>,
}

fn read<R: Record>(record: &[u8]) -> Result<R, RecordError> {
    let Enclosing { version, body } = Enclosing::decode(record)?;
    if version == 0 {
        return Err(RecordError::Field("it has no version"));
    }
    if version > R::VERSION {
        return Err(RecordError::Newer {
            found: version,
            known: R::VERSION,
        });
    }
    R::decode_body(&body)
}
