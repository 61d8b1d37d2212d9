//! One start tag, strictly: its name, its attributes, its namespace declarations.

use std::borrow::Cow;
use std::ops::Range;

use memchr::{memchr, memchr3};
use smallvec::SmallVec;

use crate::chars::{is_space, split_before, split_qname, trim_start};
use crate::error::XmlError;
use crate::escape::attribute_value;
use crate::limits::Limits;
use crate::namespaces::Scope;
use crate::top::{Declaration, TopAttribute};

/// Up to this many attributes are compared pair by pair, more are sorted first.
const FEW: usize = 16;

/// A start tag that has been checked, with its names resolved.
#[derive(Debug, Default)]
pub(crate) struct Tag<'a> {
    /// Empty if the name has none.
    pub(crate) prefix: &'a str,
    pub(crate) name: &'a str,
    pub(crate) namespace: Cow<'a, str>,
    pub(crate) attributes: SmallVec<[TopAttribute<'a>; 5]>,
    pub(crate) declarations: SmallVec<[Declaration<'a>; 2]>,
}

/// Reads the attributes of a tag one by one and checks their syntax.
#[derive(Debug)]
pub(crate) struct Attributes<'a> {
    rest: &'a str,
    /// Where `rest` ends, in bytes of the whole stanza.
    end: usize,
    /// There may be tabs or line ends in `rest`.
    has_controls: bool,
}

/// One attribute as it is written.
#[derive(Debug)]
pub(crate) struct Written<'a> {
    pub(crate) key: &'a str,
    /// As applications see it: references resolved, white space normalised.
    pub(crate) value: Cow<'a, str>,
    /// From the key to the closing quote, in bytes of the whole stanza.
    pub(crate) range: Range<usize>,
}

// === impl Tag ===

impl<'a> Tag<'a> {
    /// Reads the start tag of an element at `depth`. Its declarations enter the scope.
    pub(crate) fn read(
        &mut self,
        name: &'a str,
        attributes: Attributes<'a>,
        depth: usize,
        scope: &mut Scope<'a>,
        limits: &Limits,
    ) -> Result<(), XmlError> {
        self.attributes.clear();
        self.declarations.clear();
        (self.prefix, self.name) = checked_name(name, limits)?;
        for written in attributes {
            self.add(written?, depth, scope, limits)?;
        }
        self.namespace = scope.resolve(self.prefix, depth)?;
        self.resolve_attributes(depth, scope)
    }

    /// Takes up one attribute, be it a declaration or a real one.
    fn add(
        &mut self,
        written: Written<'a>,
        depth: usize,
        scope: &mut Scope<'a>,
        limits: &Limits,
    ) -> Result<(), XmlError> {
        if self.attributes.len() + self.declarations.len() >= limits.max_attributes {
            return Err(XmlError::TooManyAttributes);
        }
        let Written { key, value, range } = written;
        let (prefix, name) = checked_name(key, limits)?;
        let declared = match (prefix, name) {
            ("", "xmlns") => "",
            ("xmlns", declared) => declared,
            _ => {
                let namespace = Cow::Borrowed("");
                self.attributes.push(TopAttribute {
                    namespace,
                    prefix,
                    name,
                    value,
                    range,
                });
                return Ok(());
            }
        };
        scope.declare(declared, value.clone(), depth, limits)?;
        self.declarations.push(Declaration {
            prefix: declared,
            namespace: value,
            range,
        });
        Ok(())
    }

    /// Resolves the prefixes of attributes, now that all declarations are known, and refuses two
    /// attributes of one name (XML 1.0 §3.1, Namespaces in XML 1.0 §6.3).
    fn resolve_attributes(&mut self, depth: usize, scope: &mut Scope<'a>) -> Result<(), XmlError> {
        for attribute in &mut self.attributes {
            if !attribute.prefix.is_empty() {
                attribute.namespace = scope.resolve(attribute.prefix, depth)?;
            }
        }
        let declared = self.declarations.iter().map(|d| (d.prefix, ""));
        let attributes = self.attributes.iter().map(|a| (a.name, &*a.namespace));
        if has_duplicate(attributes) || has_duplicate(declared) {
            return Err(XmlError::NotWellFormed("duplicate attribute"));
        }
        Ok(())
    }
}

/// Whether two of the names are the same, in a time that many names do not blow up.
fn has_duplicate<'n>(names: impl ExactSizeIterator<Item = (&'n str, &'n str)> + Clone) -> bool {
    if names.len() > FEW {
        let mut sorted: Vec<_> = names.collect();
        sorted.sort_unstable();
        return sorted
            .windows(2)
            .any(|pair| matches!(pair, [a, b] if a == b));
    }
    let mut rest = names;
    while let Some(name) = rest.next() {
        if rest.clone().any(|other| other == name) {
            return true;
        }
    }
    false
}

/// A name of bearable length, split into prefix and local part.
fn checked_name<'a>(name: &'a str, limits: &Limits) -> Result<(&'a str, &'a str), XmlError> {
    if name.len() > limits.max_name_bytes {
        return Err(XmlError::NameTooLong);
    }
    split_qname(name).ok_or(XmlError::NotWellFormed("illegal name"))
}

// === impl Attributes ===

impl<'a> Attributes<'a> {
    /// `rest` is what follows the name of the tag, up to its closing bracket, and ends at the byte `end`.
    pub(crate) fn new(rest: &'a str, end: usize, has_controls: bool) -> Self {
        Self {
            rest,
            end,
            has_controls,
        }
    }

    /// XML 1.0, productions 40 and 41: white space, name, equals sign, value in quotes.
    #[inline]
    fn read(&mut self, begun: &'a str) -> Result<Written<'a>, XmlError> {
        if begun.len() == self.rest.len() {
            return Err(XmlError::NotWellFormed(
                "no white space before an attribute",
            ));
        }
        let (key, after) = split_before(begun, |b| b == b'=' || is_space(b));
        let after = trim_start(after)
            .strip_prefix('=')
            .map(trim_start)
            .ok_or(XmlError::NotWellFormed("attribute without a value"))?;
        let Some(quote @ (b'\'' | b'"')) = after.bytes().next() else {
            return Err(XmlError::NotWellFormed("attribute value without quotes"));
        };
        let (_, after) = after.split_at_checked(1).unwrap_or_default();
        let (value, rest) = self.value(quote, after)?;
        self.rest = rest;
        Ok(Written {
            key,
            value,
            range: self.end - begun.len()..self.end - rest.len(),
        })
    }

    /// The value up to `quote`, and what follows the quote.
    #[inline]
    fn value(&self, quote: u8, begun: &'a str) -> Result<(Cow<'a, str>, &'a str), XmlError> {
        let bytes = begun.as_bytes();
        let end = memchr3(quote, b'<', b'&', bytes);
        let stands_for_itself =
            !self.has_controls && end.is_some_and(|end| bytes.get(end) == Some(&quote));
        let end = if stands_for_itself {
            end
        } else {
            memchr(quote, bytes)
        };
        let (raw, rest) = end
            .and_then(|end| begun.split_at_checked(end))
            .and_then(|(raw, after)| Some((raw, after.split_at_checked(1)?.1)))
            .ok_or(XmlError::NotWellFormed("attribute value without an end"))?;
        let value = if stands_for_itself {
            Cow::Borrowed(raw)
        } else {
            attribute_value(raw)?
        };
        Ok((value, rest))
    }
}

impl<'a> Iterator for Attributes<'a> {
    type Item = Result<Written<'a>, XmlError>;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        let begun = trim_start(self.rest);
        (!begun.is_empty()).then(|| self.read(begun))
    }
}
