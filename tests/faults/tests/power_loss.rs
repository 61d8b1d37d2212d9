//! Power fails under load: the next server has everything that clients were told.

use std::fs;
use std::hash::{BuildHasher, RandomState};

use rookery_testkit::{Disk, Options, Server, Survivors};

use crate::workload::{self, Confirmed};

/// How often power fails.
const ROUNDS: usize = 6;

#[tokio::test]
async fn everything_that_clients_were_told_survives_a_loss_of_power() {
    let disk = Disk::new().unwrap();
    let options = Options {
        environment: disk.environment(),
        data: Some(disk.seen()),
        ..workload::options()
    };
    let mut server = Server::start(options).await.unwrap();
    let confirmed = Confirmed::default();
    let secret = fs::read(disk.seen().join("secret")).unwrap();
    for round in 0..ROUNDS {
        confirmed.work(&mut server, 5 + round * 37 % 150).await;
        let survivors = match round % 2 {
            0 => Survivors::None,
            _ => Survivors::Any {
                seed: RandomState::new().hash_one(round) | 1,
            },
        };
        disk.lose_power(survivors).unwrap();
        assert_eq!(fs::read(disk.seen().join("secret")).unwrap(), secret);
        server.restart().await.unwrap();
        confirmed.assert_all_there(&server).await;
    }
    let count = confirmed.count();
    assert!(count > 500, "{count} is not much");
}
