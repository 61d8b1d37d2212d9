//! XEP-0198 on the client's side: what comes is counted and acknowledged, what is sent is asked about.

use bytes::BytesMut;

/// What asks the server how much it has handled (XEP-0198 §4).
pub(crate) const REQUEST: &[u8] = b"<r xmlns='urn:xmpp:sm:3'/>";

/// What enables it, with resumption (XEP-0198 §3).
pub(crate) const ENABLE: &str = "<enable xmlns='urn:xmpp:sm:3' resume='true'/>";

/// Stream management that is enabled.
#[derive(Debug, Default)]
pub(crate) struct Management {
    /// How many stanzas have come, modulo 2^32.
    handled: u32,
    /// Acknowledgements that have yet to be sent.
    pub(crate) answers: BytesMut,
}

impl Management {
    /// Takes note of what has come; true if it is no stanza, and nobody else needs it.
    pub(crate) fn takes(&mut self, element: &[u8]) -> bool {
        if is(element, b"<r") {
            let answer = format!("<a xmlns='urn:xmpp:sm:3' h='{}'/>", self.handled);
            self.answers.extend_from_slice(answer.as_bytes());
            return true;
        }
        if is(element, b"<a") {
            return true;
        }
        self.handled = self.handled.wrapping_add(1);
        false
    }
}

/// Whether the element has this name.
fn is(element: &[u8], opening: &[u8]) -> bool {
    let rest = element.strip_prefix(opening);
    rest.is_some_and(|rest| matches!(rest.first(), Some(b' ' | b'/' | b'>')))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_answered_with_the_number_of_stanzas_s4() {
        let mut management = Management::default();
        assert!(!management.takes(b"<message/>"));
        assert!(!management.takes(b"<abc/>"));
        assert!(management.takes(b"<a xmlns='urn:xmpp:sm:3' h='7'/>"));
        assert!(management.takes(REQUEST));
        assert_eq!(management.answers, &b"<a xmlns='urn:xmpp:sm:3' h='2'/>"[..]);
    }
}
