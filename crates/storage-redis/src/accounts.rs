//! The port of accounts.

use async_trait::async_trait;
use futures_util::future::try_join_all;
use redis::{Value, cmd};
use rookery_stanza::BareJid;
use rookery_storage::record::Record;
use rookery_storage::{AccountStore, Created, Credentials, StoreError};

use crate::directory::{self, List};
use crate::metrics::Operation;
use crate::queue::Crowded;
use crate::store::RedisStore;
use crate::{reply, terms};

/// How many accounts are created at once.
const AT_ONCE: usize = 64;
/// How often the removal of an account is begun again because it got records of another kind meanwhile.
const ROUNDS: usize = 8;

#[async_trait]
impl AccountStore for RedisStore {
    async fn create_accounts(
        &self,
        accounts: Vec<(BareJid, Credentials)>,
    ) -> Result<Vec<Created>, StoreError> {
        self.wire
            .measured(Operation::CreateAccounts, self.create(accounts))
            .await
    }

    async fn credentials(&self, account: &BareJid) -> Result<Option<Credentials>, StoreError> {
        let read = async {
            let keys = self.wire.keys(account);
            let mut command = cmd("HGET");
            command.arg(keys.key("account")).arg("credentials");
            let answer = reply::one(self.wire.read(&keys, vec![command]).await?)?;
            let record = reply::maybe_bytes(answer)?;
            record
                .map(|record| Credentials::from_record(&record))
                .transpose()
        };
        self.wire.measured(Operation::Credentials, read).await
    }

    async fn set_credentials(
        &self,
        account: &BareJid,
        credentials: Credentials,
    ) -> Result<bool, StoreError> {
        let set = self.set(account, &credentials, None);
        self.wire.measured(Operation::SetCredentials, set).await
    }

    async fn replace_credentials(
        &self,
        account: &BareJid,
        before: Credentials,
        after: Credentials,
    ) -> Result<bool, StoreError> {
        let set = self.set(account, &after, Some(&before));
        self.wire.measured(Operation::SetCredentials, set).await
    }

    async fn delete_account(&self, account: &BareJid) -> Result<bool, StoreError> {
        self.wire
            .measured(Operation::DeleteAccount, self.delete(account))
            .await
    }

    async fn account_exists(&self, account: &BareJid) -> Result<bool, StoreError> {
        self.wire
            .measured(Operation::AccountExists, self.exists(account))
            .await
    }

    async fn list_accounts(
        &self,
        host: &str,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<BareJid>, StoreError> {
        self.wire
            .measured(Operation::ListAccounts, self.list(host, after, limit))
            .await
    }
}

impl RedisStore {
    async fn create(
        &self,
        accounts: Vec<(BareJid, Credentials)>,
    ) -> Result<Vec<Created>, StoreError> {
        let mut created = Vec::with_capacity(accounts.len());
        for some in accounts.chunks(AT_ONCE) {
            // First into the list: an account that is in it and does not exist is passed over.
            let listed = some
                .iter()
                .map(|(account, _)| directory::enter(&self.wire, List::Accounts, account));
            try_join_all(listed).await?;
            let made = some
                .iter()
                .map(|(account, credentials)| self.create_one(account, credentials));
            created.extend(try_join_all(made).await?);
        }
        Ok(created)
    }

    async fn create_one(
        &self,
        account: &BareJid,
        credentials: &Credentials,
    ) -> Result<Created, StoreError> {
        let keys = self.wire.keys(account);
        let mut command = self
            .wire
            .scripts
            .create_account
            .call(&[keys.key("account")]);
        command
            .arg(credentials.to_record())
            .arg(format!("{:016x}", self.salt()?));
        let answer = reply::one(self.wire.write(&keys, vec![command], Crowded::Wait).await?)?;
        Ok(if reply::int(&answer)? == 1 {
            Created::New
        } else {
            Created::Exists
        })
    }

