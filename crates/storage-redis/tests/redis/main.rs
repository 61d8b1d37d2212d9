//! The store in Redis, on real servers.

#![cfg(test)]

mod clusters;
mod faults;
mod hostile;
mod messages;
mod opening;
mod secured;
mod sentinels;
mod servers;
mod suite;
