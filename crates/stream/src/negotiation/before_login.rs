//! IQ requests of clients that have not authenticated, to make an account (XEP-0077).

use std::time::Instant;

use rookery_stanza::{Condition, IqType, Jid, Kind, Stanza, StanzaError, StreamCondition};
use rookery_xml::Element;

use super::{Negotiation, State};
use crate::effect::{EarlyRequest, Effect};

/// How many requests are answered on one stream. XEP-0077 §3.1.1 has an error for those who try too often.
const REQUESTS: u8 = 10;

impl Negotiation {
    /// Takes a request that the host answers before authentication. Anything else is what RFC 6120 §4.3.5
    /// forbids.
    pub(super) fn before_login(
        &mut self,
        request: Stanza,
        now: Instant,
        effects: &mut Vec<Effect>,
    ) {
        let Some((is_set, payload)) = self.early_request(&request) else {
            return self.fail(StreamCondition::NotAuthorized.into(), now, effects);
        };
        self.early_requests = self.early_requests.saturating_add(1);
        if self.early_requests > REQUESTS {
            let error = StanzaError::new(Condition::NotAcceptable);
            return reply(&request, Err(error.with_text("too many requests")), effects);
        }
        effects.push(Effect::BeforeLogin(EarlyRequest { is_set, payload }));
        self.state = State::Asking(Box::new(request));
    }

    /// The answer is there.
    pub(super) fn answered(
        &mut self,
        answer: Result<Option<Element>, StanzaError>,
        effects: &mut Vec<Effect>,
    ) {
        if let State::Asking(request) = &self.state {
            reply(request, answer, effects);
            self.state = State::Features;
        }
    }

    /// The method and payload of a request to the host, between exchanges, as far as it is answered.
    fn early_request(&self, request: &Stanza) -> Option<(bool, Element)> {
        let stream = self.stream.as_ref()?;
        let is_set = match request.kind {
            Kind::Iq(IqType::Set) => true,
            Kind::Iq(IqType::Get) => false,
            _ => return None,
        };
        let [payload] = request.names() else {
            return None;
        };
        let is_host = |to: &Jid| to.is_bare() && to.as_str() == &*stream.host;
        let tls = self.tls();
        let is_taken = matches!(self.state, State::Features)
            && request.from.is_none()
            && request.to.as_ref().is_none_or(is_host)
            && self
                .service
                .answers_before_login(&stream.host, payload.namespace(), tls);
        if !is_taken {
            return None;
        }
        let payload = request.children().ok()?.into_iter().next()?;
        Some((is_set, payload))
    }
}

fn reply(
    request: &Stanza,
    answer: Result<Option<Element>, StanzaError>,
    effects: &mut Vec<Effect>,
) {
    match answer {
        Ok(payload) => Negotiation::send(&request.result_reply(payload), effects),
        Err(error) => {
            if let Some(reply) = request.error_reply(&error) {
                Negotiation::send(&reply, effects);
            }
        }
    }
}
