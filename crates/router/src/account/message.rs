//! Delivery of messages (RFC 6121 §8.5, summed up in its §8.5.4).

use rookery_stanza::{Condition, MessageType, Stanza};

use super::effect::{Effects, Step};
use super::offline::keep;
use super::{Account, Scene};

impl Account {
    /// A message to the account.
    pub(super) fn message(
        &mut self,
        stanza: Stanza,
        kind: MessageType,
        scene: &Scene<'_>,
        step: &mut Step,
    ) {
        if !self.exists() {
            return no_such_user(stanza, kind, step.now());
        }
        let Some(to) = &stanza.to else {
            return step.now().ignore(&stanza);
        };
        if to.is_bare() {
            return self.message_to_bare(stanza, kind, scene, step);
        }
        match self.sessions.at_mut(to) {
            // §8.5.3.1
            Some(session) => {
                if self.offline.is_before(session.key.id) && Self::is_kept(&stanza) {
                    return keep(stanza, scene, step);
                }
                session.pass(stanza, step.now());
            }
            None => self.message_to_absent(stanza, kind, scene, step),
        }
    }

    /// §8.5.2.1.1 and §8.5.2.2.1.
    fn message_to_bare(
        &mut self,
        stanza: Stanza,
        kind: MessageType,
        scene: &Scene<'_>,
        step: &mut Step,
    ) {
        match kind {
            MessageType::Normal | MessageType::Chat => {
                self.pass_to_most_available(stanza, scene, step);
            }
            MessageType::Groupchat => step.now().bounce(stanza, Condition::ServiceUnavailable),
            MessageType::Headline => self.pass_to_all_non_negative(&stanza, step.now()),
            MessageType::Error => step.now().ignore(&stanza),
        }
    }

    /// §8.5.3.2.1: no resource has the full JID.
    fn message_to_absent(
        &mut self,
        stanza: Stanza,
        kind: MessageType,
        scene: &Scene<'_>,
        step: &mut Step,
    ) {
        match kind {
            MessageType::Chat => self.pass_to_most_available(stanza, scene, step),
            MessageType::Normal | MessageType::Groupchat => {
                step.now().bounce(stanza, Condition::ServiceUnavailable);
            }
            MessageType::Headline | MessageType::Error => step.now().ignore(&stanza),
        }
    }

    /// To the resources that share the highest non-negative priority, or into the store.
    fn pass_to_most_available(&mut self, stanza: Stanza, scene: &Scene<'_>, step: &mut Step) {
        let Some(top) = self.sessions.top_priority() else {
            return self.keep_or_ignore(stanza, scene, step);
        };
        let is_top = |priority: Option<i8>| priority == Some(top);
        let behind_kept = self.sessions.available().any(|(session, _)| {
            is_top(session.priority()) && self.offline.is_before(session.key.id)
        });
        if behind_kept && Self::is_kept(&stanza) {
            return keep(stanza, scene, step);
        }
        let out = step.now();
        let mut targets = self
            .sessions
            .iter_mut()
            .filter(|session| is_top(session.priority()));
        if let Some(first) = targets.next() {
            for another in targets {
                another.give(stanza.clone(), out);
            }
            first.pass(stanza, out);
        }
    }

    /// A headline to the bare JID.
    fn pass_to_all_non_negative(&mut self, stanza: &Stanza, out: &mut Effects) {
        let mut targets = self
            .sessions
            .iter_mut()
            .filter(|session| session.takes_messages());
        let Some(first) = targets.next() else {
            return out.ignore(stanza);
        };
        for another in targets {
            another.give(stanza.clone(), out);
        }
        first.pass(stanza.clone(), out);
    }
}

/// §8.5.1
fn no_such_user(stanza: Stanza, kind: MessageType, out: &mut Effects) {
    match kind {
        MessageType::Normal | MessageType::Chat | MessageType::Groupchat => {
            out.bounce(stanza, Condition::ServiceUnavailable);
        }
        MessageType::Headline | MessageType::Error => out.ignore(&stanza),
    }
}
