//! ANONYMOUS: nobody in particular (RFC 4505, XEP-0175).

use rookery_stream::SaslCondition;
use stringprep::tables;

use crate::saslprep::is_bidi_ordered;

/// The most characters of trace information (RFC 4505 §2).
const MAX_TRACE: usize = 255;

/// Checks the trace information, which is then dropped: it is not authenticated, and a privacy concern
/// (RFC 4505 §5).
pub(crate) fn check_trace(message: &[u8]) -> Result<(), SaslCondition> {
    let trace = std::str::from_utf8(message).map_err(|_| SaslCondition::MalformedRequest)?;
    let fits = trace.chars().take(MAX_TRACE + 1).count() <= MAX_TRACE;
    if fits && !trace.contains(is_prohibited) && is_bidi_ordered(trace) {
        Ok(())
    } else {
        Err(SaslCondition::MalformedRequest)
    }
}

/// A localpart that nobody else has: a random UUID (XEP-0175 §"Recommendations").
pub(crate) fn localpart(random: [u8; 16]) -> String {
    // Version 4 and variant 10, where a UUID has them.
    const FIXED: u128 = 0x0000_0000_0000_f000_c000_0000_0000_0000;
    const VALUE: u128 = 0x0000_0000_0000_4000_8000_0000_0000_0000;
    let uuid = u128::from_be_bytes(random) & !FIXED | VALUE;
    let field = |from: u32, bits: u32| uuid >> from & ((1 << bits) - 1);
    format!(
        "{:08x}-{:04x}-{:04x}-{:04x}-{:012x}",
        field(96, 32),
        field(80, 16),
        field(64, 16),
        field(48, 16),
        field(0, 48)
    )
}

/// What the profile "trace" prohibits (RFC 4505 §3).
fn is_prohibited(c: char) -> bool {
    tables::ascii_control_character(c)
        || tables::non_ascii_control_character(c)
        || tables::private_use(c)
        || tables::non_character_code_point(c)
        || tables::surrogate_code(c)
        || tables::inappropriate_for_plain_text(c)
        || tables::change_display_properties_or_deprecated(c)
        || tables::tagging_character(c)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trace_information_has_at_most_255_characters_as_rfc_4505_s2_says() {
        assert_eq!(check_trace(b""), Ok(()));
        assert_eq!(check_trace(b"sirhc"), Ok(()));
        assert_eq!(check_trace("\u{e4}".repeat(255).as_bytes()), Ok(()));
        for malformed in ["x".repeat(256), "a\0b".to_owned(), "\u{627}1".to_owned()] {
            assert_eq!(
                check_trace(malformed.as_bytes()),
                Err(SaslCondition::MalformedRequest)
            );
        }
        assert_eq!(check_trace(b"\xFF"), Err(SaslCondition::MalformedRequest));
    }

    #[test]
    fn the_localpart_is_a_random_uuid_as_xep_0175_recommends() {
        assert_eq!(
            localpart([0xff; 16]),
            "ffffffff-ffff-4fff-bfff-ffffffffffff"
        );
        let random: [u8; 16] = std::array::from_fn(|position| u8::try_from(position).unwrap());
        assert_eq!(localpart(random), "00010203-0405-4607-8809-0a0b0c0d0e0f");
    }
}
