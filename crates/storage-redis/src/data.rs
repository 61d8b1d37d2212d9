//! The port of records of features.

use async_trait::async_trait;
use redis::{Cmd, Value, cmd};
use rookery_stanza::BareJid;
use rookery_storage::{
    AccountState, DataStore, DataUpdate, DataWrite, DataWritten, Datum, StoreError, Term,
};

use crate::directory;
use crate::keys::Keys;
use crate::metrics::Operation;
use crate::queue::Crowded;
use crate::store::RedisStore;
use crate::terms::{self, Entry, Terms};
use crate::{reply, rosters};

#[async_trait]
impl DataStore for RedisStore {
    async fn load_account(
        &self,
        account: &BareJid,
        kinds: &[&'static str],
    ) -> Result<Option<AccountState>, StoreError> {
        self.wire
            .measured(Operation::LoadAccount, self.load(account, kinds))
            .await
    }

    async fn read_data(
        &self,
        account: &BareJid,
        kind: &'static str,
        name: Option<&str>,
    ) -> Result<Vec<Datum>, StoreError> {
        let read = async {
            let keys = self.wire.keys(account);
            let answer = match name {
                None => {
                    let all = self.wire.read(&keys, vec![all_of(&keys, kind)]).await?;
                    return records(kind, reply::one(all)?);
                }
                Some(name) => {
                    let mut command = cmd("HGET");
                    command.arg(keys.of_kind("data", kind)).arg(name);
                    reply::one(self.wire.read(&keys, vec![command]).await?)?
                }
            };
            let value = reply::maybe_bytes(answer)?;
            let datum = |value| Datum {
                kind: kind.to_owned(),
                name: name.unwrap_or_default().to_owned(),
                value,
            };
            Ok(value.map(datum).into_iter().collect())
        };
        self.wire.measured(Operation::ReadData, read).await
    }

    async fn update_data(&self, update: DataUpdate) -> Result<DataWritten, StoreError> {
        self.wire
            .measured(Operation::UpdateData, self.update(update))
            .await
    }

    async fn find_data(
        &self,
        host: &str,
        kind: &'static str,
        terms: Vec<Term>,
        limit: usize,
    ) -> Result<Vec<(BareJid, Datum)>, StoreError> {
        self.wire
            .measured(Operation::FindData, self.find(host, kind, terms, limit))
            .await
    }
}

impl RedisStore {
    async fn load(
        &self,
        account: &BareJid,
        kinds: &[&'static str],
    ) -> Result<Option<AccountState>, StoreError> {
        let keys = self.wire.keys(account);
        let mut of_account = cmd("HMGET");
        of_account
            .arg(keys.key("account"))
            .arg("credentials")
            .arg("roster_version")
            .arg("roster_floor");
        let mut items = cmd("HGETALL");
        items.arg(keys.key("roster"));
        let mut tombstones = cmd("ZRANGE");
        tombstones
            .arg(keys.key("tombstones"))
            .arg(0)
            .arg(-1)
            .arg("WITHSCORES");
        let mut owed = cmd("EXISTS");
        owed.arg(keys.key("owed"));
        let mut kinds = kinds.to_vec();
        kinds.sort_unstable();
        let mut commands = vec![cmd("MULTI"), of_account, items, tombstones, owed];
        commands.extend(kinds.iter().map(|kind| all_of(&keys, kind)));
        commands.push(cmd("EXEC"));
        let answers = self.wire.read(&keys, commands).await?;
        let answer = answers.into_iter().next_back().unwrap_or_default();
        let mut answers = reply::list(answer)?.into_iter();
        let mut next = || answers.next().unwrap_or_default();
        let [credentials, version, floor] = reply::exactly(reply::list(next())?)?;
        if credentials == Value::Nil {
            return Ok(None);
        }
        let roster = rosters::read(version, floor, next(), next())?;
        let has_messages = reply::int(&next())? > 0;
        let mut data = Vec::new();
        for kind in kinds {
            data.extend(records(kind, next())?);
        }
        Ok(Some(AccountState {
            roster,
            data,
            has_messages,
        }))
    }

    async fn update(&self, update: DataUpdate) -> Result<DataWritten, StoreError> {
        let account = &update.account;
        let keys = self.wire.keys(account);
        let mut kinds: Vec<&'static str> = update.writes.iter().map(kind_of).collect();
        kinds.sort_unstable();
        kinds.dedup();
        let (command, entries) = self.updating(&update, &keys, &kinds);
        terms::enter(&self.wire, account, entries.clone()).await?;
        let answer = self.wire.write(&keys, vec![command], Crowded::Refuse);
        match reply::one(answer.await?)? {
            Value::Int(-1) => {
                terms::leave(&self.wire, account, entries).await?;
                Ok(DataWritten::NoSuchAccount)
            }
            // What was entered above leads to records that are as they were, and may have been found by the same terms.
            Value::Int(_) => Ok(DataWritten::Full),
            gone => {
                let mut gone = entries_of(gone, account, &kinds)?;
                gone.retain(|entry| !entries.contains(entry));
                terms::leave(&self.wire, account, gone).await?;
                Ok(DataWritten::Done)
            }
        }
    }

    /// What makes the changes, and the entries that are to lead to the records afterwards.
    fn updating(
        &self,
        update: &DataUpdate,
        keys: &Keys,
        kinds: &[&'static str],
    ) -> (Cmd, Vec<Entry>) {
        let mut names = vec![keys.key("account"), keys.key("kinds")];
        for kind in kinds {
            names.extend([keys.of_kind("data", kind), keys.of_kind("terms", kind)]);
        }
        let mut command = self.wire.scripts.update_data.call(&names);
        command.arg(update.limit).arg(kinds.len());
        for kind in kinds {
            command.arg(*kind);
        }
        let mut entries = Vec::new();
        for write in &update.writes {
            let nth = kinds.iter().position(|kind| *kind == kind_of(write));
            let nth = nth.unwrap_or_default() + 1;
            match write {
                DataWrite::Put {
                    kind,
                    name,
                    value,
                    terms,
                } => {
                    let terms = Terms::of(terms);
                    entries.extend(terms.entries(&update.account, kind, name));
                    command.arg("p").arg(nth).arg(name);
                    command.arg(value).arg(terms.write())
                }
                DataWrite::Remove { name, .. } => command.arg("r").arg(nth).arg(name),
                DataWrite::Clear { .. } => command.arg("c").arg(nth),
            };
        }
        (command, entries)
    }

    async fn find(
        &self,
        host: &str,
        kind: &'static str,
        terms: Vec<Term>,
        limit: usize,
    ) -> Result<Vec<(BareJid, Datum)>, StoreError> {
        let mut found = Vec::new();
        for (local, name) in terms::find(&self.wire, host, kind, &terms).await? {
            if found.len() == limit {
                break;
            }
            let account = directory::address(host, &local)?;
            let keys = self.wire.keys(&account);
            let commands = ["terms", "data"].map(|of| {
                let mut command = cmd("HGET");
                command.arg(keys.of_kind(of, kind)).arg(&name);
                command
            });
            let [has, value] = reply::exactly(self.wire.read(&keys, commands.into()).await?)?;
            let (has, value) = (reply::maybe_bytes(has)?, reply::maybe_bytes(value)?);
            if let (Some(has), Some(value)) = (has, value)
                && Terms::read(&has)?.have(&terms)
            {
                let kind = kind.to_owned();
                found.push((account, Datum { kind, name, value }));
            }
        }
        Ok(found)
    }
}

fn kind_of(write: &DataWrite) -> &'static str {
    match write {
        DataWrite::Put { kind, .. }
        | DataWrite::Remove { kind, .. }
        | DataWrite::Clear { kind } => kind,
    }
}

fn all_of(keys: &Keys, kind: &str) -> Cmd {
    let mut command = cmd("HGETALL");
    command.arg(keys.of_kind("data", kind));
    command
}

/// The records of a kind, in the order of their names.
fn records(kind: &str, answer: Value) -> Result<Vec<Datum>, StoreError> {
    let datum = |(name, value)| {
        Ok(Datum {
            kind: kind.to_owned(),
            name: reply::text(name)?,
            value: reply::bytes(value)?,
        })
    };
    let records: Result<Vec<Datum>, StoreError> =
        reply::pairs(answer)?.into_iter().map(datum).collect();
    let mut records = records?;
    records.sort_by(|one, other| one.name.cmp(&other.name));
    Ok(records)
}

/// The entries that led to records as they were.
fn entries_of(gone: Value, account: &BareJid, kinds: &[&str]) -> Result<Vec<Entry>, StoreError> {
    let mut gone = reply::list(gone)?.into_iter();
    let mut entries = Vec::new();
    while let (Some(nth), Some(name), Some(terms)) = (gone.next(), gone.next(), gone.next()) {
        let nth = usize::try_from(reply::int(&nth)?).unwrap_or_default();
        let kind = kinds
            .get(nth.saturating_sub(1))
            .copied()
            .unwrap_or_default();
        let terms = Terms::read(&reply::bytes(terms)?)?;
        entries.extend(terms.entries(account, kind, &reply::text(name)?));
    }
    Ok(entries)
}
