//! The strict reader: quick-xml finds the pieces, this refuses what it lets through.
//!
//! quick-xml checks that end tags match and that references and markup come to an end. It does
//! not check characters, names, attributes, `]]>`, what references mean, namespaces, or that the
//! document is complete; all of that happens here and in [`Tag`].

use memchr::memchr_iter;
use quick_xml::Reader as Pieces;
use quick_xml::errors::{Error, IllFormedError};
use quick_xml::events::Event;

use crate::chars::is_xml_text;
use crate::error::XmlError;
use crate::escape::resolve_reference;
use crate::limits::Limits;
use crate::namespaces::{Scope, StreamNamespaces};
use crate::tag::Tag;

/// Reads complete XML, an element or the content of one, token by token.
pub(crate) struct Reader<'a> {
    text: &'a str,
    pieces: Pieces<&'a [u8]>,
    limits: Limits,
    shape: Shape,
    /// Elements that are open.
    depth: usize,
    /// Where the last token began.
    start: usize,
    /// The last start tag was that of an empty element; its end is still to be told.
    ends_at_once: bool,
    /// The last start tag.
    pub(crate) tag: Tag<'a>,
    pub(crate) scope: Scope<'a>,
}

/// What is to be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shape {
    /// Exactly one element, from the first byte to the last.
    Element,
    /// The element has come to its end.
    Complete,
    /// Any number of elements, and text between them.
    Content,
}

/// One piece of an element.
#[derive(Debug)]
pub(crate) enum Token<'a> {
    /// A start tag; it is in [`Reader::tag`].
    Start,
    /// An end tag, or the end of an empty element.
    End,
    /// Character data as written: line ends are not normalised.
    Text(&'a str),
    /// What a reference stands for.
    Character(char),
    /// All is read, and it was complete.
    Eof,
}

impl<'a> Reader<'a> {
    /// Checks size, encoding and characters of the whole, and stands before its first token.
    pub(crate) fn new(
        bytes: &'a [u8],
        shape: Shape,
        namespaces: &'a StreamNamespaces,
        limits: &Limits,
    ) -> Result<Self, XmlError> {
        let text = checked_text(bytes, limits)?;
        // A zero-width no-break space at the start is text (RFC 6120 §11.6), but quick-xml would
        // silently skip it as a byte order mark.
        let text = match shape {
            Shape::Content => text.trim_start_matches('\u{FEFF}'),
            _ if text.starts_with('<') => text,
            _ => return Err(XmlError::NotWellFormed("text before the element")),
        };
        Ok(Self {
            text,
            pieces: Pieces::from_str(text),
            limits: *limits,
            shape,
            depth: 0,
            start: 0,
            ends_at_once: false,
            tag: Tag::default(),
            scope: Scope::new(namespaces),
        })
    }

    /// Elements open after the last token.
    pub(crate) fn depth(&self) -> usize {
        self.depth
    }

    /// The byte at which the last token began.
    pub(crate) fn start(&self) -> usize {
        self.start
    }

    /// The byte after the last token.
    pub(crate) fn position(&self) -> usize {
        usize::try_from(self.pieces.buffer_position()).unwrap_or(usize::MAX)
    }

    /// Reads the next token.
    pub(crate) fn advance(&mut self) -> Result<Token<'a>, XmlError> {
        self.start = self.position();
        if std::mem::take(&mut self.ends_at_once) {
            return Ok(self.close());
        }
        let event = self.pieces.read_event().map_err(|error| refusal(&error))?;
        let piece = self
            .text
            .get(self.start..self.position())
            .unwrap_or_default();
        match event {
            Event::Start(_) => self.open(piece.strip_suffix('>')),
            Event::Empty(_) => {
                self.ends_at_once = true;
                self.open(piece.strip_suffix("/>"))
            }
            Event::End(_) => Ok(self.close()),
            Event::Text(_) => {
                let section_end = |at: usize| {
                    piece
                        .as_bytes()
                        .get(..at)
                        .is_some_and(|before| before.ends_with(b"]]"))
                };
                if memchr_iter(b'>', piece.as_bytes()).any(section_end) {
                    return Err(XmlError::NotWellFormed("']]>' in text"));
                }
                self.character_data(Token::Text(piece))
            }
            Event::CData(_) => {
                let inside = piece
                    .strip_prefix("<![CDATA[")
                    .and_then(|p| p.strip_suffix("]]>"));
                self.character_data(Token::Text(inside.unwrap_or_default()))
            }
            Event::GeneralRef(_) => {
                let name = piece.strip_prefix('&').and_then(|p| p.strip_suffix(';'));
                let character = resolve_reference(name.unwrap_or_default())?;
                self.character_data(Token::Character(character))
            }
            Event::Eof if self.depth > 0 => Err(XmlError::NotWellFormed("element without an end")),
            Event::Eof if self.shape == Shape::Element => {
                Err(XmlError::NotWellFormed("no element"))
            }
            Event::Eof => Ok(Token::Eof),
            Event::Comment(_) => Err(XmlError::Restricted("comment")),
            Event::PI(_) | Event::Decl(_) => Err(XmlError::Restricted("processing instruction")),
            Event::DocType(_) => Err(XmlError::Restricted("document type")),
        }
    }

    /// A start tag, without its closing bracket.
    fn open(&mut self, piece: Option<&'a str>) -> Result<Token<'a>, XmlError> {
        if self.shape == Shape::Complete {
            return Err(XmlError::NotWellFormed("more than one element"));
        }
        self.depth += 1;
        if self.depth > self.limits.depth() {
            return Err(XmlError::TooDeep);
        }
        let piece = piece.unwrap_or_default();
        let inside = piece.strip_prefix('<').unwrap_or_default();
        let end = self.start + piece.len();
        self.tag
            .read(inside, end, self.depth, &mut self.scope, &self.limits)?;
        Ok(Token::Start)
    }

    /// The end of the innermost element. quick-xml has seen to it that there is one.
    fn close(&mut self) -> Token<'a> {
        self.depth = self.depth.saturating_sub(1);
        self.scope.leave(self.depth);
        if self.depth == 0 && self.shape == Shape::Element {
            self.shape = Shape::Complete;
        }
        Token::End
    }

    /// Character data, if it may stand here.
    fn character_data(&self, token: Token<'a>) -> Result<Token<'a>, XmlError> {
        if self.depth == 0 && self.shape != Shape::Content {
            return Err(XmlError::NotWellFormed("text after the element"));
        }
        Ok(token)
    }
}

/// Bytes of bearable number which are UTF-8 and hold only characters that XML allows.
pub(crate) fn checked_text<'a>(bytes: &'a [u8], limits: &Limits) -> Result<&'a str, XmlError> {
    if bytes.len() > limits.max_stanza_bytes {
        return Err(XmlError::TooLarge);
    }
    let text = std::str::from_utf8(bytes).map_err(|_| XmlError::NotUtf8)?;
    if is_xml_text(text) {
        Ok(text)
    } else {
        Err(XmlError::NotWellFormed("illegal character"))
    }
}

/// What quick-xml itself refuses is never well-formed.
fn refusal(error: &Error) -> XmlError {
    XmlError::NotWellFormed(match error {
        Error::IllFormed(IllFormedError::MismatchedEndTag { .. }) => "end tag of another element",
        Error::IllFormed(IllFormedError::UnmatchedEndTag(_)) => "end tag without a start tag",
        Error::IllFormed(IllFormedError::UnclosedReference) => "ampersand that begins no reference",
        Error::Syntax(_) => "markup without an end",
        _ => "illegal markup",
    })
}
