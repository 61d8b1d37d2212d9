//! What is stored of a password: SCRAM keys for every hash that is offered (RFC 5802 §3, XEP-0438).

/// The hash function of a SCRAM mechanism.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ScramHash {
    /// SCRAM-SHA-1 (RFC 5802).
    Sha1,
    /// SCRAM-SHA-256 (RFC 7677).
    Sha256,
    /// SCRAM-SHA-512.
    Sha512,
}

/// The keys for one hash: enough to verify a client, not enough to be one.
#[derive(Clone, PartialEq, Eq)]
pub struct ScramKeys {
    /// The salt.
    pub salt: Vec<u8>,
    /// How often the hash was iterated.
    pub iterations: u32,
    /// `StoredKey` (RFC 5802 §3).
    pub stored_key: Vec<u8>,
    /// `ServerKey` (RFC 5802 §3).
    pub server_key: Vec<u8>,
}

/// The keys of one account, for all hashes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Credentials {
    /// SCRAM-SHA-1.
    pub sha1: ScramKeys,
    /// SCRAM-SHA-256.
    pub sha256: ScramKeys,
    /// SCRAM-SHA-512.
    pub sha512: ScramKeys,
}

// === impl Credentials ===

impl Credentials {
    /// The keys for `hash`.
    pub fn keys(&self, hash: ScramHash) -> &ScramKeys {
        match hash {
            ScramHash::Sha1 => &self.sha1,
            ScramHash::Sha256 => &self.sha256,
            ScramHash::Sha512 => &self.sha512,
        }
    }

    /// The same with these keys for `hash`.
    #[must_use]
    pub fn with_keys(mut self, hash: ScramHash, keys: ScramKeys) -> Self {
        match hash {
            ScramHash::Sha1 => self.sha1 = keys,
            ScramHash::Sha256 => self.sha256 = keys,
            ScramHash::Sha512 => self.sha512 = keys,
        }
        self
    }
}

impl std::fmt::Debug for ScramKeys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ScramKeys")
            .field("iterations", &self.iterations)
            .finish_non_exhaustive()
    }
}
