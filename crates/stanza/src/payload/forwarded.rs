//! XEP-0297: Stanza Forwarding.

use super::delay::Delay;
use crate::{ParseError, Stanza, ns};
use bytes::Bytes;
use rookery_xml::Element;

/// A stanza inside another one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Forwarded {
    /// When whoever forwards it received it.
    pub delay: Option<Delay>,
    /// The stanza as [`Stanza::write`] writes it: it is copied, not read. Nothing if it was removed from an archive
    /// (XEP-0313 §3.2).
    pub stanza: Bytes,
}

/// A `<forwarded/>` that holds no stanza.
#[derive(Debug, thiserror::Error)]
pub enum ForwardedError {
    /// It is another element.
    #[error("another element")]
    OtherElement,
    /// It does not hold exactly one stanza.
    #[error("there is not one stanza in it")]
    NotOneStanza,
    /// What it holds is no stanza of `jabber:client`.
    #[error(transparent)]
    Stanza(#[from] ParseError),
}

impl Forwarded {
    /// The name of the element.
    pub const NAME: &'static str = "forwarded";

    /// A stanza to forward.
    pub fn new(stanza: &Stanza) -> Self {
        let mut written = Vec::with_capacity(stanza.size());
        stanza.write(&mut written);
        Self {
            delay: None,
            stanza: written.into(),
        }
    }

    /// With the time when it was received (§3.2, rule 2).
    pub fn with_delay(mut self, delay: Delay) -> Self {
        self.delay = Some(delay);
        self
    }

    /// The stanza, read.
    ///
    /// # Errors
    /// See [`ParseError`].
    pub fn stanza(&self) -> Result<Stanza, ParseError> {
        Stanza::parse_again(self.stanza.clone())
    }

    /// Appends the `<forwarded/>` element. The stanza in it says that its namespace is `jabber:client` (§3.2,
    /// rule 3).
    pub fn write(&self, out: &mut Vec<u8>) {
        out.reserve(self.stanza.len() + 200);
        out.extend_from_slice(b"<forwarded xmlns='urn:xmpp:forward:0'>");
        if let Some(delay) = &self.delay {
            delay.to_element().write(ns::FORWARD, out);
        }
        let name_ends = |byte: &u8| matches!(byte, b' ' | b'/' | b'>');
        if let Some(name) = self.stanza.iter().position(name_ends) {
            let (tag, rest) = self.stanza.split_at(name);
            out.extend_from_slice(tag);
            out.extend_from_slice(b" xmlns='jabber:client'");
            out.extend_from_slice(rest);
        }
        out.extend_from_slice(b"</forwarded>");
    }

    /// Reads a `<forwarded/>` element.
    ///
    /// # Errors
    /// See [`ForwardedError`].
    pub fn parse(element: &Element) -> Result<Self, ForwardedError> {
        if !element.is(Self::NAME, ns::FORWARD) {
            return Err(ForwardedError::OtherElement);
        }
        let mut stanzas = element
            .children()
            .filter(|child| !child.is(Delay::NAME, ns::DELAY));
        let (Some(stanza), None) = (stanzas.next(), stanzas.next()) else {
            return Err(ForwardedError::NotOneStanza);
        };
        let stanza = Stanza::parse_again(stanza.to_bytes(ns::CLIENT))?;
        Ok(Self {
            delay: element.child(Delay::NAME, ns::DELAY).and_then(Delay::parse),
            ..Self::new(&stanza)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::MessageType;
    use proptest::prelude::*;

    fn written(forwarded: &Forwarded) -> String {
        let mut out = Vec::new();
        forwarded.write(&mut out);
        String::from_utf8(out).unwrap()
    }

    fn parse(xml: &str) -> Result<Forwarded, ForwardedError> {
        Forwarded::parse(&Element::parse_str(xml).unwrap())
    }

    const EXAMPLE: &str = "<forwarded xmlns='urn:xmpp:forward:0'>\
        <delay xmlns='urn:xmpp:delay' stamp='2010-07-10T23:08:25Z'/>\
        <message xmlns='jabber:client' from='juliet@capulet.lit/orchard' to='romeo@montague.lit' id='0202197' \
        type='chat'><body>Yet I should kill thee with much cherishing.</body>\
        <mood xmlns='http://jabber.org/protocol/mood'><amorous/></mood></message></forwarded>";

    #[test]
    fn example_of_s3_1_reads_and_writes() {
        let forwarded = parse(EXAMPLE).unwrap();
        assert_eq!(written(&forwarded), EXAMPLE);
        let stanza = forwarded.stanza().unwrap();
        assert_eq!(stanza.id.as_deref(), Some("0202197"));
        assert!(stanza.has("mood", "http://jabber.org/protocol/mood"));
        assert_eq!(forwarded.delay.unwrap().stamp, 1_278_803_305_000);
    }

    #[test]
    fn namespace_is_declared_whatever_the_stanza_looks_like_s3_2() {
        let empty = Forwarded::new(&Stanza::message(MessageType::Normal));
        let xml =
            "<forwarded xmlns='urn:xmpp:forward:0'><message xmlns='jabber:client'/></forwarded>";
        assert_eq!(written(&empty), xml);
        let prefixed = "<message xmlns:x='urn:example:x' x:y='1'><x:z/></message>";
        let stanza = Stanza::parse_again(prefixed.into()).unwrap();
        let element = Element::parse_str(&written(&Forwarded::new(&stanza))).unwrap();
        let message = element.child("message", ns::CLIENT).unwrap();
        assert_eq!(message.attribute_ns("y", "urn:example:x"), Some("1"));
        assert!(message.child("z", "urn:example:x").is_some());
    }

    #[test]
    fn what_was_removed_is_left_out_xep0313_s3_2() {
        let removed = Forwarded {
            delay: None,
            stanza: Bytes::new(),
        };
        assert_eq!(
            written(&removed),
            "<forwarded xmlns='urn:xmpp:forward:0'></forwarded>"
        );
    }

    #[test]
    fn what_holds_no_stanza_is_refused() {
        assert!(matches!(
            parse("<forwarded xmlns='urn:xmpp:forward:0'/>"),
            Err(ForwardedError::NotOneStanza)
        ));
        assert!(matches!(
            parse("<forwarded xmlns='urn:example:f'/>"),
            Err(ForwardedError::OtherElement)
        ));
        let wrong = "<forwarded xmlns='urn:xmpp:forward:0'><message/></forwarded>";
        assert!(matches!(parse(wrong), Err(ForwardedError::Stanza(_))));
        let two = "<forwarded xmlns='urn:xmpp:forward:0'><message xmlns='jabber:client'/>\
            <message xmlns='jabber:client'/></forwarded>";
        assert!(matches!(parse(two), Err(ForwardedError::NotOneStanza)));
    }

    proptest! {
        #[test]
        fn every_stanza_comes_back(id in "[ -~]{0,20}", body in "[ -~äé€]{0,40}", stamp in prop::option::of(0_i64..4_000_000_000_000)) {
            let body = Element::new("body", ns::CLIENT).with_text(body);
            let stanza = Stanza::message(MessageType::Chat).with_id(id).with_payload(body);
            let delay = stamp.map(|stamp| Delay { from: None, stamp, reason: None });
            let forwarded = Forwarded { delay, ..Forwarded::new(&stanza) };
            prop_assert_eq!(parse(&written(&forwarded)).unwrap(), forwarded);
        }
    }
}
