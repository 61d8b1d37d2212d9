//! What tests need: a server process of its own for each test, and a client that says exactly what it is
//! told to say.
//!
//! The client is made of the parts of `rookery-xml` only; it shares no protocol logic with the server, so
//! that a mistake in one does not hide the same mistake in the other.

mod authority;
mod client;
mod disk;
mod server;
mod talk;
mod transport;

pub use authority::{Authority, Issued};
pub use client::{Client, ClientError, Received};
pub use disk::{Disk, Survivors};
pub use server::{Options, Server};
pub use transport::{Trust, TrustError};
