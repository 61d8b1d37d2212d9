//! RFC 6120 streams without I/O, as the receiving entity of client connections sees them.
//!
//! A [`Negotiation`] is one connection's stream from its first byte to its last. Its owner feeds it what
//! the peer sends ([`Negotiation::receive`]) and what the rest of the server answers
//! ([`Negotiation::handle`]), and carries out the [`Effect`]s in order:
//!
//! ```text
//! header → STARTTLS → header → SASL → header → resource binding → stanzas → both close handshakes
//! ```
//!
//! By XEP-0388 and XEP-0386 authentication and resource binding are one step, and there is no header between
//! them.
//!
//! What depends on the server (which hosts there are, what they offer, randomness) is asked of a
//! [`Service`]. Bytes become frames in [`Framing`]; XML that is refused becomes a stream error in
//! [`stream_error`].
//!
//! This crate does not know sockets, TLS, passwords, sessions or what stanzas mean.

mod config;
mod effect;
mod features;
mod framing;
mod header;
mod input;
mod limit;
mod negotiation;
mod offer;
mod refusal;
mod sasl;
mod sasl2;
mod service;

pub use config::{Config, ConfigError, StartTls};
pub use effect::{Bind2, BindWish, EarlyRequest, Effect, Ending, SaslRequest, TokenUse, Wishes};
pub use features::write_features;
pub use framing::{Frame, Framing};
pub use input::{GrantedToken, Grants, Input, SaslReply};
pub use limit::Limit;
pub use negotiation::{Negotiation, Security};
pub use offer::Offer;
pub use refusal::stream_error;
pub use sasl::SaslCondition;
pub use service::{Inline, Mechanisms, Service, Stage, TlsFacts};
