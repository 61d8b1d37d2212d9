//! Where a row lies: its place in the stream, and its entry in the index by correspondent.

use std::fmt::Write;

use rookery_stanza::{BareJid, Jid};
use rookery_storage::StoreError;
use rookery_storage::message_log::{Origin, RowId};
use sha2::{Digest, Sha256};

/// How many bits of an order count the rows of one millisecond.
const ROWS: u32 = 20;
/// Those bits.
const ROW: u64 = (1 << ROWS) - 1;

/// The place of this order in the stream. An order and the place are the same number, but for one: a stream has no place
/// 0-0.
pub(crate) fn in_stream(order: u64) -> String {
    format!("{}-{}", order >> ROWS, (order & ROW) + 1)
}

/// The order of a place in the stream.
pub(crate) fn order(place: &str) -> Result<u64, StoreError> {
    let read = || {
        let (time, row) = place.split_once('-')?;
        let (time, row): (u64, u64) = (time.parse().ok()?, row.parse().ok()?);
        Some((time << ROWS) + row.checked_sub(1)?)
    };
    read().ok_or_else(|| StoreError::Corrupt(format!("{place:?} is no place in a log")))
}

/// What an entry of the index begins with: a digest of the correspondent, whatever its resource.
pub(crate) fn of_correspondent(with: &BareJid) -> String {
    digest::<8>(with.as_str())
}

/// A digest of the correspondent with its resource.
pub(crate) fn of_resource(with: &Jid) -> String {
    digest::<4>(with.as_str())
}

/// What an entry of the index ends with: with which resource, and what the row is found by when its sender names it.
pub(crate) fn ending(with: &Jid, origin: Option<Origin>) -> String {
    let origin = origin.map_or_else(|| "-".to_owned(), |origin| format!("{:08x}", origin.bits()));
    format!("{}{origin}", of_resource(with))
}

/// The entry of a row in the index.
pub(crate) fn in_index(with: &Jid, order: u64, origin: Option<Origin>) -> String {
    format!(
        "{}{order:016x}{}",
        of_correspondent(&with.bare()),
        ending(with, origin)
    )
}

/// An entry of the index, read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Entry<'a> {
    pub(crate) order: u64,
    pub(crate) resource: &'a str,
    pub(crate) origin: Option<Origin>,
}

// === impl Entry ===

impl<'a> Entry<'a> {
    /// Reads an entry.
    pub(crate) fn read(entry: &'a str) -> Result<Self, StoreError> {
        let read = || {
            let order = u64::from_str_radix(entry.get(16..32)?, 16).ok()?;
            let origin = match entry.get(40..)? {
                "-" => None,
                bits => Some(Origin::from_bits(u32::from_str_radix(bits, 16).ok()?)),
            };
            Some(Self {
                order,
                resource: entry.get(32..40)?,
                origin,
            })
        };
        read().ok_or_else(|| StoreError::Corrupt("an entry of the index of a log".to_owned()))
    }
}

/// An id from its 32 digits.
pub(crate) fn id(text: &str) -> Result<RowId, StoreError> {
    text.parse()
        .map_err(|error| StoreError::Corrupt(format!("{text:?} is {error}")))
}

/// The first bytes of a digest that nobody can aim at, in digits.
fn digest<const BYTES: usize>(text: &str) -> String {
    let mut digits = String::with_capacity(2 * BYTES);
    for byte in Sha256::digest(text.as_bytes()).iter().take(BYTES) {
        write!(digits, "{byte:02x}").unwrap_or_default();
    }
    digits
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_order_and_its_place_are_one() {
        for number in [
            0,
            1,
            ROW,
            ROW + 1,
            1_700_000_000_000 << ROWS,
            (1 << 62) + ROW,
        ] {
            assert_eq!(order(&in_stream(number)), Ok(number));
        }
        assert_eq!(in_stream(0), "0-1");
        for text in ["", "1", "1-0", "a-1", "1-a"] {
            assert!(order(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn an_entry_is_read_as_it_was_written() {
        let with = Jid::parse("juliet@capulet.example/balcony").unwrap();
        for origin in [None, Some(Origin::of("1"))] {
            let entry = in_index(&with, 7, origin);
            let resource = of_resource(&with);
            assert_eq!(
                Entry::read(&entry),
                Ok(Entry {
                    order: 7,
                    resource: &resource,
                    origin
                })
            );
        }
        assert!(Entry::read("short").is_err());
    }
}
