//! Accounts, credentials and the SASL mechanisms as state machines.
//!
//! One connection logs in by way of a [`Login`]:
//!
//! 1. [`Authenticator::offer`] says what the stream features list (RFC 6120 §6.4.1, XEP-0440), and
//!    [`Authenticator::begin`] makes the login, once TLS is established or left out.
//! 2. [`Authenticator::step`] takes the login and what the client sent, and gives back the login with a
//!    [`Reply`]: at once, or as a future when the store or a password has to be asked.
//! 3. A [`Reply::Success`] ends it. A [`Reply::Failure`] leaves the client another attempt, as far as the
//!    stream bears it, unless it says that the stream is to be closed.
//!
//! What clients say and get along with it by XEP-0388 is the business of [`Clients`], which remembers them.
//!
//! [`Exchange`] is one SASL exchange without I/O; each mechanism has a file of its own.

mod accounts;
mod anonymous;
mod authenticator;
mod clients;
mod config;
mod decoy;
mod exchange;
mod extended;
mod external;
mod hashed_token;
mod hashing;
mod identity;
mod login;
mod mechanism;
mod metrics;
mod offer;
mod password;
mod plain;
mod saslprep;
pub mod scram;
#[cfg(test)]
mod tests;
mod upgrade;

pub use accounts::{AccountError, Accounts, NewAccount};
pub use authenticator::{Authenticator, Services, Step};
pub use clients::{Clients, KnownClient, Revocation};
pub use config::{ClientsConfig, Config, ConfigError, FastConfig, HostConfig};
pub use exchange::{
    Context, Entropy, Exchange, Failure, Found, Outcome, PasswordCheck, Success, Wanted,
};
pub use hashing::{Hashing, HashingError};
pub use identity::Claim;
pub use login::{Login, Origin, Reply, Request};
pub use mechanism::Mechanism;
pub use metrics::{MechanismLabel, Profile, Transport};
pub use offer::{ChannelBinding, Offer, Protection, TlsFacts};
pub use password::{PasswordError, Salts, derive, verify};
pub use saslprep::{SaslprepError, Strings, saslprep};
