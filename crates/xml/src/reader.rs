//! The strict reader: the grammar of one element, token by token (XML 1.0 §2.4, §3).
//!
//! It accepts what the grammar allows and nothing else, in one pass and without allocating.

use memchr::{memchr, memchr2, memmem};
use smallvec::SmallVec;

use crate::chars::{is_xml_text, trim_start};
use crate::error::XmlError;
use crate::escape::split_reference;
use crate::limits::Limits;
use crate::namespaces::{Scope, StreamNamespaces};
use crate::tag::Tag;

/// Reads exactly one element, token by token.
pub(crate) struct Reader<'a> {
    text: &'a str,
    limits: Limits,
    /// Names of the elements that are open, as written.
    open: SmallVec<[&'a str; 8]>,
    /// Where the last token began, and the next one begins.
    start: usize,
    position: usize,
    /// The element has come to its end.
    complete: bool,
    /// The last start tag was that of an empty element; its end is still to be told.
    ends_at_once: bool,
    /// The last start tag.
    pub(crate) tag: Tag<'a>,
    pub(crate) scope: Scope<'a>,
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
        namespaces: &'a StreamNamespaces,
        limits: &Limits,
    ) -> Result<Self, XmlError> {
        Ok(Self {
            text: checked_text(bytes, limits)?,
            limits: *limits,
            open: SmallVec::new(),
            start: 0,
            position: 0,
            complete: false,
            ends_at_once: false,
            tag: Tag::default(),
            scope: Scope::new(namespaces),
        })
    }

    /// Elements open after the last token.
    pub(crate) fn depth(&self) -> usize {
        self.open.len()
    }

    /// The byte at which the last token began.
    pub(crate) fn start(&self) -> usize {
        self.start
    }

    /// The byte after the last token.
    pub(crate) fn position(&self) -> usize {
        self.position
    }

    /// Reads the next token.
    pub(crate) fn advance(&mut self) -> Result<Token<'a>, XmlError> {
        self.start = self.position;
        if std::mem::take(&mut self.ends_at_once) {
            return Ok(self.close());
        }
        let rest = self.text.get(self.position..).unwrap_or_default();
        match rest.as_bytes() {
            [] if self.complete => Ok(Token::Eof),
            [] => Err(XmlError::NotWellFormed("element without an end")),
            [b'<', b'/', ..] => self.end_tag(rest),
            [b'<', b'!', ..] => self.section(rest),
            [b'<', b'?', ..] => Err(XmlError::Restricted("processing instruction")),
            [b'<', ..] => self.start_tag(rest),
            _ if self.open.is_empty() => {
                Err(XmlError::NotWellFormed("text outside of the element"))
            }
            [b'&', ..] => self.reference(rest),
            _ => self.text(rest),
        }
    }

    /// The next token begins where `rest` does.
    fn go_on_at(&mut self, rest: &str) {
        self.position = self.text.len() - rest.len();
    }

    /// STag (production 40) or EmptyElemTag (production 44).
    fn start_tag(&mut self, rest: &'a str) -> Result<Token<'a>, XmlError> {
        if self.complete {
            return Err(XmlError::NotWellFormed("more than one element"));
        }
        let depth = self.open.len() + 1;
        if depth > self.limits.depth() {
            return Err(XmlError::TooDeep);
        }
        let total = self.text.len();
        let rest = self
            .tag
            .read(rest, total, depth, &mut self.scope, &self.limits)?;
        self.open.push(self.tag.written);
        let after = match rest.strip_prefix('/') {
            Some(rest) => {
                self.ends_at_once = true;
                rest
            }
            None => rest,
        };
        let after = after
            .strip_prefix('>')
            .ok_or(XmlError::NotWellFormed("malformed tag"))?;
        self.go_on_at(after);
        Ok(Token::Start)
    }

    /// ETag (production 42), which names the element that is open.
    fn end_tag(&mut self, rest: &'a str) -> Result<Token<'a>, XmlError> {
        let name = self
            .open
            .last()
            .ok_or(XmlError::NotWellFormed("end tag without a start tag"))?;
        let after = rest
            .strip_prefix("</")
            .and_then(|rest| rest.strip_prefix(name))
            .and_then(|rest| trim_start(rest).strip_prefix('>'))
            .ok_or(XmlError::NotWellFormed("end tag of another element"))?;
        self.go_on_at(after);
        Ok(self.close())
    }

    /// The end of the innermost element.
    fn close(&mut self) -> Token<'a> {
        self.open.pop();
        self.scope.leave(self.open.len());
        self.complete = self.open.is_empty();
        Token::End
    }

    /// CDSect (production 18); whatever else begins with `<!` is restricted.
    fn section(&mut self, rest: &'a str) -> Result<Token<'a>, XmlError> {
        let Some(rest) = rest.strip_prefix("<![CDATA[") else {
            return Err(XmlError::Restricted("comment or document type"));
        };
        if self.open.is_empty() {
            return Err(XmlError::NotWellFormed("text outside of the element"));
        }
        let (inside, after) = rest
            .split_once("]]>")
            .ok_or(XmlError::NotWellFormed("CDATA section without an end"))?;
        self.go_on_at(after);
        Ok(Token::Text(inside))
    }

    /// Reference (production 67).
    fn reference(&mut self, rest: &'a str) -> Result<Token<'a>, XmlError> {
        let (character, after) = split_reference(rest)?;
        self.go_on_at(after);
        Ok(Token::Character(character))
    }

    /// CharData (production 14).
    fn text(&mut self, rest: &'a str) -> Result<Token<'a>, XmlError> {
        let end = memchr2(b'<', b'&', rest.as_bytes()).unwrap_or(rest.len());
        let (text, after) = rest.split_at_checked(end).unwrap_or((rest, ""));
        if memchr(b'>', text.as_bytes()).is_some()
            && memmem::find(text.as_bytes(), b"]]>").is_some()
        {
            return Err(XmlError::NotWellFormed("']]>' in text"));
        }
        self.go_on_at(after);
        Ok(Token::Text(text))
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
