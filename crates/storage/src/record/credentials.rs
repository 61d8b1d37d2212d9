//! The record of what an account authenticates with.

use prost::Message;

use super::{Record, RecordError};
use crate::credentials::{Credentials, ScramKeys};

#[derive(Clone, PartialEq, Message)]
struct KeysMessage {
    #[prost(bytes = "vec", tag = "1")]
    salt: Vec<u8>,
    #[prost(uint32, tag = "2")]
    iterations: u32,
    #[prost(bytes = "vec", tag = "3")]
    stored_key: Vec<u8>,
    #[prost(bytes = "vec", tag = "4")]
    server_key: Vec<u8>,
}

#[derive(Clone, PartialEq, Message)]
struct CredentialsMessage {
    #[prost(message, optional, tag = "1")]
    sha1: Option<KeysMessage>,
    #[prost(message, optional, tag = "2")]
    sha256: Option<KeysMessage>,
    #[prost(message, optional, tag = "3")]
    sha512: Option<KeysMessage>,
}

// === impl Credentials ===

impl Record for Credentials {
    const NAME: &'static str = "credentials";
    const VERSION: u32 = 1;

    fn encode_body(&self) -> Vec<u8> {
        let message = CredentialsMessage {
            sha1: Some(KeysMessage::from(&self.sha1)),
            sha256: Some(KeysMessage::from(&self.sha256)),
            sha512: Some(KeysMessage::from(&self.sha512)),
        };
        message.encode_to_vec()
    }

    fn decode_body(body: &[u8]) -> Result<Self, RecordError> {
        let message = CredentialsMessage::decode(body)?;
        let (Some(sha1), Some(sha256), Some(sha512)) =
            (message.sha1, message.sha256, message.sha512)
        else {
            return Err(RecordError::Field("the keys for a hash are missing"));
        };
        Ok(Self {
            sha1: sha1.into(),
            sha256: sha256.into(),
            sha512: sha512.into(),
        })
    }
}

// === impl KeysMessage ===

impl From<&ScramKeys> for KeysMessage {
    fn from(keys: &ScramKeys) -> Self {
        Self {
            salt: keys.salt.clone(),
            iterations: keys.iterations,
            stored_key: keys.stored_key.clone(),
            server_key: keys.server_key.clone(),
        }
    }
}

impl From<KeysMessage> for ScramKeys {
    fn from(message: KeysMessage) -> Self {
        Self {
            salt: message.salt,
            iterations: message.iterations,
            stored_key: message.stored_key,
            server_key: message.server_key,
        }
    }
}
