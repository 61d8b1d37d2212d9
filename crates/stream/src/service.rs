//! What a stream asks of the server.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use bytes::Bytes;

use crate::offer::Offer;

/// The server, as its streams see it: which hosts there are, what they offer, and randomness.
///
/// Names of hosts are prepared domainparts (RFC 7622 §3.2).
pub trait Service: Send + Sync + fmt::Debug {
    /// The host that speaks where a client named none, or one that is not served (RFC 6120 §4.9.1.3).
    fn default_host(&self) -> &str;

    /// Whether `host` is served.
    fn serves(&self, host: &str) -> bool;

    /// How a client may authenticate at `host`. `tls` is absent where the stream is not protected.
    fn offer(&self, host: &str, tls: Option<&TlsFacts>) -> Arc<Offer>;

    /// Further stream features (RFC 6120 §4.3.2), as [`write_features`](crate::write_features) writes them. `tls` is absent where
    /// the stream is not protected.
    fn features(&self, host: &str, stage: Stage, tls: Option<&TlsFacts>) -> Bytes;

    /// Whether `host` answers IQ requests of this namespace before authentication (XEP-0077).
    fn answers_before_login(&self, host: &str, namespace: &str, tls: Option<&TlsFacts>) -> bool;

    /// A stream id that cannot be guessed and was never given out before (RFC 6120 §4.7.3).
    fn stream_id(&self) -> String;
}

/// Where in the negotiation features are sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// The stream is protected as far as it has to be; the client has yet to authenticate.
    Authentication,
    /// The client is authenticated and has yet to bind a resource.
    Binding,
    /// The client has authenticated and bound a resource in one step (XEP-0386).
    Bound,
}

/// What is known about the TLS session below a stream.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TlsFacts {
    /// The host that the client asked for (RFC 6066 §3).
    pub server_name: Option<String>,
    /// The types of channel binding that this session has data for, strongest first, by their names in
    /// the IANA registry.
    pub channel_bindings: Vec<&'static str>,
    /// The XMPP addresses in the client's verified certificate (RFC 6120 §13.7.1.4), unprepared.
    pub client_addresses: Vec<String>,
}

/// SASL mechanisms that are offered, and what goes with them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Mechanisms {
    /// Their names, the most preferred one first (RFC 6120 §6.3.3, §6.3.4).
    pub names: Vec<Cow<'static, str>>,
    /// The types of channel binding that can be used with them (XEP-0440).
    pub channel_bindings: Vec<&'static str>,
    /// The mechanisms that take a token (XEP-0484); none where there are no tokens.
    pub tokens: Vec<&'static str>,
    /// The tasks by which what is kept of a password can be brought up to date (XEP-0480).
    pub upgrades: Vec<&'static str>,
}

/// What a client can have in one step with its authentication, beside its resource (XEP-0388 §"SASL mechanism
/// negotiation").
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Inline {
    /// The features of its session (XEP-0386 §"Discovering support"), by their namespaces.
    pub bind: Vec<&'static str>,
    /// Whether another stream can be resumed (XEP-0198 §"Inline Stream Resumption").
    pub resume: bool,
}
