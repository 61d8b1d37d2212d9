//! Why XML was refused.

use thiserror::Error;

/// Why bytes of a stream were refused. All of these end the stream (RFC 6120 §4.9.3, §11).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum XmlError {
    /// Not well-formed XML 1.0 (RFC 6120 §11.3).
    #[error("not well-formed: {0}")]
    NotWellFormed(&'static str),
    /// A comment, processing instruction, document type or entity of one's own (RFC 6120 §11.1).
    #[error("restricted XML: {0}")]
    Restricted(&'static str),
    /// Bytes that are not UTF-8 (RFC 6120 §11.6).
    #[error("not UTF-8")]
    NotUtf8,
    /// The peer declared or used another encoding than UTF-8 (RFC 6120 §11.6).
    #[error("an encoding other than UTF-8")]
    UnsupportedEncoding,
    /// A prefix that no declaration in scope binds.
    #[error("unbound namespace prefix")]
    UnboundPrefix,
    /// A declaration or use that Namespaces in XML forbids.
    #[error("bad namespace: {0}")]
    BadNamespace(&'static str),
    /// A stream header that ends the stream at once: an empty-element tag.
    #[error("an empty element in place of a stream header")]
    EmptyStream,
    /// Text other than white space between the first-level elements of a stream.
    #[error("text between stanzas")]
    TextBetweenStanzas,
    /// More bytes than [`Limits::max_stanza_bytes`](crate::Limits::max_stanza_bytes).
    #[error("too large")]
    TooLarge,
    /// Deeper than [`Limits::max_depth`](crate::Limits::max_depth).
    #[error("nested too deep")]
    TooDeep,
    /// More than [`Limits::max_attributes`](crate::Limits::max_attributes).
    #[error("too many attributes")]
    TooManyAttributes,
    /// More than [`Limits::max_namespaces`](crate::Limits::max_namespaces).
    #[error("too many namespaces in scope")]
    TooManyNamespaces,
    /// Longer than [`Limits::max_name_bytes`](crate::Limits::max_name_bytes).
    #[error("name too long")]
    NameTooLong,
}
