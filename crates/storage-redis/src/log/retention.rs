//! What is replaced, what goes with time, and what goes with its account.

use std::collections::BTreeMap;

use redis::cmd;
use rookery_stanza::BareJid;
use rookery_storage::StoreError;
use rookery_storage::message_log::{Retention, RowId, Trimmed};

use super::archive::Found;
use super::place;
use crate::directory::{self, List};
use crate::keys::Keys;
use crate::queue::Crowded;
use crate::reply;
use crate::store::RedisStore;

/// What becomes of a row.
#[derive(Debug, Default)]
struct Fate {
    /// Its entry in the index, if it leaves the archive.
    unarchive: Option<String>,
    /// It is not owed any more.
    give_up: bool,
}

impl RedisStore {
    /// Puts another payload in the place of that of a row.
    pub(super) async fn replace_payload(
        &self,
        account: &BareJid,
        row: RowId,
        payload: &[u8],
    ) -> Result<bool, StoreError> {
        let keys = self.wire.keys(account);
        let archived = self
            .found(&keys, &[row])
            .await?
            .into_iter()
            .flatten()
            .next()
            .is_some();
        if !archived
            && self
                .owed_with(account, &[row])
                .await?
                .into_iter()
                .flatten()
                .next()
                .is_none()
        {
            return Ok(false);
        }
        let names = ["rows", "owed", "replaced"].map(|name| keys.key(name));
        let mut command = self.wire.scripts.replace.call(&names);
        command
            .arg(row.to_string())
            .arg(place::in_stream(row.order()))
            .arg(payload);
        let answer = reply::one(
            self.wire
                .write(&keys, vec![command], Crowded::Refuse)
                .await?,
        )?;
        Ok(reply::int(&answer)? == 1)
    }

    /// One step of retention.
    pub(super) async fn trim_log(
        &self,
        account: &BareJid,
        retention: Retention,
        limit: usize,
    ) -> Result<Trimmed, StoreError> {
        let keys = self.wire.keys(account);
        let mut fates = self.fates(&keys, retention, limit).await?;
        let more = fates.len() > limit;
        let names = ["rows", "index", "owed", "waiting", "replaced"].map(|name| keys.key(name));
        let mut command = self.wire.scripts.trim.call(&names);
        let mut some = 0;
        while some < limit
            && let Some((id, fate)) = fates.pop_first()
        {
            command
                .arg(id.to_string())
                .arg(place::in_stream(id.order()))
                .arg(fate.unarchive.unwrap_or_default())
                .arg(u8::from(fate.give_up));
            some += 1;
        }
        if some == 0 {
            return Ok(Trimmed {
                more,
                ..Trimmed::default()
            });
        }
        let answer = reply::one(
            self.wire
                .write(&keys, vec![command], Crowded::Refuse)
                .await?,
        )?;
        let [removed, lost] = reply::exactly(reply::list(answer)?)?;
        let count =
            |value| Ok::<_, StoreError>(usize::try_from(reply::int(value)?).unwrap_or(usize::MAX));
        Ok(Trimmed {
            removed: count(&removed)?,
            lost: count(&lost)?,
            more,
        })
    }

    /// What becomes of the oldest rows: at least one more than `limit`, if there are as many.
    async fn fates(
        &self,
        keys: &Keys,
        retention: Retention,
        limit: usize,
    ) -> Result<BTreeMap<RowId, Fate>, StoreError> {
        let some = limit.saturating_add(1);
        let (mut length, mut oldest, mut owed) = (cmd("XLEN"), cmd("XRANGE"), cmd("ZRANGEBYLEX"));
        length.arg(keys.key("rows"));
        oldest
            .arg(keys.key("rows"))
            .arg("-")
            .arg("+")
            .arg("COUNT")
            .arg(some);
        let until = format!("({:016x}", retention.oldest_owed());
        owed.arg(keys.key("owed"))
            .arg("-")
            .arg(until)
            .arg("LIMIT")
            .arg(0)
            .arg(some);
        let answers = self.wire.read(keys, vec![length, oldest, owed]).await?;
        let [length, oldest, owed] = reply::exactly(answers)?;
        let length = usize::try_from(reply::int(&length)?).unwrap_or(usize::MAX);
        let surplus = length.saturating_sub(retention.rows);
        let mut fates: BTreeMap<RowId, Fate> = BTreeMap::new();
        for (nth, row) in Found::read(oldest)?.into_iter().enumerate() {
            if row.order < retention.oldest_archived() || nth < surplus {
                let index = place::in_index(&row.stored.with, row.order, row.stored.origin);
                fates.entry(row.id()).or_default().unarchive = Some(index);
            }
        }
        for id in reply::list(owed)? {
            let id = place::id(&reply::text(id)?)?;
            fates.entry(id).or_default().give_up = true;
        }
        Ok(fates)
    }

    /// Removes a log.
    pub(super) async fn erase_log(&self, account: &BareJid) -> Result<(), StoreError> {
        let keys = self.wire.keys(account);
        let mut command = cmd("UNLINK");
        for name in [
            "home", "rows", "index", "owed", "waiting", "replaced", "seen:0", "seen:1",
        ] {
            command.arg(keys.key(name));
        }
        self.wire
            .write(&keys, vec![command], Crowded::Refuse)
            .await?;
        directory::leave(&self.wire, List::Logs, account).await?;
        // Somebody may have appended to it meanwhile.
        let mut command = cmd("EXISTS");
        command.arg(keys.key("home"));
        let answer = reply::one(self.wire.read(&keys, vec![command]).await?)?;
        if reply::int(&answer)? == 1 {
            directory::enter(&self.wire, List::Logs, account).await?;
        }
        Ok(())
    }
}
