//! The record of a message kept for an account that is away.

use prost::Message;

use super::{Record, RecordError};
use crate::offline::OfflineMessage;

#[derive(Clone, PartialEq, Message)]
struct OfflineMessageMessage {
    #[prost(uint64, tag = "1")]
    received: u64,
    #[prost(bytes = "vec", tag = "2")]
    xml: Vec<u8>,
}

// === impl OfflineMessage ===

impl Record for OfflineMessage {
    const NAME: &'static str = "offline message";
    const VERSION: u32 = 1;

    fn encode_body(&self) -> Vec<u8> {
        OfflineMessageMessage {
            received: self.received,
            xml: self.xml.clone(),
        }
        .encode_to_vec()
    }

    fn decode_body(body: &[u8]) -> Result<Self, RecordError> {
        let OfflineMessageMessage { received, xml } = OfflineMessageMessage::decode(body)?;
        Ok(Self { received, xml })
    }
}
