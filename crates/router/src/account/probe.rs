//! Answers to presence probes (RFC 6121 §4.3.2, §4.6.6).

use rookery_stanza::{Jid, PresenceType, Stanza};

use super::effect::Effects;
use super::{Account, Scene};
use crate::metrics::Outcome;

impl Account {
    /// A contact at this server became available, and its home asks. Silence means unavailable.
    pub(super) fn probed(&mut self, from: &Jid, scene: &Scene<'_>, out: &mut Effects) {
        let features = &scene.rules.features;
        if !self.exists() || !features.shares_presence(from, self.view(scene)) {
            return;
        }
        if self.may_see(from) {
            self.show_presence(from, scene, out);
        } else if !self.roster.waits_for_answer(from) {
            out.route(self.unsubscribed(from));
        }
    }

    /// A probe that a client sent.
    pub(super) fn probe_received(&mut self, stanza: &Stanza, scene: &Scene<'_>, out: &mut Effects) {
        let (Some(from), Some(to)) = (&stanza.from, &stanza.to) else {
            return out.ignore(stanza);
        };
        if self.roster.waits_for_answer(from) {
            // `unsubscribed` would deny a request that the user has yet to decide on.
            return out.ignore(stanza);
        }
        out.settled(stanza.kind, Outcome::Local);
        if !self.exists() || !self.may_see(from) {
            // §4.6.6: whoever got directed presence may ask about that resource.
            let shared = self
                .sessions
                .at(to)
                .is_some_and(|session| session.shares_with(from));
            let answer = if shared {
                mere(PresenceType::Available, to, from)
            } else {
                self.unsubscribed(from)
            };
            return out.route(mirror_id(answer, stanza));
        }
        if to.is_full() {
            // Only whether this one resource is available (§4.3.2, last paragraph).
            let available = self
                .sessions
                .at(to)
                .is_some_and(|session| session.presence.is_some());
            let kind = if available {
                PresenceType::Available
            } else {
                PresenceType::Unavailable
            };
            let answer = mere(kind, to, from);
            return out.route(if available {
                answer
            } else {
                mirror_id(answer, stanza)
            });
        }
        if self.sessions.available().next().is_some() {
            return self.show_presence(from, scene, out);
        }
        let mut answer = mere(PresenceType::Unavailable, to, from);
        if let Some(since) = self.last_unavailable {
            answer.append(self.delay(since.min(scene.now)).to_element());
        }
        out.route(mirror_id(answer, stanza));
    }

    /// Whether `jid` may see the account's presence: a subscriber, or the account itself.
    pub(super) fn may_see(&self, jid: &Jid) -> bool {
        self.is_own(jid) || self.roster.is_subscriber(jid)
    }

    /// `unsubscribed`, from one bare JID to the other (§4.3.2, rule 1).
    fn unsubscribed(&self, to: &Jid) -> Stanza {
        Stanza::presence(PresenceType::Unsubscribed)
            .with_from(self.jid.to_jid())
            .with_to(to.bare().to_jid())
    }
}

/// Presence that says nothing but its type.
fn mere(kind: PresenceType, from: &Jid, to: &Jid) -> Stanza {
    Stanza::presence(kind)
        .with_from(from.clone())
        .with_to(to.clone())
}

/// §4.3.2.1
fn mirror_id(mut answer: Stanza, probe: &Stanza) -> Stanza {
    answer.id.clone_from(&probe.id);
    answer
}
