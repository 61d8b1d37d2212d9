//! The record of a client of an account.

use prost::Message;

use super::{Record, RecordError};
use crate::client::{Client, Token};

#[derive(Clone, PartialEq, Message)]
struct TokenMessage {
    #[prost(bytes = "vec", tag = "1")]
    seed: Vec<u8>,
    #[prost(string, tag = "2")]
    mechanism: String,
    #[prost(uint64, tag = "3")]
    issued: u64,
    #[prost(uint64, tag = "4")]
    expires: u64,
    #[prost(uint64, tag = "5")]
    count: u64,
}

#[derive(Clone, PartialEq, Message)]
struct ClientMessage {
    #[prost(bytes = "vec", tag = "1")]
    salt: Vec<u8>,
    #[prost(uint64, tag = "2")]
    first_seen: u64,
    #[prost(uint64, tag = "3")]
    last_seen: u64,
    #[prost(string, optional, tag = "4")]
    software: Option<String>,
    #[prost(string, optional, tag = "5")]
    device: Option<String>,
    #[prost(bool, tag = "6")]
    knows_password: bool,
    #[prost(message, optional, tag = "7")]
    current: Option<TokenMessage>,
    #[prost(message, optional, tag = "8")]
    fresh: Option<TokenMessage>,
}

// === impl Client ===

impl Record for Client {
    const NAME: &'static str = "client";
    const VERSION: u32 = 1;

    fn encode_body(&self) -> Vec<u8> {
        let message = ClientMessage {
            salt: self.salt.clone(),
            first_seen: self.first_seen,
            last_seen: self.last_seen,
            software: self.software.clone(),
            device: self.device.clone(),
            knows_password: self.knows_password,
            current: self.current.as_ref().map(TokenMessage::from),
            fresh: self.fresh.as_ref().map(TokenMessage::from),
        };
        message.encode_to_vec()
    }

    fn decode_body(body: &[u8]) -> Result<Self, RecordError> {
        let message = ClientMessage::decode(body)?;
        Ok(Self {
            salt: message.salt,
            first_seen: message.first_seen,
            last_seen: message.last_seen,
            software: message.software,
            device: message.device,
            knows_password: message.knows_password,
            current: message.current.map(Token::from),
            fresh: message.fresh.map(Token::from),
        })
    }
}

// === impl TokenMessage ===

impl From<&Token> for TokenMessage {
    fn from(token: &Token) -> Self {
        Self {
            seed: token.seed.clone(),
            mechanism: token.mechanism.clone(),
            issued: token.issued,
            expires: token.expires,
            count: token.count,
        }
    }
}

impl From<TokenMessage> for Token {
    fn from(message: TokenMessage) -> Self {
        Self {
            seed: message.seed,
            mechanism: message.mechanism,
            issued: message.issued,
            expires: message.expires,
            count: message.count,
        }
    }
}
