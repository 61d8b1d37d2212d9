//! A client that reads from the archive what it missed (XEP-0386 §"Performing the bind"): it learns where that ends at the
//! moment when its resource is bound, and is not owed what it finds there.
//!
//! What is in no archive stays owed, and is handed over when a resource takes messages; so does what another session was
//! handed.

use rookery_archive::query::metadata;
use rookery_delivery::SessionKey;
use rookery_storage::message_log::{Header, Span, Tail};

use super::effect::{Change, Effect, Step, Write};
use super::{Account, Scene, Standing};

/// What the log of an account holds.
#[derive(Debug)]
pub(crate) struct Survey {
    /// The ends of the archive.
    pub(crate) span: Option<Span>,
    /// All rows that are owed.
    pub(crate) owed: Vec<Header>,
}

// === impl Step ===

impl Step {
    /// Tells a session that it is bound once the log was surveyed. If it cannot be, everything stays owed.
    pub(super) fn survey(&mut self, session: SessionKey) {
        let mut write = Write::new(Change::Survey(session.clone()));
        write.failed.bound(session, None);
        self.write(write);
    }
}

// === impl Account ===

impl Account {
    /// Whether there is an archive of the account.
    pub(super) fn is_archived(&self, scene: &Scene<'_>) -> bool {
        let host = self.host(scene);
        self.standing == Standing::Stored && host.is_some_and(|host| host.archive)
    }

    /// The log was surveyed.
    pub(super) fn surveyed(&mut self, session: SessionKey, survey: Survey, step: &mut Step) {
        let Survey { span, owed } = survey;
        if !self.owed.is_replayed() {
            let left = owed.into_iter().filter(|row| !self.is_handed(row.id));
            let (archived, others): (Vec<_>, Vec<_>) =
                left.partition(|row| row.purpose.is_archived());
            if !archived.is_empty() {
                let rows = archived.into_iter().map(|row| row.id).collect();
                step.now().push(Effect::Confirm(rows));
            }
            self.owed.found(Tail {
                last: None,
                owed: others.len() as u64,
            });
        }
        step.now().bound(session, Some(metadata(span)));
    }
}
