//! A stanza checked strictly and described, without building a tree.

use std::borrow::Cow;
use std::ops::Range;

use smallvec::SmallVec;

use crate::chars::is_blank;
use crate::error::XmlError;
use crate::limits::Limits;
use crate::namespaces::StreamNamespaces;
use crate::reader::{Reader, Token};
use crate::tag::Tag;

/// What routing needs to know of a stanza. Ranges are in bytes of the stanza.
#[derive(Clone, Debug)]
pub struct Top<'a> {
    /// Namespace of the element; empty for none.
    pub namespace: Cow<'a, str>,
    /// Local name of the element.
    pub name: &'a str,
    /// Attributes, without namespace declarations.
    pub attributes: SmallVec<[TopAttribute<'a>; 5]>,
    /// Namespace declarations on the element itself.
    pub declarations: SmallVec<[Declaration<'a>; 2]>,
    /// From the end of the start tag to the beginning of the end tag.
    pub content: Range<usize>,
    /// The child elements, in order.
    pub children: SmallVec<[Child<'a>; 4]>,
    /// Whether the element has text of its own other than white space.
    pub has_text: bool,
    /// Prefixes that are used in names anywhere in the stanza and bound by the stream header.
    pub borrowed_prefixes: SmallVec<[&'a str; 2]>,
    /// Whether `content` means the same under an element without a prefix that has `namespace` as
    /// default namespace and the same `declarations` of prefixes. It does not if unprefixed
    /// elements in the content belong to another default namespace. What `borrowed_prefixes` need
    /// is not looked at.
    pub plain: bool,
}

/// An attribute of the element.
#[derive(Clone, Debug)]
pub struct TopAttribute<'a> {
    /// Empty for none.
    pub namespace: Cow<'a, str>,
    /// Empty for none.
    pub prefix: &'a str,
    /// Local name.
    pub name: &'a str,
    /// References resolved, white space normalised.
    pub value: Cow<'a, str>,
    /// As written, from the name to the closing quote.
    pub range: Range<usize>,
}

/// A namespace declaration of the element.
#[derive(Clone, Debug)]
pub struct Declaration<'a> {
    /// Empty for the default namespace.
    pub prefix: &'a str,
    /// What the prefix is bound to; empty if the default namespace is undeclared.
    pub namespace: Cow<'a, str>,
    /// As written, from `xmlns` to the closing quote.
    pub range: Range<usize>,
}

/// A child element.
#[derive(Clone, Debug)]
pub struct Child<'a> {
    /// Empty for none.
    pub namespace: Cow<'a, str>,
    /// Local name.
    pub name: &'a str,
    /// The whole element.
    pub range: Range<usize>,
}

/// Checks one complete stanza as strictly as [`Element::parse`](crate::Element::parse) does, and
/// says what it is.
///
/// # Errors
/// Anything but exactly one element, well-formed, namespace-well-formed under `namespaces`, and
/// within the limits.
pub fn read_top<'a>(
    stanza: &'a [u8],
    namespaces: &'a StreamNamespaces,
    limits: &Limits,
) -> Result<Top<'a>, XmlError> {
    let mut reader = Reader::new(stanza, namespaces, limits)?;
    let mut tag = Tag::default();
    reader.advance(&mut tag)?;
    let mut top = Top {
        plain: reader.scope.default_namespace() == tag.namespace,
        namespace: tag.namespace,
        name: tag.name,
        attributes: tag.attributes,
        declarations: tag.declarations,
        content: reader.position()..reader.position(),
        children: SmallVec::new(),
        has_text: false,
        borrowed_prefixes: SmallVec::new(),
    };
    let mut tag = Tag::default();
    loop {
        match reader.advance(&mut tag)? {
            Token::Start if reader.depth() == 2 => top.children.push(Child {
                namespace: std::mem::take(&mut tag.namespace),
                name: tag.name,
                range: reader.start()..reader.start(),
            }),
            Token::End if reader.depth() == 1 => {
                if let Some(child) = top.children.last_mut() {
                    child.range.end = reader.position();
                }
            }
            Token::End if reader.depth() == 0 => top.content.end = reader.start(),
            Token::Text(text) if reader.depth() == 1 => top.has_text |= !is_blank(text),
            Token::Character(c) if reader.depth() == 1 => top.has_text |= !c.is_ascii_whitespace(),
            Token::Eof => break,
            _ => {}
        }
    }
    top.plain |= !reader.scope.inherits_default;
    top.borrowed_prefixes = reader.scope.borrowed;
    Ok(top)
}
