//! Making, changing and removing accounts.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use futures_util::stream::{self, StreamExt as _};
use rookery_stanza::BareJid;
use rookery_stanza::jid::{JidError, enforce_localpart};
use rookery_storage::message_log::{MessageLog, Tail};
use rookery_storage::{AccountStore, Created, Credentials, StoreError};
use zeroize::Zeroizing;

use crate::clients::Clients;
use crate::hashing::{Hashing, HashingError};
use crate::password::{PasswordError, Salts, derive};

/// How many accounts are written in one step.
const WRITE: usize = 512;
/// How many passwords are hashed in one go: some tens of milliseconds, for which a login may have to wait.
const HASH: usize = 8;

/// The accounts of the hosts that are served, for those who manage them. Cheap to clone.
#[derive(Clone)]
pub struct Accounts {
    hosts: Arc<BTreeSet<String>>,
    store: Arc<dyn AccountStore>,
    log: Option<Arc<dyn MessageLog>>,
    hashing: Hashing,
    iterations: u32,
    parallel: usize,
    clients: Option<Clients>,
}

/// An account to make.
pub struct NewAccount {
    /// Its address, as somebody wrote it.
    pub jid: String,
    /// Its password.
    pub password: String,
}

/// Why something could not be done to an account.
#[derive(Debug, thiserror::Error)]
pub enum AccountError {
    /// The text is no address, or one that RFC 7622 does not allow.
    #[error("not an account's address: {0}")]
    Address(#[from] JidError),
    /// The address is a host's.
    #[error("not an account's address: it has no part before an @")]
    NoLocalpart,
    /// The host is none of those that are served.
    #[error("the host {0} is not served here; add it to the configuration")]
    UnknownHost(String),
    /// The password cannot be used.
    #[error(transparent)]
    Password(#[from] PasswordError),
    /// There is an account by that name.
    #[error("the account exists already")]
    Exists,
    /// There is no account by that name.
    #[error("there is no such account")]
    NoSuchAccount,
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The password could not be hashed.
    #[error(transparent)]
    Hashing(#[from] HashingError),
    /// The system gives no random numbers, so no salt can be made.
    #[error("the system gives no random numbers: {0}")]
    Randomness(getrandom::Error),
}

// === impl Accounts ===

impl Accounts {
    /// The accounts of `hosts`, which are prepared domains. New passwords are hashed with `config`'s
    /// iterations by `hashing`, which an [`Authenticator`](crate::Authenticator) lends.
    pub fn new(
        config: &crate::Config,
        hosts: impl IntoIterator<Item = String>,
        store: Arc<dyn AccountStore>,
        hashing: Hashing,
    ) -> Self {
        Self {
            hosts: Arc::new(hosts.into_iter().collect()),
            store,
            log: None,
            hashing,
            iterations: config.iterations,
            parallel: config.hashers(),
            clients: None,
        }
    }

    /// With the log that has their messages, which go with their account.
    #[must_use]
    pub fn with_log(self, log: Arc<dyn MessageLog>) -> Self {
        let log = Some(log);
        Self { log, ..self }
    }

    /// The same, that can tell of the clients of accounts.
    #[must_use]
    pub fn with_clients(mut self, clients: Clients) -> Self {
        self.clients = Some(clients);
        self
    }

    /// The clients of accounts, where they can be told of.
    pub fn clients(&self) -> Option<&Clients> {
        self.clients.as_ref()
    }

    /// Makes an account.
    pub async fn create(&self, jid: &str, password: String) -> Result<BareJid, AccountError> {
        let account = self.address(jid)?;
        let credentials = self.hash(password).await?;
        let created = self
            .store
            .create_accounts(vec![(account.clone(), credentials)])
            .await?;
        let account = outcome(account, created.first())?;
        self.forget_messages(&account).await?;
        Ok(account)
    }

    /// Makes many accounts, several at once; the answers are in their order.
    pub async fn import(&self, accounts: Vec<NewAccount>) -> Vec<Result<BareJid, AccountError>> {
        let mut answers = Vec::with_capacity(accounts.len());
        let mut rest = accounts.into_iter();
        loop {
            let part: Vec<_> = rest.by_ref().take(WRITE).collect();
            if part.is_empty() {
                return answers;
            }
            answers.extend(self.import_part(part).await);
        }
    }

    /// Replaces an account's password.
    pub async fn set_password(&self, jid: &str, password: String) -> Result<(), AccountError> {
        let account = self.address(jid)?;
        let credentials = self.hash(password).await?;
        existing(self.store.set_credentials(&account, credentials).await?)
    }

    /// Removes an account and everything that is stored for it.
    pub async fn delete(&self, jid: &str) -> Result<BareJid, AccountError> {
        let account = BareJid::parse(jid)?;
        existing(self.store.delete_account(&account).await?)?;
        self.forget_messages(&account).await?;
        Ok(account)
    }

    /// Removes the messages of an account that is gone, or was not there yet: an earlier one of that name may have
    /// left some, if the server ended while it was removed.
    async fn forget_messages(&self, account: &BareJid) -> Result<(), StoreError> {
        if let Some(log) = &self.log
            && log.tail(account).await? != Tail::default()
        {
            log.erase(account).await?;
        }
        Ok(())
    }

    /// Whether there is such an account.
    pub async fn exists(&self, jid: &str) -> Result<bool, AccountError> {
        Ok(self.store.account_exists(&BareJid::parse(jid)?).await?)
    }

    /// Up to `limit` accounts of `host` in the order of their localparts, those after `after`.
    pub async fn list(
        &self,
        host: &str,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<BareJid>, AccountError> {
        Ok(self.store.list_accounts(host, after, limit).await?)
    }

    /// Checks an address for an account of a host that is served, by the rules for new ones (RFC 7622
    /// §3.3, RFC 6120 §8.3.3.8).
    pub fn address(&self, jid: &str) -> Result<BareJid, AccountError> {
        let (local, host) = jid.split_once('@').ok_or(AccountError::NoLocalpart)?;
        // As written: reading an address may turn what is not allowed into what is.
        let local = enforce_localpart(local)?;
        let account = BareJid::from_parts(Some(&local), host)?;
        if self.hosts.contains(account.domain()) {
            Ok(account)
        } else {
            Err(AccountError::UnknownHost(account.domain().to_owned()))
        }
    }

    async fn hash(&self, password: String) -> Result<Credentials, AccountError> {
        let (iterations, password) = (self.iterations, Zeroizing::new(password));
        self.hashing
            .run(move || credentials(&password, iterations))
            .await?
    }

    async fn import_part(&self, part: Vec<NewAccount>) -> Vec<Result<BareJid, AccountError>> {
        let addressed: Vec<_> = part
            .into_iter()
            .map(|new| (self.address(&new.jid), Zeroizing::new(new.password)))
            .collect();
        let mut ready = Vec::with_capacity(addressed.len());
        let mut answers = Vec::with_capacity(addressed.len());
        for (address, credentials) in self.hash_all(addressed).await {
            answers.push(match (address, credentials) {
                (Ok(account), Ok(credentials)) => {
                    ready.push((account.clone(), credentials));
                    Ok(account)
                }
                (Err(error), _) | (_, Err(error)) => Err(error),
            });
        }
        let created = match self.store.create_accounts(ready).await {
            Ok(created) => created,
            Err(error) => {
                let failed = |answer: Result<_, _>| answer.and(Err(error.clone().into()));
                return answers.into_iter().map(failed).collect();
            }
        };
        let mut created = created.iter();
        let mut settled = Vec::with_capacity(answers.len());
        for answer in answers {
            let mut answer = answer.and_then(|account| outcome(account, created.next()));
            if let Ok(account) = &answer
                && let Err(error) = self.forget_messages(account).await
            {
                answer = Err(error.into());
            }
            settled.push(answer);
        }
        settled
    }

    /// Hashes passwords in parallel, in order.
    async fn hash_all<A: Send + 'static>(
        &self,
        passwords: Vec<(A, Zeroizing<String>)>,
    ) -> Vec<(A, Result<Credentials, AccountError>)> {
        let mut passwords = passwords.into_iter();
        let batches = std::iter::from_fn(|| {
            let batch: Vec<_> = passwords.by_ref().take(HASH).collect();
            (!batch.is_empty()).then_some(batch)
        });
        let batches: Vec<_> = batches.collect();
        let iterations = self.iterations;
        let hash_batch = async |batch: Vec<(A, Zeroizing<String>)>| {
            let (subjects, passwords): (Vec<_>, Vec<_>) = batch.into_iter().unzip();
            let count = passwords.len();
            let work = move || -> Vec<_> {
                passwords
                    .iter()
                    .map(|password| credentials(password, iterations))
                    .collect()
            };
            let hashed = self.hashing.run(work).await.unwrap_or_else(|error| {
                std::iter::repeat_with(|| Err(error.into()))
                    .take(count)
                    .collect()
            });
            subjects.into_iter().zip(hashed)
        };
        let hashed: Vec<_> = stream::iter(batches)
            .map(hash_batch)
            .buffered(self.parallel)
            .collect()
            .await;
        hashed.into_iter().flatten().collect()
    }
}

impl fmt::Debug for Accounts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Accounts")
            .field("hosts", &self.hosts)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for NewAccount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NewAccount")
            .field("jid", &self.jid)
            .finish_non_exhaustive()
    }
}

fn credentials(password: &str, iterations: u32) -> Result<Credentials, AccountError> {
    let salts = Salts::random().map_err(AccountError::Randomness)?;
    Ok(derive(password, iterations, &salts)?)
}

fn outcome(account: BareJid, created: Option<&Created>) -> Result<BareJid, AccountError> {
    match created {
        Some(Created::New) => Ok(account),
        Some(Created::Exists) => Err(AccountError::Exists),
        None => Err(StoreError::Unavailable("an answer is missing".to_owned()).into()),
    }
}

fn existing(done: bool) -> Result<(), AccountError> {
    if done {
        Ok(())
    } else {
        Err(AccountError::NoSuchAccount)
    }
}
