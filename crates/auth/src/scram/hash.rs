//! The functions of RFC 5802 §2.2: `H`, `HMAC` and `Hi`, for each hash.

use hmac::{Hmac, KeyInit, Mac};
use pbkdf2::pbkdf2_hmac;
use rookery_storage::ScramHash;
use sha1::Sha1;
use sha2::{Digest as _, Sha256, Sha512};
use zeroize::Zeroizing;

/// Bytes of a hash.
pub(crate) fn length(hash: ScramHash) -> usize {
    match hash {
        ScramHash::Sha1 => 20,
        ScramHash::Sha256 => 32,
        ScramHash::Sha512 => 64,
    }
}

/// `H(text)`.
pub(crate) fn h(hash: ScramHash, text: &[u8]) -> Vec<u8> {
    work::count();
    match hash {
        ScramHash::Sha1 => Sha1::digest(text).to_vec(),
        ScramHash::Sha256 => Sha256::digest(text).to_vec(),
        ScramHash::Sha512 => Sha512::digest(text).to_vec(),
    }
}

/// `HMAC(key, text)`.
pub(crate) fn hmac(hash: ScramHash, key: &[u8], text: &[u8]) -> Vec<u8> {
    work::count();
    match hash {
        ScramHash::Sha1 => mac::<Hmac<Sha1>>(key, text),
        ScramHash::Sha256 => mac::<Hmac<Sha256>>(key, text),
        ScramHash::Sha512 => mac::<Hmac<Sha512>>(key, text),
    }
}

/// `Hi(text, salt, iterations)`: PBKDF2 with an output as long as the hash.
pub(crate) fn hi(hash: ScramHash, text: &[u8], salt: &[u8], iterations: u32) -> Zeroizing<Vec<u8>> {
    work::count();
    let mut salted = Zeroizing::new(vec![0; length(hash)]);
    match hash {
        ScramHash::Sha1 => pbkdf2_hmac::<Sha1>(text, salt, iterations, &mut salted),
        ScramHash::Sha256 => pbkdf2_hmac::<Sha256>(text, salt, iterations, &mut salted),
        ScramHash::Sha512 => pbkdf2_hmac::<Sha512>(text, salt, iterations, &mut salted),
    }
    salted
}

#[expect(
    clippy::expect_used,
    reason = "HMAC takes keys of any length (RFC 2104 §3)"
)]
fn mac<M: Mac + KeyInit>(key: &[u8], text: &[u8]) -> Vec<u8> {
    let mut mac = <M as KeyInit>::new_from_slice(key).expect("a key of any length");
    mac.update(text);
    mac.finalize().into_bytes().to_vec()
}

/// Nothing, outside of tests: there it counts operations, to show that an account that does not exist
/// costs as many as one that does.
#[cfg(not(test))]
mod work {
    pub(super) fn count() {}
}

#[cfg(test)]
pub(crate) mod work {
    use std::cell::Cell;

    thread_local!(static COUNT: Cell<u32> = const { Cell::new(0) });

    pub(super) fn count() {
        COUNT.set(COUNT.get() + 1);
    }

    /// How many hashes and message authentication codes `work` computes.
    pub(crate) fn of<T>(work: impl FnOnce() -> T) -> (u32, T) {
        let before = COUNT.get();
        let result = work();
        (COUNT.get() - before, result)
    }
}
