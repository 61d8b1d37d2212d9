//! What the account's own clients send (RFC 6120 §10.3 to §10.5; RFC 6121 §4.6.3).

use std::sync::Arc;

use rookery_delivery::{Limit, SessionKey};
use rookery_extension::{Addressee, Host, Verdict};
use rookery_stanza::payload::delay::Delay;
use rookery_stanza::{Condition, IqType, Jid, Kind, PresenceType, Stanza, ns};

use super::effect::{Effect, Effects, Step};
use super::{Account, Scene, iq};
use crate::decide::{Destination, decide};
use crate::metrics::Outcome;

impl Account {
    /// A client sent a stanza.
    pub(super) fn sent(
        &mut self,
        session: &SessionKey,
        mut stanza: Stanza,
        scene: &Scene<'_>,
        step: &mut Step,
    ) {
        if let Kind::Message(_) = stanza.kind {
            step.now().push(Effect::Accepted);
        } else if self.sessions.get(session.id).is_none() {
            // The session was displaced; its client is being told. Only its messages still count.
            return step.now().ignore(&stanza);
        }
        stanza.from = Some(session.jid.clone());
        self.filter_sent(session, stanza, scene, step);
    }

    /// Lets filters look at it first.
    fn filter_sent(
        &mut self,
        session: &SessionKey,
        mut stanza: Stanza,
        scene: &Scene<'_>,
        step: &mut Step,
    ) {
        match scene.rules.features.outbound(&mut stanza, self.view(scene)) {
            Verdict::Pass => self.dispatch(session, stanza, scene, step),
            Verdict::Ignore => step.now().ignore(&stanza),
            Verdict::Refuse(error) => {
                let error = Box::new(error);
                step.now().push(Effect::Return(session.id, stanza, error));
            }
        }
    }

    /// To whom it is addressed.
    fn dispatch(
        &mut self,
        session: &SessionKey,
        stanza: Stanza,
        scene: &Scene<'_>,
        step: &mut Step,
    ) {
        let Some(to) = stanza.to.clone() else {
            return self.sent_to_nobody(session, stanza, scene, step);
        };
        match decide(&to, &scene.rules.hosts) {
            Destination::Account => self.sent_to_account(session, stanza, &to, scene, step),
            Destination::Host(host) => self.sent_to_host(session, stanza, &host, scene, step),
            Destination::Component => self.sent_to_component(session, stanza, &to, scene, step),
            Destination::Remote => self.sent_abroad(stanza, &to, scene, step),
        }
    }

    /// RFC 6120 §10.3.
    fn sent_to_nobody(
        &mut self,
        session: &SessionKey,
        mut stanza: Stanza,
        scene: &Scene<'_>,
        step: &mut Step,
    ) {
        match stanza.kind {
            Kind::Message(_) => {
                stanza.to = Some(self.jid.to_jid());
                self.received(without_forged_delay(stanza, scene), None, scene, step);
            }
            Kind::Presence(kind) => self.broadcast(session, stanza, kind, scene, step),
            Kind::Iq(kind) if kind.is_request() => self.iq_to_account(stanza, scene, step),
            Kind::Iq(_) => step.now().ignore(&stanza),
        }
    }

    fn sent_to_account(
        &mut self,
        session: &SessionKey,
        stanza: Stanza,
        to: &Jid,
        scene: &Scene<'_>,
        step: &mut Step,
    ) {
        match stanza.kind {
            Kind::Message(_) => {
                let stanza = without_forged_delay(stanza, scene);
                if self.is_own(to) {
                    self.received(stanza, None, scene, step);
                } else {
                    self.message_sent(stanza, scene, step);
                }
            }
            Kind::Presence(PresenceType::Available) => {
                let mut session = self.sessions.get_mut(session.id);
                if session
                    .as_mut()
                    .is_some_and(|session| !session.share_with(to))
                {
                    return step.now().over_limit(Limit::DirectedPresence, stanza);
                }
                self.pass_on(stanza, to, scene, step);
            }
            Kind::Presence(PresenceType::Unavailable) => {
                if let Some(session) = self.sessions.get_mut(session.id) {
                    session.unshare(to);
                }
                self.pass_on(stanza, to, scene, step);
            }
            // The answer is still to come; that there is none tells nothing of whether there is such an account.
            Kind::Presence(PresenceType::Probe) if self.roster.waits_for(to) => {
                step.now().ignore(&stanza);
            }
            Kind::Presence(PresenceType::Probe | PresenceType::Error) => {
                self.pass_on(stanza, to, scene, step);
            }
            Kind::Presence(kind) => self.subscription_sent(stanza, kind, to, scene, step),
            // §2.3.3: refused before it is known whether there is such an account.
            Kind::Iq(IqType::Get | IqType::Set)
                if to.is_bare() && iq::is_roster(&stanza) && !self.is_own(to) =>
            {
                step.now().bounce(stanza, Condition::Forbidden);
            }
            Kind::Iq(_) => self.pass_on(stanza, to, scene, step),
        }
    }

