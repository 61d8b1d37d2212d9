//! How a record lies in a segment: a header that says whether it is whole, in its place, and after the right one.
//!
//! | bytes | of a record's header |
//! |---|---|
//! | 4 | length of the body |
//! | 4 | checksum of the record before |
//! | 4 | up to where the segment was durable when the record was written |
//! | 4 | checksum over the segment's number, the place in it, the three above, and the body |
//!
//! What an earlier, failed write has left behind the end cannot be taken for the next record: its place or the record
//! before it would differ. All numbers are little-endian.

/// Bytes before the body.
pub(crate) const HEADER: usize = 16;
/// A longer body is not written, and no length that is read is trusted above it.
pub(crate) const LONGEST: usize = 64 << 20;
/// Bytes at the beginning of each segment.
pub(crate) const PREAMBLE: u32 = 16;
/// What a segment begins with; the last byte is the version of the format.
const MAGIC: [u8; 8] = *b"RookLog\x01";

/// Where a record lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Place {
    pub(crate) segment: u32,
    pub(crate) offset: u32,
}

/// A record's header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Header {
    /// Length of the body.
    pub(crate) length: usize,
    /// The checksum of the record before.
    pub(crate) chain: u32,
    /// Up to where the segment was durable when it was written.
    pub(crate) synced: u32,
    /// The checksum of this one.
    pub(crate) checksum: u32,
}

// === impl Header ===

impl Header {
    /// The header of this body at this place.
    pub(crate) fn of(body: &[u8], place: Place, chain: u32, synced: u32) -> Self {
        let length = u32::try_from(body.len()).unwrap_or(u32::MAX);
        let mut hasher = crc32fast::Hasher::new();
        for number in [place.segment, place.offset, length, chain, synced] {
            hasher.update(&number.to_le_bytes());
        }
        hasher.update(body);
        Self {
            length: body.len(),
            chain,
            synced,
            checksum: hasher.finalize(),
        }
    }

    pub(crate) fn to_bytes(self) -> [u8; HEADER] {
        let length = u32::try_from(self.length).unwrap_or(u32::MAX);
        let mut bytes = [0; HEADER];
        let numbers = [length, self.chain, self.synced, self.checksum];
        for (into, number) in bytes.chunks_exact_mut(4).zip(numbers) {
            into.copy_from_slice(&number.to_le_bytes());
        }
        bytes
    }

    /// Reads a header; nothing when it cannot be one.
    pub(crate) fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let length = usize::try_from(number(bytes, 0)?).ok()?;
        (1..=LONGEST).contains(&length).then_some(Self {
            length,
            chain: number(bytes, 4)?,
            synced: number(bytes, 8)?,
            checksum: number(bytes, 12)?,
        })
    }

    /// Whether it is the header of this body at this place.
    pub(crate) fn belongs_to(self, body: &[u8], place: Place) -> bool {
        self == Self::of(body, place, self.chain, self.synced)
    }
}

/// What a segment begins with: whose it is, its number, and the checksum of the last record before it.
pub(crate) fn preamble(segment: u32, chain: u32) -> Vec<u8> {
    [&MAGIC[..], &segment.to_le_bytes(), &chain.to_le_bytes()].concat()
}

/// The checksum of the last record before the segment; nothing when it does not begin as it should.
pub(crate) fn read_preamble(bytes: &[u8], segment: u32) -> Option<u32> {
    let ours = bytes.starts_with(&MAGIC) && number(bytes, 8)? == segment;
    number(bytes, 12).filter(|_| ours)
}

fn number(bytes: &[u8], at: usize) -> Option<u32> {
    let bytes = bytes.get(at..)?.first_chunk()?;
    Some(u32::from_le_bytes(*bytes))
}
