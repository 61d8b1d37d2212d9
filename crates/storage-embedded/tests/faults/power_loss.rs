//! A loss of power leaves a store that opens and holds everything that was confirmed.
//!
//! A killed process leaves its unsynced writes in the kernel's cache, where the next process finds
//! them. So the child runs under a small library (`synced.c`) that keeps a second copy of each file of
//! the store, which holds what was synced and nothing else. After the kill that copy takes the file's
//! place; or a mixture, since a disk may have written any part of what it was not told to sync.

use std::fs;
use std::hash::{BuildHasher, RandomState};
use std::path::{Path, PathBuf};
use std::process::Command;

use rookery_storage_embedded::{Config, EmbeddedStore};
use rookery_telemetry::Registry;
use tempfile::TempDir;

use crate::child::{self, Doomed};
use crate::workload::{self, Confirmed};

/// How often power fails.
const ROUNDS: usize = 16;
/// A disk writes this much of a file, or nothing.
const SECTOR: usize = 512;

/// A disk: the files as a process sees them, and what would be left of them without power.
struct Disk {
    directory: TempDir,
    library: PathBuf,
}

/// Which unsynced writes survive.
#[derive(Clone, Copy, Debug)]
enum Survivors {
    /// None.
    None,
    /// Any sector may.
    Any {
        /// Decides which.
        seed: u64,
    },
}

impl Disk {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        fs::create_dir(directory.path().join("seen")).unwrap();
        fs::create_dir(directory.path().join("synced")).unwrap();
        let library = directory.path().join("synced.so");
        let source = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/faults/synced.c");
        let built = Command::new("cc")
            .args(["-shared", "-fPIC", "-O2", "-Wall", "-Wextra", "-o"])
            .args([library.as_os_str(), source.as_ref()])
            .args(["-ldl", "-lpthread"])
            .status()
            .unwrap();
        assert!(built.success(), "{source} does not compile");
        Self { directory, library }
    }

    fn seen(&self) -> PathBuf {
        self.directory.path().join("seen")
    }

    fn synced(&self) -> PathBuf {
        self.directory.path().join("synced")
    }

    fn store(&self) -> PathBuf {
        self.seen().join("store.db")
    }

    /// The child, on this disk.
    fn command(&self) -> Command {
        let mut command = child::command(workload::WRITER, self.store());
        command
            .env("LD_PRELOAD", &self.library)
            .env("ROOKERY_TEST_SEEN", self.seen())
            .env("ROOKERY_TEST_SYNCED", self.synced());
        command
    }

    /// Makes durable whatever is there.
    fn sync(&self) {
        copy_files(&self.seen(), &self.synced());
    }

    /// Power fails: what is left is what everybody sees from now on.
    fn lose_power(&self, survivors: Survivors) {
        let mut left = Vec::new();
        for name in names(&self.synced()) {
            let synced = fs::read(self.synced().join(&name)).unwrap();
            let seen = fs::read(self.seen().join(&name)).unwrap_or_default();
            left.push((name, survivors.of(&seen, synced)));
        }
        for name in names(&self.seen()) {
            fs::remove_file(self.seen().join(name)).unwrap();
        }
        for (name, bytes) in left {
            fs::write(self.seen().join(name), bytes).unwrap();
        }
        self.sync();
    }
}

impl Survivors {
    /// What is left of a file that was seen so, and synced so.
    fn of(self, seen: &[u8], synced: Vec<u8>) -> Vec<u8> {
        let Self::Any { mut seed } = self else {
            return synced;
        };
        let mut left = synced;
        if next(&mut seed) {
            left.resize(seen.len(), 0);
        }
        for (left, seen) in left.chunks_mut(SECTOR).zip(seen.chunks(SECTOR)) {
            if left.len() == seen.len() && next(&mut seed) {
                left.copy_from_slice(seen);
            }
        }
        left
    }
}

/// The next toss of a coin (xorshift64*).
fn next(seed: &mut u64) -> bool {
    *seed ^= *seed >> 12;
    *seed ^= *seed << 25;
    *seed ^= *seed >> 27;
    seed.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 63 == 1
}

fn names(directory: &Path) -> Vec<std::ffi::OsString> {
    fs::read_dir(directory)
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect()
}

fn copy_files(from: &Path, to: &Path) {
    for name in names(to) {
        fs::remove_file(to.join(name)).unwrap();
    }
    // The index of the log is rebuilt at every start, and the lock is nothing without its process.
    let kept = |name: &std::ffi::OsString| {
        let name = name.to_string_lossy();
        !name.ends_with("-shm") && !name.ends_with(".lock")
    };
    for name in names(from).into_iter().filter(kept) {
        fs::copy(from.join(&name), to.join(&name)).unwrap();
    }
}

#[tokio::test]
async fn everything_confirmed_survives_a_loss_of_power() {
    let disk = Disk::new();
    let mut confirmed = Confirmed::default();
    for round in 0..ROUNDS {
        let child = Doomed::start(&mut disk.command());
        confirmed.add(&child.kill_after(5 + round * 151 % 1500));
        let survivors = match round % 2 {
            0 => Survivors::None,
            _ => Survivors::Any {
                seed: RandomState::new().hash_one(round) | 1,
            },
        };
        disk.lose_power(survivors);
        let store = EmbeddedStore::open(&disk.store(), &Config::default(), &Registry::new());
        let store = store.unwrap_or_else(|error| panic!("round {round}, {survivors:?}: {error}"));
        let missing = confirmed.missing_from(&store).await;
        assert!(
            missing.is_empty(),
            "round {round}, {survivors:?}: {missing:#?}"
        );
        store.close().await;
        workload::check_file(&disk.store());
        disk.sync();
    }
    assert!(
        confirmed.count() > ROUNDS * 100,
        "{} is not much",
        confirmed.count()
    );
}

/// The test above would notice if syncs were missing: here they are, and it does.
#[tokio::test]
async fn without_syncs_a_loss_of_power_is_noticed() {
    let disk = Disk::new();
    let store = EmbeddedStore::open(&disk.store(), &Config::default(), &Registry::new()).unwrap();
    store.close().await;
    disk.sync();

    let child = Doomed::start(child::without_sync(&mut disk.command()));
    let mut confirmed = Confirmed::default();
    confirmed.add(&child.kill_after(500));
    disk.lose_power(Survivors::None);
    let store = EmbeddedStore::open(&disk.store(), &Config::default(), &Registry::new()).unwrap();
    let missing = confirmed.missing_from(&store).await;
    assert!(
        !missing.is_empty(),
        "all of {} confirmed writes are there",
        confirmed.count()
    );
}
