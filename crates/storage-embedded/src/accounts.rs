//! Accounts and credentials in SQL.

use async_trait::async_trait;
use rookery_stanza::BareJid;
use rookery_storage::record::Record;
use rookery_storage::{AccountStore, Created, Credentials, StoreError};
use rusqlite::{Connection, OptionalExtension, params};

use crate::failure::Failure;
use crate::metrics::Operation;
use crate::store::EmbeddedStore;

/// The localpart of an account, as a column.
pub(crate) fn local(account: &BareJid) -> &str {
    account.local().unwrap_or_default()
}

/// A number of rows as SQLite counts.
pub(crate) fn count(limit: usize) -> i64 {
    i64::try_from(limit).unwrap_or(i64::MAX)
}

#[async_trait]
impl AccountStore for EmbeddedStore {
    async fn create_accounts(
        &self,
        accounts: Vec<(BareJid, Credentials)>,
    ) -> Result<Vec<Created>, StoreError> {
        let accounts: Vec<(BareJid, Vec<u8>)> = accounts
            .into_iter()
            .map(|(account, credentials)| (account, credentials.to_record()))
            .collect();
        self.write(Operation::CreateAccounts, move |connection| {
            accounts
                .iter()
                .map(|(account, record)| create(connection, account, record))
                .collect()
        })
        .await
    }

    async fn credentials(&self, account: &BareJid) -> Result<Option<Credentials>, StoreError> {
        let account = account.clone();
        self.read(Operation::Credentials, move |connection| {
            credentials(connection, &account)
        })
        .await
    }

    async fn set_credentials(
        &self,
        account: &BareJid,
        credentials: Credentials,
    ) -> Result<bool, StoreError> {
        let (account, record) = (account.clone(), credentials.to_record());
        self.write(Operation::SetCredentials, move |connection| {
            let sql = "UPDATE credentials SET record = ?3
                       WHERE account = (SELECT id FROM accounts WHERE host = ?1 AND local = ?2)";
            let mut statement = connection.prepare_cached(sql)?;
            Ok(statement.execute(params![account.domain(), local(&account), record])? > 0)
        })
        .await
    }

    async fn replace_credentials(
        &self,
        account: &BareJid,
        before: Credentials,
        after: Credentials,
    ) -> Result<bool, StoreError> {
        let account = account.clone();
        let (before, after) = (before.to_record(), after.to_record());
        self.write(Operation::SetCredentials, move |connection| {
            let sql = "UPDATE credentials SET record = ?4
                       WHERE account = (SELECT id FROM accounts WHERE host = ?1 AND local = ?2)
                       AND record = ?3";
            let mut statement = connection.prepare_cached(sql)?;
            let found = params![account.domain(), local(&account), before, after];
            Ok(statement.execute(found)? > 0)
        })
        .await
    }

    async fn delete_account(&self, account: &BareJid) -> Result<bool, StoreError> {
        let account = account.clone();
        self.write(Operation::DeleteAccount, move |connection| {
            // Everything else that is the account's goes with it: ON DELETE CASCADE.
            let sql = "DELETE FROM accounts WHERE host = ?1 AND local = ?2";
            let mut statement = connection.prepare_cached(sql)?;
            Ok(statement.execute([account.domain(), local(&account)])? > 0)
        })
        .await
    }

    async fn account_exists(&self, account: &BareJid) -> Result<bool, StoreError> {
        let account = account.clone();
        self.read(Operation::AccountExists, move |connection| {
            let sql = "SELECT 1 FROM accounts WHERE host = ?1 AND local = ?2";
            let mut statement = connection.prepare_cached(sql)?;
            Ok(statement.exists([account.domain(), local(&account)])?)
        })
        .await
    }

    async fn list_accounts(
        &self,
        host: &str,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<BareJid>, StoreError> {
        let (host, after) = (host.to_owned(), after.map(str::to_owned));
        self.read(Operation::ListAccounts, move |connection| {
            list(connection, &host, after.as_deref(), limit)
        })
        .await
    }
}

fn create(connection: &Connection, account: &BareJid, record: &[u8]) -> rusqlite::Result<Created> {
    let sql = "INSERT INTO accounts (host, local) VALUES (?1, ?2) ON CONFLICT DO NOTHING";
    let mut statement = connection.prepare_cached(sql)?;
    if statement.execute([account.domain(), local(account)])? == 0 {
        return Ok(Created::Exists);
    }
    let id = connection.last_insert_rowid();
    let sql = "INSERT INTO credentials (account, record) VALUES (?1, ?2)";
    connection
        .prepare_cached(sql)?
        .execute(params![id, record])?;
    Ok(Created::New)
}

fn credentials(connection: &Connection, account: &BareJid) -> Result<Option<Credentials>, Failure> {
    let sql = "SELECT record FROM credentials
               WHERE account = (SELECT id FROM accounts WHERE host = ?1 AND local = ?2)";
    let mut statement = connection.prepare_cached(sql)?;
    let record: Option<Vec<u8>> = statement
        .query_row([account.domain(), local(account)], |row| row.get(0))
        .optional()?;
    Ok(record
        .map(|record| Credentials::from_record(&record))
        .transpose()?)
}

fn list(
    connection: &Connection,
    host: &str,
    after: Option<&str>,
    limit: usize,
) -> Result<Vec<BareJid>, Failure> {
    let sql = "SELECT local FROM accounts WHERE host = ?1 AND (?2 IS NULL OR local > ?2)
               ORDER BY local LIMIT ?3";
    let mut statement = connection.prepare_cached(sql)?;
    let mut rows = statement.query(params![host, after, count(limit)])?;
    let mut accounts = Vec::new();
    while let Some(row) = rows.next()? {
        let local: String = row.get(0)?;
        let local = Some(local.as_str()).filter(|local| !local.is_empty());
        let account = BareJid::from_parts(local, host)
            .map_err(|error| StoreError::Corrupt(format!("an account's name: {error}")))?;
        accounts.push(account);
    }
    Ok(accounts)
}
