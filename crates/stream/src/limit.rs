//! Which limit a client has exceeded: for those who count them, since the condition is the same for all (RFC 6120
//! §4.9.3.14).

use rookery_xml::XmlError;

/// A limit of a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Limit {
    /// The size of a stanza, or of an element before there are stanzas.
    StanzaBytes,
    /// How deep elements are nested.
    Depth,
    /// The attributes of an element.
    Attributes,
    /// The namespaces in scope.
    Namespaces,
    /// The length of a name.
    NameBytes,
    /// What may be sent before authentication, or at once.
    BytesBeforeAuth,
    /// Attempts to authenticate (§6.4.5).
    SaslRetries,
    /// Attempts to bind a resource (§7.7.3).
    BindRetries,
}

// === impl Limit ===

impl Limit {
    /// The limit that XML was refused for, if it was one.
    pub(crate) fn of(refused: &XmlError) -> Option<Self> {
        match refused {
            XmlError::TooLarge => Some(Self::StanzaBytes),
            XmlError::TooDeep => Some(Self::Depth),
            XmlError::TooManyAttributes => Some(Self::Attributes),
            XmlError::TooManyNamespaces => Some(Self::Namespaces),
            XmlError::NameTooLong => Some(Self::NameBytes),
            _ => None,
        }
    }
}
