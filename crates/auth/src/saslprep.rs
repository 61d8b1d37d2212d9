//! SASLprep: preparing user names and passwords (RFC 4013, a profile of RFC 3454).

use std::borrow::Cow;

use stringprep::tables;
use unicode_normalization::UnicodeNormalization as _;

/// What the text is for: whether code points that Unicode 3.2 does not know are let through (RFC 3454
/// §7).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Strings {
    /// It is stored, or a hash of it: unassigned code points are prohibited.
    Stored,
    /// It is compared with what is stored: unassigned code points are allowed.
    Query,
}

/// Why a text has no prepared form.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SaslprepError {
    /// A control character, or another that RFC 4013 §2.3 prohibits.
    #[error("it has a character that is not allowed")]
    Prohibited,
    /// Right-to-left and left-to-right text are mixed (RFC 4013 §2.4).
    #[error("it mixes writing from right to left and from left to right")]
    Bidirectional,
    /// A code point that Unicode 3.2 does not know (RFC 4013 §2.5).
    #[error("it has a character that is too new to be allowed")]
    Unassigned,
}

/// Prepares a text.
pub fn saslprep(text: &str, strings: Strings) -> Result<Cow<'_, str>, SaslprepError> {
    if text.bytes().all(|byte| matches!(byte, b' '..=b'~')) {
        return Ok(Cow::Borrowed(text));
    }
    // §2.1 and §2.2.
    let to_space = |c| {
        if tables::non_ascii_space_character(c) {
            ' '
        } else {
            c
        }
    };
    let prepared: String = text
        .chars()
        .map(to_space)
        .filter(|&c| !tables::commonly_mapped_to_nothing(c))
        .nfkc()
        .collect();
    if prepared.contains(is_prohibited) {
        return Err(SaslprepError::Prohibited);
    }
    if !is_bidi_ordered(&prepared) {
        return Err(SaslprepError::Bidirectional);
    }
    if strings == Strings::Stored && prepared.contains(tables::unassigned_code_point) {
        return Err(SaslprepError::Unassigned);
    }
    Ok(Cow::Owned(prepared))
}

/// RFC 4013 §2.3, in the order given there.
fn is_prohibited(c: char) -> bool {
    tables::non_ascii_space_character(c)
        || tables::ascii_control_character(c)
        || tables::non_ascii_control_character(c)
        || tables::private_use(c)
        || tables::non_character_code_point(c)
        || tables::surrogate_code(c)
        || tables::inappropriate_for_plain_text(c)
        || tables::inappropriate_for_canonical_representation(c)
        || tables::change_display_properties_or_deprecated(c)
        || tables::tagging_character(c)
}

/// The rule for text in both directions (RFC 3454 §6).
pub(crate) fn is_bidi_ordered(text: &str) -> bool {
    !text.contains(tables::bidi_r_or_al)
        || (!text.contains(tables::bidi_l)
            && text.starts_with(tables::bidi_r_or_al)
            && text.ends_with(tables::bidi_r_or_al))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stored(text: &str) -> Result<Cow<'_, str>, SaslprepError> {
        saslprep(text, Strings::Stored)
    }

    #[test]
    fn the_examples_of_rfc_4013_s3() {
        assert_eq!(stored("I\u{AD}X").unwrap(), "IX");
        assert_eq!(stored("user").unwrap(), "user");
        assert_eq!(stored("USER").unwrap(), "USER");
        assert_eq!(stored("\u{AA}").unwrap(), "a");
        assert_eq!(stored("\u{2168}").unwrap(), "IX");
        assert_eq!(stored("\u{7}"), Err(SaslprepError::Prohibited));
        assert_eq!(stored("\u{627}1"), Err(SaslprepError::Bidirectional));
    }

    #[test]
    fn normalization_is_form_kc_as_rfc_5802_s3_advises_to_test() {
        assert_eq!(stored("\u{BD}").unwrap(), "1\u{2044}2");
        assert_eq!(stored("\u{B4}").unwrap(), " \u{301}");
    }

    #[test]
    fn spaces_become_the_ascii_space() {
        assert_eq!(stored("a\u{A0}b\u{3000}c").unwrap(), "a b c");
    }

    #[test]
    fn unassigned_code_points_are_for_queries_only_as_rfc_3454_s7_demands() {
        let newer = "\u{1F511}";
        assert_eq!(stored(newer), Err(SaslprepError::Unassigned));
        assert_eq!(saslprep(newer, Strings::Query).unwrap(), newer);
    }
}
