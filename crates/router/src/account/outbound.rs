//! What the account's own clients send (RFC 6120 §10.3 to §10.5; RFC 6121 §4.6.3).

use std::sync::Arc;

use rookery_delivery::SessionKey;
use rookery_extension::{AccountView, Addressee, Host};
use rookery_stanza::payload::delay::Delay;
use rookery_stanza::{Condition, IqType, Jid, Kind, PresenceType, Stanza, ns};

use super::effect::{Effect, Effects, Step};
use super::{Account, Scene, iq};
use crate::decide::{Destination, decide};

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
        let Some(to) = stanza.to.clone() else {
            return self.sent_to_nobody(session, stanza, scene, step);
        };
        match decide(&to, &scene.rules.hosts) {
            Destination::Account => self.sent_to_account(session, stanza, &to, scene, step),
            Destination::Host(host) => {
                sent_to_host(stanza, &to, &host, self.view(scene), scene, step.now());
            }
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
                self.received(without_forged_delay(stanza, scene), scene, step);
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
                self.pass_on(without_forged_delay(stanza, scene), to, scene, step);
            }
            Kind::Presence(PresenceType::Available) => {
                let mut session = self.sessions.get_mut(session.id);
                if session
                    .as_mut()
                    .is_some_and(|session| !session.share_with(to))
                {
                    return step.now().bounce(stanza, Condition::ResourceConstraint);
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

    /// To the account itself at once, since the client's next stanza may change what becomes of this one
    /// (RFC 6120 §10.1); to others on the way to their homes.
    fn pass_on(&mut self, stanza: Stanza, to: &Jid, scene: &Scene<'_>, step: &mut Step) {
        if self.is_own(to) {
            self.received(stanza, scene, step);
        } else {
            step.now().route(stanza);
        }
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

/// RFC 6120 §10.5.1 and §10.5.2: requests are answered, presence is not kept, messages are not read.
fn sent_to_host(
    stanza: Stanza,
    to: &Jid,
    host: &Arc<Host>,
    account: AccountView<'_>,
    scene: &Scene<'_>,
    out: &mut Effects,
) {
    match stanza.kind {
        Kind::Iq(kind) if kind.is_request() && to.is_bare() => {
            iq::answer(stanza, &Addressee::Host, host, account, scene, out);
        }
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
