//! A record in the place of what is lost. It has a given length, and the checksum that the record behind it says of the one
//! before it: what lies behind is left as it is.

use std::io;

use crate::log::entry::{Event, Lost};
use crate::log::frame::{HEADER, Header, PREAMBLE, Place, preamble};
use crate::log::journal::JournalError;

use super::gaps::Gap;

/// The polynomial of the checksum, as it is used for bits that come lowest first.
const POLYNOMIAL: u32 = 0xedb8_8320;

/// Writes a filler into the bytes of a segment.
pub(super) fn put(bytes: &mut Vec<u8>, gap: &Gap) -> Result<(), JournalError> {
    let Place { segment, offset } = gap.at.place;
    if gap.preamble {
        let beginning = preamble(segment, gap.at.chain);
        write(bytes, 0, &beginning);
    }
    if gap.to == PREAMBLE && gap.chain == gap.at.chain {
        return Ok(());
    }
    let length = usize::try_from(gap.to.saturating_sub(offset)).unwrap_or_default();
    let record = record(gap, length).ok_or_else(|| {
        io::Error::other(format!(
            "nothing fits into the {length} bytes that are damaged at byte {offset} of segment {segment}"
        ))
    })?;
    write(
        bytes,
        usize::try_from(offset).unwrap_or(usize::MAX),
        &record,
    );
    Ok(())
}

fn write(bytes: &mut Vec<u8>, at: usize, what: &[u8]) {
    let end = at.saturating_add(what.len());
    if bytes.len() < end {
        bytes.resize(end, 0);
    }
    if let Some(into) = bytes.get_mut(at..end) {
        into.copy_from_slice(what);
    }
}

/// The whole record, of this length; where nothing whole lies behind it, it may be longer.
fn record(gap: &Gap, length: usize) -> Option<Vec<u8>> {
    let mut body = body(length.checked_sub(HEADER)?)?;
    let place = gap.at.place;
    let patched = body.len().checked_sub(4)?;
    // The checksum of a body that ends with zeros is to be that of one with a patch there.
    let plain = Header::of(&body, place, gap.at.chain, place.offset).checksum;
    let patch = unwind(!plain) ^ unwind(!gap.chain);
    body.get_mut(patched..)?
        .copy_from_slice(&patch.to_le_bytes());
    let header = Header::of(&body, place, gap.at.chain, place.offset);
    (header.checksum == gap.chain).then(|| [&header.to_bytes()[..], &body].concat())
}

/// A body of this length that ends with four zeros.
fn body(length: usize) -> Option<Vec<u8>> {
    let mut body = Vec::new();
    // Where a length takes one byte more to write, one length of the whole is left out; a number of so many bytes makes up
    // for that. The shortest body has 7 bytes, the next 9.
    for more in [0, 1, 1 << 7, 1 << 14] {
        for padding in (0..=length).rev().take(24) {
            let lost = Lost {
                padding: vec![0; padding].into(),
                more,
                patch: Some(0),
            };
            drop(Event::Lost(lost).write(&mut body));
            if body.len() == length {
                return Some(body);
            }
        }
    }
    None
}

/// The state of the checksum four bytes earlier, if those were zeros.
fn unwind(mut state: u32) -> u32 {
    for _ in 0..32 {
        state = if state & 0x8000_0000 == 0 {
            state << 1
        } else {
            ((state ^ POLYNOMIAL) << 1) | 1
        };
    }
    state
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::log::journal::Position;

    proptest! {
        #[test]
        fn a_filler_has_any_length_and_checksum_that_are_asked_for(
            length in prop_oneof![25_usize..400, 16_000_usize..17_000],
            chain: u32, before: u32,
        ) {
            let place = Place { segment: 7, offset: 1000 };
            let to = place.offset + u32::try_from(length).unwrap();
            let at = Position { place, chain: before };
            let gap = Gap { at, to, chain, preamble: false };
            let record = record(&gap, length).unwrap();
            prop_assert_eq!(record.len(), length);
            let header = Header::from_bytes(&record).unwrap();
            prop_assert!(header.belongs_to(&record[HEADER..], place));
            prop_assert_eq!((header.checksum, header.chain), (chain, before));
        }
    }
}
