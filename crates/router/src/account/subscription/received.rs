//! What a contact does with a subscription (RFC 6121 §3.1.3, §3.1.6, §3.2.3, §3.3.3, §3.4.2).

use rookery_delivery::Limit;
use rookery_stanza::{BareJid, Condition, PresenceType, Stanza};
use rookery_storage::RosterItem;

use super::state::State;
use super::{Action, is_visible, moved, table};
use crate::account::durable;
use crate::account::effect::{Change, Effects, Step, Write};
use crate::account::roster::blank;
use crate::account::{Account, Scene};
use crate::metrics::Outcome;

/// Bytes of a request that are kept; of a larger one only its addresses are (§3.1.3, security warning).
const REQUEST_BYTES: usize = 8 * 1024;

impl Account {
    /// Somebody sent presence that manages a subscription.
    pub(in crate::account) fn subscription_received(
        &mut self,
        stanza: Stanza,
        kind: PresenceType,
        scene: &Scene<'_>,
        step: &mut Step,
    ) {
        let (Some(action), Some(from), true) = (Action::of(kind), &stanza.from, self.exists())
        else {
            return step.now().ignore(&stanza);
        };
        // §8.5.3.2.2
        let absent = stanza
            .to
            .as_ref()
            .is_some_and(|to| to.is_full() && self.sessions.at(to).is_none());
        if absent && action != Action::Subscribe {
            return step.now().ignore(&stanza);
        }
        let contact = from.bare();
        let stanza = stanza
            .with_from(contact.to_jid())
            .with_to(self.jid.to_jid()); // §3.1.3
        let before = self.roster.get(&contact);
        let state = State::of(before.as_ref());
        let row = table::received(state, action);
        if row.state == state {
            return self.unchanged(&stanza, &contact, row, scene, step.now());
        }
        if action == Action::Subscribe && before.as_ref().is_some_and(|item| item.approved) {
            return self.approve(before, &stanza, &contact, scene, step);
        }
        if action == Action::Subscribe
            && self.roster.request_count() >= scene.rules.config.subscription_requests
        {
            return step.now().over_limit(Limit::SubscriptionRequests, stanza);
        }
        let mut after = moved(before.clone().unwrap_or_else(|| blank(contact)), row.state);
        if action == Action::Subscribe {
            after.pending_in = Some(request(&stanza));
        }
        step.write(self.change(before.as_ref(), after, &stanza, action, row));
    }

    /// Nothing changes; a request of somebody who is subscribed already is granted again (§3.1.3, rule 2).
    fn unchanged(
        &self,
        stanza: &Stanza,
        contact: &BareJid,
        row: table::Received,
        scene: &Scene<'_>,
        out: &mut Effects,
    ) {
        match row.reply {
            Some(_) => {
                out.settled(stanza.kind, Outcome::Local);
                out.route(self.reply(PresenceType::Subscribed, stanza, contact));
                self.show_presence(contact.as_jid(), scene, out);
            }
            None => out.ignore(stanza),
        }
    }

    /// A request that was approved before it came (§3.4.2).
    fn approve(
        &mut self,
        before: Option<RosterItem>,
        stanza: &Stanza,
        contact: &BareJid,
        scene: &Scene<'_>,
        step: &mut Step,
    ) {
        let state = State::of(before.as_ref()).with_from();
        let item = moved(before.unwrap_or_else(|| blank(contact.clone())), state);
        let update = self.roster.put(&self.jid, item.clone(), true);
        let mut then = Effects::default();
        then.settled(stanza.kind, Outcome::Local);
        then.route(self.reply(PresenceType::Subscribed, stanza, contact));
        self.push_item(&item, &update, &mut then);
        self.show_presence(contact.as_jid(), scene, &mut then);
        let write =
            Write::new(Change::Roster(update)).or_bounce(stanza.clone(), Condition::NotAllowed);
        step.write(Write { then, ..write });
    }

    /// The state changes: the user is told, then the roster is pushed, then the contact is answered.
    fn change(
        &mut self,
        before: Option<&RosterItem>,
        after: RosterItem,
        stanza: &Stanza,
        action: Action,
        row: table::Received,
    ) -> Write {
        let mut then = Effects::default();
        then.settled(stanza.kind, Outcome::Local);
        match action {
            Action::Subscribe => self.sessions.give_available(stanza, &mut then), // §3.1.3
            _ => self.sessions.give_interested(stanza, &mut then), // §3.1.6, §3.2.3, §3.3.3
        }
        let visible = is_visible(before, &after);
        let update = if after.listed || after.pending_in.is_some() {
            self.roster.put(&self.jid, after.clone(), visible)
        } else {
            self.roster.forget(&self.jid, &after.jid)
        };
        if visible {
            self.push_item(&after, &update, &mut then);
        }
        if action == Action::Unsubscribe {
            if State::of(before).has_from() {
                self.hide_presence(after.jid.as_jid(), &mut then);
            }
            if row.reply.is_some() {
                then.route(self.reply(PresenceType::Unsubscribed, stanza, &after.jid));
            }
        }
        let write =
            Write::new(Change::Roster(update)).or_bounce(stanza.clone(), Condition::NotAllowed);
        Write { then, ..write }
    }

    /// An answer that the server gives for the user.
    fn reply(&self, kind: PresenceType, stanza: &Stanza, contact: &BareJid) -> Stanza {
        let mut reply = Stanza::presence(kind)
            .with_from(self.jid.to_jid())
            .with_to(contact.to_jid());
        reply.id.clone_from(&stanza.id);
        reply
    }
}

/// A request as it is kept: the complete stanza (§3.1.3, rule 4).
fn request(stanza: &Stanza) -> Vec<u8> {
    if stanza.size() <= REQUEST_BYTES {
        return durable::write(stanza);
    }
    let mut bare = Stanza::presence(PresenceType::Subscribe);
    bare.from.clone_from(&stanza.from);
    bare.to.clone_from(&stanza.to);
    durable::write(&bare)
}
