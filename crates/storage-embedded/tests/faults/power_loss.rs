//! A loss of power leaves a store that opens and holds everything that was confirmed.

use std::hash::{BuildHasher, RandomState};
use std::path::PathBuf;
use std::process::Command;

use rookery_storage_embedded::{Config, EmbeddedStore};
use rookery_telemetry::Registry;
use rookery_testkit::{Disk, Survivors};

use crate::child::{self, Doomed};
use crate::workload::{self, Confirmed};

/// How often power fails.
const ROUNDS: usize = 16;

fn path(disk: &Disk) -> PathBuf {
    disk.seen().join("store.db")
}

/// The child, on this disk.
fn command(disk: &Disk) -> Command {
    let mut command = child::command(workload::WRITER, path(disk));
    command.envs(disk.environment());
    command
}

#[tokio::test]
async fn everything_confirmed_survives_a_loss_of_power() {
    let disk = Disk::new().unwrap();
    let mut confirmed = Confirmed::default();
    for round in 0..ROUNDS {
        let child = Doomed::start(&mut command(&disk));
        confirmed.add(&child.kill_after(5 + round * 151 % 1500));
        let survivors = match round % 2 {
            0 => Survivors::None,
            _ => Survivors::Any {
                seed: RandomState::new().hash_one(round) | 1,
            },
        };
        disk.lose_power(survivors).unwrap();
        let store = EmbeddedStore::open(&path(&disk), &Config::default(), &Registry::new());
        let store = store.unwrap_or_else(|error| panic!("round {round}, {survivors:?}: {error}"));
        let missing = confirmed.missing_from(&store).await;
        assert!(
            missing.is_empty(),
            "round {round}, {survivors:?}: {missing:#?}"
        );
        store.close().await;
        workload::check_file(&path(&disk));
        disk.sync().unwrap();
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
    let disk = Disk::new().unwrap();
    let store = EmbeddedStore::open(&path(&disk), &Config::default(), &Registry::new()).unwrap();
    store.close().await;
    disk.sync().unwrap();

    let child = Doomed::start(child::without_sync(&mut command(&disk)));
    let mut confirmed = Confirmed::default();
    confirmed.add(&child.kill_after(500));
    disk.lose_power(Survivors::None).unwrap();
    let store = EmbeddedStore::open(&path(&disk), &Config::default(), &Registry::new()).unwrap();
    let missing = confirmed.missing_from(&store).await;
    assert!(
        !missing.is_empty(),
        "all of {} confirmed writes are there",
        confirmed.count()
    );
}
