//! A store in memory, for tests: it forgets everything when it is dropped.

use std::collections::BTreeMap;

use async_trait::async_trait;
use parking_lot::{Mutex, MutexGuard};
use rookery_stanza::BareJid;

use crate::account::{AccountStore, Created};
use crate::credentials::Credentials;
use crate::data::{AccountState, DataStore, DataUpdate, DataWrite, DataWritten, Datum, Term};
use crate::error::StoreError;
use crate::offline::{Append, Appended, OfflineLimit, OfflineMessage, OfflineStore, Queued};
use crate::record::Record;
use crate::roster::{Roster, RosterItem, RosterStore, RosterUpdate, RosterWrite, Tombstone};

/// A store in memory. It can be told to fail, so that what follows from a failure can be tested.
#[derive(Debug, Default)]
pub struct MemoryStore {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    failure: Option<StoreError>,
    accounts: BTreeMap<Key, Account>,
}

/// An account's place: by host, then by localpart.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Key {
    host: String,
    local: String,
}

#[derive(Debug)]
struct Account {
    jid: BareJid,
    credentials: Credentials,
    version: u64,
    floor: u64,
    items: BTreeMap<BareJid, RosterItem>,
    tombstones: BTreeMap<BareJid, u64>,
    queue: BTreeMap<u64, OfflineMessage>,
    last_position: u64,
    data: Records,
}

/// The records of an account, by kind and name.
type Records = BTreeMap<(&'static str, String), Filed>;

/// A record, with what it can be found by.
#[derive(Clone, Debug)]
struct Filed {
    value: Vec<u8>,
    terms: Vec<Term>,
}

// === impl MemoryStore ===

impl MemoryStore {
    /// An empty store.
    pub fn new() -> Self {
        Self::default()
    }

    /// From now on every operation fails with this error and changes nothing; with `None`, works again.
    pub fn fail(&self, failure: Option<StoreError>) {
        self.state.lock().failure = failure;
    }

    fn state(&self) -> Result<MutexGuard<'_, State>, StoreError> {
        let state = self.state.lock();
        match &state.failure {
            Some(failure) => Err(failure.clone()),
            None => Ok(state),
        }
    }
}

#[async_trait]
impl AccountStore for MemoryStore {
    async fn create_accounts(
        &self,
        accounts: Vec<(BareJid, Credentials)>,
    ) -> Result<Vec<Created>, StoreError> {
        let mut state = self.state()?;
        let create = |(jid, credentials): (BareJid, Credentials)| {
            let key = Key::of(&jid);
            if state.accounts.contains_key(&key) {
                return Created::Exists;
            }
            state.accounts.insert(key, Account::new(jid, credentials));
            Created::New
        };
        Ok(accounts.into_iter().map(create).collect())
    }

    async fn credentials(&self, account: &BareJid) -> Result<Option<Credentials>, StoreError> {
        let state = self.state()?;
        Ok(state
            .accounts
            .get(&Key::of(account))
            .map(|account| account.credentials.clone()))
    }

    async fn set_credentials(
        &self,
        account: &BareJid,
        credentials: Credentials,
    ) -> Result<bool, StoreError> {
        let mut state = self.state()?;
        let account = state.accounts.get_mut(&Key::of(account));
        Ok(account
            .map(|account| account.credentials = credentials)
            .is_some())
    }

    async fn replace_credentials(
        &self,
        account: &BareJid,
        before: Credentials,
        after: Credentials,
    ) -> Result<bool, StoreError> {
        let mut state = self.state()?;
        let account = state.accounts.get_mut(&Key::of(account));
        let found = account.filter(|account| account.credentials == before);
        Ok(found.map(|account| account.credentials = after).is_some())
    }

    async fn delete_account(&self, account: &BareJid) -> Result<bool, StoreError> {
        Ok(self.state()?.accounts.remove(&Key::of(account)).is_some())
    }

    async fn account_exists(&self, account: &BareJid) -> Result<bool, StoreError> {
        Ok(self.state()?.accounts.contains_key(&Key::of(account)))
    }

