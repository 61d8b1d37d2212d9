//! What the user does with a subscription (RFC 6121 §3.1.2, §3.1.5, §3.2.2, §3.3.2, §3.4.2).

use rookery_delivery::Limit;
use rookery_stanza::{BareJid, Condition, Jid, PresenceType, Stanza};
use rookery_storage::RosterItem;

use super::state::State;
use super::{Action, is_visible, moved, table};
use crate::account::effect::{Change, Effects, Step, Write};
use crate::account::roster::blank;
use crate::account::{Account, Scene};
use crate::decide::{Destination, decide};
use crate::metrics::Outcome;

impl Account {
    /// A client sent presence that manages a subscription.
    pub(in crate::account) fn subscription_sent(
        &mut self,
        stanza: Stanza,
        kind: PresenceType,
        to: &Jid,
        scene: &Scene<'_>,
        step: &mut Step,
    ) {
        let Some(action) = Action::of(kind) else {
            return step.now().ignore(&stanza);
        };
        let contact = to.bare();
        if contact == self.jid {
            return step.now().bounce(stanza, Condition::NotAllowed);
        }
        let before = self.roster.get(&contact);
        let state = State::of(before.as_ref());
        let row = table::sent(state, action);
        let after = after(before.clone(), contact, action, row);
        let newly_listed = after.listed && !before.as_ref().is_some_and(|item| item.listed);
        if newly_listed && self.roster.listed_count() >= scene.rules.config.roster_items {
            return step.now().over_limit(Limit::RosterItems, stanza);
        }
        let mut then = self.tell_contact(&stanza, &after.jid, state, row, scene);
        if before.as_ref().unwrap_or(&blank(after.jid.clone())) == &after {
            return step.append(then);
        }
        // §3.2.2, rule 3: also a denial that clients do not see in the roster is pushed.
        let visible = is_visible(before.as_ref(), &after)
            || (after.listed && row.route && action == Action::Unsubscribed);
        let update = if after.listed || after.pending_in.is_some() {
            self.roster.put(&self.jid, after.clone(), visible)
        } else {
            self.roster.forget(&self.jid, &after.jid)
        };
        if visible {
            self.push_item(&after, &update, &mut then);
        }
        // §3.1.5: current presence follows the approval and the push.
        if row.state.has_from() && !state.has_from() {
            self.show_presence(after.jid.as_jid(), scene, &mut then);
        }
        let mut write = Write::new(Change::Roster(update)).or_bounce(stanza, Condition::NotAllowed);
        write.then = then;
        step.write(write);
    }

    /// Sends the stanza on to the contact, with both addresses bare (§3, implementation note; §3.1.2).
    fn tell_contact(
        &self,
        stanza: &Stanza,
        contact: &BareJid,
        state: State,
        row: table::Sent,
        scene: &Scene<'_>,
    ) -> Effects {
        let mut out = Effects::default();
        let here = matches!(
            decide(contact.as_jid(), &scene.rules.hosts),
            Destination::Account | Destination::Component
        );
        if !row.route || !here {
            out.settled(stanza.kind, Outcome::Local);
            return out;
        }
        // §3.2.2: the contact still sees presence at this moment.
        if state.has_from() && !row.state.has_from() {
            self.hide_presence(contact.as_jid(), &mut out);
        }
        let stanza = stanza.clone().with_from(self.jid.to_jid());
        out.route(stanza.with_to(contact.to_jid()));
        out
    }
}

/// The contact's item after the user's stanza.
fn after(
    before: Option<RosterItem>,
    contact: BareJid,
    action: Action,
    row: table::Sent,
) -> RosterItem {
    let mut item = moved(before.unwrap_or_else(|| blank(contact)), row.state);
    match action {
        Action::Subscribe => item.listed = true,
        Action::Subscribed => {
            item.listed |= row.route || row.approves_ahead;
            item.approved |= row.approves_ahead;
        }
        Action::Unsubscribe => {}
        Action::Unsubscribed => item.approved = false,
    }
    item
}
