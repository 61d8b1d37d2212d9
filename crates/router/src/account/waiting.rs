//! Telling features of messages that wait, so that they can call a client (XEP-0357).

use rookery_extension::WaitingMessage;
use rookery_stanza::{Condition, IqType, Jid, Kind, RowId, Stanza, StanzaError, ns};

use super::effect::Step;
use super::sessions::Session;
use super::{Account, Scene};

impl Account {
    /// The rows of these messages are durable and owed. Of those that no client has or is about to get, features hear.
    pub(super) fn wait(
        &mut self,
        messages: &[(Stanza, RowId)],
        scene: &Scene<'_>,
        step: &mut Step,
    ) {
        let count = self.waiting();
        let is_new = |(_, row): &&(Stanza, RowId)| !self.owed.is_told(*row) && !self.is_near(*row);
        let waiting = |(stanza, row)| WaitingMessage { stanza, row, count };
        let told: Vec<_> = (messages.iter().filter(is_new))
            .map(|(stanza, row)| waiting((stanza, *row)))
            .collect();
        if told.is_empty() {
            return;
        }
        let orders = scene.rules.features.waits(&told, self.view(scene));
        if !orders.is_empty() {
            let rows: Vec<_> = told.iter().map(|message| message.row).collect();
            self.owed.tell(rows);
            self.obey(orders, None, scene, step);
        }
    }

    /// Whether a client that can be reached was handed this row, or is about to be.
    fn is_near(&self, row: RowId) -> bool {
        let takes = |session: &Session| session.takes_messages() && !session.is_held();
        let mut reached = self
            .sessions
            .iter()
            .filter(|session| !session.is_detached());
        if self.is_handed(row) {
            reached.any(|session| session.unconfirmed.contains(row))
        } else {
            reached.any(takes)
        }
    }

    /// About how many messages wait: those that no session has, and those that wait with a session without a
    /// connection. Sessions mostly have the same.
    fn waiting(&self) -> u64 {
        let detached = self.sessions.iter().filter(|session| session.is_detached());
        let most = detached.map(|session| session.unconfirmed.len()).max();
        self.owed.rows().saturating_add(most.unwrap_or(0) as u64)
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
