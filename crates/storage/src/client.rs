//! What is kept of a client of an account: one installation, whatever sessions it has.

use std::fmt;

/// A client that has logged in under a name of its own (XEP-0388 §"Initiation"), with the tokens that it may log
/// in with (XEP-0484) and what the account's owner is told of it (XEP-0494).
///
/// Times are seconds since 1970-01-01T00:00:00Z.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Client {
    /// The salt of the password that was the account's when the client last showed that it knows it, or was given
    /// a token. What the client has of another password is worth nothing any more.
    pub salt: Vec<u8>,
    /// When it first logged in.
    pub first_seen: u64,
    /// When it logged in last, give or take an hour.
    pub last_seen: u64,
    /// The name of the software, as the client gave it.
    pub software: Option<String>,
    /// The name of the device, as the client gave it.
    pub device: Option<String>,
    /// Whether it has shown that it knows the password of that salt.
    pub knows_password: bool,
    /// The token that it has used.
    pub current: Option<Token>,
    /// The token that it was given last and has not used yet.
    pub fresh: Option<Token>,
}

/// What is kept of a token: not enough to be the client without the server's secret.
#[derive(Clone, PartialEq, Eq)]
pub struct Token {
    /// What the token is made from, together with the server's secret.
    pub seed: Vec<u8>,
    /// The mechanism that it is good for, and no other.
    pub mechanism: String,
    /// When it was given.
    pub issued: u64,
    /// When it is no longer good.
    pub expires: u64,
    /// The highest count that the client has used it with, if it counts.
    pub count: u64,
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Token")
            .field("mechanism", &self.mechanism)
            .field("expires", &self.expires)
            .finish_non_exhaustive()
    }
}
