//! XEP-0115 §8.2: what was verified once, for all clients that announce the same.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use parking_lot::Mutex;
use rookery_telemetry::{Counter, CounterFamily, Gauge, Registry, label};

use super::announcement::Key;
use super::capabilities::Capabilities;

/// What is taken up for an entry beside its texts, roughly.
const ENTRY_BYTES: usize = 256;

/// What was verified, for all accounts of a node. When it is full, what was not asked for the longest is
/// forgotten: the next client that announces it will be asked.
#[derive(Debug)]
pub(super) struct Cache {
    max_bytes: usize,
    recent: Mutex<Recent>,
    lookups: CounterFamily<Lookup>,
    entries: Gauge,
    bytes: Gauge,
    evictions: Counter,
}

label! {
    /// What came of looking for what a client announces.
    enum Lookup("result") {
        /// It is there.
        Hit = "hit",
        /// It is not; the client is asked.
        Miss = "miss",
    }
}

/// Entries, by when they were used.
#[derive(Debug, Default)]
struct Recent {
    entries: HashMap<Key, Entry>,
    /// The keys by their last use.
    order: BTreeMap<u64, Key>,
    uses: u64,
    bytes: usize,
}

#[derive(Debug)]
struct Entry {
    capabilities: Arc<Capabilities>,
    used: u64,
    bytes: usize,
}

// === impl Cache ===

impl Cache {
    pub(super) fn new(max_bytes: usize, metrics: &Registry) -> Self {
        Self {
            max_bytes,
            recent: Mutex::default(),
            lookups: metrics.counters(
                "capabilities_lookups_total",
                "How often is it known already what a client announces?",
            ),
            entries: metrics.gauge(
                "capabilities_cached",
                "For how many announcements of clients is it known what they stand for?",
            ),
            bytes: metrics.gauge(
                "capabilities_cached_bytes",
                "How much memory do they take, roughly?",
            ),
            evictions: metrics.counter(
                "capabilities_evicted_total",
                "How many of them were forgotten, since there were too many?",
            ),
        }
    }

    /// What is known of clients that announce this.
    pub(super) fn get(&self, key: &Key) -> Option<Arc<Capabilities>> {
        let found = self.recent.lock().get(key);
        let result = found.as_ref().map_or(Lookup::Miss, |_| Lookup::Hit);
        self.lookups.of(result).increment();
        found
    }

    /// Keeps what has been verified, and gives it, or what was there: the same.
    pub(super) fn keep(&self, key: Key, verified: Capabilities) -> Arc<Capabilities> {
        let mut recent = self.recent.lock();
        if let Some(known) = recent.get(&key) {
            return known;
        }
        let verified = Arc::new(verified);
        recent.add(key, verified.clone());
        let evicted = recent.shrink(self.max_bytes);
        self.evictions.add(evicted);
        self.entries
            .set(recent.entries.len().try_into().unwrap_or(i64::MAX));
        self.bytes.set(recent.bytes.try_into().unwrap_or(i64::MAX));
        verified
    }
}

// === impl Recent ===

impl Recent {
    fn get(&mut self, key: &Key) -> Option<Arc<Capabilities>> {
        let entry = self.entries.get_mut(key)?;
        self.uses += 1;
        if let Some(key) = self.order.remove(&entry.used) {
            self.order.insert(self.uses, key);
        }
        entry.used = self.uses;
        Some(entry.capabilities.clone())
    }

    /// Adds one that is not there.
    fn add(&mut self, key: Key, capabilities: Arc<Capabilities>) {
        self.uses += 1;
        let used = self.uses;
        let bytes = ENTRY_BYTES + 2 * key.ver.len() + capabilities.size();
        self.bytes += bytes;
        self.order.insert(used, key.clone());
        let entry = Entry {
            capabilities,
            used,
            bytes,
        };
        self.entries.insert(key, entry);
    }

    /// Forgets until no more bytes are taken than these; how many.
    fn shrink(&mut self, max_bytes: usize) -> u64 {
        let mut forgotten = 0;
        while self.bytes > max_bytes
            && let Some((_, key)) = self.order.pop_first()
        {
            let entry = self.entries.remove(&key);
            self.bytes -= entry.map_or(0, |entry| entry.bytes);
            forgotten += 1;
        }
        forgotten
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;

    use proptest::prelude::*;

    use super::super::verification::Algorithm;
    use super::*;

    fn key(name: u8) -> Key {
        Key {
            algorithm: Algorithm::Sha1,
            ver: name.to_string().into(),
        }
    }

    /// Some are larger than others.
    fn capabilities(name: u8) -> Capabilities {
        let feature = name.to_string().repeat(1 + usize::from(name % 4) * 50);
        [feature.as_str()].into_iter().collect()
    }

    fn size(name: u8) -> usize {
        ENTRY_BYTES + 2 * name.to_string().len() + capabilities(name).size()
    }

    proptest! {
        /// The same as a list in the order of use, of which the beginning is cut off.
        #[test]
        fn what_was_not_used_for_the_longest_is_forgotten(
            steps in prop::collection::vec((any::<bool>(), 0_u8..12), 0..200),
            max_bytes in 0_usize..4000,
        ) {
            let cache = Cache::new(max_bytes, &Registry::new());
            let (mut list, mut evicted) = (VecDeque::new(), 0);
            for (keep, name) in steps {
                let was_there = list.contains(&name);
                list.retain(|other| *other != name);
                if was_there || keep {
                    list.push_back(name);
                }
                while list.iter().copied().map(size).sum::<usize>() > max_bytes {
                    list.pop_front();
                    evicted += 1;
                }
                if keep {
                    prop_assert_eq!(&*cache.keep(key(name), capabilities(name)), &capabilities(name));
                } else {
                    prop_assert_eq!(cache.get(&key(name)).is_some(), was_there);
                }
                let recent = cache.recent.lock();
                let order: Vec<&Key> = recent.order.values().collect();
                let expected: Vec<Key> = list.iter().copied().map(key).collect();
                prop_assert_eq!(order, expected.iter().collect::<Vec<_>>());
                prop_assert_eq!(recent.entries.len(), list.len());
                prop_assert!(recent.bytes <= max_bytes);
                prop_assert_eq!(cache.evictions.get(), evicted);
            }
        }
    }
}
