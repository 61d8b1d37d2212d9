//! What a session returns when it ends, since its client did not get it.

use rookery_delivery::{Custody, Delivery};
use rookery_stanza::payload::delay::Delay;
use rookery_stanza::{Condition, Jid, Kind, MessageType, Stanza, ns};

use super::effect::{Effect, Step};
use super::sessions::Session;
use super::{Account, Scene};
use crate::metrics::Outcome;

impl Account {
    /// Finds another way for all that was returned, in order.
    pub(super) fn all_returned(
        &mut self,
        returned: Vec<Delivery>,
        ended: Option<&Session>,
        scene: &Scene<'_>,
        step: &mut Step,
    ) {
        let row = |delivery: &Delivery| Some((delivery.stanza.clone(), delivery.custody.row()?));
        let rows: Vec<_> = returned.iter().filter_map(row).collect();
        for delivery in returned {
            self.returned(delivery, ended, scene, step);
        }
        self.wait(&rows, scene, step);
    }

    /// Finds another way for what was returned: a message is treated as if it came now (RFC 6121 §8.5),
    /// with a delay stamp; a request is answered with an error; the rest has lost its meaning.
    fn returned(
        &mut self,
        delivery: Delivery,
        ended: Option<&Session>,
        scene: &Scene<'_>,
        step: &mut Step,
    ) {
        let stanza = delivery.stanza;
        match delivery.custody {
            Custody::Session => {}
            // It is still in the log, and will be read again.
            Custody::Log(row) => return self.not_confirmed(row),
            Custody::Copy => return,
        }
        match stanza.kind {
            Kind::Message(kind) => {
                step.now().push(Effect::Accepted);
                self.message_returned(stanza, kind, ended, scene, step);
            }
            Kind::Iq(kind) if kind.is_request() => {
                // Not a request of our own: those are roster pushes, which need no answer.
                if stanza.from.is_some() {
                    step.now().bounce(stanza, Condition::ServiceUnavailable);
                }
            }
            Kind::Iq(_) | Kind::Presence(_) => step.now().ignore(&stanza),
        }
    }

    fn message_returned(
        &mut self,
        mut stanza: Stanza,
        kind: MessageType,
        ended: Option<&Session>,
        scene: &Scene<'_>,
        step: &mut Step,
    ) {
        let to_bare = stanza.to.as_ref().is_some_and(Jid::is_bare);
        if to_bare && ended.is_some_and(|ended| self.sessions.cover(ended)) {
            return step.now().settled(stanza.kind, Outcome::Local);
        }
        if to_bare && kind == MessageType::Headline {
            return step.now().ignore(&stanza);
        }
        if !stanza.has(Delay::NAME, ns::DELAY) {
            stanza.append(self.delay(scene.now).to_element());
        }
        self.message(stanza, kind, None, scene, step);
    }

    /// The note that this server kept something since `received`, in unix milliseconds.
    pub(super) fn delay(&self, received: u64) -> Delay {
        let received = i64::try_from(received).unwrap_or(i64::MAX);
        match Jid::from_parts(None, self.jid.domain(), None) {
            Ok(host) => Delay::new(host, received),
            Err(_) => Delay {
                from: None,
                stamp: received,
                reason: None,
            },
        }
    }
}
