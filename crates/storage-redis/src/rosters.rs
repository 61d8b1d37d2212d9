//! The port of rosters.

use async_trait::async_trait;
use redis::Value;
use rookery_stanza::BareJid;
use rookery_storage::record::Record;
use rookery_storage::{
    Roster, RosterItem, RosterStore, RosterUpdate, RosterWrite, StoreError, Tombstone,
};

use crate::metrics::Operation;
use crate::queue::Crowded;
use crate::reply;
use crate::store::RedisStore;

#[async_trait]
impl RosterStore for RedisStore {
    async fn update_roster(&self, update: RosterUpdate) -> Result<bool, StoreError> {
        let work = async {
            let keys = self.wire.keys(&update.account);
            let names = ["account", "roster", "tombstones"].map(|name| keys.key(name));
            let mut command = self.wire.scripts.update_roster.call(&names);
            command.arg(update.version).arg(update.floor);
            for write in &update.writes {
                match write {
                    RosterWrite::Put(item) => command
                        .arg("p")
                        .arg(item.jid.as_str())
                        .arg(item.to_record()),
                    RosterWrite::Forget(jid) => command.arg("f").arg(jid.as_str()),
                    RosterWrite::Remove(gone) => {
                        command.arg("r").arg(gone.jid.as_str()).arg(gone.removed)
                    }
                };
            }
            let answer = reply::one(
                self.wire
                    .write(&keys, vec![command], Crowded::Refuse)
                    .await?,
            )?;
            Ok(reply::int(&answer)? == 1)
        };
        self.wire.measured(Operation::UpdateRoster, work).await
    }
}

/// Reads a roster from its version, floor, items, and tombstones with their versions.
pub(crate) fn read(
    version: Value,
    floor: Value,
    items: Value,
    tombstones: Value,
) -> Result<Roster, StoreError> {
    let items = reply::pairs(items)?
        .into_iter()
        .map(|(_, item)| RosterItem::from_record(&reply::bytes(item)?));
    let mut items = items.collect::<Result<Vec<_>, _>>()?;
    items.sort_by(|one, other| one.jid.cmp(&other.jid));
    let tombstones = reply::pairs(tombstones)?.into_iter().map(|(jid, removed)| {
        let jid = BareJid::parse(&reply::text(jid)?);
        Ok(Tombstone {
            jid: jid.map_err(|error| StoreError::Corrupt(format!("a tombstone: {error}")))?,
            removed: reply::stored(removed)?,
        })
    });
    Ok(Roster {
        version: reply::stored(version)?,
        floor: reply::stored(floor)?,
        items,
        tombstones: tombstones.collect::<Result<_, StoreError>>()?,
    })
}
