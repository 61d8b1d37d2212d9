//! Text and attribute values: escaping on the way out, references and normalisation on the way in.

use std::borrow::Cow;

use memchr::memchr;

use crate::chars::is_xml_char;
use crate::error::XmlError;

/// Appends `text` as character data. `>` is escaped too, so that `]]>` cannot arise, and a carriage
/// return, which a receiver would turn into a line feed (XML 1.0 §2.11).
///
/// Characters that XML does not allow are the caller's duty: [`is_xml_text`](crate::is_xml_text).
pub fn escape_text(text: &str, out: &mut Vec<u8>) {
    escape(text, out, *b"&<>\r");
}

/// Appends `value` as the inside of an attribute value in single quotes. White space other than
/// the space is written as references, so that it survives normalisation (XML 1.0 §3.3.3).
///
/// Characters that XML does not allow are the caller's duty: [`is_xml_text`](crate::is_xml_text).
pub fn escape_attribute(value: &str, out: &mut Vec<u8>) {
    escape(value, out, *b"&<>'\t\n\r");
}

/// Copies `text`, in runs as long as possible, and replaces what is special.
fn escape<const N: usize>(text: &str, out: &mut Vec<u8>, special: [u8; N]) {
    let mut rest = text.as_bytes();
    // Mostly nothing is. No early exit: this way the compiler looks at many bytes at once.
    let is_special = |b| special.iter().fold(0, |found, s| found | u8::from(b == *s));
    if text.bytes().fold(0, |found, b| found | is_special(b)) != 0 {
        while let Some(at) = rest.iter().position(|b| special.contains(b)) {
            let Some((plain, [special, after @ ..])) = rest.split_at_checked(at) else {
                break;
            };
            out.extend_from_slice(plain);
            out.extend_from_slice(reference(*special));
            rest = after;
        }
    }
    out.extend_from_slice(rest);
}

/// What stands for a special character.
fn reference(special: u8) -> &'static [u8] {
    match special {
        b'&' => b"&amp;",
        b'<' => b"&lt;",
        b'>' => b"&gt;",
        b'\'' => b"&apos;",
        b'\t' => b"&#9;",
        b'\n' => b"&#10;",
        b'\r' => b"&#13;",
        _ => b"",
    }
}

/// The character that the reference at the start of `text` stands for, and what follows it.
pub(crate) fn split_reference(text: &str) -> Result<(char, &str), XmlError> {
    let (name, after) = text
        .strip_prefix('&')
        .and_then(|text| text.split_once(';'))
        .ok_or(XmlError::NotWellFormed(
            "ampersand that begins no reference",
        ))?;
    Ok((resolve_reference(name)?, after))
}

/// The character that `&name;` stands for: a character reference or one of the five predefined
/// entities. Any other entity is restricted XML (RFC 6120 §11.1).
fn resolve_reference(name: &str) -> Result<char, XmlError> {
    match name {
        "lt" => return Ok('<'),
        "gt" => return Ok('>'),
        "amp" => return Ok('&'),
        "apos" => return Ok('\''),
        "quot" => return Ok('"'),
        _ => {}
    }
    let Some(number) = name.strip_prefix('#') else {
        return Err(if crate::chars::is_ncname(name) {
            XmlError::Restricted("entity that is not predefined")
        } else {
            XmlError::NotWellFormed("reference without a name")
        });
    };
    let (digits, radix) = number
        .strip_prefix('x')
        .map_or((number, 10), |hex| (hex, 16));
    // `from_str_radix` would accept a sign.
    Some(digits)
        .filter(|digits| digits.chars().all(|c| c.is_digit(radix)))
        .and_then(|digits| u32::from_str_radix(digits, radix).ok())
        .and_then(char::from_u32)
        .filter(|&c| is_xml_char(c))
        .ok_or(XmlError::NotWellFormed("reference to no character"))
}

