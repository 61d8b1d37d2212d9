//! From the bytes of a connection to the frames of a stream (RFC 6120 §4.1).

use bytes::{Buf, Bytes, BytesMut};
use rookery_xml::{Limits, Scanner, XmlError};

/// One piece of a stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Frame {
    /// The start tag of the stream, with the XML declaration if there was one.
    Header(Bytes),
    /// A first-level element, complete.
    Element(Bytes),
    /// White space between them (RFC 6120 §11.7).
    Whitespace,
    /// The end tag of the stream.
    End,
}

/// Cuts what the network delivers into frames.
///
/// A frame is a copy of its own, so that a stanza that is kept somewhere keeps no read buffer alive. Only
/// the beginning of an incomplete frame stays here; without one no memory is held.
#[derive(Debug)]
pub struct Framing {
    scanner: Scanner,
    buffer: BytesMut,
    /// Bytes handed out as frames.
    taken: usize,
    /// XML was refused, and with it all that follows.
    broken: bool,
}

// === impl Framing ===

impl Framing {
    /// Expects a stream header.
    pub fn new(limits: &Limits) -> Self {
        Self {
            scanner: Scanner::new(limits),
            buffer: BytesMut::new(),
            taken: 0,
            broken: false,
        }
    }

    /// Adds what the network delivered. After an error everything is dropped.
    pub fn push(&mut self, bytes: &[u8]) {
        if !self.broken {
            self.buffer.extend_from_slice(bytes);
        }
    }

    /// The next complete frame; `None` until more bytes come.
    ///
    /// # Errors
    /// The XML is refused. There will be no further frame, and no further error.
    pub fn next_frame(&mut self) -> Result<Option<Frame>, XmlError> {
        if self.buffer.is_empty() {
            self.buffer = BytesMut::new();
            return Ok(None);
        }
        match self.scanner.scan(&self.buffer) {
            Ok(frame) => Ok(frame.map(|frame| self.take(frame))),
            Err(error) => {
                self.broken = true;
                self.buffer = BytesMut::new();
                Err(error)
            }
        }
    }

    /// Expects a new stream header from here on (RFC 6120 §4.3.3), and applies these limits.
    pub fn restart(&mut self, limits: &Limits) {
        self.scanner = Scanner::new(limits);
    }

    /// Applies other limits from here on, without a new stream: the peer has proved who it is.
    pub fn set_limits(&mut self, limits: &Limits) {
        self.scanner.set_limits(limits);
    }

    /// The limits that hold at present.
    pub fn limits(&self) -> &Limits {
        self.scanner.limits()
    }

    /// Bytes that wait for the rest of their frame, or to be asked for.
    pub fn buffered(&self) -> usize {
        self.buffer.len()
    }

    /// Drops white space that waits to be asked for.
    pub fn skip_whitespace(&mut self) {
        let is_space = |byte: &&u8| matches!(byte, b' ' | b'\t' | b'\r' | b'\n');
        self.buffer
            .advance(self.buffer.iter().take_while(is_space).count());
    }

    /// Bytes of all frames so far.
    pub fn taken(&self) -> usize {
        self.taken
    }

    /// Copies a frame out of the buffer.
    fn take(&mut self, frame: rookery_xml::Frame) -> Frame {
        use rookery_xml::Frame as Found;
        let copy = |len: usize| Bytes::copy_from_slice(self.buffer.get(..len).unwrap_or_default());
        let (frame, len) = match frame {
            Found::Header { len } => (Frame::Header(copy(len)), len),
            Found::Stanza { len } => (Frame::Element(copy(len)), len),
            Found::Whitespace { len } => (Frame::Whitespace, len),
            Found::End { len } => (Frame::End, len),
        };
        self.buffer.advance(len.min(self.buffer.len()));
        self.taken = self.taken.saturating_add(len);
        frame
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEADER: &str = "<s:s xmlns:s='http://etherx.jabber.org/streams' xmlns='jabber:client'>";

    fn frames(framing: &mut Framing) -> Vec<Frame> {
        std::iter::from_fn(|| framing.next_frame().unwrap()).collect()
    }

    #[test]
    fn many_frames_come_out_of_one_read_and_no_memory_stays() {
        let mut framing = Framing::new(&Limits::default());
        framing.push(format!("{HEADER}<a/> <b>x</b></s:s>").as_bytes());
        let [header, a, space, b, end] = &frames(&mut framing)[..] else {
            panic!("five frames")
        };
        assert_eq!(
            *header,
            Frame::Header(Bytes::from_static(HEADER.as_bytes()))
        );
        assert_eq!(*a, Frame::Element(Bytes::from_static(b"<a/>")));
        assert_eq!(*space, Frame::Whitespace);
        assert_eq!(*b, Frame::Element(Bytes::from_static(b"<b>x</b>")));
        assert_eq!(*end, Frame::End);
        assert_eq!(framing.buffer.capacity(), 0);
        assert_eq!(framing.taken(), HEADER.len() + 4 + 1 + 8 + 6);
    }

    #[test]
    fn only_the_beginning_of_an_incomplete_frame_is_kept() {
        let mut framing = Framing::new(&Limits::default());
        framing.push(HEADER.as_bytes());
        framing.push(b"<a/><b>x</");
        assert_eq!(frames(&mut framing).len(), 2);
        assert_eq!(framing.buffered(), 6);
        framing.push(b"b>");
        assert_eq!(
            frames(&mut framing),
            [Frame::Element(Bytes::from_static(b"<b>x</b>"))]
        );
    }

    #[test]
    fn after_an_error_there_is_neither_frame_nor_error_nor_memory() {
        let mut framing = Framing::new(&Limits::default());
        framing.push(HEADER.as_bytes());
        framing.push(b"<!-- no --><a/>");
        assert!(matches!(framing.next_frame(), Ok(Some(Frame::Header(_)))));
        assert!(matches!(framing.next_frame(), Err(XmlError::Restricted(_))));
        framing.push(b"<a/>");
        assert_eq!(framing.next_frame(), Ok(None));
        assert_eq!(framing.buffered(), 0);
    }
}
