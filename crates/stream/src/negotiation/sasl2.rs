//! Authentication by XEP-0388, and what is done in one step with it; there is no new stream after it.

use std::time::Instant;

use rookery_stanza::{BareJid, Jid, StreamCondition, ns};
use rookery_xml::Element;

use super::{Negotiation, State};
use crate::effect::{BindWish, Effect, SaslRequest};
use crate::input::Grants;
use crate::limit::Limit;
use crate::refusal::Refusal;
use crate::sasl::SaslCondition;
use crate::sasl2::{self, Authenticate, BindRequest, Request};

/// An authentication by XEP-0388, from its request until the client has a resource.
#[derive(Debug, Default)]
pub(super) struct Extended {
    /// The stream that the client would go on with.
    resume: Option<Element>,
    /// The resource that it asks for along with it.
    bind: Option<BindRequest>,
    /// Whether it says that nobody looks at it.
    inactive: bool,
    /// What came of that so far.
    outcomes: Vec<Element>,
    /// Additional data with success.
    data: Option<Vec<u8>>,
    /// What the authenticator grants.
    pub(super) grants: Grants,
}

impl Negotiation {
    /// An element of the namespace of XEP-0388.
    pub(super) fn sasl2(&mut self, element: &Element, now: Instant, effects: &mut Vec<Effect>) {
        let from = self.stream.as_ref().and_then(|stream| stream.from.as_ref());
        let Some(request) = Request::read(element, from) else {
            return self.unsupported(now, effects);
        };
        // §"Multiple Authentication"; before TLS nothing of it was offered (§"Security Considerations").
        if self.account.is_some() || self.tls.is_none() {
            return self.fail(StreamCondition::NotAuthorized.into(), now, effects);
        }
        let request = match (request, self.is_exchanging()) {
            (Ok(Request::Authenticate(request)), false)
                if matches!(self.state, State::Features) =>
            {
                return self.authenticate_extended(*request, now, effects);
            }
            (Ok(Request::Response(data)), true) => SaslRequest::Response(data),
            (Ok(Request::Next(task)), true) => SaslRequest::Next(task),
            (Ok(Request::TaskData(payload)), true) => SaslRequest::TaskData(payload),
            (Ok(Request::Abort), true) => {
                return self.reject_extended(SaslCondition::Aborted, effects);
            }
            (Err(condition), true) => return self.reject_extended(condition, effects),
            // §"During Authentication": whoever says anything else at this point is disconnected.
            _ => return self.fail(StreamCondition::NotAuthorized.into(), now, effects),
        };
        self.state = State::Authenticating;
        effects.push(Effect::Sasl(request));
    }

    /// Whether the client has yet to say something in an exchange by XEP-0388, and nothing else.
    pub(super) fn is_exchanging(&self) -> bool {
        self.extended.is_some() && matches!(self.state, State::Challenged)
    }

    /// `<authenticate/>`.
    fn authenticate_extended(
        &mut self,
        request: Authenticate,
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
        let Authenticate {
            mechanism,
            initial,
            wishes,
            resume,
            bind,
        } = request;
        if !self.is_offered(&mechanism) {
            return self.reject_extended(SaslCondition::InvalidMechanism, effects);
        }
        match initial {
            Ok(initial) => {
                self.extended = Some(Box::new(Extended {
                    resume,
                    bind,
                    ..Extended::default()
                }));
                self.state = State::Authenticating;
                effects.push(Effect::Sasl(SaslRequest::Start {
                    mechanism,
                    initial,
                    wishes: Some(Box::new(wishes)),
                }));
            }
            Err(condition) => self.reject_extended(condition, effects),
        }
    }

    /// Ends an exchange that failed here, or that the client gave up (§"Aborting").
    fn reject_extended(&mut self, condition: SaslCondition, effects: &mut Vec<Effect>) {
        self.abort_exchange(effects);
        self.refuse_extended(condition, None, effects);
    }

    /// §"Failure": the stream is as if nothing had been asked.
    pub(super) fn refuse_extended(
        &mut self,
        condition: SaslCondition,
        text: Option<&str>,
        effects: &mut Vec<Effect>,
    ) {
        self.extended = None;
        self.state = State::Features;
        effects.push(Effect::Send(sasl2::failure(condition, text)));
    }

