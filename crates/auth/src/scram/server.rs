//! The server's side of a SCRAM exchange (RFC 5802 §5).

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rookery_storage::{ScramHash, ScramKeys};
use subtle::{Choice, ConstantTimeEq as _};
use zeroize::Zeroizing;

use super::ScramError;
use super::hash;
use super::message::{ClientFinal, ClientFirst, Flag};
use crate::offer::{ChannelBinding, TlsFacts};

/// What the exchange knows of the channel that it runs over.
#[derive(Clone, Copy, Debug)]
pub struct Channel<'a> {
    /// Whether the mechanism is the `-PLUS` one.
    pub plus: bool,
    /// Whether `-PLUS` mechanisms were offered.
    pub plus_offered: bool,
    /// Where the channel binding data comes from.
    pub tls: Option<&'a TlsFacts>,
}

/// The exchange after `client-first-message`: the user's keys are wanted.
#[derive(Debug)]
pub struct ServerFirst {
    hash: ScramHash,
    binding: Option<ChannelBinding>,
    channel_binding: String,
    client_first_bare: String,
    client_nonce: String,
    username: String,
    authzid: Option<String>,
}

/// The exchange after `server-first-message`: the proof is wanted.
pub struct ServerFinal {
    hash: ScramHash,
    channel_binding: String,
    nonce: String,
    /// `AuthMessage` up to its last comma.
    auth_message: String,
    keys: ScramKeys,
    known: bool,
}

// === impl Channel ===

impl Channel<'_> {
    /// Judges the client's flag (§6): the type that is bound by, and its data.
    fn bind(&self, flag: Flag<'_>) -> Result<Option<(ChannelBinding, &[u8])>, ScramError> {
        match flag {
            Flag::Unoffered if self.plus_offered => Err(ScramError::Downgrade),
            Flag::Unsupported | Flag::Unoffered if !self.plus => Ok(None),
            Flag::Required(name) if self.plus => {
                let unsupported = ScramError::UnsupportedBinding;
                let binding = ChannelBinding::named(name).ok_or(unsupported)?;
                let data = self
                    .tls
                    .and_then(|tls| tls.binding(binding))
                    .ok_or(unsupported)?;
                Ok(Some((binding, data)))
            }
            _ => Err(ScramError::Flag),
        }
    }
}

// === impl ServerFirst ===

impl ServerFirst {
    /// Reads `client-first-message`.
    pub fn new(hash: ScramHash, channel: &Channel<'_>, message: &[u8]) -> Result<Self, ScramError> {
        let first = ClientFirst::parse(message)?;
        let bound = channel.bind(first.flag)?;
        // §5.1: `c` is the GS2 header followed by the data, in base 64.
        let mut input = first.gs2_header.as_bytes().to_vec();
        input.extend_from_slice(bound.map_or(&[], |(_, data)| data));
        Ok(Self {
            hash,
            binding: bound.map(|(binding, _)| binding),
            channel_binding: STANDARD.encode(input),
            client_first_bare: first.bare.to_owned(),
            client_nonce: first.nonce.to_owned(),
            username: first.username,
            authzid: first.authzid,
        })
    }

    /// The authentication identity, decoded but not prepared.
    pub fn username(&self) -> &str {
        &self.username
    }

    /// The authorization identity, decoded but not prepared.
    pub fn authzid(&self) -> Option<&str> {
        self.authzid.as_deref()
    }

    /// The type of channel binding that the client uses.
    pub fn binding(&self) -> Option<ChannelBinding> {
        self.binding
    }

    /// Answers with `server-first-message`. `nonce` is the server's part: printable ASCII without commas,
    /// never used before. `downgrade_hash` goes into the attribute `h` (XEP-0474). Keys of a user that is
    /// not `known` are made up, and no proof is right.
    pub fn answer(
        self,
        keys: ScramKeys,
        known: bool,
        nonce: &str,
        downgrade_hash: Option<&str>,
    ) -> (ServerFinal, Vec<u8>) {
        let nonce = self.client_nonce + nonce;
        let salt = STANDARD.encode(&keys.salt);
        let mut message = format!("r={nonce},s={salt},i={}", keys.iterations);
        if let Some(downgrade_hash) = downgrade_hash {
            message.push_str(",h=");
            message.push_str(downgrade_hash);
        }
        let next = ServerFinal {
            hash: self.hash,
            channel_binding: self.channel_binding,
            nonce,
            auth_message: format!("{},{message}", self.client_first_bare),
            keys,
            known,
        };
        (next, message.into_bytes())
    }
}

// === impl ServerFinal ===

impl ServerFinal {
    /// Reads `client-final-message`; when all is right, answers with `server-final-message`.
    pub fn finish(self, message: &[u8]) -> Result<Vec<u8>, ScramError> {
        let last = ClientFinal::parse(message)?;
        if last.channel_binding != self.channel_binding {
            return Err(ScramError::Mismatch);
        }
        if last.nonce != self.nonce {
            return Err(ScramError::Nonce);
        }
        let auth_message = [self.auth_message.as_str(), last.without_proof].join(",");
        if !self.is_proven(&last.proof, auth_message.as_bytes()) {
            return Err(ScramError::Proof);
        }
        let signature = hash::hmac(self.hash, &self.keys.server_key, auth_message.as_bytes());
        Ok(format!("v={}", STANDARD.encode(signature)).into_bytes())
    }

    /// Whether the proof shows the client's key (§3). It takes the same steps for any user.
    fn is_proven(&self, proof: &[u8], auth_message: &[u8]) -> bool {
        let signature = hash::hmac(self.hash, &self.keys.stored_key, auth_message);
        let client_key: Zeroizing<Vec<u8>> =
            Zeroizing::new(signature.iter().zip(proof).map(|(s, p)| s ^ p).collect());
        let stored_key = hash::h(self.hash, &client_key);
        let proven = stored_key.ct_eq(&self.keys.stored_key);
        let whole = Choice::from(u8::from(proof.len() == signature.len()));
        (proven & whole & Choice::from(u8::from(self.known))).into()
    }
}

impl fmt::Debug for ServerFinal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServerFinal")
            .field("hash", &self.hash)
            .finish_non_exhaustive()
    }
}
