//! SASL negotiation (RFC 6120 §6.4); what the mechanisms say is the authenticator's business.

use std::time::Instant;

use rookery_stanza::{BareJid, StreamCondition};
use rookery_xml::Element;

use super::{Negotiation, State};
use crate::effect::{Effect, SaslRequest};
use crate::input::SaslReply;
use crate::limit::Limit;
use crate::refusal::Refusal;
use crate::sasl::{self, Initial, Request, SaslCondition};
use crate::sasl2;

impl Negotiation {
    /// An element of the SASL namespace.
    pub(super) fn sasl(&mut self, element: &Element, now: Instant, effects: &mut Vec<Effect>) {
        let Some(request) = Request::read(element) else {
            return self.unsupported(now, effects);
        };
        if self.account.is_some() {
            // §6.4.6: a stream that is authenticated is not authenticated again.
            return self.fail(StreamCondition::NotAuthorized.into(), now, effects);
        }
        match request {
            Ok(Request::Auth { mechanism, initial }) => {
                self.authenticate(mechanism, initial, now, effects);
            }
            Ok(Request::Response(data)) if matches!(self.state, State::Challenged) => {
                self.state = State::Authenticating;
                effects.push(Effect::Sasl(SaslRequest::Response(data)));
            }
            // There is no challenge to respond to.
            Ok(Request::Response(_)) => self.reject(SaslCondition::MalformedRequest, effects),
            Ok(Request::Abort) => self.reject(SaslCondition::Aborted, effects),
            Err(condition) => self.reject(condition, effects),
        }
    }

    /// `<auth/>` (§6.4.2). One that comes while an exchange is under way takes its place.
    fn authenticate(
        &mut self,
        mechanism: String,
        initial: Initial,
        now: Instant,
        effects: &mut Vec<Effect>,
    ) {
        self.authentications = self.authentications.saturating_add(1);
        if u32::from(self.authentications) > 1 + self.config.sasl_retries {
            return self.fail(
                Refusal::exceeded(Limit::SaslRetries, "too many authentications"),
                now,
                effects,
            );
        }
        if !self.is_offered(&mechanism) {
            // §6.5.4 where TLS may make it available, else §6.5.7.
            let condition = match self.tls {
                None if !mechanism.is_empty() => SaslCondition::EncryptionRequired,
                _ => SaslCondition::InvalidMechanism,
            };
            return self.reject(condition, effects);
        }
        match initial {
            Ok(initial) => {
                self.state = State::Authenticating;
                effects.push(Effect::Sasl(SaslRequest::Start {
                    mechanism,
                    initial,
                    wishes: None,
                }));
            }
            Err(condition) => self.reject(condition, effects),
        }
    }

    /// Whether this mechanism was offered on this stream (§6.3.3).
    pub(super) fn is_offered(&self, mechanism: &str) -> bool {
        let offered = self.offered.as_ref();
        offered.is_some_and(|offered| offered.has(mechanism))
    }

    /// The authenticator has decided.
    pub(super) fn authenticator_replied(
        &mut self,
        reply: SaslReply,
        now: Instant,
        effects: &mut Vec<Effect>,
    ) {
        if !matches!(self.state, State::Authenticating) {
            return;
        }
        let extended = self.extended.is_some();
        match reply {
            SaslReply::Challenge(data) => {
                self.state = State::Challenged;
                let challenge = if extended {
                    sasl2::challenge
                } else {
                    sasl::challenge
                };
                effects.push(Effect::Send(challenge(&data)));
            }
            SaslReply::Continue { data, task } => {
                self.state = State::Challenged;
                effects.push(Effect::Send(sasl2::proceed(data.as_deref(), task)));
            }
            SaslReply::TaskData(payload) => {
                self.state = State::Challenged;
                effects.push(Effect::Send(sasl2::task_data(payload)));
            }
            SaslReply::Success { data, jid, grants } if extended => {
                self.succeed_extended(data, jid, grants, effects);
            }
            SaslReply::Success { data, jid, .. } => {
                self.succeed(data.as_deref(), jid, now, effects);
            }
            SaslReply::Failure {
                condition,
                text,
                fatal,
            } => {
                if extended {
                    self.refuse_extended(condition, text.as_deref(), effects);
                } else {
                    self.state = State::Features;
                    effects.push(Effect::Send(sasl::failure(condition, text.as_deref())));
                }
                if fatal {
                    self.fail(StreamCondition::PolicyViolation.into(), now, effects);
                }
            }
        }
    }

    /// §6.4.6: the client is who it says it is, and opens a new stream.
    fn succeed(
        &mut self,
        data: Option<&[u8]>,
        account: BareJid,
        now: Instant,
        effects: &mut Vec<Effect>,
    ) {
        // A claim that was made in the clear is not the client's word.
        let claimed = self.stream.as_ref().and_then(|stream| stream.from.as_ref());
        if self.tls.is_some() && claimed.is_some_and(|from| !is_claim_of(from, &account)) {
            return self.fail(StreamCondition::InvalidFrom.into(), now, effects);
        }
        effects.push(Effect::Send(sasl::success(data)));
        effects.push(Effect::Authenticated(account.clone()));
        self.account = Some(account);
        self.forget_stream();
        self.state = State::Authenticated;
    }

    /// Ends an exchange that failed here (§6.4.5), or that the client gave up (§6.4.4).
    fn reject(&mut self, condition: SaslCondition, effects: &mut Vec<Effect>) {
        self.abort_exchange(effects);
        effects.push(Effect::Send(sasl::failure(condition, None)));
        self.state = State::Features;
    }

    /// Tells the authenticator that nothing will follow.
    pub(super) fn abort_exchange(&mut self, effects: &mut Vec<Effect>) {
        if matches!(self.state, State::Challenged) {
            effects.push(Effect::Sasl(SaslRequest::Abort));
        }
    }
}

/// Whether a header's `from` can be that of `account` (§6.4.6). A domain alone claims no account.
pub(super) fn is_claim_of(from: &BareJid, account: &BareJid) -> bool {
    from == account || (from.local().is_none() && from.domain() == account.domain())
}
