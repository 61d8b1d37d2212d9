//! What features want done at the account's home.

use std::collections::BTreeSet;

use rookery_extension::{AccountView, Order, Outcome, Question};
use rookery_stanza::{Condition, IqType, Jid, Kind, PresenceType, Stanza, StanzaError, ns};
use rookery_xml::Element;

use super::effect::{Change, Effect, Effects, Step, Write};
use super::sessions::Session;
use super::{Account, Scene};

impl Account {
    /// The account, as features see it.
    pub(super) fn view(&self, scene: &Scene<'_>) -> AccountView<'_> {
        AccountView {
            jid: &self.jid,
            kept: &self.kept,
            roster: &self.roster,
            sessions: &self.sessions,
            available: self.sessions.available().next().is_some(),
            now: scene.now,
        }
    }

    /// A feature has answered a request after the store was asked.
    pub(super) fn concluded(
        &mut self,
        request: Stanza,
        outcome: Outcome,
        scene: &Scene<'_>,
        step: &mut Step,
    ) {
        let from = request.from.clone();
        let Outcome {
            answer,
            before,
            after,
        } = outcome;
        self.obey(before, from.as_ref(), scene, step);
        match answer {
            Ok(payload) if from.as_ref().is_some_and(|from| self.is_own(from)) => {
                self.respond(&request, payload, step.now());
            }
            answer => step.now().answer(request, answer),
        }
        self.obey(after, from.as_ref(), scene, step);
    }

    /// Does what features want, in order. `asker` is whoever sent the request that brought it about.
    pub(super) fn obey(
        &mut self,
        orders: Vec<Order>,
        asker: Option<&Jid>,
        scene: &Scene<'_>,
        step: &mut Step,
    ) {
        for order in orders {
            match order {
                Order::Keep(keep) => self.kept.apply(keep),
                Order::KeepForSession(keep) => {
                    if let Some(session) = asker.and_then(|asker| self.sessions.at_mut(asker)) {
                        session.dialogue().keep(keep);
                    }
                }
                Order::Store(update) => step.write(Write::new(Change::Data(update))),
                Order::Follow(topic) => {
                    if let Some(session) = asker.and_then(|asker| self.sessions.at_mut(asker)) {
                        session.dialogue().follow(topic);
                    }
                }
                Order::Unfollow(topic) => {
                    if let Some(session) = asker.and_then(|asker| self.sessions.at_mut(asker)) {
                        session.unfollow(topic);
                    }
                }
                Order::Push { topic, payload } => {
                    self.push_to(payload, |session| session.follows(topic), step.now());
                }
                Order::PushToAll(payload) => self.push_to(payload, |_| true, step.now()),
                Order::Tell(session, stanza) => {
                    if let Some(session) = self.sessions.at_mut(&session) {
                        session.give(stanza, step.now());
                    }
                }
                Order::Hide(from) => self.hide_from(&from, step.now()),
                Order::Show(to) => self.show_to(&to, scene, step.now()),
                Order::Ask(question) => self.ask_client(question, step.now()),
                Order::Send(stanza) => {
                    if let Kind::Message(_) = stanza.kind {
                        step.now().push(Effect::Accepted);
                    }
                    step.now().route(stanza);
                }
                Order::Removed(rows) => self.removed(&rows),
                Order::End(reason) => step.now().push(Effect::End(reason)),
                Order::EndClient(client, reason) => {
                    self.end_client(client, None, reason, step.now());
                }
            }
        }
    }

    /// An IQ set for every session that is meant.
    fn push_to(
        &mut self,
        payload: Element,
        is_meant: impl Fn(&Session) -> bool,
        out: &mut Effects,
    ) {
        let push = self.push_id(Stanza::iq(IqType::Set, "").with_payload(payload));
        let push = push.with_from(self.jid.to_jid());
        for session in self.sessions.iter_mut().filter(|session| is_meant(session)) {
            session.give(push.clone().with_to(session.key.jid.clone()), out);
        }
    }

    /// Asks the client of a session, unless it still has to answer the same question. The answer comes to the
    /// account.
    fn ask_client(&mut self, question: Question, out: &mut Effects) {
        let Question {
            session,
            payload,
            tag,
        } = question;
        let request = self.push_id(Stanza::iq(IqType::Get, "").with_payload(payload));
        let Some(session) = self.sessions.at_mut(&session) else {
            return;
        };
        if session.dialogue().is_asked(&tag) {
            return;
        }
        let id = request.id.clone().unwrap_or_default();
        session.dialogue().asked(id, tag);
        let request = request.with_from(self.jid.to_jid());
        session.give(request.with_to(session.key.jid.clone()), out);
    }

    /// A client's answer to a request of the server: to a question of a feature, or to a push, which
    /// needs none.
    pub(super) fn answered(&mut self, stanza: Stanza, scene: &Scene<'_>, step: &mut Step) {
        step.now().ignore(&stanza);
        let (Some(from), Some(id)) = (&stanza.from, &stanza.id) else {
            return;
        };
        if !self.is_own(from) {
            return self.answered_from_outside(&stanza, (from, id), scene, step);
        }
        let session = self.sessions.at_mut(from);
        let Some(tag) = session.and_then(|session| session.answered(id)) else {
            return;
        };
        let answer = match stanza.kind {
            Kind::Iq(IqType::Result) => Ok(stanza
                .children()
                .ok()
                .and_then(|children| children.into_iter().next())),
            _ => Err(match stanza.child("error", ns::CLIENT) {
                Ok(Some(error)) => StanzaError::parse(&error),
                _ => Condition::UndefinedCondition.into(),
            }),
        };
        let view = self.view(scene);
        let orders = scene.rules.features.answered(from, &tag, &answer, view);
        self.obey(orders, Some(from), scene, step);
    }

    /// Tells those whom the account shares presence with, as far as one of `items` names them, that every
    /// available resource is unavailable.
    fn hide_from(&mut self, items: &[Jid], out: &mut Effects) {
        let subscribers = self.named_subscribers(items);
        for session in self.sessions.iter_mut() {
            let shared = session.unshare_matching(|jid| items.iter().any(|item| names(item, jid)));
            let hidden = subscribers.iter().filter(|_| session.presence.is_some());
            let to: BTreeSet<Jid> = hidden.cloned().chain(shared).collect();
            for to in to {
                let gone = Stanza::presence(PresenceType::Unavailable);
                out.route(gone.with_from(session.key.jid.clone()).with_to(to));
            }
        }
    }

    /// Sends the presence of every available resource to those subscribers whom one of `items` names.
    fn show_to(&mut self, items: &[Jid], scene: &Scene<'_>, out: &mut Effects) {
        for to in self.named_subscribers(items) {
            if scene.rules.features.shares_presence(&to, self.view(scene)) {
                self.show_presence(&to, scene, out);
            }
        }
    }

    /// The subscribers whom one of `items` names; of one who is named by a resource, only that.
    fn named_subscribers(&self, items: &[Jid]) -> BTreeSet<Jid> {
        let mut named = BTreeSet::new();
        for subscriber in self.roster.subscribers() {
            for item in items {
                if names(item, &subscriber) {
                    named.insert(subscriber.clone());
                } else if item.bare_str() == subscriber.as_str() {
                    named.insert(item.clone());
                }
            }
        }
        named
    }
}

/// Whether an item names an address: the full JID, any resource of the bare JID, anybody of the domain
/// (XEP-0191 §6).
fn names(item: &Jid, jid: &Jid) -> bool {
    item.domain() == jid.domain()
        && (item.local().is_none() || item.local() == jid.local())
        && (item.resource().is_none() || item.resource() == jid.resource())
}
