//! XEP-0198 §5: sessions whose clients have lost their connections, and may come back.
//!
//! Such a session stays bound, and gets what it would have got. But nobody is there to read it: its messages wait as those
//! of an account without sessions do, its resource is no longer that of a connected client, and where there is a choice
//! another session comes first.

use rookery_delivery::{Delivery, SessionId};

use super::effect::{Effect, Step};
use super::{Account, Scene};

impl Account {
    /// A session has no connection. What waits with it is told to whoever may call its client.
    pub(super) fn detached(
        &mut self,
        id: SessionId,
        waiting: Vec<Delivery>,
        scene: &Scene<'_>,
        step: &mut Step,
    ) {
        let Some(session) = self.sessions.get_mut(id) else {
            // It has been let go, and what it had is left.
            return;
        };
        session.set_detached(true);
        step.now().push(Effect::Detached(id));
        self.hand_on(id, step);
        let rows = waiting.into_iter().filter_map(|delivery| {
            let row = delivery.custody.row()?;
            // Another client may have confirmed it in the meantime.
            self.is_handed(row).then_some((delivery.stanza, row))
        });
        let rows: Vec<_> = rows.collect();
        self.wait(&rows, scene, step);
    }

    /// The client of a session is back.
    pub(super) fn resumed(&mut self, id: SessionId, step: &mut Step) {
        if let Some(session) = self.sessions.get_mut(id) {
            session.set_detached(false);
            step.now().push(Effect::Resumed(id));
            self.replay_to_any(step);
        }
    }
}
