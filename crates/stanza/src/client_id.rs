//! The name of a client of an account: one installation, whatever sessions it has (XEP-0388 §"Initiation").

use std::fmt;
use std::str::FromStr;

/// Length of the text of an id.
const TEXT: usize = 32;

/// Names a client among those of its account. It is made from the id that the client gives itself, which nobody
/// else may learn, and tells nothing about that.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ClientId([u8; 16]);

/// A text that is not the id of a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not the id of a client")]
pub struct NotAClientId;

// === impl ClientId ===

impl ClientId {
    /// The id of these bytes.
    pub fn new(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// The bytes.
    pub fn bytes(self) -> [u8; 16] {
        self.0
    }
}

impl fmt::Display for ClientId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", u128::from_be_bytes(self.0))
    }
}

impl fmt::Debug for ClientId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for ClientId {
    type Err = NotAClientId;

    fn from_str(text: &str) -> Result<Self, NotAClientId> {
        let canonical = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
        if text.len() != TEXT || !text.bytes().all(canonical) {
            return Err(NotAClientId);
        }
        u128::from_str_radix(text, 16)
            .map(|number| Self(number.to_be_bytes()))
            .map_err(|_| NotAClientId)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_has_one_text() {
        for id in [0, 1, u128::MAX, 0x0123_4567_89ab_cdef] {
            let id = ClientId::new(u128::to_be_bytes(id));
            assert_eq!(id.to_string().parse(), Ok(id));
        }
        for text in [
            "",
            "1",
            "+0000000000000000000000000000001",
            &"F".repeat(32),
            &"f".repeat(33),
        ] {
            assert_eq!(text.parse::<ClientId>(), Err(NotAClientId), "{text:?}");
        }
    }
}
