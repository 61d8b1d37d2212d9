//! XEP-0198: Stream Management, as far as it is negotiated before a resource is bound.
//!
//! A bound client's elements go to its session, in order with the stanzas.

use std::time::Instant;

use rookery_stanza::{Condition, Jid, ns};
use rookery_xml::Element;

use super::{Negotiation, State};
use crate::effect::Effect;
use crate::limit::Limit;
use crate::refusal::Refusal;

impl Negotiation {
    /// An element of stream management. Before a resource is bound, a stream can be resumed, and nothing else
    /// can be done (§3, §5).
    pub(super) fn stream_management(
        &mut self,
        element: Element,
        now: Instant,
        effects: &mut Vec<Effect>,
    ) {
        match element.name() {
            "enable" | "resume" | "r" | "a" if self.is_bound() => {
                effects.push(Effect::Nonza(element));
            }
            "resume" if self.account.is_some() && matches!(self.state, State::Features) => {
                self.resume(element, now, effects);
            }
            "enable" | "resume" | "r" | "a" => effects.push(Effect::Send(out_of_order())),
            _ => self.unsupported(now, effects),
        }
    }

    /// A request to resume counts as one to bind (RFC 6120 §7.7.3): it ends in a bound resource, too.
    fn resume(&mut self, request: Element, now: Instant, effects: &mut Vec<Effect>) {
        self.binds = self.binds.saturating_add(1);
        if u32::from(self.binds) > 1 + self.config.bind_retries {
            return self.fail(
                Refusal::exceeded(Limit::BindRetries, "too many requests to bind"),
                now,
                effects,
            );
        }
        effects.push(Effect::Resume(request));
        self.state = State::Resuming;
    }

    /// The stream goes on where another one ended (§5).
    pub(super) fn resumed(
        &mut self,
        jid: &Jid,
        reply: &Element,
        now: Instant,
        effects: &mut Vec<Effect>,
    ) {
        if matches!(self.state, State::Inlining) {
            return self.conclude_resumed(jid, reply, now, effects);
        }
        if matches!(self.state, State::Resuming) {
            effects.push(Effect::Send(reply.to_bytes(ns::CLIENT)));
            self.state = State::Bound;
            self.since = now;
        }
    }

    /// It does not; the client may bind a resource instead (§5).
    pub(super) fn resume_refused(
        &mut self,
        reply: &Element,
        now: Instant,
        effects: &mut Vec<Effect>,
    ) {
        if matches!(self.state, State::Inlining) {
            return self.go_on_without(reply, now, effects);
        }
        if matches!(self.state, State::Resuming) {
            effects.push(Effect::Send(reply.to_bytes(ns::CLIENT)));
            self.state = State::Features;
        }
    }
}

/// §3, §6.
fn out_of_order() -> bytes::Bytes {
    let condition = Element::new(Condition::UnexpectedRequest.as_str(), ns::STANZA_ERRORS);
    let failed = Element::new("failed", ns::STREAM_MANAGEMENT).with_child(condition);
    failed.to_bytes(ns::CLIENT)
}
