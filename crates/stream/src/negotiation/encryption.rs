//! STARTTLS, as far as it is a matter of the stream (RFC 6120 §5).

use bytes::Bytes;
use rookery_stanza::ns;
use rookery_xml::Element;

use super::{Negotiation, State};
use crate::effect::{Effect, Ending};
use crate::service::TlsFacts;

impl Negotiation {
    /// The client asks for TLS (§5.4.2).
    ///
    /// It is refused where it was not offered, and where anything follows that was sent in the clear: that
    /// would be read as if it had come through TLS. §5.3.3 and §5.4.3.1 forbid a client to send it.
    ///
    /// COMPAT: go-sendxmpp (go-xmpp) ends each element with a line feed, this one too. White space is
    /// dropped, which harms nobody.
    pub(super) fn starttls(&mut self, request: &Element, effects: &mut Vec<Effect>) {
        self.framing.skip_whitespace();
        let acceptable = self.offered_starttls().is_some()
            && matches!(self.state, State::Features)
            && self.framing.buffered() == 0
            && request.children().next().is_none();
        if !acceptable {
            return self.refuse_starttls(effects);
        }
        effects.push(Effect::Send(tls_element("proceed")));
        effects.push(Effect::StartTls);
        self.forget_stream();
        self.state = State::Handshake;
    }

    /// §5.4.2.2: a failure, the end of the stream, and the end of the connection.
    fn refuse_starttls(&mut self, effects: &mut Vec<Effect>) {
        let mut out = tls_element("failure").to_vec();
        out.extend_from_slice(super::closing::END);
        effects.push(Effect::Closing(Ending::StartTlsRefused));
        effects.push(Effect::Send(out.into()));
        self.disconnect(effects);
    }

    /// The handshake is done: a new stream begins, and nothing that was said before counts (§5.4.3.3).
    pub(super) fn tls_established(&mut self, facts: TlsFacts) {
        if matches!(self.state, State::Handshake) {
            self.tls = Some(Box::new(facts));
            self.state = State::Header;
        }
    }

    /// Forgets the stream for the sake of the next one (§4.3.3).
    pub(super) fn forget_stream(&mut self) {
        self.stream = None;
        self.offered = None;
        let limits = self.config.limits(self.account.is_some());
        self.framing.restart(&limits);
    }
}

fn tls_element(name: &'static str) -> Bytes {
    Element::new(name, ns::TLS).to_bytes(ns::CLIENT)
}
