//! Finding the places of a log at which there should be records and are none.

use crate::log::frame::{HEADER, Header, PREAMBLE, Place, read_preamble};
use crate::log::journal::{JournalError, Position, Segments, first_byte};

/// What a log was found to be.
#[derive(Debug, Default)]
pub(crate) struct Scan {
    /// How many records can be read.
    pub(crate) records: u64,
    /// What cannot, in order.
    pub(crate) gaps: Vec<Gap>,
}

/// A part of a segment that cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Gap {
    /// Where the first record of it began, and the checksum of the one before.
    pub(crate) at: Position,
    /// Where what can be read begins again.
    pub(crate) to: u32,
    /// The checksum that what can be read again says of the record before it.
    pub(crate) chain: u32,
    /// The beginning of the segment is part of it.
    pub(crate) preamble: bool,
}

/// A lost end of a segment is at least so long as to hold a filler.
const SHORTEST: u32 = 64;

/// A segment on its way through.
struct Through<'a> {
    bytes: &'a [u8],
    at: Position,
    preamble: bool,
    /// Up to where it went, as far as something else says so, and the checksum of its last record if that is known.
    went: Option<(u32, Option<u32>)>,
    scan: &'a mut Scan,
}

/// Reads everything. An index that contains the log up to `indexed` was made from what was there.
pub(crate) fn scan(
    segments: &Segments,
    list: &[u32],
    indexed: Option<Position>,
) -> Result<Scan, JournalError> {
    let mut scan = Scan::default();
    let mut begun = Vec::new();
    for number in list {
        let bytes = read_all(segments, *number)?;
        if first_byte(&bytes, 0).is_some() {
            begun.push(*number);
        }
    }
    let mut chain = None;
    for (index, number) in begun.iter().enumerate() {
        let bytes = read_all(segments, *number)?;
        let next = begun.get(index + 1).copied();
        let went = match next {
            // Between two segments that are not neighbours there were others, which are not needed any more.
            Some(next) if next == number.saturating_add(1) => {
                let chain = segments.beginning(next)?.map(|beginning| beginning.chain);
                Some((last_byte(&bytes), chain))
            }
            Some(_) => None,
            None => indexed
                .filter(|indexed| indexed.place.segment == *number)
                .map(|indexed| (indexed.place.offset, Some(indexed.chain))),
        };
        let stated = read_preamble(&bytes, *number);
        let mut through = Through {
            at: Position {
                place: Place {
                    segment: *number,
                    offset: PREAMBLE,
                },
                chain: stated.or(chain).unwrap_or_default(),
            },
            preamble: stated.is_none(),
            bytes: &bytes,
            went,
            scan: &mut scan,
        };
        through.run(next.is_some());
        chain = Some(through.at.chain);
    }
    Ok(scan)
}

/// A whole segment.
pub(crate) fn read_all(segments: &Segments, number: u32) -> Result<Vec<u8>, JournalError> {
    let file = segments.get(number)?;
    let mut bytes = vec![0; usize::try_from(file.size()?).unwrap_or(usize::MAX)];
    let read = file.read_at(&mut bytes, 0)?;
    bytes.truncate(read);
    Ok(bytes)
}

// === impl Gap ===

impl Gap {
    /// Its first byte.
    pub(crate) fn from(&self) -> u64 {
        if self.preamble {
            0
        } else {
            self.at.place.offset.into()
        }
    }

    /// Where it ends.
    pub(crate) fn end(&self) -> Place {
        Place {
            offset: self.to,
            ..self.at.place
        }
    }
}

// === impl Through ===

impl Through<'_> {
    /// Goes to the end of the segment; if the log goes on elsewhere, everything whole in it belongs to the log.
    fn run(&mut self, goes_on: bool) {
        loop {
            let from = self.at.place.offset;
            if let Some(header) = whole(self.bytes, self.at.place) {
                if self.preamble {
                    self.at.chain = header.chain;
                }
                if header.chain != self.at.chain || self.preamble {
                    self.gap(from, header.chain);
                }
                self.pass(header);
                continue;
            }
            let next = self.next_whole(|header, place| {
                goes_on || (from < header.synced && header.synced <= place.offset)
            });
            let Some((place, header)) = next else { break };
            self.gap(place.offset, header.chain);
            self.at.place = place;
            self.pass(header);
        }
        let end = self.at.place.offset;
        let Some((to, chain)) = self.went else { return };
        // The next segment says what the last record was, and the index where it ended.
        let is_short = match chain {
            Some(chain) => chain != self.at.chain && (goes_on || to > end),
            None => to > end,
        };
        if is_short {
            let chain = chain.unwrap_or(!self.at.chain);
            self.gap(to.max(end.saturating_add(SHORTEST)), chain);
            self.at.chain = chain;
        }
    }

    fn gap(&mut self, to: u32, chain: u32) {
        self.scan.gaps.push(Gap {
            at: self.at,
            to,
            chain,
            preamble: std::mem::take(&mut self.preamble),
        });
    }

    fn pass(&mut self, header: Header) {
        let length = u32::try_from(HEADER + header.length).unwrap_or(u32::MAX);
        self.at.place.offset = self.at.place.offset.saturating_add(length);
        self.at.chain = header.checksum;
        self.scan.records += 1;
    }

    /// The next whole record behind this place that belongs to the log.
    fn next_whole(&self, belongs: impl Fn(&Header, Place) -> bool) -> Option<(Place, Header)> {
        let mut at = usize::try_from(self.at.place.offset).ok()?;
        loop {
            at = at.max(first_byte(self.bytes, at)?.saturating_sub(3));
            let place = Place {
                offset: u32::try_from(at).ok()?,
                ..self.at.place
            };
            if let Some(header) = whole(self.bytes, place).filter(|header| belongs(header, place)) {
                return Some((place, header));
            }
            at += 1;
        }
    }
}

/// Where the part of a segment ends that something was written to.
fn last_byte(bytes: &[u8]) -> u32 {
    let last = bytes.iter().rposition(|byte| *byte != 0);
    last.and_then(|last| u32::try_from(last + 1).ok())
        .unwrap_or_default()
}

/// The record at a place, if it is whole.
fn whole(bytes: &[u8], place: Place) -> Option<Header> {
    let bytes = bytes.get(usize::try_from(place.offset).ok()?..)?;
    let header = Header::from_bytes(bytes)?;
    let body = bytes.get(HEADER..HEADER.saturating_add(header.length))?;
    header.belongs_to(body, place).then_some(header)
}