    async fn list_accounts(
        &self,
        host: &str,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<BareJid>, StoreError> {
        let state = self.state()?;
        let start = Key {
            host: host.to_owned(),
            local: after.unwrap_or_default().to_owned(),
        };
        let page = state
            .accounts
            .range(start..)
            .take_while(|(key, _)| key.host == host)
            .filter(|(key, _)| after.is_none_or(|after| key.local.as_str() > after))
            .take(limit);
        Ok(page.map(|(_, account)| account.jid.clone()).collect())
    }
}

#[async_trait]
impl RosterStore for MemoryStore {
    async fn update_roster(&self, update: RosterUpdate) -> Result<bool, StoreError> {
        let mut state = self.state()?;
        let account = state.accounts.get_mut(&Key::of(&update.account));
        Ok(account
            .map(|account| account.update_roster(update))
            .is_some())
    }
}

#[async_trait]
impl OfflineStore for MemoryStore {
    async fn append_offline(
        &self,
        messages: Vec<Append>,
        limit: OfflineLimit,
    ) -> Result<Vec<Appended>, StoreError> {
        let mut state = self.state()?;
        let append = |append: Append| match state.accounts.get_mut(&Key::of(&append.account)) {
            None => Appended::NoSuchAccount,
            Some(account) if !account.has_room(&append.message, limit) => Appended::QueueFull,
            Some(account) => {
                account.last_position += 1;
                account.queue.insert(account.last_position, append.message);
                Appended::At(account.last_position)
            }
        };
        Ok(messages.into_iter().map(append).collect())
    }

    async fn read_offline(
        &self,
        account: &BareJid,
        after: u64,
        limit: usize,
    ) -> Result<Vec<Queued>, StoreError> {
        let state = self.state()?;
        let Some(account) = state.accounts.get(&Key::of(account)) else {
            return Ok(Vec::new());
        };
        let queued = |(&position, message): (&u64, &OfflineMessage)| Queued {
            position,
            message: message.clone(),
        };
        let later = account
            .queue
            .iter()
            .filter(|(position, _)| **position > after);
        Ok(later.take(limit).map(queued).collect())
    }

