//! Resource binding (RFC 6120 §7).

use std::time::Instant;

use bytes::Bytes;
use rookery_stanza::{
    BareJid, Condition, IqType, Jid, Kind, ParseError, Stanza, StanzaError, StreamCondition, ns,
};
use rookery_xml::Element;

use super::{Negotiation, State};
use crate::effect::{BindWish, Effect};
use crate::limit::Limit;
use crate::refusal::Refusal;

impl Negotiation {
    /// A stanza from a client that is not bound: a request to bind, one that needs no account, or a
    /// violation of §4.3.5 and §7.1. `element` is what was read of these bytes.
    pub(super) fn early(
        &mut self,
        bytes: Bytes,
        element: &Element,
        now: Instant,
        effects: &mut Vec<Effect>,
    ) {
        let Some(stream) = &self.stream else {
            return self.fail(StreamCondition::NotAuthorized.into(), now, effects);
        };
        let stanza = match Stanza::parse(bytes, &stream.namespaces, self.framing.limits()) {
            Ok(stanza) => stanza,
            Err(ParseError::Stanza(_)) => {
                return self.fail(StreamCondition::NotAuthorized.into(), now, effects);
            }
            Err(refused) => return self.fail(refused.into(), now, effects),
        };
        let Some(account) = &self.account else {
            return self.before_login(stanza, now, effects);
        };
        let to_server = is_for_server(&stanza, account, &stream.host);
        match (stanza.kind, element.child("bind", ns::BIND)) {
            (Kind::Iq(IqType::Set | IqType::Get), Some(bind)) if to_server => {
                self.bind(stanza, bind, now, effects);
            }
            _ => self.fail(StreamCondition::NotAuthorized.into(), now, effects),
        }
    }

    /// Whether the client, which is bound, asks for a resource once more. It is not allowed to (§7.6.2.2): a
    /// stream has one resource (§7.1).
    pub(super) fn binds_again(&self, stanza: &Stanza) -> bool {
        let (Some(stream), Some(account)) = (&self.stream, &self.account) else {
            return false;
        };
        stanza.kind == Kind::Iq(IqType::Set)
            && self.is_bound()
            && stanza.has("bind", ns::BIND)
            && is_for_server(stanza, account, &stream.host)
    }

    fn bind(&mut self, request: Stanza, bind: &Element, now: Instant, effects: &mut Vec<Effect>) {
        self.binds = self.binds.saturating_add(1);
        if u32::from(self.binds) > 1 + self.config.bind_retries {
            // §7.7.3.
            return self.fail(
                Refusal::exceeded(Limit::BindRetries, "too many requests to bind"),
                now,
                effects,
            );
        }
        if request.kind != Kind::Iq(IqType::Set) {
            return refuse(&request, &Condition::BadRequest.into(), effects);
        }
        let client = self.extended.as_ref().and_then(|one| one.grants.client);
        effects.push(Effect::Bind(BindWish {
            resource: wanted_resource(bind),
            client,
            bind2: None,
        }));
        self.state = State::Binding(Box::new(request));
    }

    /// §7.6.1, §7.7.1.
    pub(super) fn bound(
        &mut self,
        jid: &Jid,
        outcomes: Vec<Element>,
        now: Instant,
        effects: &mut Vec<Effect>,
    ) {
        if matches!(self.state, State::Inlining) {
            return self.conclude(Some((jid, outcomes)), now, effects);
        }
        let State::Binding(request) = &self.state else {
            return;
        };
        let jid = Element::new("jid", ns::BIND).with_text(jid.as_str());
        let bind = Element::new("bind", ns::BIND).with_child(jid);
        Self::send(&request.result_reply(Some(bind)), effects);
        self.state = State::Bound;
        self.since = now;
        self.extended = None;
    }

    /// §7.6.2, §7.7.2.
    pub(super) fn bind_refused(
        &mut self,
        error: &StanzaError,
        now: Instant,
        effects: &mut Vec<Effect>,
    ) {
        if matches!(self.state, State::Inlining) {
            return self.conclude(None, now, effects);
        }
        let State::Binding(request) = &self.state else {
            return;
        };
        refuse(request, error, effects);
        self.state = State::Features;
    }
}

/// Whether it is addressed to the server or to the client's account.
fn is_for_server(stanza: &Stanza, account: &BareJid, host: &str) -> bool {
    stanza
        .to
        .as_ref()
        .is_none_or(|to| to == account.as_jid() || (to.is_bare() && to.as_str() == host))
}

fn refuse(request: &Stanza, error: &StanzaError, effects: &mut Vec<Effect>) {
    if let Some(reply) = request.error_reply(error) {
        Negotiation::send(&reply, effects);
    }
}

/// What the client asks for; an empty `<resource/>` leaves the choice to the server (§7.7.2.1).
fn wanted_resource(bind: &Element) -> Option<String> {
    let resource = bind.child("resource", ns::BIND)?;
    Some(resource.text().into_owned()).filter(|text| !text.is_empty())
}
