//! Messages for accounts that are away, in SQL (XEP-0160): where they were before there was a message log.

use async_trait::async_trait;
use rookery_stanza::BareJid;
use rookery_storage::record::Record;
use rookery_storage::{
    Append, Appended, OfflineLimit, OfflineMessage, OfflineStore, Queued, StoreError,
};
use rusqlite::{Connection, OptionalExtension, params};

use crate::accounts::{count, local};
use crate::failure::Failure;
use crate::metrics::Operation;
use crate::store::EmbeddedStore;

/// A position or a number of bytes as a column; none is larger than the largest column.
fn column(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

#[async_trait]
impl OfflineStore for EmbeddedStore {
    async fn append_offline(
        &self,
        messages: Vec<Append>,
        limit: OfflineLimit,
    ) -> Result<Vec<Appended>, StoreError> {
        let messages: Vec<(BareJid, Vec<u8>)> = messages
            .into_iter()
            .map(|append| (append.account, append.message.to_record()))
            .collect();
        self.write(Operation::AppendOffline, move |connection| {
            let append =
                |(account, record): &(BareJid, Vec<u8>)| append(connection, account, record, limit);
            messages.iter().map(append).collect()
        })
        .await
    }

    async fn read_offline(
        &self,
        account: &BareJid,
        after: u64,
        limit: usize,
    ) -> Result<Vec<Queued>, StoreError> {
        let account = account.clone();
        self.read(Operation::ReadOffline, move |connection| {
            read(connection, &account, after, limit)
        })
        .await
    }

    async fn remove_offline(&self, account: &BareJid, up_to: u64) -> Result<(), StoreError> {
        let account = account.clone();
        self.write(Operation::RemoveOffline, move |connection| {
            remove(connection, &account, up_to)
        })
        .await
    }
}

impl EmbeddedStore {
    /// Up to `limit` accounts whose queues hold messages.
    ///
    /// # Errors
    /// The store failed.
    pub async fn accounts_with_offline(&self, limit: usize) -> Result<Vec<BareJid>, StoreError> {
        self.read(Operation::ReadOffline, move |connection| {
            let sql = "SELECT host, local FROM accounts
                       WHERE id IN (SELECT DISTINCT account FROM offline_messages LIMIT ?1)";
            let mut statement = connection.prepare_cached(sql)?;
            let mut rows = statement.query([count(limit)])?;
            let mut accounts = Vec::new();
            while let Some(row) = rows.next()? {
                let (host, local): (String, String) = (row.get(0)?, row.get(1)?);
                let account = BareJid::from_parts(Some(&local), &host)
                    .map_err(|error| StoreError::Corrupt(format!("an account's name: {error}")))?;
                accounts.push(account);
            }
            Ok(accounts)
        })
        .await
    }
}

fn append(
    connection: &Connection,
    account: &BareJid,
    record: &[u8],
    limit: OfflineLimit,
) -> rusqlite::Result<Appended> {
    // Finds the account, keeps the limit and takes the next position in one step.
    let sql =
        "UPDATE accounts SET offline_last = offline_last + 1, offline_held = offline_held + 1,
               offline_bytes = offline_bytes + ?4
               WHERE host = ?1 AND local = ?2 AND offline_held < ?3 AND offline_bytes <= ?5 - ?4
               RETURNING id, offline_last";
    let taken: Option<(i64, i64)> = connection
        .prepare_cached(sql)?
        .query_row(
            params![
                account.domain(),
                local(account),
                count(limit.messages),
                count(record.len()),
                column(limit.bytes)
            ],
            |row| Ok((row.get(0)?, row.get(1)?)),
        )
        .optional()?;
    let Some((id, position)) = taken else {
        let sql = "SELECT 1 FROM accounts WHERE host = ?1 AND local = ?2";
        let exists = connection
            .prepare_cached(sql)?
            .exists([account.domain(), local(account)])?;
        return Ok(if exists {
            Appended::QueueFull
        } else {
            Appended::NoSuchAccount
        });
    };
    let sql = "INSERT INTO offline_messages (account, position, record) VALUES (?1, ?2, ?3)";
    connection
        .prepare_cached(sql)?
        .execute(params![id, position, record])?;
    Ok(Appended::At(position.unsigned_abs()))
}

fn read(
    connection: &Connection,
    account: &BareJid,
    after: u64,
    limit: usize,
) -> Result<Vec<Queued>, Failure> {
    let sql = "SELECT position, record FROM offline_messages
               WHERE account = (SELECT id FROM accounts WHERE host = ?1 AND local = ?2)
               AND position > ?3 ORDER BY position LIMIT ?4";
    let mut statement = connection.prepare_cached(sql)?;
    let mut rows = statement.query(params![
        account.domain(),
        local(account),
        column(after),
        count(limit)
    ])?;
    let mut messages = Vec::new();
    while let Some(row) = rows.next()? {
        let position: i64 = row.get(0)?;
        let record = row.get_ref(1)?.as_blob().map_err(rusqlite::Error::from)?;
        let message = OfflineMessage::from_record(record)?;
        messages.push(Queued {
            position: position.unsigned_abs(),
            message,
        });
    }
    Ok(messages)
}

fn remove(connection: &Connection, account: &BareJid, up_to: u64) -> rusqlite::Result<()> {
    let sql = "DELETE FROM offline_messages
               WHERE account = (SELECT id FROM accounts WHERE host = ?1 AND local = ?2)
               AND position <= ?3 RETURNING length(record)";
    let names = (account.domain(), local(account));
    let mut statement = connection.prepare_cached(sql)?;
    let removed = statement.query_map(params![names.0, names.1, column(up_to)], |row| {
        row.get::<_, i64>(0)
    })?;
    let (mut messages, mut bytes) = (0, 0);
    for record in removed {
        messages += 1;
        bytes += record?;
    }
    if messages > 0 {
        let sql = "UPDATE accounts
                   SET offline_held = offline_held - ?3, offline_bytes = offline_bytes - ?4
                   WHERE host = ?1 AND local = ?2";
        connection
            .prepare_cached(sql)?
            .execute(params![names.0, names.1, messages, bytes])?;
    }
    Ok(())
}
