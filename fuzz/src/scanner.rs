//! The boundary scanner: it finds the same frames and the same error however the bytes were cut, and holds back
//! no more than its limits allow.
//!
//! The first byte says how the rest is cut; an odd one chooses limits that are easily reached.

use rookery_xml::{Frame, Limits, Scanner, XmlError};

/// Limits within reach of a fuzzer.
const NARROW: Limits = Limits {
    max_stanza_bytes: 160,
    max_depth: 4,
    max_attributes: 4,
    max_namespaces: 4,
    max_name_bytes: 12,
};

/// What came out of a stream: each frame with its bytes, and the error that ended it.
type Outcome = (Vec<(&'static str, Vec<u8>)>, Option<XmlError>);

/// Tries one stream.
pub fn check(bytes: &[u8]) {
    let Some((&cut, stream)) = bytes.split_first() else {
        return;
    };
    let limits = if cut % 2 == 1 {
        NARROW
    } else {
        Limits::default()
    };
    let whole = scan(&limits, &[stream]);
    let size = usize::from(cut / 2).max(1);
    let in_pieces = scan(&limits, &stream.chunks(size).collect::<Vec<_>>());
    assert_eq!(whole, in_pieces, "pieces of {size} bytes make a difference");
    let one_by_one = scan(&limits, &stream.chunks(1).collect::<Vec<_>>());
    assert_eq!(whole, one_by_one, "single bytes make a difference");
}

/// Scans a stream that arrives in these pieces. White space between elements is left out: it is told as it comes.
fn scan(limits: &Limits, pieces: &[&[u8]]) -> Outcome {
    let mut scanner = Scanner::new(limits);
    let mut buffer = Vec::new();
    let mut frames = Vec::new();
    for piece in pieces {
        buffer.extend_from_slice(piece);
        loop {
            let (kind, len) = match scanner.scan(&buffer) {
                Ok(Some(Frame::Header { len })) => ("header", len),
                Ok(Some(Frame::Stanza { len })) => ("stanza", len),
                Ok(Some(Frame::Whitespace { len })) => ("", len),
                Ok(Some(Frame::End { len })) => ("end", len),
                Ok(None) => break,
                Err(error) => return (frames, Some(error)),
            };
            assert!(len > 0 && len <= buffer.len(), "a frame of {len} bytes");
            let frame: Vec<u8> = buffer.drain(..len).collect();
            if !kind.is_empty() {
                assert!(len <= limits.max_stanza_bytes, "a frame beyond the limit");
                frames.push((kind, frame));
            }
        }
        assert!(buffer.len() <= limits.max_stanza_bytes, "too much is held");
    }
    (frames, None)
}