    async fn set(
        &self,
        account: &BareJid,
        credentials: &Credentials,
        before: Option<&Credentials>,
    ) -> Result<bool, StoreError> {
        let keys = self.wire.keys(account);
        let mut command = self
            .wire
            .scripts
            .set_credentials
            .call(&[keys.key("account")]);
        command.arg(credentials.to_record());
        if let Some(before) = before {
            command.arg(before.to_record());
        }
        let answer = reply::one(
            self.wire
                .write(&keys, vec![command], Crowded::Refuse)
                .await?,
        )?;
        Ok(reply::int(&answer)? == 1)
    }

    async fn exists(&self, account: &BareJid) -> Result<bool, StoreError> {
        let keys = self.wire.keys(account);
        let mut command = cmd("EXISTS");
        command.arg(keys.key("account"));
        let answer = reply::one(self.wire.read(&keys, vec![command]).await?)?;
        Ok(reply::int(&answer)? == 1)
    }

    async fn delete(&self, account: &BareJid) -> Result<bool, StoreError> {
        if !self.exists(account).await? {
            return Ok(false);
        }
        for _ in 0..ROUNDS {
            let kinds = self.kinds(account).await?;
            let found_by = terms::of_account(&self.wire, account, &kinds).await?;
            if self.delete_with(account, &kinds).await? {
                terms::leave(&self.wire, account, found_by).await?;
                directory::leave(&self.wire, List::Accounts, account).await?;
                // Somebody may have created it again meanwhile.
                if self.exists(account).await? {
                    directory::enter(&self.wire, List::Accounts, account).await?;
                }
                return Ok(true);
            }
        }
        Err(StoreError::Unavailable(
            "the account is being changed".to_owned(),
        ))
    }

    /// The kinds of records that an account has.
    async fn kinds(&self, account: &BareJid) -> Result<Vec<String>, StoreError> {
        let keys = self.wire.keys(account);
        let mut command = cmd("SMEMBERS");
        command.arg(keys.key("kinds"));
        let answer = reply::one(self.wire.read(&keys, vec![command]).await?)?;
        reply::list(answer)?.into_iter().map(reply::text).collect()
    }

    async fn delete_with(&self, account: &BareJid, kinds: &[String]) -> Result<bool, StoreError> {
        let keys = self.wire.keys(account);
        let mut all: Vec<String> = ["account", "kinds", "roster", "tombstones"]
            .map(|name| keys.key(name))
            .into();
        for kind in kinds {
            all.push(keys.of_kind("data", kind));
            all.push(keys.of_kind("terms", kind));
        }
        let mut command = self.wire.scripts.delete_account.call(&all);
        command.arg(kinds.len());
        let answer: Value = reply::one(
            self.wire
                .write(&keys, vec![command], Crowded::Refuse)
                .await?,
        )?;
        Ok(reply::int(&answer)? == 1)
    }

    async fn list(
        &self,
        host: &str,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<BareJid>, StoreError> {
        let (mut found, mut after) = (Vec::new(), after.map(str::to_owned));
        while found.len() < limit {
            let page =
                directory::page(&self.wire, List::Accounts, host, after.as_deref(), limit).await?;
            let last = page
                .last()
                .map(|account| account.local().unwrap_or_default().to_owned());
            let exist = try_join_all(page.iter().map(|account| self.exists(account))).await?;
            let more = page.len() == limit;
            let exist = page.into_iter().zip(exist).filter(|(_, exists)| *exists);
            found.extend(exist.map(|(account, _)| account));
            if !more {
                break;
            }
            after = last;
        }
        found.truncate(limit);
        Ok(found)
    }

    /// A number that nobody can guess.
    pub(crate) fn salt(&self) -> Result<u64, StoreError> {
        let salt = self.salts.lock().mint();
        salt.map_err(|error| {
            StoreError::Unavailable(format!("the system gives no random numbers: {error}"))
        })
    }
}
