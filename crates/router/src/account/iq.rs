//! Requests and their answers (RFC 6120 §8.2.3, §10.3.3; RFC 6121 §8.5).
//!
//! Every request gets exactly one answer: from the resource that it is delivered to, or from here.

use std::sync::Arc;

use rookery_extension::{
    AccountView, Addressee, Answer, Host, IqContext, IqMethod, Relation, Results,
};
use rookery_stanza::{Condition, IqType, Jid, Kind, Stanza, ns};

use super::effect::{Effect, Effects, Step, Write};
use super::{Account, Scene};
use crate::config::StrangersRequests;

impl Account {
    /// An IQ to the account.
    pub(super) fn iq(&mut self, stanza: Stanza, kind: IqType, scene: &Scene<'_>, step: &mut Step) {
        match &stanza.to {
            Some(to) if to.is_full() => self.iq_to_full(stanza, kind, scene, step.now()),
            // Answers to requests that the server made for the account, roster pushes (§2.1.6) among them.
            _ if !kind.is_request() => self.answered(stanza, scene, step),
            _ => self.iq_to_account(stanza, scene, step),
        }
    }

    /// RFC 6121 §8.5.3.
    fn iq_to_full(&mut self, stanza: Stanza, kind: IqType, scene: &Scene<'_>, out: &mut Effects) {
        let allowed = match scene.rules.config.iq_from_strangers {
            StrangersRequests::Deliver => true,
            StrangersRequests::Refuse => !kind.is_request() || self.may_know_presence(&stanza),
        };
        let session = stanza.to.as_ref().and_then(|to| self.sessions.at_mut(to));
        match session {
            Some(session) if allowed => session.pass(stanza, out),
            _ if kind.is_request() => out.bounce(stanza, Condition::ServiceUnavailable),
            _ => out.ignore(&stanza),
        }
    }

    /// §8.5.3.1: whether the sender may know the presence of the resource: by subscription, or because the
    /// resource sent it directed presence.
    fn may_know_presence(&self, stanza: &Stanza) -> bool {
        let (Some(from), Some(to)) = (&stanza.from, &stanza.to) else {
            return true;
        };
        self.may_see(from)
            || self
                .sessions
                .at(to)
                .is_some_and(|session| session.shares_with(from))
    }

    /// A request to the bare JID: the server answers for the account (§8.5.2.1.3).
    pub(super) fn iq_to_account(&mut self, stanza: Stanza, scene: &Scene<'_>, step: &mut Step) {
        if is_roster(&stanza) && self.exists() {
            return self.roster_request(stanza, scene, step);
        }
        let Some(host) = self.host(scene) else {
            return step.now().bounce(stanza, Condition::ServiceUnavailable);
        };
        let addressee = Addressee::Account(self.jid.clone(), self.relation(stanza.from.as_ref()));
        let view = self.view(scene);
        let left = answer(stanza, &addressee, host, view, scene, step);
        if let Some((request, mut results)) = left {
            let orders = std::mem::take(&mut results.orders);
            self.obey(orders, request.from.as_ref(), scene, step);
            let effect = Effect::Results(Box::new(request), results);
            step.now().push(effect);
        }
    }

    /// Where there is no account everybody is a stranger, and is told what strangers are told of those that
    /// exist: `service-unavailable` (§8.5.1), unless a feature has another word for strangers.
    fn relation(&self, from: Option<&Jid>) -> Relation {
        match from {
            _ if !self.exists() => Relation::Stranger,
            None => Relation::Own,
            Some(from) if self.is_own(from) => Relation::Own,
            Some(from) if self.roster.is_subscriber(from) => Relation::Subscriber,
            Some(_) => Relation::Stranger,
        }
    }
}

/// Lets the installed features answer a request; `service-unavailable` when none understands it. A request to an
/// account that is answered with results is left to it.
pub(super) fn answer(
    request: Stanza,
    addressee: &Addressee,
    host: &Arc<Host>,
    account: AccountView<'_>,
    scene: &Scene<'_>,
    step: &mut Step,
) -> Option<(Stanza, Results)> {
    let out = step.now();
    let method = match request.kind {
        Kind::Iq(IqType::Get) => IqMethod::Get,
        Kind::Iq(IqType::Set) => IqMethod::Set,
        _ => {
            out.ignore(&request);
            return None;
        }
    };
    let payload = request
        .children()
        .ok()
        .and_then(|children| children.into_iter().next());
    let (Some(payload), Some(from)) = (payload, &request.from) else {
        out.bounce(request, Condition::BadRequest);
        return None;
    };
    let features = &scene.rules.features;
    let context = IqContext {
        method,
        from,
        addressee,
        host,
        account,
        features,
    };
    match features.answer(&payload, context) {
        None => out.bounce(request, Condition::ServiceUnavailable),
        Some(Answer::Now(result)) => out.answer(request, result),
        Some(Answer::Later(future)) => out.push(Effect::Later(Box::new(request), future)),
        Some(Answer::Ordered(future)) => step.write(Write::asking(request, future)),
        Some(Answer::Results(results)) => match addressee {
            Addressee::Account(..) => return Some((request, results)),
            Addressee::Host => out.bounce(request, Condition::ServiceUnavailable),
        },
    }
    None
}

/// Whether the payload is a roster query (RFC 6121 §2.1).
pub(super) fn is_roster(stanza: &Stanza) -> bool {
    stanza
        .names()
        .first()
        .is_some_and(|name| name.is("query", ns::ROSTER))
}
