//! Stream headers, the client's and ours (RFC 6120 §4.7, §4.8).

use std::sync::Arc;

use rookery_stanza::{BareJid, Jid, StreamCondition, StreamError, ns};
use rookery_xml::{Header, StreamNamespaces, escape_attribute};

/// The language of all texts that the server writes (RFC 6120 §4.7.4).
const LANGUAGE: &str = "en";
/// No language tag that is taken for one is longer (RFC 5646 §4.4.1).
const LONGEST_LANGUAGE: usize = 35;

/// What a client's header says, as far as it can be understood.
#[derive(Debug)]
pub(crate) struct Greeting {
    /// The host that the client asks for, prepared.
    pub(crate) to: Addressed,
    /// Who the client says it is.
    pub(crate) from: Option<Jid>,
    /// The language of its stanzas.
    pub(crate) lang: Option<Arc<str>>,
    /// The version of XMPP that it speaks.
    pub(crate) version: Version,
    /// What its header declared.
    pub(crate) namespaces: StreamNamespaces,
}

/// The `to` of a header (RFC 6120 §4.7.2).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Addressed {
    /// Absent: RFC 3920 allowed that, and §4.7.2 wants it to be tolerated.
    Nobody,
    /// A domainpart.
    Host(String),
    /// Something that cannot be the name of a host.
    Malformed,
}

/// A version of XMPP (RFC 6120 §4.7.5): numbers, compared as such. No version is 0.9 by rule 4.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Version {
    /// No attribute.
    Absent,
    /// Major and minor version.
    Numbers(u32, u32),
    /// Not two numbers.
    Malformed,
}

// === impl Greeting ===

impl Greeting {
    /// Understands a header, with the first thing that is wrong with it.
    pub(crate) fn read(header: Header) -> (Self, Option<StreamError>) {
        let from = header.attribute("from").map(Jid::parse);
        let greeting = Self {
            to: Addressed::read(header.attribute("to")),
            from: from.clone().and_then(Result::ok),
            lang: header.attribute_ns("lang", ns::XML).and_then(language),
            version: Version::read(header.attribute("version")),
            namespaces: StreamNamespaces::default(),
        };
        let fault = check_names(&header).err().or_else(|| {
            if !greeting.version.is_supported() {
                return Some(StreamCondition::UnsupportedVersion);
            }
            matches!(from, Some(Err(_))).then_some(StreamCondition::InvalidFrom)
        });
        (
            Self {
                namespaces: header.namespaces,
                ..greeting
            },
            fault.map(StreamError::new),
        )
    }
}

/// §4.8.1, §4.8.2, §4.8.5: the root is `stream` in the stream namespace; its prefix is `stream`, or none with
/// the stream namespace as default; the default is otherwise the content namespace of clients, or absent
/// where each stanza declares its own (prefix-free canonicalization).
fn check_names(header: &Header) -> Result<(), StreamCondition> {
    if header.namespace != ns::STREAM {
        return Err(StreamCondition::InvalidNamespace);
    }
    if header.name != "stream" {
        return Err(StreamCondition::BadFormat);
    }
    if !matches!(header.prefix.as_str(), "stream" | "") {
        return Err(StreamCondition::BadNamespacePrefix);
    }
    match header.namespaces.default_namespace() {
        "" | ns::CLIENT => Ok(()),
        ns::STREAM if header.prefix.is_empty() => Ok(()),
        _ => Err(StreamCondition::InvalidNamespace),
    }
}

/// §4.7.4: a language tag; what is none is not remembered.
fn language(tag: &str) -> Option<Arc<str>> {
    let sensible = (1..=LONGEST_LANGUAGE).contains(&tag.len())
        && tag
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    sensible.then(|| tag.into())
}

// === impl Addressed ===

impl Addressed {
    fn read(to: Option<&str>) -> Self {
        let Some(to) = to else { return Self::Nobody };
        match BareJid::parse(to) {
            Ok(jid) if jid.local().is_none() => Self::Host(jid.domain().to_owned()),
            _ => Self::Malformed,
        }
    }
}

// === impl Version ===

impl Version {
    fn read(version: Option<&str>) -> Self {
        let Some(version) = version else {
            return Self::Absent;
        };
        let number = |digits: &str| {
            let is_number = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
            // A number beyond all bounds is still a higher version than ours.
            is_number.then(|| digits.parse().unwrap_or(u32::MAX))
        };
        version
            .split_once('.')
            .and_then(|(major, minor)| Some(Self::Numbers(number(major)?, number(minor)?)))
            .unwrap_or(Self::Malformed)
    }

    /// Whether streams of this version can be served: all of 1.x (§4.7.5). A client of another major version
    /// is told so, as in the example of §4.9.3.25.
    fn is_supported(self) -> bool {
        matches!(self, Self::Numbers(1, _))
    }

    /// The version to answer (§4.7.5, rules 2 and 4): the lower one of the client's and 1.0.
    fn answer(self) -> Option<String> {
        match self {
            Self::Absent => None,
            Self::Numbers(0, minor) => Some(format!("0.{minor}")),
            Self::Numbers(..) | Self::Malformed => Some("1.0".to_owned()),
        }
    }
}

/// Appends the server's header (§4.7). `to` is who the client said it is (§4.7.2).
pub(crate) fn write(from: &str, to: Option<&Jid>, id: &str, version: Version, out: &mut Vec<u8>) {
    let mut attribute = |name: &str, value: &str| {
        out.extend_from_slice(name.as_bytes());
        escape_attribute(value, out);
        out.push(b'\'');
    };
    attribute("<?xml version='1.0'?><stream:stream from='", from);
    attribute(" id='", id);
    if let Some(to) = to {
        attribute(" to='", to.bare().as_str());
    }
    if let Some(version) = version.answer() {
        attribute(" version='", &version);
    }
    attribute(" xml:lang='", LANGUAGE);
    attribute(" xmlns='", ns::CLIENT);
    attribute(" xmlns:stream='", ns::STREAM);
    out.push(b'>');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_compared_as_numbers_s4_7_5() {
        for (version, supported, answer) in [
            (None, false, None),
            (Some("1.0"), true, Some("1.0")),
            (Some("1.13"), true, Some("1.0")),
            (Some("01.00"), true, Some("1.0")),
            (Some("2.0"), false, Some("1.0")),
            (Some("11.0"), false, Some("1.0")),
            (Some("99999999999.0"), false, Some("1.0")),
            (Some("0.9"), false, Some("0.9")),
            (Some("1"), false, Some("1.0")),
            (Some("+1.0"), false, Some("1.0")),
            (Some(""), false, Some("1.0")),
        ] {
            let read = Version::read(version);
            assert_eq!(read.is_supported(), supported, "{version:?}");
            assert_eq!(read.answer().as_deref(), answer, "{version:?}");
        }
    }

    #[test]
    fn a_language_is_a_language_tag_s4_7_4() {
        assert_eq!(language("de-CH").as_deref(), Some("de-CH"));
        for bad in ["", "de CH", "'", &"x".repeat(36)] {
            assert_eq!(language(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn a_host_is_a_domainpart_s4_7_2() {
        assert_eq!(Addressed::read(None), Addressed::Nobody);
        assert_eq!(
            Addressed::read(Some("Im.Example.COM")),
            Addressed::Host("im.example.com".into())
        );
        for bad in ["", "a@b", "a/b", "a b"] {
            assert_eq!(Addressed::read(Some(bad)), Addressed::Malformed, "{bad:?}");
        }
    }
}
