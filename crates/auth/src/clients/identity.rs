//! What the server's secret makes of the name that a client gives itself: an id, a resource, tokens.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rookery_stanza::{BareJid, ClientId};
use rookery_storage::{ScramHash, Token};
use zeroize::Zeroizing;

use crate::hashed_token::Secret;
use crate::scram::hash;

/// Bytes of the part of a resource that the server makes.
const RESOURCE: usize = 9;

/// The secret that ids, resources and tokens are made from: the same on all nodes, over restarts.
pub(super) struct Seal(Zeroizing<[u8; 32]>);

// === impl Seal ===

impl Seal {
    pub(super) fn new(secret: [u8; 32]) -> Self {
        Self(Zeroizing::new(secret))
    }

    /// The id of the client of `account` that calls itself `agent`. It does not say what that is, since the name
    /// may be known to nobody else (XEP-0388 §"Initiation").
    pub(super) fn client(&self, account: &BareJid, agent: &str) -> ClientId {
        let made = self.make("client", &[account.as_str(), agent], &[]);
        ClientId::new(made.first_chunk().copied().unwrap_or_default())
    }

    /// The resource of a client, which stays the same (XEP-0386 §"Resource identifier generation").
    pub(super) fn resource(&self, account: &BareJid, agent: &str) -> String {
        let mut made = self.make("resource", &[account.as_str(), agent], &[]);
        made.truncate(RESOURCE);
        URL_SAFE_NO_PAD.encode(made)
    }

    /// The token of a client whose record is this. Nobody can make it from what is stored alone.
    pub(super) fn token(&self, account: &BareJid, client: ClientId, token: &Token) -> Secret {
        let names = [account.as_str(), &client.to_string(), &token.mechanism];
        let made = Zeroizing::new(self.make("token", &names, &token.seed));
        Secret(Zeroizing::new(URL_SAFE_NO_PAD.encode(&*made)))
    }

    /// 256 bits that only who has the secret can tell from random ones. No part has a NUL before the last one.
    fn make(&self, use_of: &str, names: &[&str], last: &[u8]) -> Vec<u8> {
        let mut text = [&[use_of], names].concat().join("\0").into_bytes();
        text.push(0);
        text.extend_from_slice(last);
        hash::hmac(ScramHash::Sha256, self.0.as_slice(), &text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token(seed: u8) -> Token {
        Token {
            seed: vec![seed; 16],
            mechanism: "HT-SHA-256-NONE".to_owned(),
            issued: 0,
            expires: 1,
            count: 0,
        }
    }

    #[test]
    fn everything_depends_on_everything_and_shows_nothing() {
        let seal = Seal::new([1; 32]);
        let juliet = BareJid::parse("juliet@example.com").unwrap();
        let romeo = BareJid::parse("romeo@example.com").unwrap();
        let client = seal.client(&juliet, "a");
        assert_eq!(client, seal.client(&juliet, "a"));
        assert_ne!(client, seal.client(&romeo, "a"));
        assert_ne!(client, seal.client(&juliet, "b"));
        assert_ne!(client, Seal::new([2; 32]).client(&juliet, "a"));
        let resource = seal.resource(&juliet, "a");
        assert_eq!(resource.len(), 12);
        assert!(!client.to_string().contains(&resource));
        let secret = |seed| seal.token(&juliet, client, &token(seed)).0.to_string();
        assert_eq!(secret(1).len(), 43);
        assert_ne!(secret(1), secret(2));
        let other = Token {
            mechanism: "HT-SHA-256-EXPR".to_owned(),
            ..token(1)
        };
        assert_ne!(secret(1), seal.token(&juliet, client, &other).0.to_string());
    }
}