    async fn remove_offline(&self, account: &BareJid, up_to: u64) -> Result<(), StoreError> {
        let mut state = self.state()?;
        if let Some(account) = state.accounts.get_mut(&Key::of(account)) {
            account.queue.retain(|position, _| *position > up_to);
        }
        Ok(())
    }
}

#[async_trait]
impl DataStore for MemoryStore {
    async fn load_account(
        &self,
        account: &BareJid,
        kinds: &[&'static str],
    ) -> Result<Option<AccountState>, StoreError> {
        let state = self.state()?;
        let Some(account) = state.accounts.get(&Key::of(account)) else {
            return Ok(None);
        };
        let records = account.data.iter();
        Ok(Some(AccountState {
            roster: account.roster(),
            data: records
                .filter(|((kind, _), _)| kinds.contains(kind))
                .map(datum)
                .collect(),
            has_messages: !account.queue.is_empty(),
        }))
    }

    async fn read_data(
        &self,
        account: &BareJid,
        kind: &'static str,
        name: Option<&str>,
    ) -> Result<Vec<Datum>, StoreError> {
        let state = self.state()?;
        let account = state.accounts.get(&Key::of(account));
        let records = account.into_iter().flat_map(|account| &account.data);
        Ok(records
            .filter(|((of, named), _)| *of == kind && name.is_none_or(|name| name == named))
            .map(datum)
            .collect())
    }

    async fn update_data(&self, update: DataUpdate) -> Result<DataWritten, StoreError> {
        let mut state = self.state()?;
        let Some(account) = state.accounts.get_mut(&Key::of(&update.account)) else {
            return Ok(DataWritten::NoSuchAccount);
        };
        Ok(account.update_data(update))
    }

    async fn find_data(
        &self,
        host: &str,
        kind: &'static str,
        terms: Vec<Term>,
        limit: usize,
    ) -> Result<Vec<(BareJid, Datum)>, StoreError> {
        let state = self.state()?;
        let of_host = state.accounts.iter().filter(|(key, _)| key.host == host);
        let found = of_host.flat_map(|(_, account)| {
            let records = account.data.iter();
            records
                .filter(|((of, _), record)| *of == kind && record.has_all(&terms))
                .map(|record| (account.jid.clone(), datum(record)))
        });
        Ok(found.take(limit).collect())
    }
}

/// A record as it is handed out.
fn datum(((kind, name), record): (&(&'static str, String), &Filed)) -> Datum {
    Datum {
        kind: (*kind).to_owned(),
        name: name.clone(),
        value: record.value.clone(),
    }
}

// === impl Filed ===

impl Filed {
    fn has_all(&self, wanted: &[Term]) -> bool {
        let has = |wanted: &Term| {
            let mut terms = self.terms.iter();
            terms.any(|term| term.field == wanted.field && term.text.starts_with(&wanted.text))
        };
        !self.terms.is_empty() && wanted.iter().all(has)
    }
}

// === impl Key ===

impl Key {
    fn of(account: &BareJid) -> Self {
        Self {
            host: account.domain().to_owned(),
            local: account.local().unwrap_or_default().to_owned(),
        }
    }
}

// === impl Account ===

impl Account {
    fn new(jid: BareJid, credentials: Credentials) -> Self {
        Self {
            jid,
            credentials,
            version: 0,
            floor: 0,
            items: BTreeMap::new(),
            tombstones: BTreeMap::new(),
            queue: BTreeMap::new(),
            last_position: 0,
            data: BTreeMap::new(),
        }
    }

    fn roster(&self) -> Roster {
        let tombstone = |(jid, &removed): (&BareJid, &u64)| Tombstone {
            jid: jid.clone(),
            removed,
        };
        let mut tombstones: Vec<Tombstone> = self.tombstones.iter().map(tombstone).collect();
        tombstones.sort_by_key(|tombstone| tombstone.removed);
        Roster {
            version: self.version,
            floor: self.floor,
            items: self.items.values().cloned().collect(),
            tombstones,
        }
    }

    fn has_room(&self, message: &OfflineMessage, limit: OfflineLimit) -> bool {
        let held = self.queue.values();
        let bytes: usize = held
            .chain([message])
            .map(|message| message.to_record().len())
            .sum();
        self.queue.len() < limit.messages && bytes as u64 <= limit.bytes
    }

    fn update_roster(&mut self, update: RosterUpdate) {
        for write in update.writes {
            match write {
                RosterWrite::Put(item) => {
                    self.tombstones.remove(&item.jid);
                    self.items.insert(item.jid.clone(), item);
                }
                RosterWrite::Forget(jid) => {
                    self.items.remove(&jid);
                }
                RosterWrite::Remove(Tombstone { jid, removed }) => {
                    self.items.remove(&jid);
                    self.tombstones.insert(jid, removed);
                }
            }
        }
        self.version = update.version;
        self.floor = update.floor;
        self.tombstones
            .retain(|_, removed| *removed >= update.floor);
    }

    fn update_data(&mut self, update: DataUpdate) -> DataWritten {
        let before = size(&self.data);
        let mut data = self.data.clone();
        for write in update.writes {
            match write {
                DataWrite::Put {
                    kind,
                    name,
                    value,
                    terms,
                } => {
                    data.insert((kind, name), Filed { value, terms });
                }
                DataWrite::Remove { kind, name } => {
                    data.remove(&(kind, name));
                }
                DataWrite::Clear { kind } => data.retain(|(of, _), _| *of != kind),
            }
        }
        let after = size(&data);
        if after > update.limit && after >= before {
            return DataWritten::Full;
        }
        self.data = data;
        DataWritten::Done
    }
}

/// Bytes of all records, their names counted.
fn size(data: &Records) -> u64 {
    let bytes = |((_, name), record): (&(&str, String), &Filed)| name.len() + record.value.len();
    data.iter().map(bytes).map(|bytes| bytes as u64).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    crate::store_suite!(async || Box::new(MemoryStore::new()));

    #[tokio::test]
    async fn a_store_told_to_fail_fails_until_told_otherwise() {
        let store = MemoryStore::new();
        let account = BareJid::parse("romeo@montague.example").unwrap();
        let failure = StoreError::Unavailable("the test says so".to_owned());
        store.fail(Some(failure.clone()));
        assert_eq!(store.account_exists(&account).await, Err(failure));
        store.fail(None);
        assert_eq!(store.account_exists(&account).await, Ok(false));
    }
}
