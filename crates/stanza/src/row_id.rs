//! The id of a row: it sorts by time, is never given twice, and cannot be guessed.

use std::fmt;
use std::str::FromStr;

/// How many rows may follow each other within one millisecond before their ids run ahead of the clock.
const ROWS_IN_A_MILLISECOND: u32 = 20;
/// The latest time that an id takes from a clock, in milliseconds since 1970: in the year 2109. A clock that is
/// further off cannot use up the ids that are left.
const LATEST: u64 = 1 << 42;
/// Length of the text of an id.
const TEXT: usize = 32;

/// The id of a row of an account's log, which is also the stanza id of its message (XEP-0359 §3).
///
/// Its first half is the order of the account's rows: the time of the append, or just above the row before when the
/// clock has not moved on, or has moved back. Its second half is random, so that nobody names a row that he was not
/// told of.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RowId {
    order: u64,
    salt: u64,
}

/// A text that is not the id of a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not the id of a row")]
pub struct NotARowId;

// === impl RowId ===

impl RowId {
    /// The id of the row after `last`, appended at `now` (milliseconds since 1970-01-01T00:00:00Z). The salt has to
    /// come from a source that nobody can predict.
    pub fn next(last: Option<Self>, now: u64, salt: u64) -> Self {
        let by_time = Self::order_at(now);
        let order = last.map_or(by_time, |last| by_time.max(last.order + 1));
        Self { order, salt }
    }

    /// The id of these halves, as a store has kept them.
    pub fn from_halves(order: u64, salt: u64) -> Self {
        Self { order, salt }
    }

    /// The lowest order that a row of this time can have (milliseconds since 1970).
    pub fn order_at(time: u64) -> u64 {
        time.min(LATEST) << ROWS_IN_A_MILLISECOND
    }

    /// The place among the account's rows; below 2^63.
    pub fn order(self) -> u64 {
        self.order
    }

    /// The random half.
    pub fn salt(self) -> u64 {
        self.salt
    }

    /// When the row was appended as the log counts time, which never goes back: milliseconds since
    /// 1970-01-01T00:00:00Z.
    pub fn time(self) -> u64 {
        self.order >> ROWS_IN_A_MILLISECOND
    }
}

impl fmt::Display for RowId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}{:016x}", self.order, self.salt)
    }
}

impl fmt::Debug for RowId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for RowId {
    type Err = NotARowId;

    fn from_str(text: &str) -> Result<Self, NotARowId> {
        let digit = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
        if text.len() != TEXT || !text.bytes().all(digit) {
            return Err(NotARowId);
        }
        let both = u128::from_str_radix(text, 16).map_err(|_| NotARowId)?;
        let half = |bits: u128| u64::try_from(bits & u128::from(u64::MAX)).unwrap_or(u64::MAX);
        Ok(Self {
            order: half(both >> 64),
            salt: half(both),
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn an_id_tells_its_time() {
        let id = RowId::next(None, 1_700_000_000_000, 7);
        assert_eq!(id.time(), 1_700_000_000_000);
        assert_eq!(id.salt(), 7);
    }

    #[test]
    fn what_is_not_an_id_is_refused() {
        let id = RowId::next(None, 1_700_000_000_000, u64::MAX).to_string();
        let rest: String = id.chars().skip(1).collect();
        for text in ["", "0", &id.to_uppercase(), &rest, &format!("+{rest}")] {
            assert_eq!(text.parse::<RowId>(), Err(NotARowId), "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn ids_rise_under_any_clock(clock in prop::collection::vec((any::<u64>(), any::<u64>()), 1..100)) {
            let mut last = None;
            for (now, salt) in clock {
                let id = RowId::next(last, now, salt);
                prop_assert!(last < Some(id));
                prop_assert!(id.order() < 1 << 63);
                prop_assert!(id.time() >= now.min(LATEST));
                last = Some(id);
            }
        }

        #[test]
        fn ids_and_their_texts_are_equal_and_sort_alike(one: (u64, u64), other: (u64, u64)) {
            let (one, other) = (RowId::from_halves(one.0, one.1), RowId::from_halves(other.0, other.1));
            prop_assert_eq!(one.to_string().parse(), Ok(one));
            prop_assert_eq!(one.cmp(&other), one.to_string().cmp(&other.to_string()));
        }
    }
}
