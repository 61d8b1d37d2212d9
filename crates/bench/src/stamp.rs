//! What a measured stanza carries: who sent it, its number, and when.

use std::io::Write as _;

use memchr::memmem;

/// What a measured stanza carries, as text of fixed length.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stamp {
    /// The sender's place among the accounts.
    pub(crate) sender: u32,
    /// The stanza's number in its flow.
    pub(crate) number: u64,
    /// Nanoseconds since the generator began.
    pub(crate) nanoseconds: u64,
}

/// Bytes of a stamp.
pub(crate) const LENGTH: usize = 40;

// === impl Stamp ===

impl Stamp {
    /// Appends the stamp.
    pub(crate) fn write(self, out: &mut Vec<u8>) {
        let Self {
            sender,
            number,
            nanoseconds,
        } = self;
        // A vector takes everything.
        write!(out, "#{sender:07} {number:014} {nanoseconds:016}").unwrap_or_default();
    }

    /// Finds the stamp behind `tag` (a start tag) in a stanza.
    pub(crate) fn find(stanza: &[u8], tag: &[u8]) -> Option<Self> {
        let at = memmem::find(stanza, tag)? + tag.len();
        let stamp = stanza.get(at..at + LENGTH)?.strip_prefix(b"#")?;
        let mut numbers = stamp.split(|&byte| byte == b' ').map(number);
        Some(Self {
            sender: u32::try_from(numbers.next()??).ok()?,
            number: numbers.next()??,
            nanoseconds: numbers.next()??,
        })
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
            sender: 12,
            number: 345,
            nanoseconds: 6_789,
        };
        let mut stanza = b"<message><body>".to_vec();
        let before = stanza.len();
        stamp.write(&mut stanza);
        assert_eq!(stanza.len() - before, LENGTH);
        stanza.extend_from_slice(b"xxx</body></message>");
        assert_eq!(Stamp::find(&stanza, b"<body>"), Some(stamp));
        assert_eq!(Stamp::find(&stanza, b"<status>"), None);
    }

    #[test]
    fn other_text_is_no_stamp() {
        for text in [
            "",
            "#1 2 3",
            "a text that is as long as any stamp would be, or longer",
            "#0000012 0000000000345 -000000000006789x",
        ] {
            let stanza = format!("<body>{text}</body>");
            assert_eq!(Stamp::find(stanza.as_bytes(), b"<body>"), None, "{text}");
        }
    }
}
