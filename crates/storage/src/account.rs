//! Accounts and what they authenticate with.

use async_trait::async_trait;
use rookery_stanza::BareJid;

use crate::credentials::Credentials;
use crate::error::StoreError;

/// What came of creating an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Created {
    /// It is new.
    New,
    /// There is one by that name; nothing was changed.
    Exists,
}

/// The accounts of all hosts.
#[async_trait]
pub trait AccountStore: Send + Sync {
    /// Creates accounts, all in one step; the answers are in the order of the accounts.
    async fn create_accounts(
        &self,
        accounts: Vec<(BareJid, Credentials)>,
    ) -> Result<Vec<Created>, StoreError>;

    /// The credentials of an account, or `None` when there is no such account.
    async fn credentials(&self, account: &BareJid) -> Result<Option<Credentials>, StoreError>;

    /// Replaces the credentials of an account; `false` when there is no such account.
    async fn set_credentials(
        &self,
        account: &BareJid,
        credentials: Credentials,
    ) -> Result<bool, StoreError>;

    /// Replaces the credentials of an account as long as they are `before`; `false` when they are not, or there
    /// is no such account.
    async fn replace_credentials(
        &self,
        account: &BareJid,
        before: Credentials,
        after: Credentials,
    ) -> Result<bool, StoreError>;

    /// Removes an account and everything that is stored for it; `false` when there is no such account.
    async fn delete_account(&self, account: &BareJid) -> Result<bool, StoreError>;

    /// Whether there is such an account.
    async fn account_exists(&self, account: &BareJid) -> Result<bool, StoreError>;

    /// Up to `limit` accounts of `host` in the order of their localparts, those after `after`.
    async fn list_accounts(
        &self,
        host: &str,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<BareJid>, StoreError>;
}
