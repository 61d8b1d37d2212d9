//! Finds where the stream header, each stanza and the end of the stream end, without parsing them.
//!
//! The scanner sees each byte once, however the network cuts the stream into pieces. It follows
//! just enough of the grammar (tags, quotes, CDATA) to find boundaries that are right for
//! well-formed XML. Where its view and the strict readers' differ, the XML is not well-formed, and
//! they refuse the frame. What is forbidden in every place (comments, processing instructions,
//! document types) and what would grow without bound is refused here, while it arrives.

use memchr::{memchr, memchr2, memchr3};
use smallvec::SmallVec;

use crate::chars::{begins_declaration, is_space, may_begin_name};
use crate::error::XmlError;
use crate::limits::Limits;

/// What stands, complete, at the start of the buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Frame {
    /// The XML declaration, if there is one, and the start tag of the stream. It comes once, unless
    /// the peer begins a stream inside of the stream.
    Header {
        /// Its bytes.
        len: usize,
    },
    /// One first-level element.
    Stanza {
        /// Its bytes.
        len: usize,
    },
    /// White space between first-level elements, or before the header; there may be more to come.
    Whitespace {
        /// Its bytes.
        len: usize,
    },
    /// The end tag of the stream.
    End {
        /// Its bytes.
        len: usize,
    },
}

/// Finds the boundaries in one stream, and keeps its position between reads.
#[derive(Debug)]
pub struct Scanner {
    limits: Limits,
    phase: Phase,
    state: State,
    /// Bytes of the buffer that were looked at; the frame under construction begins at 0.
    position: usize,
    /// The names of the elements that are open inside the frame, as places in the buffer.
    open: SmallVec<[Span; 4]>,
    /// Where the tag that is being read begins.
    tag_start: usize,
    /// Name of the root as the header wrote it, to compare with its end tag.
    root: SmallVec<[u8; 24]>,
}

/// A piece of the frame under construction.
#[derive(Clone, Copy, Debug)]
struct Span {
    start: usize,
    end: usize,
}

/// How far the stream is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Header,
    Open,
    Closed,
}

/// Where in the grammar the scanner stands.
#[derive(Clone, Copy, Debug)]
enum State {
    /// Outside of markup.
    Text,
    /// After `<`.
    Markup,
    /// In a start tag, outside of quotes.
    StartTag,
    /// In an attribute value with this quote.
    Quoted(u8),
    /// In an end tag.
    EndTag,
    /// After `<!`, and after `<!-`.
    Bang,
    Dash,
    /// Still to be spelled: the rest of `<![CDATA[` or of `<?xml `.
    Section(&'static [u8]),
    Declaration(&'static [u8]),
    /// In a CDATA section.
    CData,
}

impl Scanner {
    /// A scanner that expects a stream header.
    pub fn new(limits: &Limits) -> Self {
        Self {
            limits: *limits,
            phase: Phase::Header,
            state: State::Text,
            position: 0,
            open: SmallVec::new(),
            tag_start: 0,
            root: SmallVec::new(),
        }
    }

    /// Expects a new header, as after STARTTLS and SASL (RFC 6120 §4.3.3).
    pub fn restart(&mut self) {
        *self = Self::new(&self.limits);
    }

    /// The limits that hold at present.
    pub fn limits(&self) -> &Limits {
        &self.limits
    }

    /// Other limits from here on, as when a peer has proved who it is.
    pub fn set_limits(&mut self, limits: &Limits) {
        self.limits = *limits;
    }

    /// Looks for the next frame in `buffered`, which is all that has arrived and was not yet
    /// removed. The caller removes the bytes of a frame before the next call. `None` means that
    /// more bytes are needed.
    ///
    /// # Errors
    /// What no frame can begin with, restricted XML, or a frame beyond the limits. The stream is
    /// lost then; the scanner is not to be used again before [`restart`](Self::restart).
    pub fn scan(&mut self, buffered: &[u8]) -> Result<Option<Frame>, XmlError> {
        if self.position == 0 {
            let len = buffered.iter().take_while(|&&b| is_space(b)).count();
            if len > 0 {
                return Ok(Some(Frame::Whitespace { len }));
            }
        }
        // Never looking further than a frame may reach makes the outcome independent of how the
        // bytes were cut.
        let window = buffered
            .get(..self.limits.max_stanza_bytes)
            .unwrap_or(buffered);
        while let Some(rest) = window.get(self.position..)
            && let Some(&next) = rest.first()
        {
            if let Some(frame) = self.step(next, rest, window)? {
                self.position = 0;
                self.state = State::Text;
                return Ok(Some(frame));
            }
        }
        if buffered.len() > window.len() {
            Err(XmlError::TooLarge)
        } else {
            Ok(None)
        }
    }

    /// Consumes one meaningful byte, or a run of bytes that mean nothing here.
    fn step(&mut self, next: u8, rest: &[u8], window: &[u8]) -> Result<Option<Frame>, XmlError> {
        match self.state {
            State::Text => self.text(next, rest)?,
            State::Markup => self.markup(next)?,
            State::StartTag => match self.skip_to(memchr3(b'>', b'\'', b'"', rest), rest) {
                Some(b'>') => return self.start_tag_end(window),
                Some(quote) => self.state = State::Quoted(quote),
                None => {}
            },
            State::Quoted(quote) => match self.skip_to(memchr2(quote, b'<', rest), rest) {
                Some(b'<') => return Err(XmlError::NotWellFormed("'<' in an attribute value")),
                Some(_) => self.state = State::StartTag,
                None => {}
            },
            State::EndTag => match self.skip_to(memchr2(b'>', b'<', rest), rest) {
                Some(b'<') => return Err(XmlError::NotWellFormed("'<' in an end tag")),
                Some(_) => return self.end_tag_end(window),
                None => {}
            },
            State::Bang => self.bang(next)?,
            State::Dash if next == b'-' => return Err(XmlError::Restricted("comment")),
            State::Dash => return Err(XmlError::NotWellFormed("'<!-' that begins no comment")),
            State::Section(expected) => self.section(next, expected)?,
            State::Declaration(expected) => self.declaration(next, expected, rest, window)?,
            State::CData => {
                let end = self.skip_to(memchr(b'>', rest), rest).is_some();
                if end && self.looked_at(window).ends_with(b"]]>") {
                    self.state = State::Text;
                }
            }
        }
        Ok(None)
    }

    /// Moves behind the byte found, or to the end of what there is, and returns that byte.
    fn skip_to(&mut self, found: Option<usize>, rest: &[u8]) -> Option<u8> {
        self.position += found.map_or(rest.len(), |at| at + 1);
        found.and_then(|at| rest.get(at)).copied()
    }

    fn looked_at<'b>(&self, window: &'b [u8]) -> &'b [u8] {
        window.get(..self.position).unwrap_or(window)
    }

