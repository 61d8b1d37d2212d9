//! Which slot of a cluster a key is in: CRC16 of its hash tag, modulo 16384 (Redis Cluster Specification, "Hash tags").

/// How many slots there are.
pub(crate) const SLOTS: u16 = 16384;

/// The slot of all keys with this tag.
pub(crate) fn of_tag(tag: &str) -> u16 {
    crc16(tag.as_bytes()) % SLOTS
}

/// CRC16-CCITT in the variant of XMODEM: polynomial 0x1021, beginning with 0.
fn crc16(bytes: &[u8]) -> u16 {
    bytes.iter().fold(0, |crc: u16, byte| {
        (0..8).fold(crc ^ (u16::from(*byte) << 8), |crc, _| {
            let shifted = crc << 1;
            if crc & 0x8000 == 0 {
                shifted
            } else {
                shifted ^ 0x1021
            }
        })
    })
}

/// A text as a hash tag: without the characters that have a meaning in keys, so that every tag is taken whole, whatever
/// is in an address.
pub(crate) fn tag(text: &str) -> String {
    let mut tag = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '{' => tag.push_str("%7B"),
            '}' => tag.push_str("%7D"),
            '%' => tag.push_str("%25"),
            other => tag.push(other),
        }
    }
    tag
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_checksum_is_that_of_the_specification() {
        assert_eq!(crc16(b"123456789"), 0x31c3);
        assert_eq!(of_tag("foo"), 12182);
    }

    #[test]
    fn no_two_texts_have_the_same_tag() {
        let texts = ["a}b@c", "a%7Db@c", "}", "{", "%", "%25"];
        let tags: std::collections::BTreeSet<_> = texts.iter().map(|text| tag(text)).collect();
        assert_eq!(tags.len(), texts.len());
        assert!(tags.iter().all(|tag| !tag.contains(['{', '}'])));
    }
}
