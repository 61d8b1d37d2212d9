//! SCRAM, the server's side (RFC 5802, RFC 7677), without I/O and randomness.
//!
//! * `message` reads what the client sends (RFC 5802 §7);
//! * `server` is the exchange: [`ServerFirst`], then [`ServerFinal`];
//! * `hash` has the functions `H`, `HMAC` and `Hi`.

pub(crate) mod hash;
mod message;
mod server;

pub use message::{ClientFinal, ClientFirst, Flag};
pub use server::{Channel, ServerFinal, ServerFirst};

use rookery_stream::SaslCondition;

/// Why a SCRAM exchange fails; the words are those of `server-error-value` (RFC 5802 §7) where it has
/// some.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ScramError {
    /// A message does not follow the syntax.
    #[error("invalid encoding")]
    Syntax,
    /// A mandatory extension, `m=`, of which there are none yet (§5.1).
    #[error("extensions not supported")]
    Extension,
    /// The flag contradicts the mechanism: `-PLUS` goes with `p`, and nothing else does (§6).
    #[error("the channel binding flag does not go with the mechanism")]
    Flag,
    /// The client believes that the server has no channel binding, so somebody has shortened the list of
    /// mechanisms (§6).
    #[error("the server does support channel binding")]
    Downgrade,
    /// A type of channel binding that this connection does not have (§6).
    #[error("unsupported channel binding type")]
    UnsupportedBinding,
    /// The client is bound to another channel than this one (§6).
    #[error("channel bindings don't match")]
    Mismatch,
    /// The nonce is not the one that the server sent (§5.1).
    #[error("the nonce is not that of this exchange")]
    Nonce,
    /// The proof is wrong, or there is no such user.
    #[error("invalid proof")]
    Proof,
}

// === impl ScramError ===

impl ScramError {
    /// The condition that the client is told (RFC 6120 §6.5).
    pub fn condition(self) -> SaslCondition {
        match self {
            Self::Syntax | Self::Extension | Self::Flag => SaslCondition::MalformedRequest,
            Self::Downgrade
            | Self::UnsupportedBinding
            | Self::Mismatch
            | Self::Nonce
            | Self::Proof => SaslCondition::NotAuthorized,
        }
    }

    /// Words for people, where they help somebody who is not guessing passwords.
    pub fn text(self) -> Option<&'static str> {
        match self {
            Self::Syntax | Self::Proof => None,
            Self::Extension => Some("mandatory SCRAM extensions are not supported"),
            Self::Flag => Some("the channel binding flag does not go with the mechanism"),
            Self::Downgrade => Some("the server does support channel binding"),
            Self::UnsupportedBinding => Some("the channel binding type is not offered"),
            Self::Mismatch => Some("the channel bindings do not match"),
            Self::Nonce => Some("the nonce is not that of this exchange"),
        }
    }
}
