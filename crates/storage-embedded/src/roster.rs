//! Rosters in SQL (RFC 6121 §2).

use async_trait::async_trait;
use rookery_stanza::BareJid;
use rookery_storage::record::Record;
use rookery_storage::{
    Roster, RosterItem, RosterStore, RosterUpdate, RosterWrite, StoreError, Tombstone,
};
use rusqlite::{Connection, OptionalExtension, params};

use crate::accounts::local;
use crate::failure::Failure;
use crate::metrics::Operation;
use crate::store::EmbeddedStore;

/// A version as a column. The bits are kept, and so is the order of all versions that there can be.
fn column(version: u64) -> i64 {
    version.cast_signed()
}

/// A write with its record made already, since it may be done more than once.
enum Step {
    Put { jid: BareJid, record: Vec<u8> },
    Forget(BareJid),
    Remove(Tombstone),
}

#[async_trait]
impl RosterStore for EmbeddedStore {
    async fn update_roster(&self, update: RosterUpdate) -> Result<bool, StoreError> {
        let RosterUpdate {
            account,
            version,
            floor,
            writes,
        } = update;
        let steps: Vec<Step> = writes.into_iter().map(Step::from).collect();
        self.write(Operation::UpdateRoster, move |connection| {
            let Some(id) = set_version(connection, &account, version, floor)? else {
                return Ok(false);
            };
            for step in &steps {
                step.make(connection, id)?;
            }
            let sql = "DELETE FROM roster_tombstones WHERE account = ?1 AND removed < ?2";
            connection
                .prepare_cached(sql)?
                .execute([id, column(floor)])?;
            Ok(true)
        })
        .await
    }
}

/// Sets the version and gives the account's id, if there is such an account.
fn set_version(
    connection: &Connection,
    account: &BareJid,
    version: u64,
    floor: u64,
) -> rusqlite::Result<Option<i64>> {
    let sql = "UPDATE accounts SET roster_version = ?3, roster_floor = ?4
               WHERE host = ?1 AND local = ?2 RETURNING id";
    let values = params![
        account.domain(),
        local(account),
        column(version),
        column(floor)
    ];
    connection
        .prepare_cached(sql)?
        .query_row(values, |row| row.get(0))
        .optional()
}

/// Reads a roster.
pub(crate) fn load(
    connection: &Connection,
    id: i64,
    (version, floor): (i64, i64),
) -> Result<Roster, Failure> {
    Ok(Roster {
        version: version.cast_unsigned(),
        floor: floor.cast_unsigned(),
        items: items(connection, id)?,
        tombstones: tombstones(connection, id)?,
    })
}

fn items(connection: &Connection, id: i64) -> Result<Vec<RosterItem>, Failure> {
    let sql = "SELECT record FROM roster_items WHERE account = ?1 ORDER BY jid";
    let mut statement = connection.prepare_cached(sql)?;
    let mut rows = statement.query([id])?;
    let mut items = Vec::new();
    while let Some(row) = rows.next()? {
        let record = row.get_ref(0)?.as_blob().map_err(rusqlite::Error::from)?;
        items.push(RosterItem::from_record(record)?);
    }
    Ok(items)
}

fn tombstones(connection: &Connection, id: i64) -> Result<Vec<Tombstone>, Failure> {
    let sql = "SELECT jid, removed FROM roster_tombstones WHERE account = ?1 ORDER BY removed, jid";
    let mut statement = connection.prepare_cached(sql)?;
    let mut rows = statement.query([id])?;
    let mut tombstones = Vec::new();
    while let Some(row) = rows.next()? {
        let (jid, removed): (String, i64) = (row.get(0)?, row.get(1)?);
        let jid = BareJid::parse(&jid)
            .map_err(|error| StoreError::Corrupt(format!("a removed contact: {error}")))?;
        tombstones.push(Tombstone {
            jid,
            removed: removed.cast_unsigned(),
        });
    }
    Ok(tombstones)
}

// === impl Step ===

impl Step {
    fn make(&self, connection: &Connection, id: i64) -> rusqlite::Result<()> {
        match self {
            Self::Put { jid, record } => {
                let sql = "INSERT OR REPLACE INTO roster_items (account, jid, record)
                           VALUES (?1, ?2, ?3)";
                connection
                    .prepare_cached(sql)?
                    .execute(params![id, jid.as_str(), record])?;
                let sql = "DELETE FROM roster_tombstones WHERE account = ?1 AND jid = ?2";
                connection
                    .prepare_cached(sql)?
                    .execute(params![id, jid.as_str()])?;
            }
            Self::Forget(jid) => delete(connection, id, jid)?,
            Self::Remove(tombstone) => {
                delete(connection, id, &tombstone.jid)?;
                let sql = "INSERT OR REPLACE INTO roster_tombstones (account, jid, removed)
                           VALUES (?1, ?2, ?3)";
                let values = params![id, tombstone.jid.as_str(), column(tombstone.removed)];
                connection.prepare_cached(sql)?.execute(values)?;
            }
        }
        Ok(())
    }
}

impl From<RosterWrite> for Step {
    fn from(write: RosterWrite) -> Self {
        match write {
            RosterWrite::Put(item) => Self::Put {
                record: item.to_record(),
                jid: item.jid,
            },
            RosterWrite::Forget(jid) => Self::Forget(jid),
            RosterWrite::Remove(tombstone) => Self::Remove(tombstone),
        }
    }
}

fn delete(connection: &Connection, id: i64, jid: &BareJid) -> rusqlite::Result<()> {
    let sql = "DELETE FROM roster_items WHERE account = ?1 AND jid = ?2";
    connection
        .prepare_cached(sql)?
        .execute(params![id, jid.as_str()])?;
    Ok(())
}
