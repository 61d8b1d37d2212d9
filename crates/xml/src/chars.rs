//! Which characters XML 1.0 (fifth edition) allows where.

/// Whether every character of `text` may stand in an XML document (Char, production 2).
///
/// [`Element`](crate::Element) replaces what may not; whoever writes text by other ways asks here.
pub fn is_xml_text(text: &str) -> bool {
    has_controls_in_xml(text).is_some()
}

/// Whether there are control characters in `text`, which are tabs and line ends then; `None` if any
/// character may not stand in an XML document.
pub(crate) fn has_controls_in_xml(text: &str) -> Option<bool> {
    // No early exit: this way the compiler looks at many bytes at once.
    let (lowest, highest) = text
        .bytes()
        .fold((u8::MAX, 0), |(low, high), b| (b.min(low), b.max(high)));
    let has_controls = lowest < b' ';
    if has_controls && text.bytes().any(|b| b < b' ' && !is_space(b)) {
        return None;
    }
    // U+FFFE and U+FFFF are the only others that a `str` can hold, and both begin with 0xEF.
    if highest >= 0xEF && text.contains(['\u{FFFE}', '\u{FFFF}']) {
        return None;
    }
    Some(has_controls)
}

/// Char (production 2).
pub(crate) fn is_xml_char(c: char) -> bool {
    matches!(c, '\t' | '\n' | '\r' | '\u{20}'..='\u{FFFD}' | '\u{10000}'..)
}

/// S (production 3).
pub(crate) fn is_space(b: u8) -> bool {
    matches!(b, b' ' | b'\t' | b'\r' | b'\n')
}

/// Whether `text` is white space only, or empty.
pub(crate) fn is_blank(text: &str) -> bool {
    text.bytes().all(is_space)
}

/// `text` without the white space at its start.
pub(crate) fn trim_start(text: &str) -> &str {
    split_before(text, |b| !is_space(b)).1
}

/// What stands before the first byte that `stops` and what begins with it. All bytes that stop
/// here are ASCII, or nothing else is passed over.
pub(crate) fn split_before(text: &str, stops: impl Fn(u8) -> bool) -> (&str, &str) {
    let at = text.bytes().position(stops).unwrap_or(text.len());
    text.split_at_checked(at).unwrap_or((text, ""))
}

/// Whether `name` is an NCName: a name without a colon (Namespaces in XML 1.0, production 4).
pub(crate) fn is_ncname(name: &str) -> bool {
    let mut bytes = name.bytes();
    let Some(first) = bytes.next() else {
        return false;
    };
    if is_ascii_name_start(first) && bytes.all(is_ascii_name) {
        return true;
    }
    let mut chars = name.chars();
    chars.next().is_some_and(is_name_start) && chars.all(is_name_char)
}

/// Splits a QName into its prefix (empty if it has none) and its local part; `None` if it is none.
pub(crate) fn split_qname(name: &str) -> Option<(&str, &str)> {
    let Some(colon) = name.bytes().position(|b| b == b':') else {
        return is_ncname(name).then_some(("", name));
    };
    let (prefix, rest) = name.split_at_checked(colon)?;
    let local = rest.strip_prefix(':')?;
    (is_ncname(prefix) && is_ncname(local)).then_some((prefix, local))
}

/// Whether a byte can begin a name; every byte of a longer UTF-8 sequence passes here.
pub(crate) fn may_begin_name(b: u8) -> bool {
    is_ascii_name_start(b) || b == b':' || b >= 0x80
}

/// Whether behind `<!` it begins `DOCTYPE`, `ENTITY`, `ELEMENT`, `ATTLIST` or `NOTATION`.
pub(crate) fn begins_declaration(b: u8) -> bool {
    matches!(b, b'D' | b'E' | b'A' | b'N')
}

const fn is_ascii_name_start(b: u8) -> bool {
    b.is_ascii_alphabetic() || b == b'_'
}

fn is_ascii_name(b: u8) -> bool {
    // Looked up: names are in every tag, and this is faster than comparing.
    #[expect(clippy::indexing_slicing, reason = "happens when this is compiled")]
    const IN_NAMES: [bool; 256] = {
        let mut table = [false; 256];
        let mut b = 0;
        while b < 128_u8 {
            table[b as usize] =
                is_ascii_name_start(b) || b.is_ascii_digit() || b == b'-' || b == b'.';
            b += 1;
        }
        table
    };
    IN_NAMES.get(usize::from(b)).copied().unwrap_or_default()
}

/// NameStartChar (production 4) without the colon.
pub(crate) fn is_name_start(c: char) -> bool {
    matches!(c,
        'A'..='Z' | '_' | 'a'..='z'
        | '\u{C0}'..='\u{D6}' | '\u{D8}'..='\u{F6}' | '\u{F8}'..='\u{2FF}'
        | '\u{370}'..='\u{37D}' | '\u{37F}'..='\u{1FFF}' | '\u{200C}'..='\u{200D}'
        | '\u{2070}'..='\u{218F}' | '\u{2C00}'..='\u{2FEF}' | '\u{3001}'..='\u{D7FF}'
        | '\u{F900}'..='\u{FDCF}' | '\u{FDF0}'..='\u{FFFD}' | '\u{10000}'..='\u{EFFFF}')
}

/// NameChar (production 4a) without the colon.
pub(crate) fn is_name_char(c: char) -> bool {
    is_name_start(c)
        || matches!(c,
            '-' | '.' | '0'..='9' | '\u{B7}' | '\u{300}'..='\u{36F}' | '\u{203F}'..='\u{2040}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn char_production_2_decides_what_is_text() {
        assert!(is_xml_text(
            "tab\t line\n return\r und ü 漢 \u{1F600} \u{FFFD}\u{FEFF}"
        ));
        for bad in ["\0", "\u{1}", "\u{1F}", "\u{FFFE}", "\u{FFFF}", "ab\u{8}"] {
            assert!(!is_xml_text(bad), "{bad:?}");
            assert!(bad.chars().any(|c| !is_xml_char(c)), "{bad:?}");
        }
        assert!(is_xml_text("\u{7F}\u{85}"), "discouraged, but allowed");
    }

    #[test]
    fn ncname_production_4_decides_what_is_a_name() {
        for good in [
            "a",
            "_",
            "message",
            "x-1.2",
            "Ünder",
            "漢字",
            "a\u{B7}",
            "\u{10000}",
        ] {
            assert!(is_ncname(good), "{good:?}");
        }
        for bad in [
            "", "1a", "-a", ".a", "a:b", "a b", "a/", "\u{B7}", "\u{D7}", "a\u{37E}",
        ] {
            assert!(!is_ncname(bad), "{bad:?}");
        }
    }

    #[test]
    fn qname_has_one_colon_and_two_names() {
        assert_eq!(split_qname("a"), Some(("", "a")));
        assert_eq!(split_qname("a:b"), Some(("a", "b")));
        for bad in ["", ":", ":a", "a:", "a:b:c", "a::b", "a:1"] {
            assert_eq!(split_qname(bad), None, "{bad:?}");
        }
    }
}
