//! `kill -9` under load: the next server has everything that clients were told.

use rookery_testkit::Server;

use crate::workload::{self, Confirmed};

/// How often the server is killed.
const ROUNDS: usize = 8;

#[tokio::test]
async fn everything_that_clients_were_told_survives_kill_9() {
    let mut server = Server::start(workload::options()).await.unwrap();
    let confirmed = Confirmed::default();
    for round in 0..ROUNDS {
        // The moment of the kill differs from round to round, and with what the machine does.
        confirmed.work(&mut server, 5 + round * 37 % 150).await;
        server.restart().await.unwrap();
        confirmed.assert_all_there(&server).await;
    }
    let count = confirmed.count();
    assert!(count > 1000, "{count} is not much");
}
