//! PROXY headers: they say the same however they are cut, belong to one of the two versions, and are never longer
//! than anybody has to send.
//!
//! The first byte says how the rest is cut.

/// The parser is nobody's business but that of `crates/c2s`, and everything else there would have to be built with
/// it: TLS above all.
#[path = "../../crates/c2s/src/proxy_protocol.rs"]
mod proxy_protocol;

use proxy_protocol::{HeaderError, HeaderReader, Source};

/// No header is longer.
const MOST_BYTES: usize = 4096;

/// Tries the beginning of one connection.
pub fn check(bytes: &[u8]) {
    let Some((&cut, stream)) = bytes.split_first() else {
        return;
    };
    let whole = read(&[stream]);
    let pieces: Vec<_> = stream.chunks(usize::from(cut).max(1)).collect();
    assert_eq!(whole, read(&pieces), "cuts make a difference");
    let Some(&first) = stream.first() else {
        return;
    };
    if !HeaderReader::can_begin_with(first) {
        assert_eq!(whole, Err(HeaderError::Missing));
    }
    if let Ok((taken, source)) = whole {
        assert!(taken <= MOST_BYTES, "{taken} bytes are taken");
        assert!(
            source.is_some() || taken == stream.len(),
            "bytes are left without an end"
        );
        let header = stream.get(..taken).unwrap_or_default();
        assert_eq!(read(&[header]), whole, "what follows makes a difference");
    }
}

/// Reads what arrives in these pieces: how many bytes belong to the header, and what it says.
fn read(pieces: &[&[u8]]) -> Result<(usize, Option<Source>), HeaderError> {
    let mut reader = HeaderReader::default();
    let mut bytes = 0;
    for piece in pieces {
        let taken = reader.read(piece)?;
        bytes += taken.bytes;
        if taken.source.is_some() {
            return Ok((bytes, taken.source));
        }
    }
    Ok((bytes, None))
}
