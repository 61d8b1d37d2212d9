//! What a stream wants done.

use std::fmt;

use bytes::Bytes;
use rookery_stanza::{BareJid, ClientId, Stanza, StanzaFault, StreamError};
use rookery_xml::Element;

use crate::limit::Limit;

/// One thing to do. Effects are carried out in their order.
#[derive(Debug)]
pub enum Effect {
    /// Write these bytes. Writes that follow each other belong into one packet where possible.
    Send(Bytes),
    /// Once everything before this is written, begin a TLS handshake as the server; what the peer sends
    /// from now on is for TLS. Report with [`Input::TlsEstablished`](crate::Input::TlsEstablished). If
    /// the handshake fails, only close the connection (RFC 6120 §5.4.3.2).
    StartTls,
    /// Ask the authenticator, and report with [`Input::Sasl`](crate::Input::Sasl). Nothing is read in
    /// the meantime.
    Sasl(SaslRequest),
    /// Answer this IQ request of a client that has not authenticated, of a namespace that
    /// [`Service::answers_before_login`](crate::Service::answers_before_login) named, and report with
    /// [`Input::Answered`](crate::Input::Answered). Nothing is read in the meantime.
    BeforeLogin(EarlyRequest),
    /// The peer has proved to be this account. Now is the time to move the connection to another thread;
    /// reading goes on with the next [`receive`](crate::Negotiation::receive), which may be of no bytes
    /// and must come.
    Authenticated(BareJid),
    /// Bind a resource (RFC 6120 §7, XEP-0386), and report with [`Input::Bound`](crate::Input::Bound) or
    /// [`Input::BindRefused`](crate::Input::BindRefused). Nothing is read in the meantime.
    Bind(BindWish),
    /// Resume another stream of the account, as this `<resume/>` asks (XEP-0198 §5), and report with
    /// [`Input::Resumed`](crate::Input::Resumed) or [`Input::ResumeRefused`](crate::Input::ResumeRefused).
    /// Nothing is read in the meantime.
    Resume(Element),
    /// A stanza of the bound client. Its `from` is what the client wrote; its language is that of the
    /// stream where it has none of its own (RFC 6120 §4.7.4).
    Stanza(Stanza),
    /// An element of the bound client that is no stanza, for its session: of stream management (XEP-0198) or
    /// about the client's state (XEP-0352).
    Nonza(Element),
    /// A stanza that has to be answered with an error; the stream goes on.
    StanzaFault(Box<StanzaFault>),
    /// The stream ends. What is on its way to the peer may still be written before the next effect is
    /// carried out, and nothing of one's own after it.
    Closing(Ending),
    /// Both sides are through: end TLS with a `close_notify` (RFC 6120 §4.4), and close the connection.
    Disconnect,
}

/// An IQ request before authentication. It may hold a password, and is not shown.
#[derive(Clone, PartialEq, Eq)]
pub struct EarlyRequest {
    /// Whether something is to be changed (`set`), and not only asked (`get`).
    pub is_set: bool,
    /// The payload.
    pub payload: Element,
}

/// What the authenticator shall do.
#[derive(Clone, PartialEq, Eq)]
pub enum SaslRequest {
    /// Begin a new exchange; an exchange under way is discarded (RFC 6120 §6.4.2).
    Start {
        /// One of the mechanisms that were offered.
        mechanism: String,
        /// The initial response; `Some` of nothing is not `None` (RFC 6120 §6.4.2).
        initial: Option<Vec<u8>>,
        /// What the client says along with it by XEP-0388; `None` where it authenticates by RFC 6120.
        wishes: Option<Box<Wishes>>,
    },
    /// Go on with the client's response (RFC 6120 §6.4.3).
    Response(Vec<u8>),
    /// The client gave up (RFC 6120 §6.4.4). No report is wanted.
    Abort,
    /// Begin this task (XEP-0388 §"Continue").
    Next(String),
    /// Go on with the task: the payload of `<task-data/>`.
    TaskData(Option<Element>),
}

/// The resource that a client asks for (RFC 6120 §7, XEP-0386).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BindWish {
    /// The resource, not yet prepared; `None` lets the server choose.
    pub resource: Option<String>,
    /// Which client of the account it is, if that is known: its earlier sessions end.
    pub client: Option<ClientId>,
    /// What it wants along with its resource; `None` where it binds by RFC 6120.
    pub bind2: Option<Bind2>,
}

/// What a client wants along with its resource (XEP-0386 §"Performing the bind").
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Bind2 {
    /// Copies of messages of the account's other sessions (XEP-0280).
    pub carbons: bool,
    /// The `<enable/>` of stream management (XEP-0198), to be carried out once the resource is bound.
    pub enable: Option<Element>,
}

/// What a client says of itself, and wishes of the authenticator, along with its authentication (XEP-0388
/// §"Initiation").
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wishes {
    /// Who the header of the stream said it is, which has to be true.
    pub from: Option<BareJid>,
    /// Its unchanging name, a UUID in lower case, which nobody else may learn.
    pub agent: Option<String>,
    /// The name of the software.
    pub software: Option<String>,
    /// The name of the device.
    pub device: Option<String>,
    /// The mechanism that it wants a token for (XEP-0484 §"Client performs initial authentication").
    pub token: Option<String>,
    /// That it authenticates with a token.
    pub fast: Option<TokenUse>,
    /// The upgrade tasks that it is ready for, in its order (XEP-0480 §"Client requesting SASL upgrades").
    pub upgrades: Vec<String>,
}

/// How a client uses a token (XEP-0484 §"Client authenticates using FAST").
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TokenUse {
    /// How many attempts it has made with it, if it counts.
    pub count: Option<u64>,
    /// Whether the token shall not be good for anything afterwards.
    pub invalidate: bool,
}

/// Why a stream ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ending {
    /// The peer closed it.
    ByPeer,
    /// The peer sent a stream error (RFC 6120 §4.9.1.1).
    PeerError(StreamError),
    /// A stream error is sent to the peer.
    Error(StreamError),
    /// A stream error is sent to the peer, since it has exceeded this limit.
    Exceeded(Limit, StreamError),
    /// [`Input::Close`](crate::Input::Close) asked for it.
    Requested,
    /// STARTTLS was refused (RFC 6120 §5.4.2.2).
    StartTlsRefused,
    /// There is no TLS, and nothing can be said without it (RFC 6120 §5.4.3.2).
    NoTls,
}

impl fmt::Debug for EarlyRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let method = if self.is_set { "Set" } else { "Get" };
        write!(f, "{method}({:?})", self.payload.namespace())
    }
}

impl fmt::Debug for SaslRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Messages may hold a password.
        match self {
            Self::Start { mechanism, .. } => write!(f, "Start({mechanism:?})"),
            Self::Response(_) => f.write_str("Response"),
            Self::Abort => f.write_str("Abort"),
            Self::Next(task) => write!(f, "Next({task:?})"),
            Self::TaskData(_) => f.write_str("TaskData"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_not_shown_by_rfc6120_s13_9_4() {
        let start = SaslRequest::Start {
            mechanism: "PLAIN".to_owned(),
            initial: Some(b"\0juliet\0secret".to_vec()),
            wishes: None,
        };
        let shown = format!("{start:?} {:?}", SaslRequest::Response(b"secret".to_vec()));
        assert_eq!(shown, "Start(\"PLAIN\") Response");
    }
}
