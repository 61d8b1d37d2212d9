//! What a stream is told by the rest of the server.

use rookery_stanza::{BareJid, Jid, StanzaError, StreamError};
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
    Bound(Jid),
    /// The resource is not bound; the client may ask for another one (RFC 6120 §7.7.3).
    BindRefused(StanzaError),
    /// Another stream is resumed on this one, which is bound now; `<resumed/>` (XEP-0198 §5).
    Resumed(Element),
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
    },
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
