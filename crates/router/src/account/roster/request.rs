//! Roster get, set and push (RFC 6121 §2.1.3 to §2.6).

use rookery_delivery::Limit;
use rookery_stanza::{BareJid, Condition, IqType, Kind, PresenceType, Stanza, ns};
use rookery_storage::{RosterItem, RosterUpdate};
use rookery_xml::Element;

use super::item::{self, Contact, Wanted};
use super::{Changed, blank, has_from, has_to};
use crate::account::effect::{Change, Effects, Step, Write};
use crate::account::{Account, Scene};
use crate::decide::{Destination, decide};
use crate::metrics::Outcome;

impl Account {
    /// A request about the roster. Only the account itself may make one (§2.1.5).
    pub(in crate::account) fn roster_request(
        &mut self,
        request: Stanza,
        scene: &Scene<'_>,
        step: &mut Step,
    ) {
        if !request.from.as_ref().is_some_and(|from| self.is_own(from)) {
            return step.now().bounce(request, Condition::Forbidden);
        }
        let Ok(Some(query)) = request.child("query", ns::ROSTER) else {
            return step.now().bounce(request, Condition::BadRequest);
        };
        if request.kind == Kind::Iq(IqType::Get) {
            return self.roster_get(request, &query, step.now());
        }
        match item::parse_set(&query, &scene.rules.config) {
            Ok(Wanted::Put(contact)) => self.roster_put(request, contact, scene, step),
            Ok(Wanted::Remove(jid)) => self.roster_remove(request, &jid, scene, step),
            Err(error) => step.now().bounce(request, error),
        }
    }

    /// §2.1.4, §2.2, §2.6.3.
    fn roster_get(&mut self, request: Stanza, query: &Element, out: &mut Effects) {
        if query.children().next().is_some() {
            return out.bounce(request, Condition::BadRequest); // §2.1.3
        }
        if let Some(session) = request
            .from
            .as_ref()
            .and_then(|from| self.sessions.at_mut(from))
        {
            session.interested = true;
        }
        let changes = query
            .attribute("ver")
            .and_then(|version| self.roster.since(version));
        let Some(changes) = changes else {
            let items = self.roster.all_listed();
            let items = items.map(|contact| item::to_element(&contact.to_item()));
            let whole = item::query(self.roster.version, items);
            return self.respond(&request, Some(whole), out);
        };
        let interim: Vec<Element> = changes
            .iter()
            .map(|change| {
                let element = match change {
                    Changed::Put(contact) => item::to_element(&contact.to_item()),
                    Changed::Removed(tombstone) => item::removal(&tombstone.jid),
                };
                item::query(change.version(), [element])
            })
            .collect();
        self.respond(&request, None, out);
        for query in interim {
            let push = self.push_id(Stanza::iq(IqType::Set, "").with_payload(query));
            if let Some(from) = &request.from
                && let Some(session) = self.sessions.at_mut(from)
            {
                session.give(push.with_to(from.clone()), out);
            }
        }
    }

    /// §2.3, §2.4.
    fn roster_put(
        &mut self,
        request: Stanza,
        contact: Contact,
        scene: &Scene<'_>,
        step: &mut Step,
    ) {
        let Contact { jid, name, groups } = contact;
        if jid == self.jid {
            return step.now().bounce(request, Condition::NotAllowed); // §2.3.3, the last note
        }
        let known = self.roster.get(&jid);
        if !known.as_ref().is_some_and(|item| item.listed)
            && self.roster.listed_count() >= scene.rules.config.roster_items
        {
            return step.now().over_limit(Limit::RosterItems, request);
        }
        let before = known.unwrap_or_else(|| blank(jid));
        let item = RosterItem {
            name,
            groups,
            listed: true,
            ..before
        };
        let bytes = self
            .roster
            .text_bytes(&item.jid)
            .saturating_add(item::text_bytes(&item));
        if bytes > scene.rules.config.roster_bytes {
            return step.now().over_limit(Limit::RosterBytes, request);
        }
        let update = self.roster.put(&self.jid, item.clone(), true);
        let mut then = Effects::default();
        self.push(item::to_element(&item), &update, &mut then);
        self.respond(&request, None, &mut then);
        let mut write =
            Write::new(Change::Roster(update)).or_bounce(request, Condition::NotAllowed);
        write.then = then;
        step.write(write);
    }

    /// §2.5: the contact goes, and with it every subscription and request, in both directions.
    fn roster_remove(
        &mut self,
        request: Stanza,
        jid: &BareJid,
        scene: &Scene<'_>,
        step: &mut Step,
    ) {
        let Some(item) = self.roster.listed(jid) else {
            return step.now().bounce(request, Condition::ItemNotFound); // §2.5.3
        };
        let update = self.roster.remove(&self.jid, jid);
        let mut then = Effects::default();
        self.push(item::removal(jid), &update, &mut then);
        self.respond(&request, None, &mut then);
        if let Destination::Account | Destination::Component =
            decide(jid.as_jid(), &scene.rules.hosts)
        {
            self.end_subscriptions(&item, &mut then);
        }
        let mut write =
            Write::new(Change::Roster(update)).or_bounce(request, Condition::NotAllowed);
        write.then = then;
        step.write(write);
    }

    /// §2.5.2.
    fn end_subscriptions(&self, item: &RosterItem, out: &mut Effects) {
        let tell = |kind: PresenceType| {
            Stanza::presence(kind)
                .with_from(self.jid.to_jid())
                .with_to(item.jid.to_jid())
        };
        if has_to(item.subscription) || item.pending_out {
            out.route(tell(PresenceType::Unsubscribe));
        }
        if has_from(item.subscription) {
            self.hide_presence(item.jid.as_jid(), out);
        }
        if has_from(item.subscription) || item.pending_in.is_some() {
            out.route(tell(PresenceType::Unsubscribed));
        }
    }

    /// Tells all interested resources of a changed item (§2.1.6).
    pub(in crate::account) fn push_item(
        &mut self,
        item: &RosterItem,
        update: &RosterUpdate,
        out: &mut Effects,
    ) {
        self.push(item::to_element(item), update, out);
    }

    fn push(&mut self, item: Element, update: &RosterUpdate, out: &mut Effects) {
        if !self.sessions.iter_mut().any(|session| session.interested) {
            return;
        }
        let query = item::query(update.version, [item]);
        let push = self.push_id(Stanza::iq(IqType::Set, "").with_payload(query));
        for session in self
            .sessions
            .iter_mut()
            .filter(|session| session.interested)
        {
            session.give(push.clone().with_to(session.key.jid.clone()), out);
        }
    }

    /// Gives a push, or a question, an id that no other one to the same clients has.
    pub(in crate::account) fn push_id(&mut self, push: Stanza) -> Stanza {
        self.pushes += 1;
        push.with_id(format!("push-{}", self.pushes))
    }

    /// Answers a request of one of the account's own sessions, in order with what else it is handed.
    pub(in crate::account) fn respond(
        &mut self,
        request: &Stanza,
        payload: Option<Element>,
        out: &mut Effects,
    ) {
        out.settled(request.kind, Outcome::Local);
        let answer = request.result_reply(payload);
        match answer.to.as_ref().and_then(|to| self.sessions.at_mut(to)) {
            Some(session) => session.give(answer, out),
            None => out.route(answer),
        }
    }
}
