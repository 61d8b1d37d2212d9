//! Records of features in SQL, and what the home of an account works with.

use async_trait::async_trait;
use rookery_stanza::BareJid;
use rookery_storage::{
    AccountState, DataStore, DataUpdate, DataWrite, DataWritten, Datum, StoreError, Term,
};
use rusqlite::types::Value;
use rusqlite::{Connection, OptionalExtension, Row, params, params_from_iter};

use crate::accounts::{count, local};
use crate::failure::Failure;
use crate::metrics::Operation;
use crate::roster;
use crate::store::EmbeddedStore;

#[async_trait]
impl DataStore for EmbeddedStore {
    async fn load_account(
        &self,
        account: &BareJid,
        kinds: &[&'static str],
    ) -> Result<Option<AccountState>, StoreError> {
        let (account, kinds) = (account.clone(), kinds.to_vec());
        self.read(Operation::LoadAccount, move |connection| {
            load(connection, &account, &kinds)
        })
        .await
    }

    async fn read_data(
        &self,
        account: &BareJid,
        kind: &'static str,
        name: Option<&str>,
    ) -> Result<Vec<Datum>, StoreError> {
        let (account, name) = (account.clone(), name.map(str::to_owned));
        self.read(Operation::ReadData, move |connection| {
            let sql = "SELECT kind, name, value FROM data
                       WHERE account = (SELECT id FROM accounts WHERE host = ?1 AND local = ?2)
                       AND kind = ?3 AND (?4 IS NULL OR name = ?4) ORDER BY name";
            let values = params![account.domain(), local(&account), kind, name];
            let mut statement = connection.prepare_cached(sql)?;
            let rows = statement.query_map(values, datum)?;
            Ok(rows.collect::<rusqlite::Result<_>>()?)
        })
        .await
    }

    async fn update_data(&self, update: DataUpdate) -> Result<DataWritten, StoreError> {
        self.write(Operation::UpdateData, move |connection| {
            write(connection, &update)
        })
        .await
    }

    async fn find_data(
        &self,
        host: &str,
        kind: &'static str,
        terms: Vec<Term>,
        limit: usize,
    ) -> Result<Vec<(BareJid, Datum)>, StoreError> {
        let host = host.to_owned();
        self.read(Operation::FindData, move |connection| {
            find(connection, &host, kind, &terms, limit)
        })
        .await
    }
}

/// The columns kind, name and value.
fn datum(row: &Row<'_>) -> rusqlite::Result<Datum> {
    Ok(Datum {
        kind: row.get(0)?,
        name: row.get(1)?,
        value: row.get(2)?,
    })
}

/// Reads an account from one state of the store.
fn load(
    connection: &Connection,
    account: &BareJid,
    kinds: &[&'static str],
) -> Result<Option<AccountState>, Failure> {
    // The transaction only reads; it ends when it is dropped.
    let snapshot = connection.unchecked_transaction()?;
    let sql = "SELECT id, roster_version, roster_floor, data_bytes, offline_held FROM accounts
               WHERE host = ?1 AND local = ?2";
    let found: Option<(i64, (i64, i64), i64, i64)> = snapshot
        .prepare_cached(sql)?
        .query_row([account.domain(), local(account)], |row| {
            let versions = (row.get(1)?, row.get(2)?);
            Ok((row.get(0)?, versions, row.get(3)?, row.get(4)?))
        })
        .optional()?;
    let Some((id, versions, bytes, messages)) = found else {
        return Ok(None);
    };
    let mut data = Vec::new();
    if bytes > 0 {
        let sql = "SELECT kind, name, value FROM data WHERE account = ?1 AND kind = ?2
                   ORDER BY name";
        let mut statement = snapshot.prepare_cached(sql)?;
        let mut kinds = kinds.to_vec();
        kinds.sort_unstable();
        for kind in kinds {
            for row in statement.query_map(params![id, kind], datum)? {
                data.push(row?);
            }
        }
    }
    let roster = roster::load(&snapshot, id, versions)?;
    Ok(Some(AccountState {
        roster,
        data,
        has_messages: messages > 0,
    }))
}

/// Makes all changes or, when they do not fit, none.
fn write(connection: &Connection, update: &DataUpdate) -> rusqlite::Result<DataWritten> {
    let account = &update.account;
    let sql = "SELECT id, data_bytes FROM accounts WHERE host = ?1 AND local = ?2";
    let found: Option<(i64, i64)> = connection
        .prepare_cached(sql)?
        .query_row([account.domain(), local(account)], |row| {
            Ok((row.get(0)?, row.get(1)?))
        })
        .optional()?;
    let Some((id, before)) = found else {
        return Ok(DataWritten::NoSuchAccount);
    };
    connection.execute_batch("SAVEPOINT data_update")?;
    let made = make(connection, id, account.domain(), &update.writes);
    let after = made.and_then(|()| {
        let sql = "SELECT coalesce(sum(length(CAST(name AS BLOB)) + length(value)), 0) FROM data
                   WHERE account = ?1";
        connection
            .prepare_cached(sql)?
            .query_row([id], |row| row.get::<_, i64>(0))
    });
    let limit = i64::try_from(update.limit).unwrap_or(i64::MAX);
    let fits = matches!(after, Ok(after) if after <= limit || after < before);
    if !fits {
        connection.execute_batch("ROLLBACK TO data_update")?;
    }
    connection.execute_batch("RELEASE data_update")?;
    let after = after?;
    if !fits {
        return Ok(DataWritten::Full);
    }
    let sql = "UPDATE accounts SET data_bytes = ?2 WHERE id = ?1";
    connection.prepare_cached(sql)?.execute([id, after])?;
    Ok(DataWritten::Done)
}

fn make(
    connection: &Connection,
    id: i64,
    host: &str,
    writes: &[DataWrite],
) -> rusqlite::Result<()> {
    for write in writes {
        match write {
            DataWrite::Put {
                kind,
                name,
                value,
                terms,
            } => {
                remove(connection, id, kind, name)?;
                let sql = "INSERT INTO data (account, kind, name, value) VALUES (?1, ?2, ?3, ?4)";
                connection
                    .prepare_cached(sql)?
                    .execute(params![id, kind, name, value])?;
                let sql =
                    "INSERT OR IGNORE INTO data_terms (host, kind, field, text, account, name)
                           VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
                let mut statement = connection.prepare_cached(sql)?;
                for Term { field, text } in terms {
                    statement.execute(params![host, kind, field, text, id, name])?;
                }
            }
            DataWrite::Remove { kind, name } => remove(connection, id, kind, name)?,
            DataWrite::Clear { kind } => {
                let sql = "DELETE FROM data WHERE account = ?1 AND kind = ?2";
                connection.prepare_cached(sql)?.execute(params![id, kind])?;
            }
        }
    }
    Ok(())
}

/// Removes a record; what it can be found by goes with it.
fn remove(connection: &Connection, id: i64, kind: &str, name: &str) -> rusqlite::Result<()> {
    let sql = "DELETE FROM data WHERE account = ?1 AND kind = ?2 AND name = ?3";
    connection
        .prepare_cached(sql)?
        .execute(params![id, kind, name])?;
    Ok(())
}

/// Finds records by the beginnings of their terms, through the key of the table of terms.
fn find(
    connection: &Connection,
    host: &str,
    kind: &str,
    terms: &[Term],
    limit: usize,
) -> Result<Vec<(BareJid, Datum)>, Failure> {
    let mut values = vec![Value::from(host.to_owned()), Value::from(kind.to_owned())];
    let mut tests = Vec::with_capacity(terms.len());
    for Term { field, text } in terms {
        let at = values.len();
        tests.push(format!(
            "AND (data.account, data.name) IN (SELECT account, name FROM data_terms
             WHERE host = ?1 AND kind = ?2 AND field = ?{} AND text >= ?{} AND text < ?{})",
            at + 1,
            at + 2,
            at + 3
        ));
        // Everything that begins with a text sorts from the text itself to before this.
        let end = format!("{text}{}", char::MAX);
        values.extend([
            Value::from((*field).to_owned()),
            text.clone().into(),
            end.into(),
        ]);
    }
    values.push(count(limit).into());
    let sql = format!(
        "SELECT data.kind, data.name, data.value, accounts.local FROM data
         JOIN accounts ON accounts.id = data.account
         WHERE accounts.host = ?1 AND data.kind = ?2 AND EXISTS (SELECT 1
         FROM data_terms AS term WHERE term.host = ?1 AND term.kind = ?2
         AND term.account = data.account AND term.name = data.name)
         {} ORDER BY accounts.local LIMIT ?{}",
        tests.join(" "),
        values.len()
    );
    let mut statement = connection.prepare_cached(&sql)?;
    let mut rows = statement.query(params_from_iter(values))?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        let local: String = row.get(3)?;
        let jid = BareJid::parse(&format!("{local}@{host}"))
            .map_err(|error| StoreError::Corrupt(format!("an account: {error}")))?;
        found.push((jid, datum(row)?));
    }
    Ok(found)
}
