//! How many rows of an archive match.

use redis::cmd;
use rookery_stanza::BareJid;
use rookery_storage::StoreError;
use rookery_storage::message_log::{End, Filter};

use super::archive::{ENTRIES, Found, Range};
use crate::keys::Keys;
use crate::reply;
use crate::store::RedisStore;

impl RedisStore {
    /// How many rows match, up to a limit.
    pub(super) async fn archive_count(
        &self,
        account: &BareJid,
        filter: &Filter,
        limit: usize,
    ) -> Result<usize, StoreError> {
        let (keys, range) = (self.wire.keys(account), Range::of(filter));
        if range.is_empty() {
            return Ok(0);
        }
        let everything = filter.start.is_none() && filter.end.is_none();
        let command = match &filter.with {
            Some(with) if with.is_full() => {
                let mut count = 0;
                self.look_through(&keys, with, range, End::Oldest, |_| {
                    count += 1;
                    count < limit
                })
                .await?;
                return Ok(count.min(limit));
            }
            Some(with) => {
                let (from, to) = range.of_index(&with.bare());
                let mut command = cmd("ZLEXCOUNT");
                command.arg(keys.key("index")).arg(from).arg(to);
                command
            }
            None if everything => {
                let mut command = cmd("XLEN");
                command.arg(keys.key("rows"));
                command
            }
            None => return self.count_between(&keys, range, limit).await,
        };
        let count = reply::int(&reply::one(self.wire.read(&keys, vec![command]).await?)?)?;
        Ok(usize::try_from(count).unwrap_or(usize::MAX).min(limit))
    }

    /// Counts rows of a time, of which a stream does not keep count.
    async fn count_between(
        &self,
        keys: &Keys,
        mut range: Range,
        limit: usize,
    ) -> Result<usize, StoreError> {
        let mut count = 0;
        while count < limit && !range.is_empty() {
            let some = ENTRIES.min(limit - count);
            let command = range.of_stream(keys, End::Oldest, some);
            let found = Found::read(reply::one(self.wire.read(keys, vec![command]).await?)?)?;
            count += found.len();
            match found.last() {
                Some(last) if found.len() == some => range.from = last.order.saturating_add(1),
                _ => break,
            }
        }
        Ok(count)
    }
}
