//! A SCRAM client after RFC 5802 §3 and §5, which shares no code with the server: what it computes and
//! compares, it does by itself.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use rookery_storage::ScramHash;
use sha2::Digest as _;

/// One login.
pub(super) struct Client {
    pub(super) hash: ScramHash,
    /// The GS2 header, with its last comma.
    pub(super) gs2: String,
    /// The channel binding data, or nothing.
    pub(super) binding: Vec<u8>,
    pub(super) username: String,
    pub(super) password: String,
    pub(super) nonce: String,
    /// What the server listed, as `S` of XEP-0474, if the client checks it.
    pub(super) listed: Option<String>,
}

/// A client that has sent its final message, and what that was.
pub(super) struct Proven {
    pub(super) message: String,
    pub(super) signature: Vec<u8>,
}

impl Client {
    pub(super) fn new(hash: ScramHash, username: &str, password: &str) -> Self {
        Self {
            hash,
            gs2: "n,,".to_owned(),
            binding: Vec::new(),
            username: username.to_owned(),
            password: password.to_owned(),
            nonce: "fyko+d2lbbFgONRv9qkxdawL".to_owned(),
            listed: None,
        }
    }

    pub(super) fn bound(self, kind: &str, data: &[u8]) -> Self {
        Self {
            gs2: format!("p={kind},,"),
            binding: data.to_vec(),
            ..self
        }
    }

    fn bare(&self) -> String {
        format!("n={},r={}", self.username, self.nonce)
    }

    pub(super) fn first(&self) -> String {
        format!("{}{}", self.gs2, self.bare())
    }

    /// Reads the server's first message; `None` when it tells of an attack or is wrong.
    pub(super) fn last(&self, server_first: &[u8]) -> Option<Proven> {
        let server_first = std::str::from_utf8(server_first).ok()?;
        let mut parts = server_first.split(',');
        let nonce = parts.next()?.strip_prefix("r=")?;
        let salt = STANDARD.decode(parts.next()?.strip_prefix("s=")?).ok()?;
        let iterations = parts.next()?.strip_prefix("i=")?.parse().ok()?;
        if !nonce.starts_with(&self.nonce) || nonce.len() <= self.nonce.len() {
            return None;
        }
        if let Some(listed) = &self.listed {
            let hash = STANDARD.decode(parts.next()?.strip_prefix("h=")?).ok()?;
            if hash != digest(self.hash, listed.as_bytes()) {
                return None;
            }
        }
        let input = [self.gs2.as_bytes(), &self.binding].concat();
        let without_proof = format!("c={},r={nonce}", STANDARD.encode(input));
        let auth_message = [&self.bare(), server_first, &without_proof].join(",");
        let salted = salted_password(self.hash, self.password.as_bytes(), &salt, iterations);
        let client_key = mac(self.hash, &salted, b"Client Key");
        let stored_key = digest(self.hash, &client_key);
        let signature = mac(self.hash, &stored_key, auth_message.as_bytes());
        let proof: Vec<_> = client_key
            .iter()
            .zip(signature)
            .map(|(key, bit)| key ^ bit)
            .collect();
        let server_key = mac(self.hash, &salted, b"Server Key");
        Some(Proven {
            message: format!("{without_proof},p={}", STANDARD.encode(proof)),
            signature: mac(self.hash, &server_key, auth_message.as_bytes()),
        })
    }
}

impl Proven {
    /// Whether the server knows the password too.
    pub(super) fn accepts(&self, server_final: &[u8]) -> bool {
        let verifier = server_final
            .strip_prefix(b"v=")
            .and_then(|v| STANDARD.decode(v).ok());
        verifier.as_ref() == Some(&self.signature)
    }
}

fn salted_password(hash: ScramHash, password: &[u8], salt: &[u8], iterations: u32) -> Vec<u8> {
    let mut block = mac(hash, password, &[salt, &1u32.to_be_bytes()].concat());
    let mut result = block.clone();
    for _ in 1..iterations {
        block = mac(hash, password, &block);
        result
            .iter_mut()
            .zip(&block)
            .for_each(|(byte, bit)| *byte ^= bit);
    }
    result
}

fn mac(hash: ScramHash, key: &[u8], text: &[u8]) -> Vec<u8> {
    match hash {
        ScramHash::Sha1 => {
            let mac = Hmac::<sha1::Sha1>::new_from_slice(key).unwrap();
            mac.chain_update(text).finalize().into_bytes().to_vec()
        }
        ScramHash::Sha256 => {
            let mac = Hmac::<sha2::Sha256>::new_from_slice(key).unwrap();
            mac.chain_update(text).finalize().into_bytes().to_vec()
        }
        ScramHash::Sha512 => {
            let mac = Hmac::<sha2::Sha512>::new_from_slice(key).unwrap();
            mac.chain_update(text).finalize().into_bytes().to_vec()
        }
    }
}

fn digest(hash: ScramHash, text: &[u8]) -> Vec<u8> {
    match hash {
        ScramHash::Sha1 => sha1::Sha1::digest(text).to_vec(),
        ScramHash::Sha256 => sha2::Sha256::digest(text).to_vec(),
        ScramHash::Sha512 => sha2::Sha512::digest(text).to_vec(),
    }
}
