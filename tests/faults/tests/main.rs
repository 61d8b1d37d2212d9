//! What befalls a server process, and what its clients notice: kills, a full disk, a client that does not
//! read, certificates that change, the order to end.

#![cfg(test)]

mod certificates;
mod disk_full;
mod kill;
mod leaving;
mod power_loss;
mod shutdown;
mod slow_reader;
mod stage;
mod workload;
