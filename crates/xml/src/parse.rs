//! Reading an element tree from XML.

use std::borrow::Cow;

use crate::element::{Attribute, Element};
use crate::error::XmlError;
use crate::escape::line_ends;
use crate::limits::Limits;
use crate::namespaces::StreamNamespaces;
use crate::reader::{Reader, Token};
use crate::tag::Tag;

impl Element {
    /// Reads exactly one element.
    ///
    /// # Errors
    /// As [`read_top`](crate::read_top).
    pub fn parse(
        bytes: &[u8],
        namespaces: &StreamNamespaces,
        limits: &Limits,
    ) -> Result<Self, XmlError> {
        build(Reader::new(bytes, namespaces, limits)?)
    }

    /// Reads exactly one element from text that stands alone: no namespace comes from outside,
    /// and the default limits hold.
    ///
    /// # Errors
    /// As [`read_top`](crate::read_top).
    pub fn parse_str(text: &str) -> Result<Self, XmlError> {
        Self::parse(
            text.as_bytes(),
            &StreamNamespaces::default(),
            &Limits::default(),
        )
    }
}

/// Builds the element that the reader finds, without recursion.
fn build(mut reader: Reader<'_>) -> Result<Element, XmlError> {
    let mut open: Vec<Element> = Vec::new();
    let mut complete = None;
    let mut tag = Tag::default();
    loop {
        match (reader.advance(&mut tag)?, open.last_mut()) {
            (Token::Start, _) => open.push(element(&mut tag)),
            (Token::End, _) => {
                let ended = open.pop();
                match open.last_mut() {
                    Some(parent) => ended.into_iter().for_each(|child| parent.push(child)),
                    None => complete = ended,
                }
            }
            (Token::Text(raw), Some(parent)) => parent.push_legal_text(line_ends(raw)),
            (Token::Character(c), Some(parent)) => {
                parent.push_legal_text(Cow::Borrowed(c.encode_utf8(&mut [0; 4])));
            }
            // The reader allows no text outside of the element, and no end without one.
            (Token::Text(_) | Token::Character(_), None) => {}
            (Token::Eof, _) => return complete.ok_or(XmlError::NotWellFormed("no element")),
        }
    }
}

/// The element that a start tag begins. Its names have been checked by the reader.
fn element(tag: &mut Tag<'_>) -> Element {
    let mut element = Element::from_checked(
        owned(Cow::Borrowed(tag.name)),
        owned(std::mem::take(&mut tag.namespace)),
    );
    element.attributes = tag
        .attributes
        .drain(..)
        .map(|attribute| Attribute {
            name: owned(Cow::Borrowed(attribute.name)),
            namespace: owned(attribute.namespace),
            value: owned(attribute.value),
        })
        .collect();
    element
}

/// An empty one costs nothing.
fn owned(text: Cow<'_, str>) -> Cow<'static, str> {
    if text.is_empty() {
        Cow::Borrowed("")
    } else {
        Cow::Owned(text.into_owned())
    }
}