    /// Outside of markup: anything inside of an element, almost nothing between elements.
    fn text(&mut self, next: u8, rest: &[u8]) -> Result<(), XmlError> {
        if !self.open.is_empty() {
            if self.skip_to(memchr(b'<', rest), rest).is_some() {
                self.begin_markup();
            }
            return Ok(());
        }
        self.position += 1;
        match (next, self.phase) {
            (b'<', _) => self.begin_markup(),
            // Between the XML declaration and the header.
            _ if is_space(next) => {}
            (0x00 | 0xFE | 0xFF, Phase::Header) => return Err(XmlError::UnsupportedEncoding),
            // A byte order mark is but a zero-width no-break space (RFC 6120 §11.6), hence text.
            (_, Phase::Header) => {
                return Err(XmlError::NotWellFormed("text before the stream header"));
            }
            (_, Phase::Open) => return Err(XmlError::TextBetweenStanzas),
            (_, Phase::Closed) => return Err(XmlError::NotWellFormed("text after the stream")),
        }
        Ok(())
    }

    fn begin_markup(&mut self) {
        self.tag_start = self.position - 1;
        self.state = State::Markup;
    }

    /// The byte after `<` says which markup it is.
    fn markup(&mut self, next: u8) -> Result<(), XmlError> {
        self.position += 1;
        self.state = match next {
            b'!' => State::Bang,
            b'?' if self.phase == Phase::Header && self.position == 2 => State::Declaration(b"xml"),
            b'?' => return Err(XmlError::Restricted("processing instruction")),
            _ if self.phase == Phase::Closed => {
                return Err(XmlError::NotWellFormed("element after the stream"));
            }
            b'/' if self.phase == Phase::Open => State::EndTag,
            0x00 if self.phase == Phase::Header => return Err(XmlError::UnsupportedEncoding),
            _ if !may_begin_name(next) => {
                return Err(XmlError::NotWellFormed("'<' that begins no tag"));
            }
            _ if self.open.len() >= self.limits.depth() => return Err(XmlError::TooDeep),
            _ => State::StartTag,
        };
        Ok(())
    }

