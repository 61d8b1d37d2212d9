//! What befalls a server process, and what its clients notice: kills, a full disk, a client that does not
//! read, certificates that change, a load balancer in front, the order to end.

#![cfg(test)]

mod certificates;
mod disk_full;
mod kill;
mod leaving;
mod ledger;
mod managed;
mod power_loss;
mod proxies;
mod shutdown;
mod slow_reader;
mod stage;
mod workload;
