//! The strict reader: quick-xml finds the pieces, this refuses what it lets through.
//!
//! quick-xml checks that end tags match and that references and markup come to an end. It does not check
//! characters, names, attributes, `]]>`, what references mean, namespaces, or that the document is
//! complete: all of that happens here and in [`Tag`].

use memchr::{memchr, memmem};
use quick_xml::Reader as Pieces;
use quick_xml::errors::{Error, IllFormedError};
use quick_xml::events::{BytesStart, Event};

use crate::chars::{begins_declaration, has_controls_in_xml};
use crate::error::XmlError;
use crate::escape::split_reference;
use crate::limits::Limits;
use crate::namespaces::{Scope, StreamNamespaces};
use crate::tag::{Attributes, Tag};

/// Reads exactly one element, token by token.
pub(crate) struct Reader<'a> {
    text: &'a str,
    pieces: Pieces<&'a [u8]>,
    limits: Limits,
    /// There are tabs or line ends in the text.
    has_controls: bool,
    /// Elements that are open.
    depth: usize,
    /// Where the last token began, and the next one begins.
    start: usize,
    position: usize,
    /// The element has come to its end.
    complete: bool,
    /// The last start tag was that of an empty element; its end is still to be told.
    ends_at_once: bool,
    pub(crate) scope: Scope<'a>,
}

/// One piece of an element.
#[derive(Debug)]
pub(crate) enum Token<'a> {
    /// A start tag; it is in the [`Tag`] that [`Reader::advance`] was given.
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
    #[inline]
    pub(crate) fn new(
        bytes: &'a [u8],
        namespaces: &'a StreamNamespaces,
        limits: &Limits,
    ) -> Result<Self, XmlError> {
        let (text, has_controls) = checked_text(bytes, limits)?;
        Self::of_text(text, has_controls, namespaces, limits)
    }

    /// The reader of a piece of text that [`checked_text`] returned.
    #[inline]
    pub(crate) fn of_text(
        text: &'a str,
        has_controls: bool,
        namespaces: &'a StreamNamespaces,
        limits: &Limits,
    ) -> Result<Self, XmlError> {
        // quick-xml would skip a byte order mark, which is text here (RFC 6120 §11.6).
        if !text.starts_with('<') {
            return Err(XmlError::NotWellFormed("no tag"));
        }
        Ok(Self {
            text,
            pieces: Pieces::from_str(text),
            limits: *limits,
            has_controls,
            depth: 0,
            start: 0,
            position: 0,
            complete: false,
            ends_at_once: false,
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
        self.position
    }

    /// Reads the next token. A start tag goes into `tag`.
    #[inline]
    pub(crate) fn advance(&mut self, tag: &mut Tag<'a>) -> Result<Token<'a>, XmlError> {
        self.start = self.position;
        if std::mem::take(&mut self.ends_at_once) {
            return Ok(self.close());
        }
        let event = self
            .pieces
            .read_event()
            .map_err(|error| refusal(&error, self.text.get(self.start..).unwrap_or_default()))?;
        self.position = usize::try_from(self.pieces.buffer_position()).unwrap_or(usize::MAX);
        let piece = self.text.get(self.start..self.position).unwrap_or_default();
        match event {
            Event::Start(found) => self.start_tag(&found, tag),
            Event::Empty(found) => {
                self.ends_at_once = true;
                self.start_tag(&found, tag)
            }
            Event::End(_) => Ok(self.close()),
            Event::Eof if self.complete => Ok(Token::Eof),
            Event::Eof => Err(XmlError::NotWellFormed("element without an end")),
            Event::Comment(_) => Err(XmlError::Restricted("comment")),
            Event::PI(_) | Event::Decl(_) => Err(XmlError::Restricted("processing instruction")),
            Event::DocType(_) => Err(XmlError::Restricted("document type")),
            _ if self.depth == 0 => Err(XmlError::NotWellFormed("text outside of the element")),
            Event::Text(_) => text(piece),
            Event::CData(_) => {
                let inside = piece
                    .strip_prefix("<![CDATA[")
                    .and_then(|p| p.strip_suffix("]]>"));
                Ok(Token::Text(inside.unwrap_or_default()))
            }
            Event::GeneralRef(_) => Ok(Token::Character(split_reference(piece)?.0)),
        }
    }

    /// STag (production 40) or EmptyElemTag (production 44).
    #[inline]
    fn start_tag(
        &mut self,
        found: &BytesStart<'_>,
        tag: &mut Tag<'a>,
    ) -> Result<Token<'a>, XmlError> {
        if self.complete {
            return Err(XmlError::NotWellFormed("more than one element"));
        }
        self.depth += 1;
        if self.depth > self.limits.depth() {
            return Err(XmlError::TooDeep);
        }
        // What stands between the brackets, taken from the text, which lives longer than the event.
        let begin = self.start + 1;
        let end = begin + found.len();
        let (name, rest) = self
            .text
            .get(begin..end)
            .and_then(|inside| inside.split_at_checked(found.name().0.len()))
            .unwrap_or_default();
        let attributes = Attributes::new(rest, end, self.has_controls);
        tag.read(name, attributes, self.depth, &mut self.scope, &self.limits)?;
        Ok(Token::Start)
    }

    /// The end of the innermost element. quick-xml has seen to it that there is one, and that an end tag
    /// names it.
    fn close(&mut self) -> Token<'a> {
        self.depth = self.depth.saturating_sub(1);
        self.scope.leave(self.depth);
        self.complete = self.depth == 0;
        Token::End
    }
}

/// CharData (production 14).
fn text(piece: &str) -> Result<Token<'_>, XmlError> {
    let bytes = piece.as_bytes();
    if memchr(b'>', bytes).is_some() && memmem::find(bytes, b"]]>").is_some() {
        return Err(XmlError::NotWellFormed("']]>' in text"));
    }
    Ok(Token::Text(piece))
}

/// What quick-xml itself refuses at `rest`: an attempt at what is restricted, or XML that is not well-formed.
fn refusal(error: &Error, rest: &str) -> XmlError {
    let markup = rest.as_bytes().strip_prefix(b"<!");
    if let Some(&[b'-', b'-', ..]) = markup {
        return XmlError::Restricted("comment");
    }
    if markup
        .and_then(<[u8]>::first)
        .is_some_and(|&first| begins_declaration(first))
    {
        return XmlError::Restricted("document type");
    }
    XmlError::NotWellFormed(match error {
        Error::IllFormed(IllFormedError::MismatchedEndTag { .. }) => "end tag of another element",
        Error::IllFormed(IllFormedError::UnmatchedEndTag(_)) => "end tag without a start tag",
        Error::IllFormed(IllFormedError::UnclosedReference) => "ampersand that begins no reference",
        Error::Syntax(_) => "markup without an end",
        _ => "illegal markup",
    })
}

/// Bytes of bearable number which are UTF-8 and hold only characters that XML allows; and whether there
/// are tabs or line ends among them.
pub(crate) fn checked_text<'a>(
    bytes: &'a [u8],
    limits: &Limits,
) -> Result<(&'a str, bool), XmlError> {
    if bytes.len() > limits.max_stanza_bytes {
        return Err(XmlError::TooLarge);
    }
    let text = std::str::from_utf8(bytes).map_err(|_| XmlError::NotUtf8)?;
    let has_controls =
        has_controls_in_xml(text).ok_or(XmlError::NotWellFormed("illegal character"))?;
    Ok((text, has_controls))
}
