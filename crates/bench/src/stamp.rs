//! What a measured stanza carries: in which run it was sent, by whom, its number, and when.

use std::io::Write as _;

use memchr::memmem;

/// What a measured stanza carries, as text of fixed length.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stamp {
    /// The run: what a server has kept from an earlier one is not in the books of this one.
    pub(crate) run: u32,
    /// The sender's place among the accounts.
    pub(crate) sender: u32,
    /// The stanza's number in its flow.
    pub(crate) number: u64,
    /// Nanoseconds since the generator began.
    pub(crate) nanoseconds: u64,
}

/// Bytes of a stamp.
pub(crate) const LENGTH: usize = 49;

/// A run's number is less than this: it has eight digits.
pub(crate) const RUNS: u32 = 100_000_000;

// === impl Stamp ===

impl Stamp {
    /// Appends the stamp.
    pub(crate) fn write(self, out: &mut Vec<u8>) {
        let Self {
            run,
            sender,
            number,
            nanoseconds,
        } = self;
        // A vector takes everything.
        write!(out, "#{run:08} {sender:07} {number:014} {nanoseconds:016}").unwrap_or_default();
    }

    /// Finds the stamp of this run behind `tag` (a start tag) in a stanza.
    pub(crate) fn find(stanza: &[u8], tag: &[u8], run: u32) -> Option<Self> {
        let at = memmem::find(stanza, tag)? + tag.len();
        let stamp = stanza.get(at..at + LENGTH)?.strip_prefix(b"#")?;
        let mut numbers = stamp.split(|&byte| byte == b' ').map(number);
        let stamp = Self {
            run: u32::try_from(numbers.next()??).ok()?,
            sender: u32::try_from(numbers.next()??).ok()?,
            number: numbers.next()??,
            nanoseconds: numbers.next()??,
        };
        (stamp.run == run).then_some(stamp)
    }
}

fn number(digits: &[u8]) -> Option<u64> {
    digits.iter().try_fold(0_u64, |number, digit| {
        let digit = digit.checked_sub(b'0').filter(|digit| *digit < 10)?;
        number.checked_mul(10)?.checked_add(u64::from(digit))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stamp_is_found_in_the_stanza_that_carries_it() {
        let stamp = Stamp {
            run: 7,
            sender: 12,
            number: 345,
            nanoseconds: 6_789,
        };
        let mut stanza = b"<message><body>".to_vec();
        let before = stanza.len();
        stamp.write(&mut stanza);
        assert_eq!(stanza.len() - before, LENGTH);
        stanza.extend_from_slice(b"xxx</body></message>");
        assert_eq!(Stamp::find(&stanza, b"<body>", 7), Some(stamp));
        assert_eq!(Stamp::find(&stanza, b"<status>", 7), None);
        assert_eq!(Stamp::find(&stanza, b"<body>", 8), None, "of another run");
    }

    #[test]
    fn other_text_is_no_stamp() {
        for text in [
            "",
            "#1 2 3 4",
            "a text that is as long as any stamp would be, or longer",
            "#00000007 0000012 0000000000345 -000000000006789x",
        ] {
            let stanza = format!("<body>{text}</body>");
            assert_eq!(Stamp::find(stanza.as_bytes(), b"<body>", 7), None, "{text}");
        }
    }
}
