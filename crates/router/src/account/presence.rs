//! Presence: broadcast, what a new resource learns, and what comes in (RFC 6121 §4).

use std::collections::BTreeSet;

use rookery_delivery::SessionKey;
use rookery_extension::{Kept, PresenceEvent, SessionView};
use rookery_stanza::{Condition, Jid, Kind, PresenceType, Stanza, ns};

use super::effect::{Effect, Effects, Step};
use super::sessions::Session;
use super::{Account, Fallen, Scene};
use crate::metrics::Outcome;

/// What there was to the presence of a session that ended.
struct Ended {
    was_available: bool,
    /// Whom it sent directed presence.
    shared: BTreeSet<Jid>,
    /// What features keep for the session.
    kept: Kept,
}

// === impl Ended ===

impl Ended {
    fn of(session: &mut Session) -> Self {
        let kept = session.view().kept.clone();
        let (was_available, shared) = session.end_presence();
        Self {
            was_available,
            shared,
            kept,
        }
    }
}

impl Account {
    /// Presence that a client sent to nobody in particular: to be broadcast (RFC 6120 §10.3.2).
    pub(super) fn broadcast(
        &mut self,
        session: &SessionKey,
        stanza: Stanza,
        kind: PresenceType,
        scene: &Scene<'_>,
        step: &mut Step,
    ) {
        match kind {
            PresenceType::Available => self.available(session, stanza, scene, step),
            PresenceType::Unavailable => self.unavailable(session, stanza, scene, step),
            // A request for nobody.
            PresenceType::Subscribe
            | PresenceType::Subscribed
            | PresenceType::Unsubscribe
            | PresenceType::Unsubscribed => step.now().bounce(stanza, Condition::BadRequest),
            PresenceType::Probe | PresenceType::Error => step.now().ignore(&stanza),
        }
    }

    /// Initial presence and its updates (§4.2.2, §4.4.2).
    fn available(&mut self, key: &SessionKey, stanza: Stanza, scene: &Scene<'_>, step: &mut Step) {
        let Ok(priority) = priority(&stanza) else {
            return step.now().bounce(stanza, Condition::BadRequest);
        };
        let took_messages = self
            .sessions
            .get(key.id)
            .is_some_and(Session::takes_messages);
        let initial = self
            .sessions
            .set_available(key.id, stanza.clone(), priority);
        let kept = self.kept_for(key);
        self.tell_subscribers(stanza.clone(), &kept, scene, step.now());
        if initial {
            self.welcome(key, scene, step.now());
        }
        self.follow_presence(&key.jid, &stanza, initial, scene, step);
        match (took_messages, priority >= 0) {
            (false, true) => self.replay_to(key.id, step),
            (true, false) => self.replay_to_any(step),
            _ => {}
        }
    }

    /// What a resource that has become available is told: the presence of the account's other resources,
    /// that of the contacts (§4.3.1), and the requests that wait for an answer (§3.1.3).
    fn welcome(&mut self, key: &SessionKey, scene: &Scene<'_>, out: &mut Effects) {
        let others: Vec<Stanza> = self
            .sessions
            .available()
            .filter(|(session, _)| session.key.id != key.id)
            .map(|(_, presence)| presence.stanza.clone().with_to(self.jid.to_jid()))
            .collect();
        let requests: Vec<Stanza> = self.roster.requests().collect();
        if let Some(session) = self.sessions.get_mut(key.id) {
            for stanza in others.into_iter().chain(requests) {
                session.give(stanza, out);
            }
        }
        let contacts: Vec<Jid> = self.sharing(self.roster.subscriptions(), scene).collect();
        if !contacts.is_empty() {
            out.push(Effect::Probe {
                from: key.jid.clone(),
                to: contacts,
            });
        }
        // §3.1.2: a request that may have got lost is sent again.
        for contact in self.roster.unanswered() {
            let request = Stanza::presence(PresenceType::Subscribe);
            out.route(request.with_from(self.jid.to_jid()).with_to(contact));
        }
    }

    /// A client says that it is no longer available (§4.5.2).
    fn unavailable(
        &mut self,
        key: &SessionKey,
        stanza: Stanza,
        scene: &Scene<'_>,
        step: &mut Step,
    ) {
        let Some(session) = self.sessions.get_mut(key.id) else {
            return;
        };
        let ended = Ended::of(session);
        if ended.was_available {
            session.give(stanza.clone().with_to(self.jid.to_jid()), step.now());
        }
        self.tell_end(&key.jid, stanza, ended, scene, step);
    }

    /// A resource went without saying so: everybody is told on its behalf (§4.5.2).
    pub(super) fn gone_offline(
        &mut self,
        session: &mut Session,
        scene: &Scene<'_>,
        step: &mut Step,
    ) {
        let stanza = Stanza::presence(PresenceType::Unavailable);
        let ended = Ended::of(session);
        let jid = &session.key.jid;
        self.tell_end(jid, stanza.with_from(jid.clone()), ended, scene, step);
    }

    /// The sessions that have presence, when the account falls with all of them.
    pub(crate) fn fall(mut self) -> Vec<Fallen> {
        let fallen = |session: &mut Session| {
            let (was_available, shared) = session.end_presence();
            let jid = session.key.jid.clone();
            (was_available || !shared.is_empty()).then_some(Fallen {
                jid,
                was_available,
                shared,
            })
        };
        self.sessions.iter_mut().filter_map(fallen).collect()
    }

    /// The account failed, and has begun anew: everybody is told that its resources are gone (§4.5.2).
    pub(super) fn fallen(&mut self, sessions: Vec<Fallen>, scene: &Scene<'_>, step: &mut Step) {
        for Fallen {
            jid,
            was_available,
            shared,
        } in sessions
        {
            let stanza = Stanza::presence(PresenceType::Unavailable).with_from(jid.clone());
            let ended = Ended {
                was_available,
                shared,
                kept: Kept::default(),
            };
            self.tell_end(&jid, stanza, ended, scene, step);
        }
    }

