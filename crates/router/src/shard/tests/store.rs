//! A store that can be made to wait.

use async_trait::async_trait;
use rookery_stanza::BareJid;
use rookery_storage::memory::MemoryStore;
use rookery_storage::{
    AccountState, AccountStore, Append, Appended, Created, Credentials, DataStore, DataUpdate,
    DataWritten, Datum, OfflineLimit, OfflineStore, Queued, RosterStore, RosterUpdate, StoreError,
    Term,
};
use tokio::sync::watch;

/// A store in memory whose rosters and data wait while it is closed.
#[derive(Debug)]
pub(super) struct SlowStore {
    pub(super) memory: MemoryStore,
    open: watch::Sender<bool>,
}

impl SlowStore {
    pub(super) fn new() -> Self {
        Self {
            memory: MemoryStore::new(),
            open: watch::Sender::new(true),
        }
    }

    pub(super) fn close(&self) {
        self.open.send_replace(false);
    }

    pub(super) fn open(&self) {
        self.open.send_replace(true);
    }

    async fn opened(&self) {
        self.open.subscribe().wait_for(|open| *open).await.unwrap();
    }
}

#[async_trait]
impl AccountStore for SlowStore {
    async fn create_accounts(
        &self,
        accounts: Vec<(BareJid, Credentials)>,
    ) -> Result<Vec<Created>, StoreError> {
        self.memory.create_accounts(accounts).await
    }

    async fn credentials(&self, account: &BareJid) -> Result<Option<Credentials>, StoreError> {
        self.memory.credentials(account).await
    }

    async fn set_credentials(
        &self,
        account: &BareJid,
        credentials: Credentials,
    ) -> Result<bool, StoreError> {
        self.memory.set_credentials(account, credentials).await
    }

    async fn replace_credentials(
        &self,
        account: &BareJid,
        before: Credentials,
        after: Credentials,
    ) -> Result<bool, StoreError> {
        self.memory
            .replace_credentials(account, before, after)
            .await
    }

    async fn delete_account(&self, account: &BareJid) -> Result<bool, StoreError> {
        self.memory.delete_account(account).await
    }

    async fn account_exists(&self, account: &BareJid) -> Result<bool, StoreError> {
        self.memory.account_exists(account).await
    }

    async fn list_accounts(
        &self,
        host: &str,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<BareJid>, StoreError> {
        self.memory.list_accounts(host, after, limit).await
    }
}

#[async_trait]
impl RosterStore for SlowStore {
    async fn update_roster(&self, update: RosterUpdate) -> Result<bool, StoreError> {
        self.opened().await;
        self.memory.update_roster(update).await
    }
}

#[async_trait]
impl DataStore for SlowStore {
    async fn load_account(
        &self,
        account: &BareJid,
        kinds: &[&'static str],
    ) -> Result<Option<AccountState>, StoreError> {
        self.opened().await;
        self.memory.load_account(account, kinds).await
    }

    async fn read_data(
        &self,
        account: &BareJid,
        kind: &'static str,
        name: Option<&str>,
    ) -> Result<Vec<Datum>, StoreError> {
        self.opened().await;
        self.memory.read_data(account, kind, name).await
    }

    async fn update_data(&self, update: DataUpdate) -> Result<DataWritten, StoreError> {
        self.opened().await;
        self.memory.update_data(update).await
    }

    async fn find_data(
        &self,
        host: &str,
        kind: &'static str,
        terms: Vec<Term>,
        limit: usize,
    ) -> Result<Vec<(BareJid, Datum)>, StoreError> {
        self.opened().await;
        self.memory.find_data(host, kind, terms, limit).await
    }
}

#[async_trait]
impl OfflineStore for SlowStore {
    async fn append_offline(
        &self,
        messages: Vec<Append>,
        limit: OfflineLimit,
    ) -> Result<Vec<Appended>, StoreError> {
        self.opened().await;
        self.memory.append_offline(messages, limit).await
    }

    async fn read_offline(
        &self,
        account: &BareJid,
        after: u64,
        limit: usize,
    ) -> Result<Vec<Queued>, StoreError> {
        self.opened().await;
        self.memory.read_offline(account, after, limit).await
    }

    async fn remove_offline(&self, account: &BareJid, up_to: u64) -> Result<(), StoreError> {
        self.opened().await;
        self.memory.remove_offline(account, up_to).await
    }
}
