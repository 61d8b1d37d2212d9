//! Which limit a stream error speaks of: for those who count them, since the condition is the same for all
//! (RFC 6120 §4.9.3.14).

use rookery_stanza::StreamError;
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

/// What clients are told.
pub(crate) const TOO_MANY_BYTES_BEFORE_AUTH: &str = "too many bytes before authentication";
/// What clients are told.
pub(crate) const TOO_MANY_BYTES_AT_ONCE: &str = "too many bytes at this stage";
/// What clients are told.
pub(crate) const TOO_MANY_AUTHENTICATIONS: &str = "too many authentications";
/// What clients are told.
pub(crate) const TOO_MANY_BINDS: &str = "too many requests to bind";

/// All limits, and what clients are told of each.
fn told() -> [(Limit, String); 9] {
    [
        (Limit::StanzaBytes, XmlError::TooLarge.to_string()),
        (Limit::Depth, XmlError::TooDeep.to_string()),
        (Limit::Attributes, XmlError::TooManyAttributes.to_string()),
        (Limit::Namespaces, XmlError::TooManyNamespaces.to_string()),
        (Limit::NameBytes, XmlError::NameTooLong.to_string()),
        (
            Limit::BytesBeforeAuth,
            TOO_MANY_BYTES_BEFORE_AUTH.to_owned(),
        ),
        (Limit::BytesBeforeAuth, TOO_MANY_BYTES_AT_ONCE.to_owned()),
        (Limit::SaslRetries, TOO_MANY_AUTHENTICATIONS.to_owned()),
        (Limit::BindRetries, TOO_MANY_BINDS.to_owned()),
    ]
}

// === impl Limit ===

impl Limit {
    /// The limit that this error was made for, if it was one.
    pub fn of(error: &StreamError) -> Option<Self> {
        let text = error.text.as_deref()?;
        let mut told = told().into_iter();
        told.find_map(|(limit, told)| (told == text).then_some(limit))
    }
}

#[cfg(test)]
mod tests {
    use rookery_stanza::StreamCondition;

    use super::*;
    use crate::stream_error;

    #[test]
    fn refused_xml_is_known_by_its_limit() {
        for (refused, limit) in [
            (XmlError::TooLarge, Some(Limit::StanzaBytes)),
            (XmlError::TooDeep, Some(Limit::Depth)),
            (XmlError::TooManyAttributes, Some(Limit::Attributes)),
            (XmlError::TooManyNamespaces, Some(Limit::Namespaces)),
            (XmlError::NameTooLong, Some(Limit::NameBytes)),
            (XmlError::NotUtf8, None),
        ] {
            assert_eq!(Limit::of(&stream_error(refused)), limit, "{refused}");
        }
        assert_eq!(Limit::of(&StreamCondition::Reset.into()), None);
    }
}
