//! What a stream is told by the rest of the server.

use std::fmt;

use rookery_stanza::{BareJid, ClientId, Jid, StanzaError, StreamError};
use rookery_xml::Element;

use crate::sasl::SaslCondition;
use crate::service::TlsFacts;

/// Something that happened outside of the stream. What comes when it is not expected, such as the answer
/// to a question that was asked before the stream ended, changes nothing.
#[derive(Clone, Debug)]
pub enum Input {
    /// The TLS handshake is done.
    TlsEstablished(TlsFacts),
    /// The authenticator's answer.
    Sasl(SaslReply),
    /// What a client that has not authenticated is answered: the payload of the result, if it has one.
    Answered(Result<Option<Element>, StanzaError>),
    /// The resource is bound.
    Bound {
        /// The full JID.
        jid: Jid,
        /// What the client is told along with that, where it binds by XEP-0386.
        outcomes: Vec<Element>,
    },
    /// The resource is not bound; the client may ask for another one (RFC 6120 §7.7.3).
    BindRefused(StanzaError),
    /// Another stream is resumed on this one, which is bound now (XEP-0198 §5).
    Resumed {
        /// The full JID.
        jid: Jid,
        /// `<resumed/>`.
        reply: Element,
    },
    /// It is not resumed; `<failed/>` (XEP-0198 §5). The client may bind a resource.
    ResumeRefused(Element),
    /// Time has passed; of use when [`deadline`](crate::Negotiation::deadline) is reached.
    Tick,
    /// The client shall go to another host (RFC 6120 §4.9.3.19): as soon as the stream is protected.
    SeeOtherHost(Box<str>),
    /// End the stream with an error.
    Shutdown(StreamError),
    /// End the stream without an error; stanzas are still taken until the peer ends its side (§4.4).
    Close,
}

/// An authenticator's answer.
#[derive(Clone, Debug)]
pub enum SaslReply {
    /// The client has to say more.
    Challenge(Vec<u8>),
    /// The client has proved who it is.
    Success {
        /// Additional data with success (RFC 6120 §6.4.6).
        data: Option<Vec<u8>>,
        /// The account, which is the authorization identity.
        jid: BareJid,
        /// What a client that authenticates by XEP-0388 gets along with it.
        grants: Grants,
    },
    /// The client has proved who it is, and has this task to do before it is authenticated (XEP-0388
    /// §"Continue").
    Continue {
        /// Additional data with success of the mechanism.
        data: Option<Vec<u8>>,
        /// The name of the task.
        task: &'static str,
    },
    /// What the client has to know for its task: the payload of `<task-data/>`.
    TaskData(Element),
    /// The client has not.
    Failure {
        /// Why.
        condition: SaslCondition,
        /// What a person may be told.
        text: Option<String>,
        /// Whether the client may not even try again on this stream.
        fatal: bool,
    },
}

/// What a client that authenticates by XEP-0388 gets along with its success.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Grants {
    /// Which client of the account it is, if it has said so.
    pub client: Option<ClientId>,
    /// A resource for it that stays the same (XEP-0386 §"Resource identifier generation").
    pub resource: Option<String>,
    /// A token for its next logins.
    pub token: Option<GrantedToken>,
}

/// A token (XEP-0484 §"Server provides token to client"). It is as good as a password, and not shown.
#[derive(Clone, PartialEq, Eq)]
pub struct GrantedToken {
    /// The secret.
    pub token: String,
    /// Until when it is good, in milliseconds since 1970-01-01T00:00:00Z.
    pub expiry: i64,
}

impl fmt::Debug for GrantedToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GrantedToken")
            .field("expiry", &self.expiry)
            .finish_non_exhaustive()
    }
}
