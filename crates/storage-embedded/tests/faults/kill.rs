//! `kill -9` at any moment leaves a store that opens and holds everything that was confirmed.

use rookery_storage_embedded::{Config, EmbeddedStore};
use rookery_telemetry::Registry;

use crate::child::{self, Doomed};
use crate::workload::{self, Confirmed};

/// How often the process is killed.
const ROUNDS: usize = 20;

#[tokio::test]
async fn everything_confirmed_survives_kill_9_at_any_moment() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("store.db");
    let mut confirmed = Confirmed::default();
    for round in 0..ROUNDS {
        let child = Doomed::start(&mut child::command(workload::WRITER, &path));
        // The moment of the kill differs from round to round, and with what the machine does.
        confirmed.add(&child.kill_after(5 + round * 37 % 500));
        let store = EmbeddedStore::open(&path, &Config::default(), &Registry::new()).unwrap();
        let missing = confirmed.missing_from(&store).await;
        assert!(missing.is_empty(), "round {round}: {missing:#?}");
        store.close().await;
        workload::check_file(&path);
    }
    assert!(
        confirmed.count() > ROUNDS * 100,
        "{} is not much",
        confirmed.count()
    );
}