    /// Tells those who had presence of a resource that it ended: subscribers if the resource was available,
    /// and whoever got directed presence (§4.6.3).
    fn tell_end(
        &mut self,
        session: &Jid,
        stanza: Stanza,
        ended: Ended,
        scene: &Scene<'_>,
        step: &mut Step,
    ) {
        let mut shared = ended.shared;
        if ended.was_available {
            self.last_unavailable = Some(scene.now);
            shared.retain(|jid| !self.may_see(jid));
            self.tell_subscribers(stanza.clone(), &ended.kept, scene, step.now());
            self.follow_presence(session, &stanza, false, scene, step);
        }
        if !shared.is_empty() {
            let to = shared.into_iter().collect();
            step.now().push(Effect::FanOut { stanza, to });
        }
    }

    /// Tells everybody who is subscribed, and the account's own available resources, what a session, for which
    /// features keep this, broadcasts.
    fn tell_subscribers(
        &mut self,
        stanza: Stanza,
        kept: &Kept,
        scene: &Scene<'_>,
        out: &mut Effects,
    ) {
        out.settled(stanza.kind, Outcome::Local);
        let own = stanza.clone().with_to(self.jid.to_jid());
        self.sessions.give_available(&own, out);
        let Some(jid) = &stanza.from else { return };
        let session = SessionView {
            jid,
            client: None,
            presence: Some(&stanza),
            kept,
        };
        let (features, account) = (&scene.rules.features, self.view(scene));
        let subscribers = self.roster.subscribers();
        let shown = subscribers.filter(|to| features.shows_presence(session, to, account));
        let subscribers: Vec<Jid> = shown.collect();
        if !subscribers.is_empty() {
            out.push(Effect::FanOut {
                stanza,
                to: subscribers,
            });
        }
    }

    /// What features keep for a session.
    fn kept_for(&self, session: &SessionKey) -> Kept {
        let session = self.sessions.get(session.id);
        session.map_or_else(Kept::default, |session| session.view().kept.clone())
    }

    /// Those of `contacts` whom no filter keeps presence from.
    fn sharing(
        &self,
        contacts: impl Iterator<Item = Jid>,
        scene: &Scene<'_>,
    ) -> impl Iterator<Item = Jid> {
        let view = self.view(scene);
        contacts.filter(move |jid| scene.rules.features.shares_presence(jid, view))
    }

    /// Lets features follow presence that was broadcast.
    fn follow_presence(
        &mut self,
        session: &Jid,
        stanza: &Stanza,
        initial: bool,
        scene: &Scene<'_>,
        step: &mut Step,
    ) {
        let event = PresenceEvent {
            session,
            stanza,
            initial,
        };
        let orders = scene.rules.features.presence(event, self.view(scene));
        self.obey(orders, Some(session), scene, step);
    }

    /// Sends the current presence of every available resource to somebody who may see it now (§3.1.5).
    pub(super) fn show_presence(&self, to: &Jid, scene: &Scene<'_>, out: &mut Effects) {
        let (features, account) = (&scene.rules.features, self.view(scene));
        let shown = self
            .sessions
            .available()
            .filter(|(session, _)| features.shows_presence(session.view(), to, account));
        for (_, presence) in shown {
            out.route(presence.stanza.clone().with_to(to.clone()));
        }
    }

    /// Tells somebody who may no longer see it that every resource is unavailable (§3.2.2, §3.3.3).
    pub(super) fn hide_presence(&self, to: &Jid, out: &mut Effects) {
        for (session, _) in self.sessions.available() {
            let gone = Stanza::presence(PresenceType::Unavailable);
            out.route(gone.with_from(session.key.jid.clone()).with_to(to.clone()));
        }
    }

    /// Presence of somebody, or an error about earlier presence (§4.2.3, §4.4.3, §4.5.3, §8.5).
    pub(super) fn presence_received(
        &mut self,
        stanza: &Stanza,
        scene: &Scene<'_>,
        out: &mut Effects,
    ) {
        let Some(to) = &stanza.to else {
            return out.ignore(stanza);
        };
        if to.is_full() {
            let Some(session) = self.sessions.at_mut(to) else {
                return out.ignore(stanza);
            };
            if let (Kind::Presence(PresenceType::Unavailable), Some(from)) =
                (stanza.kind, &stanza.from)
            {
                session.unshare(from); // §4.6.1
            }
            return session.pass(stanza.clone(), out);
        }
        if self.sessions.available().next().is_none() {
            return out.ignore(stanza);
        }
        out.settled(stanza.kind, Outcome::Local);
        let hidden = self.hidden_from(stanza, scene);
        if hidden.is_empty() {
            return self.sessions.give_available(stanza, out);
        }
        let open = |session: &&mut Session| {
            session.presence.is_some() && !hidden.contains(&session.key.id)
        };
        for session in self.sessions.iter_mut().filter(open) {
            session.give(stanza.clone(), out);
        }
    }
}

/// The priority of presence (§4.7.2.3); 0 when there is none.
fn priority(stanza: &Stanza) -> Result<i8, ()> {
    const NAME: &str = "priority";
    if !stanza.has(NAME, ns::CLIENT) {
        return Ok(0);
    }
    match stanza.child(NAME, ns::CLIENT) {
        Ok(Some(element)) => match element.text().trim() {
            "" => Ok(0),
            text => text.parse().map_err(drop),
        },
        Ok(None) => Ok(0),
        Err(_) => Err(()),
    }
}