    /// The client is who it says it is. It is told so when what it asked for along with it is done, for which
    /// the connection has to be where the home of the account is.
    pub(super) fn succeed_extended(
        &mut self,
        data: Option<Vec<u8>>,
        account: BareJid,
        grants: Grants,
        effects: &mut Vec<Effect>,
    ) {
        if let Some(extended) = &mut self.extended {
            extended.data = data;
            extended.grants = grants;
        }
        effects.push(Effect::Authenticated(account.clone()));
        self.account = Some(account);
        self.offered = None;
        self.framing.set_limits(&self.config.limits(true));
        self.state = State::Authenticated;
    }

    /// Does what the client asked for along with its authentication: another stream goes on, or else a resource
    /// is bound (XEP-0386 §"Performing the bind").
    pub(super) fn go_on(&mut self, now: Instant, effects: &mut Vec<Effect>) {
        let Some(extended) = &mut self.extended else {
            self.state = State::Header;
            return;
        };
        match extended.resume.take() {
            Some(resume) => {
                effects.push(Effect::Resume(resume));
                self.state = State::Inlining;
            }
            None => self.bind_inline(now, effects),
        }
    }

    /// The other stream does not go on: the client is told why, and gets its resource (XEP-0198 §"Failed
    /// Resumption").
    pub(super) fn go_on_without(
        &mut self,
        failed: &Element,
        now: Instant,
        effects: &mut Vec<Effect>,
    ) {
        if let Some(extended) = &mut self.extended {
            extended.outcomes.push(failed.clone());
        }
        self.bind_inline(now, effects);
    }

    fn bind_inline(&mut self, now: Instant, effects: &mut Vec<Effect>) {
        let (Some(extended), Some(account)) = (&mut self.extended, &self.account) else {
            return;
        };
        let Some(bind) = extended.bind.take() else {
            return self.conclude(None, now, effects);
        };
        extended.inactive = bind.inactive;
        let grants = &mut extended.grants;
        let made = grants
            .resource
            .take()
            .unwrap_or_else(|| self.service.stream_id());
        effects.push(Effect::Bind(BindWish {
            resource: Some(bind.resource(account, made)),
            client: grants.client,
            bind2: Some(bind.bind2),
        }));
        self.state = State::Inlining;
    }

    /// §"Success": all is done, and the features of the stream follow. Where no resource could be bound, the
    /// client is told by a bare JID, and can still ask for one by RFC 6120.
    pub(super) fn conclude(
        &mut self,
        bound: Option<(&Jid, Vec<Element>)>,
        now: Instant,
        effects: &mut Vec<Effect>,
    ) {
        let (jid, outcome) = bound
            .map(|(jid, outcomes)| (jid, sasl2::bound(outcomes)))
            .unzip();
        let inactive = self.extended.as_ref().is_some_and(|one| one.inactive);
        self.say_success(jid, outcome, effects);
        self.state = match jid {
            Some(_) => State::Bound,
            None => State::Features,
        };
        self.since = now;
        self.send_features(effects);
        if jid.is_some() && inactive {
            // XEP-0386: the session begins in this state, as if the client had said so first.
            effects.push(Effect::Nonza(Element::new("inactive", ns::CLIENT_STATE)));
        }
    }

    /// Another stream goes on, without features (XEP-0198 §"Inline Stream Resumption").
    pub(super) fn conclude_resumed(
        &mut self,
        jid: &Jid,
        resumed: &Element,
        now: Instant,
        effects: &mut Vec<Effect>,
    ) {
        self.say_success(Some(jid), Some(resumed.clone()), effects);
        self.state = State::Bound;
        self.since = now;
    }

    /// `<success/>`. Of what the client asked for nothing is kept; who it is, only until it is bound.
    fn say_success(
        &mut self,
        jid: Option<&Jid>,
        outcome: Option<Element>,
        effects: &mut Vec<Effect>,
    ) {
        let (Some(extended), Some(account)) = (self.extended.take(), &self.account) else {
            return;
        };
        let Extended {
            data,
            mut outcomes,
            mut grants,
            ..
        } = *extended;
        outcomes.extend(outcome);
        let identity = jid.unwrap_or(account.as_jid());
        let success = sasl2::success(data.as_deref(), identity, grants.token.take(), outcomes);
        effects.push(Effect::Send(success));
        if jid.is_none() && grants.client.is_some() {
            self.extended = Some(Box::new(Extended {
                grants,
                ..Extended::default()
            }));
        }
    }
}