/// The value of an attribute as an application sees it (XML 1.0 §3.3.3): references resolved,
/// literal white space turned into spaces. `raw` is what stands between the quotes.
pub(crate) fn attribute_value(raw: &str) -> Result<Cow<'_, str>, XmlError> {
    let special = |b| matches!(b, b'<' | b'&' | 0..0x20);
    if raw.bytes().fold(0, |found, b| found | u8::from(special(b))) == 0 {
        return Ok(Cow::Borrowed(raw));
    }
    let mut value = String::with_capacity(raw.len());
    let mut rest = raw;
    while let Some(at) = memchr(b'&', rest.as_bytes()) {
        let Some((before, after)) = rest.split_at_checked(at) else {
            break;
        };
        push_literal(before, &mut value)?;
        let (name, after) = after
            .strip_prefix('&')
            .and_then(|after| after.split_once(';'))
            .ok_or(XmlError::NotWellFormed(
                "ampersand that begins no reference",
            ))?;
        value.push(resolve_reference(name)?);
        rest = after;
    }
    push_literal(rest, &mut value)?;
    Ok(Cow::Owned(value))
}

/// Literal characters of an attribute value; a line end counts as one character (§2.11).
fn push_literal(raw: &str, value: &mut String) -> Result<(), XmlError> {
    let mut after_return = false;
    for c in raw.chars() {
        match c {
            '<' => return Err(XmlError::NotWellFormed("'<' in an attribute value")),
            '\n' if after_return => {}
            '\t' | '\n' | '\r' => value.push(' '),
            _ => value.push(c),
        }
        after_return = c == '\r';
    }
    Ok(())
}

/// Character data with its line ends as an application sees them (XML 1.0 §2.11).
pub(crate) fn line_ends(raw: &str) -> Cow<'_, str> {
    if memchr(b'\r', raw.as_bytes()).is_none() {
        return Cow::Borrowed(raw);
    }
    Cow::Owned(raw.replace("\r\n", "\n").replace('\r', "\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(s: &str) -> String {
        let mut out = Vec::new();
        escape_text(s, &mut out);
        String::from_utf8(out).unwrap()
    }

    fn attribute(s: &str) -> String {
        let mut out = Vec::new();
        escape_attribute(s, &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn escaping_leaves_no_markup() {
        assert_eq!(text("a<b>&c]]>'\"\r\n"), "a&lt;b&gt;&amp;c]]&gt;'\"&#13;\n");
        assert_eq!(
            attribute("a<b>&'\"\t\r\n"),
            "a&lt;b&gt;&amp;&apos;\"&#9;&#13;&#10;"
        );
        assert_eq!(text(""), "");
        assert_eq!(text("plain ü 漢"), "plain ü 漢");
    }

    #[test]
    fn attribute_values_are_normalised_as_xml_s3_3_3_says() {
        let normal = |raw| attribute_value(raw).map(Cow::into_owned);
        assert_eq!(normal("a\tb\nc\r\nd\re").as_deref(), Ok("a b c d e"));
        assert_eq!(normal("&#9;&#xA;&#13;").as_deref(), Ok("\t\n\r"));
        assert_eq!(normal("&lt;&gt;&amp;&apos;&quot;").as_deref(), Ok("<>&'\""));
        assert_eq!(normal("&amp;lt;").as_deref(), Ok("&lt;"));
        assert!(matches!(
            attribute_value("plain"),
            Ok(Cow::Borrowed("plain"))
        ));
    }

    #[test]
    fn references_name_one_xml_character() {
        assert_eq!(resolve_reference("#65"), Ok('A'));
        assert_eq!(resolve_reference("#x1F600"), Ok('\u{1F600}'));
        let none = Err(XmlError::NotWellFormed("reference to no character"));
        for bad in [
            "#",
            "#x",
            "#x1",
            "#0",
            "#xFFFE",
            "#xD800",
            "#x110000",
            "#+65",
            "#-1",
            "#X41",
            "#6 5",
            "#99999999999999999999",
        ] {
            assert_eq!(resolve_reference(bad), none, "{bad}");
        }
        assert!(matches!(
            resolve_reference("nbsp"),
            Err(XmlError::Restricted(_))
        ));
        for bad in ["", " ", "1", "a b", "a=b"] {
            assert!(
                matches!(resolve_reference(bad), Err(XmlError::NotWellFormed(_))),
                "{bad}"
            );
        }
    }
}
