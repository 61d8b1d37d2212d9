//! Maps by sessions.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

use rookery_delivery::SessionId;

/// A map by sessions. Their ids are random numbers of this server, which nobody else chooses: they are their own
/// hashes.
pub(super) type BySession<V> = HashMap<SessionId, V, BuildHasherDefault<OwnHash>>;

/// The hash of a number is the number.
#[derive(Debug, Default)]
pub(super) struct OwnHash(u64);

impl Hasher for OwnHash {
    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.write_u64(u64::from(*byte));
        }
    }

    fn write_u64(&mut self, number: u64) {
        self.0 = self.0.rotate_left(8) ^ number;
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sessions_are_found_again() {
        let mut map = BySession::default();
        for id in 0..1000 {
            map.insert(SessionId(id), id);
        }
        assert!((0..1000).all(|id| map.get(&SessionId(id)) == Some(&id)));
        assert_eq!(map.get(&SessionId(1000)), None);
    }
}
