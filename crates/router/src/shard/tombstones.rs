//! XEP-0424 §4: what the archive of an account keeps of a message that its sender takes back.

use rookery_archive::tombstone::{retracts, tombstone};
use rookery_stanza::{BareJid, Jid, Stanza};
use rookery_storage::StoreError;
use rookery_storage::message_log::{MessageLog, Origin, Row};

use crate::account::Append;

/// Messages with the same id that are looked at. The one that is meant is among the last, unless somebody uses ids again
/// and again.
const CANDIDATES: usize = 16;

/// A message that takes an earlier one back, on its way into the log of an account.
pub(super) struct Retraction {
    message: Stanza,
    with: Jid,
    received: i64,
    /// The id of the message that is meant.
    of: Origin,
}

// === impl Retraction ===

impl Retraction {
    /// What `append` takes back, if it takes something back.
    pub(super) fn in_append(append: &Append) -> Option<Self> {
        let (message, with, received) = append.parts();
        let of = Origin::of(&retracts(message)?.id);
        Some(Self {
            message: message.clone(),
            with: with.clone(),
            received: i64::try_from(received).unwrap_or(i64::MAX),
            of,
        })
    }

    /// Puts a tombstone in the place of what it takes back in the log of `account`. What cannot be replaced stays.
    pub(super) async fn carry_out(self, log: &dyn MessageLog, account: &BareJid) {
        if let Err(error) = self.try_to(log, account).await {
            tracing::warn!(%account, %error, "a message that was taken back is still in the archive");
        }
    }

    async fn try_to(&self, log: &dyn MessageLog, account: &BareJid) -> Result<(), StoreError> {
        let with = self.with.bare();
        for row in log.by_origin(account, &with, self.of, CANDIDATES).await? {
            let id = row.id;
            if let Some(tombstone) = self.tombstone(row) {
                let mut payload = Vec::new();
                tombstone.write(&mut payload);
                log.replace(account, id, payload.into()).await?;
            }
        }
        Ok(())
    }

    /// What stands in the place of a message, if it is meant.
    fn tombstone(&self, row: Row) -> Option<Stanza> {
        let original = Stanza::parse_again(row.payload).ok()?;
        tombstone(&original, &self.message, self.received)
    }
}
