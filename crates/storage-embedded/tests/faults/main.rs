//! What befalls the machine: a process is killed, power fails, the disk is full or cannot be written.
//!
//! The tests start this program again as a process of its own (`child.rs`), let it work on a store
//! (`workload.rs`), end it in a way of their own, and look at what is left.

#![cfg(test)]

mod child;
mod disk;
mod kill;
mod message_log;
mod power_loss;
mod workload;
