//! What is owed: read, and confirmed.

use redis::{Cmd, Value};
use rookery_stanza::BareJid;
use rookery_storage::StoreError;
use rookery_storage::message_log::{Row, RowId};

use super::place;
use super::record::Stored;
use crate::keys::Keys;
use crate::queue::Crowded;
use crate::reply;
use crate::store::RedisStore;

impl RedisStore {
    /// Makes rows not owed.
    pub(super) async fn confirm_rows(
        &self,
        account: &BareJid,
        rows: &[RowId],
    ) -> Result<(), StoreError> {
        if rows.is_empty() {
            return Ok(());
        }
        let keys = self.wire.keys(account);
        let mut command = self
            .wire
            .scripts
            .confirm
            .call(&["owed", "waiting", "replaced"].map(|name| keys.key(name)));
        for row in rows {
            command.arg(row.to_string());
        }
        self.wire
            .write(&keys, vec![command], Crowded::Wait)
            .await
            .map(drop)
    }

    /// Owed rows in order, until they have as many bytes as this.
    pub(super) async fn owed_page(
        &self,
        account: &BareJid,
        after: Option<RowId>,
        limit: usize,
        bytes: usize,
    ) -> Result<Vec<Row>, StoreError> {
        let keys = self.wire.keys(account);
        let mut command = self.reading_owed(&keys);
        // By order alone: no text of an id is above these digits.
        let from = after.map_or_else(
            || "-".to_owned(),
            |after| format!("({:016x}g", after.order()),
        );
        command.arg("page").arg(from).arg(limit).arg(bytes);
        let answer = reply::one(self.wire.read(&keys, vec![command]).await?)?;
        reply::list(answer)?
            .into_iter()
            .filter_map(|row| read(row).transpose())
            .collect()
    }

    /// The owed rows with these ids.
    pub(super) async fn owed_with(
        &self,
        account: &BareJid,
        ids: &[RowId],
    ) -> Result<Vec<Option<Row>>, StoreError> {
        let keys = self.wire.keys(account);
        let mut command = self.reading_owed(&keys);
        command.arg("ids");
        for id in ids {
            command.arg(id.to_string());
        }
        let answer = reply::one(self.wire.read(&keys, vec![command]).await?)?;
        let rows = reply::list(answer)?
            .into_iter()
            .filter_map(|row| read(row).transpose());
        let rows: Vec<Row> = rows.collect::<Result<_, _>>()?;
        let found = |id: &RowId| rows.iter().find(|row| row.id == *id).cloned();
        Ok(ids.iter().map(found).collect())
    }

    fn reading_owed(&self, keys: &Keys) -> Cmd {
        let names = ["owed", "rows", "waiting", "replaced"].map(|name| keys.key(name));
        self.wire.scripts.owed.call(&names)
    }
}

fn read(row: Value) -> Result<Option<Row>, StoreError> {
    let [id, record, instead, archived] = reply::exactly(reply::list(row)?)?;
    let id = place::id(&reply::text(id)?)?;
    let Some(record) = reply::maybe_bytes(record)? else {
        tracing::warn!(%id, "a row is owed and is not there");
        return Ok(None);
    };
    let (instead, archived) = (reply::maybe_bytes(instead)?, reply::int(&archived)? == 1);
    Ok(Stored::read(&record)?.row(id.order(), archived, true, instead))
}
