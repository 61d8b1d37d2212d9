//! The stream header: an optional XML declaration and the start tag of the root.

use std::borrow::Cow;

use crate::chars::{is_space, trim_start};
use crate::error::XmlError;
use crate::limits::Limits;
use crate::namespaces::StreamNamespaces;
use crate::reader::{Reader, checked_text};
use crate::tag::{Attributes, Tag, Written};

/// The start tag of a stream's root element. Whether it is a good one is for others to judge
/// (RFC 6120 §4.7, §4.8); here it is well-formed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header {
    /// Prefix of the root's name; empty for none.
    pub prefix: String,
    /// Local name of the root.
    pub name: String,
    /// Namespace of the root; empty for none.
    pub namespace: String,
    /// Attributes, without namespace declarations.
    pub attributes: Vec<HeaderAttribute>,
    /// The declarations, which hold for every stanza of the stream.
    pub namespaces: StreamNamespaces,
}

/// An attribute of the root.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeaderAttribute {
    /// Empty for none.
    pub namespace: String,
    /// Local name.
    pub name: String,
    /// References resolved, white space normalised.
    pub value: String,
}

impl Header {
    /// The value of an attribute that has no namespace.
    pub fn attribute(&self, name: &str) -> Option<&str> {
        self.attribute_ns(name, "")
    }

    /// The value of an attribute in a namespace, such as `lang` in [`XML_NAMESPACE`](crate::XML_NAMESPACE).
    pub fn attribute_ns(&self, name: &str, namespace: &str) -> Option<&str> {
        self.attributes
            .iter()
            .find(|attribute| attribute.name == name && attribute.namespace == namespace)
            .map(|attribute| attribute.value.as_str())
    }
}

/// Reads a stream header as the scanner delimits it: from the XML declaration, if there is one,
/// to the `>` of the start tag.
///
/// # Errors
/// What is not well-formed, not UTF-8 (declared encodings count) or beyond the limits.
pub fn read_header(bytes: &[u8], limits: &Limits) -> Result<Header, XmlError> {
    let (text, has_controls) = checked_text(bytes, limits)?;
    let tag_text = match text
        .strip_prefix("<?xml")
        .filter(|rest| rest.starts_with(blank))
    {
        Some(rest) => {
            let (declaration, rest) = rest
                .split_once("?>")
                .ok_or(XmlError::NotWellFormed("XML declaration without an end"))?;
            check_declaration(declaration)?;
            trim_start(rest)
        }
        None => text,
    };
    if tag_text.starts_with("<?") {
        return Err(XmlError::NotWellFormed("malformed XML declaration"));
    }
    let nothing = StreamNamespaces::default();
    let mut reader = Reader::of_text(tag_text, has_controls, &nothing, limits)?;
    let mut tag = Tag::default();
    reader.advance(&mut tag)?;
    if reader.position() != tag_text.len() || tag_text.ends_with("/>") {
        return Err(XmlError::NotWellFormed("stream header is no start tag"));
    }
    Ok(Header {
        prefix: tag.prefix.to_owned(),
        name: tag.name.to_owned(),
        namespace: tag.namespace.into_owned(),
        attributes: tag
            .attributes
            .into_iter()
            .map(|attribute| HeaderAttribute {
                namespace: attribute.namespace.into_owned(),
                name: attribute.name.to_owned(),
                value: attribute.value.into_owned(),
            })
            .collect(),
        namespaces: reader.scope.into_stream(),
    })
}

fn blank(c: char) -> bool {
    u8::try_from(c).is_ok_and(is_space)
}

/// XML 1.0, production 23: version, then encoding, then standalone; only the first is required.
/// RFC 6120 §11.5 lets us ignore a standalone declaration, and §11.6 allows no encoding but UTF-8.
fn check_declaration(declaration: &str) -> Result<(), XmlError> {
    let ill_formed = XmlError::NotWellFormed("malformed XML declaration");
    let mut expected = ["version", "encoding", "standalone"].into_iter();
    let mut has_version = false;
    for pseudo_attribute in Attributes::new(declaration, declaration.len(), true) {
        let Written {
            key,
            value: Cow::Borrowed(value),
            ..
        } = pseudo_attribute?
        else {
            return Err(ill_formed);
        };
        if !expected.any(|name| name == key) {
            return Err(ill_formed);
        }
        match key {
            "version" if value == "1.0" => has_version = true,
            "version" => return Err(XmlError::NotWellFormed("XML version other than 1.0")),
            _ if !has_version => return Err(ill_formed),
            "encoding" if !value.eq_ignore_ascii_case("utf-8") => {
                return Err(XmlError::UnsupportedEncoding);
            }
            "standalone" if !matches!(value, "yes" | "no") => return Err(ill_formed),
            _ => {}
        }
    }
    if has_version { Ok(()) } else { Err(ill_formed) }
}
