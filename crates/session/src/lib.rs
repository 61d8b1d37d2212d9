//! A client's session: what is bound to a full JID, and outlives its connection.
//!
//! [`Session`] is the pure core, [`SessionActor`] the thin shell around it. The session stamps what its
//! client sends and hands it to the home of its account; it takes what the home delivers and passes it
//! to the connection. Session, connection and home of an account run on one arbiter.
//!
//! [`client_state`] is the core of XEP-0352: what waits while nobody looks at the client.
//! [`stream_management`] is the core of XEP-0198: what is acknowledged, and how a stream is resumed.
//!
//! This crate does not know sockets, XML framing, or how stanzas are routed.

mod actor;
pub mod client_state;
mod config;
mod detached;
mod link;
mod managed;
mod metrics;
mod port;
mod resumable_streams;
mod state;
pub mod stream_management;
mod surroundings;

pub use actor::SessionActor;
pub use config::{Config, ConfigError};
pub use link::{
    Aside, Bound, Claim, ConnectionClosed, FromClient, Link, NotResumed, Resumed, Said, Takeover,
    ToConnection, Wanted, Written,
};
pub use metrics::{Direction, Limiter, Metrics};
pub use port::Port;
pub use resumable_streams::ResumableStreams;
pub use state::{Outbound, Session};
pub use surroundings::Surroundings;
