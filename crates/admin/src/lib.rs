//! Administrative operations, defined once and offered on the local socket and on the command line.
//!
//! * [`Request`] and [`Response`] are everything that can be asked and answered.
//! * [`Operations`] carries requests out, over the accounts of a store.
//! * [`listen`] offers them on a Unix socket to the server's own user; [`Client`] is the other end.
//!
//! This crate does not know how a command line looks, nor what a session is: ending the sessions of an
//! account is the port [`Sessions`].

mod client;
mod config;
mod metrics;
mod operations;
mod request;
mod socket;

#[cfg(test)]
mod tests;

pub use client::{Client, ClientError};
pub use config::Config;
pub use operations::{Operations, Sessions};
pub use request::{MOST_USERS, NewUser, Request, Response, Secret};
pub use socket::{SocketError, listen};
