//! Telling features of a message that waits, so that they can call a client (XEP-0357).

use rookery_extension::WaitingMessage;
use rookery_stanza::{Condition, IqType, Jid, Kind, RowId, Stanza, StanzaError, ns};

use super::effect::Step;
use super::sessions::Session;
use super::{Account, Scene};

impl Account {
    /// The row of this message is durable and owed. Where no session has it or is about to get it, features hear
    /// of it.
    pub(super) fn waits(
        &mut self,
        stanza: &Stanza,
        row: RowId,
        scene: &Scene<'_>,
        step: &mut Step,
    ) {
        let takes = |session: &Session| session.takes_messages() && !session.is_held();
        let comes = self.sessions.iter().any(takes);
        if comes || self.is_handed(row) {
            return;
        }
        let message = WaitingMessage {
            stanza,
            row,
            count: self.owed.rows(),
        };
        let orders = scene.rules.features.waits(message, self.view(scene));
        self.obey(orders, None, scene, step);
    }

    /// Somebody who is not of the account answers a request that it sent.
    pub(super) fn answered_from_outside(
        &mut self,
        stanza: &Stanza,
        (from, id): (&Jid, &str),
        scene: &Scene<'_>,
        step: &mut Step,
    ) {
        let error = match stanza.kind {
            Kind::Iq(IqType::Result) => None,
            _ => match stanza.child("error", ns::CLIENT) {
                Ok(Some(error)) => Some(StanzaError::parse(&error)),
                _ => Some(Condition::UndefinedCondition.into()),
            },
        };
        let answer = error.as_ref().map_or(Ok(()), Err);
        let view = self.view(scene);
        let features = &scene.rules.features;
        let orders = features.answered_from_outside(from, id, answer, view);
        self.obey(orders, None, scene, step);
    }
}