    /// XEP-0114: what the account has to remember of it is the same; a request is the component's to answer,
    /// whatever it asks for.
    fn sent_to_component(
        &mut self,
        session: &SessionKey,
        stanza: Stanza,
        to: &Jid,
        scene: &Scene<'_>,
        step: &mut Step,
    ) {
        match stanza.kind {
            Kind::Iq(_) => step.now().route(stanza),
            Kind::Message(_) | Kind::Presence(_) => {
                self.sent_to_account(session, stanza, to, scene, step);
            }
        }
    }

    /// To the account itself at once, since the client's next stanza may change what becomes of this one
    /// (RFC 6120 §10.1); to others on the way to their homes.
    fn pass_on(&mut self, stanza: Stanza, to: &Jid, scene: &Scene<'_>, step: &mut Step) {
        if self.is_own(to) {
            self.received(stanza, None, scene, step);
        } else {
            step.now().route(stanza);
        }
    }

    /// RFC 6120 §10.5.1 and §10.5.2: requests are answered; messages and presence are for features.
    fn sent_to_host(
        &mut self,
        session: &SessionKey,
        stanza: Stanza,
        host: &Arc<Host>,
        scene: &Scene<'_>,
        step: &mut Step,
    ) {
        if let Kind::Iq(kind) = stanza.kind {
            let is_host = stanza.to.as_ref().is_some_and(Jid::is_bare);
            if kind.is_request() && is_host {
                let view = self.view(scene);
                iq::answer(stanza, &Addressee::Host, host, view, scene, step);
                return;
            }
            return step.now().bounce(stanza, Condition::ServiceUnavailable);
        }
        let features = &scene.rules.features;
        match features.to_host(&stanza, host, self.view(scene)) {
            Some(Ok(copies)) => {
                step.now().settled(stanza.kind, Outcome::Local);
                for copy in copies {
                    self.send_copy(session, copy, scene, step);
                }
            }
            Some(Err(error)) => step.now().bounce(stanza, error),
            None => unread(stanza, step.now()),
        }
    }

    /// Sends what a feature made of a stanza to a host, as if the client had sent it. What is addressed to
    /// a host again goes no further.
    fn send_copy(
        &mut self,
        session: &SessionKey,
        copy: Stanza,
        scene: &Scene<'_>,
        step: &mut Step,
    ) {
        let copy = copy.with_from(session.jid.clone());
        if let Kind::Message(_) = copy.kind {
            step.now().push(Effect::Accepted);
        }
        let to = copy.to.as_ref().map(|to| decide(to, &scene.rules.hosts));
        if let None | Some(Destination::Host(_)) = to {
            return step.now().bounce(copy, Condition::ServiceUnavailable);
        }
        self.filter_sent(session, copy, scene, step);
    }

    /// RFC 6120 §10.4: there is no way to other servers yet. What ends a subscription still changes the
    /// roster; errors and answers find nobody.
    fn sent_abroad(&mut self, stanza: Stanza, to: &Jid, scene: &Scene<'_>, step: &mut Step) {
        if let Kind::Presence(kind @ (PresenceType::Unsubscribe | PresenceType::Unsubscribed)) =
            stanza.kind
        {
            return self.subscription_sent(stanza, kind, to, scene, step);
        }
        step.now().bounce(stanza, Condition::RemoteServerNotFound);
    }
}

/// What a host does with messages and presence that no feature takes: it keeps no presence and reads no
/// messages.
pub(super) fn unread(stanza: Stanza, out: &mut Effects) {
    match stanza.kind {
        Kind::Presence(
            PresenceType::Available
            | PresenceType::Unavailable
            | PresenceType::Probe
            | PresenceType::Unsubscribe
            | PresenceType::Unsubscribed,
        ) => out.ignore(&stanza),
        _ => out.bounce(stanza, Condition::ServiceUnavailable),
    }
}

/// Removes notes of a delay that claim to come from this server (XEP-0203, security considerations).
fn without_forged_delay(stanza: Stanza, scene: &Scene<'_>) -> Stanza {
    if !stanza.has(Delay::NAME, ns::DELAY) {
        return stanza;
    }
    let Ok(children) = stanza.children() else {
        return stanza;
    };
    let is_forged = |element: &rookery_xml::Element| {
        let from = Delay::parse(element).and_then(|delay| delay.from);
        from.is_some_and(|from| scene.rules.hosts.get(from.as_str()).is_some())
    };
    let mut children = children.into_iter();
    let mut stanza = stanza;
    // Names and children are in the same order.
    stanza.retain(|_| children.next().is_none_or(|child| !is_forged(&child)));
    stanza
}