    /// The byte after `<!`: a comment and what declares something are restricted (RFC 6120 §11.1), a CDATA section
    /// may follow, and anything else is nothing that XML knows (§11.3).
    fn bang(&mut self, next: u8) -> Result<(), XmlError> {
        self.position += 1;
        self.state = match next {
            b'[' => State::Section(b"CDATA["),
            b'-' => State::Dash,
            _ if begins_declaration(next) => return Err(XmlError::Restricted("document type")),
            _ => return Err(XmlError::NotWellFormed("'<!' that begins nothing")),
        };
        Ok(())
    }

    /// `<![` may only begin `<![CDATA[`, and only inside of a stanza.
    fn section(&mut self, next: u8, expected: &'static [u8]) -> Result<(), XmlError> {
        self.position += 1;
        self.state = match expected.split_first() {
            Some((&first, rest)) if first == next && !rest.is_empty() => State::Section(rest),
            Some((&first, _)) if first == next && !self.open.is_empty() => State::CData,
            Some((&first, _)) if first == next && self.phase == Phase::Open => {
                return Err(XmlError::TextBetweenStanzas);
            }
            Some((&first, _)) if first == next => {
                return Err(XmlError::NotWellFormed("text outside of the stream"));
            }
            _ => {
                return Err(XmlError::NotWellFormed(
                    "'<![' that begins no CDATA section",
                ));
            }
        };
        Ok(())
    }

    /// `<?` may only begin `<?xml ...?>`, at the very beginning of the stream.
    fn declaration(
        &mut self,
        next: u8,
        expected: &'static [u8],
        rest: &[u8],
        window: &[u8],
    ) -> Result<(), XmlError> {
        match expected.split_first() {
            Some((&first, left)) if first == next => {
                self.position += 1;
                self.state = State::Declaration(left);
            }
            None if self.position > b"<?xml".len() || is_space(next) => {
                let end = self.skip_to(memchr(b'>', rest), rest).is_some();
                if end && !self.looked_at(window).ends_with(b"?>") {
                    return Err(XmlError::NotWellFormed("malformed XML declaration"));
                } else if end {
                    self.state = State::Text;
                }
            }
            _ => return Err(XmlError::Restricted("processing instruction")),
        }
        Ok(())
    }

    /// Behind the `>` of a start tag.
    fn start_tag_end(&mut self, window: &[u8]) -> Result<Option<Frame>, XmlError> {
        let len = self.position;
        let is_empty = self.looked_at(window).ends_with(b"/>");
        self.state = State::Text;
        let name = self.name_at(window, self.tag_start + 1)?;
        if self.phase == Phase::Header {
            if is_empty {
                return Err(XmlError::EmptyStream);
            }
            self.root = name.of(window).into();
            self.phase = Phase::Open;
            return Ok(Some(Frame::Header { len }));
        }
        if !is_empty {
            // A second header never ends: it would hold up everything that follows.
            if self.open.is_empty() && name.of(window) == self.root.as_slice() {
                return Ok(Some(Frame::Header { len }));
            }
            self.open.push(name);
        }
        Ok(self.open.is_empty().then_some(Frame::Stanza { len }))
    }

    /// Behind the `>` of an end tag, which has to be that of the element that was opened last: seen here,
    /// and not only once the frame is complete, it is answered while the peer still listens.
    fn end_tag_end(&mut self, window: &[u8]) -> Result<Option<Frame>, XmlError> {
        let len = self.position;
        self.state = State::Text;
        let name = self.name_at(window, self.tag_start + 2)?;
        let Some(opened) = self.open.pop() else {
            if name.of(window) != self.root.as_slice() {
                return Err(XmlError::NotWellFormed("end tag of another element"));
            }
            self.phase = Phase::Closed;
            return Ok(Some(Frame::End { len }));
        };
        if name.of(window) != opened.of(window) {
            return Err(XmlError::NotWellFormed("end tag of another element"));
        }
        if self.open.is_empty() {
            // An unusually deep stanza leaves no memory behind.
            self.open = SmallVec::new();
            return Ok(Some(Frame::Stanza { len }));
        }
        Ok(None)
    }

    /// The name that begins at `start`, in the tag that has just come to its end.
    fn name_at(&self, window: &[u8], start: usize) -> Result<Span, XmlError> {
        let tag = window.get(start..self.position).unwrap_or_default();
        let ends = |&b: &u8| is_space(b) || matches!(b, b'>' | b'/');
        let len = tag.iter().position(ends).unwrap_or(tag.len());
        if len > self.limits.max_name_bytes {
            return Err(XmlError::NameTooLong);
        }
        Ok(Span {
            start,
            end: start + len,
        })
    }
}

impl Span {
    fn of(self, window: &[u8]) -> &[u8] {
        window.get(self.start..self.end).unwrap_or_default()
    }
}
