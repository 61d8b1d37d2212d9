//! Message logs in memory: the model that the suite is written against. They forget everything when dropped, and
//! their ids can be guessed.

use std::collections::BTreeMap;

use async_trait::async_trait;
use bytes::Bytes;
use parking_lot::{Mutex, MutexGuard};
use rookery_stanza::BareJid;

use super::{
    Appended, End, Filter, Header, IngressId, MessageLog, NewMessage, NewRow, ORIGINS, Opened,
    Origin, PAGE_BYTES, Page, PageQuery, Paged, Purpose, REMEMBERED, Retention, Row, RowId, Span,
    Tail, Trimmed,
};
use crate::error::StoreError;

/// The logs of all accounts in memory. They can be told to fail, so that what follows from a failure can be tested.
#[derive(Debug, Default)]
pub struct MemoryLog {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    failure: Option<StoreError>,
    logs: BTreeMap<BareJid, Log>,
    salt: u64,
}

/// The log of one account.
#[derive(Debug, Default)]
struct Log {
    epoch: u64,
    last: Option<RowId>,
    rows: BTreeMap<RowId, Kept>,
}

/// A row, which nothing keeps any more when it has no purpose.
#[derive(Clone, Debug)]
struct Kept {
    row: Row,
    origin: Option<Origin>,
    archived: bool,
    owed: bool,
}

/// The first of the rows, until their payloads are enough for a page.
fn some(rows: impl Iterator<Item = Row>) -> Vec<Row> {
    let mut bytes = 0;
    let within = |row: &Row| {
        let before = bytes;
        bytes += row.payload.len();
        before < PAGE_BYTES
    };
    rows.take_while(within).collect()
}

// === impl MemoryLog ===

impl MemoryLog {
    /// No logs.
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

    /// Asks the log of an account, or an empty one.
    fn ask<T>(&self, account: &BareJid, ask: impl FnOnce(&Log) -> T) -> Result<T, StoreError> {
        let state = self.state()?;
        Ok(match state.logs.get(account) {
            Some(log) => ask(log),
            None => ask(&Log::default()),
        })
    }
}

#[async_trait]
impl MessageLog for MemoryLog {
    async fn open(&self, account: &BareJid, epoch: u64) -> Result<Opened, StoreError> {
        let mut state = self.state()?;
        let log = state.logs.entry(account.clone()).or_default();
        if epoch < log.epoch {
            return Ok(Opened::Fenced { epoch: log.epoch });
        }
        log.epoch = epoch;
        Ok(Opened::Home(log.tail()))
    }

    async fn tail(&self, account: &BareJid) -> Result<Tail, StoreError> {
        self.ask(account, Log::tail)
    }

    async fn append(&self, messages: Vec<NewMessage>) -> Result<Vec<Appended>, StoreError> {
        let mut state = self.state()?;
        let mut answers = Vec::new();
        for message in &messages {
            let mut fresh = Vec::new();
            for row in &message.rows {
                // No two are equal, which is all that a test needs.
                state.salt = state.salt.wrapping_add(0x9e37_79b9_7f4a_7c15);
                let salt = state.salt;
                answers.push(state.append(message, row, salt, &mut fresh));
            }
        }
        Ok(answers)
    }

    async fn confirm(&self, account: &BareJid, rows: Vec<RowId>) -> Result<(), StoreError> {
        let mut state = self.state()?;
        if let Some(log) = state.logs.get_mut(account) {
            for id in rows {
                log.rows.entry(id).and_modify(|kept| kept.owed = false);
            }
        }
        Ok(())
    }

    async fn read_owed(
        &self,
        account: &BareJid,
        after: Option<RowId>,
        limit: usize,
    ) -> Result<Vec<Row>, StoreError> {
        self.ask(account, |log| some(log.owed(after).take(limit)))
    }

    async fn list_owed(
        &self,
        account: &BareJid,
        after: Option<RowId>,
        limit: usize,
    ) -> Result<Vec<Header>, StoreError> {
        self.ask(account, |log| {
            log.owed(after).take(limit).map(Row::into_header).collect()
        })
    }

    async fn owed_rows(
        &self,
        account: &BareJid,
        ids: Vec<RowId>,
    ) -> Result<Vec<Option<Row>>, StoreError> {
        let owed = |log: &Log, id| log.rows.get(&id).filter(|kept| kept.owed)?.read();
        self.ask(account, |log| {
            ids.into_iter().map(|id| owed(log, id)).collect()
        })
    }

    async fn by_origin(
        &self,
        account: &BareJid,
        with: &BareJid,
        origin: Origin,
        limit: usize,
    ) -> Result<Vec<Row>, StoreError> {
        let filter = Filter {
            with: Some(with.clone().into()),
            ..Filter::default()
        };
        self.ask(account, |log| {
            let newest = log.matching(&filter).rev().take(ORIGINS);
            let found = newest.filter(|kept| kept.origin == Some(origin));
            found.take(limit).filter_map(Kept::read).collect()
        })
    }

    async fn page(&self, account: &BareJid, query: PageQuery) -> Result<Paged, StoreError> {
        self.ask(account, |log| log.page(&query))
    }

    async fn count(
        &self,
        account: &BareJid,
        filter: Filter,
        limit: usize,
    ) -> Result<usize, StoreError> {
        self.ask(account, |log| log.matching(&filter).take(limit).count())
    }

    async fn rows(
        &self,
        account: &BareJid,
        ids: Vec<RowId>,
    ) -> Result<Vec<Option<Row>>, StoreError> {
        let archived = |log: &Log, id| log.archived(id).and_then(Kept::read);
        self.ask(account, |log| {
            ids.into_iter().map(|id| archived(log, id)).collect()
        })
    }

    async fn span(&self, account: &BareJid) -> Result<Option<Span>, StoreError> {
        self.ask(account, |log| {
            let everything = Filter::default();
            let mut ids = log.matching(&everything).map(|kept| kept.row.id);
            let first = ids.next()?;
            let last = ids.next_back().unwrap_or(first);
            Some(Span { first, last })
        })
    }

    async fn replace(
        &self,
        account: &BareJid,
        row: RowId,
        payload: Bytes,
    ) -> Result<bool, StoreError> {
        let mut state = self.state()?;
        let log = state.logs.get_mut(account);
        let kept = log.and_then(|log| log.rows.get_mut(&row));
        let kept = kept.filter(|kept| kept.archived || kept.owed);
        Ok(kept.map(|kept| kept.row.payload = payload).is_some())
    }

    async fn trim(
        &self,
        account: &BareJid,
        retention: Retention,
        limit: usize,
    ) -> Result<Trimmed, StoreError> {
        let mut state = self.state()?;
        let log = state.logs.get_mut(account);
        Ok(log.map_or_else(Trimmed::default, |log| log.trim(retention, limit)))
    }

    async fn logs(
        &self,
        host: &str,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<BareJid>, StoreError> {
        let state = self.state()?;
        let of_host = state.logs.keys().filter(|account| account.domain() == host);
        let mut logs: Vec<BareJid> = of_host
            .filter(|account| after.is_none_or(|after| account.local() > Some(after)))
            .cloned()
            .collect();
        logs.sort_by(|one, other| one.local().cmp(&other.local()));
        logs.truncate(limit);
        Ok(logs)
    }

    async fn erase(&self, account: &BareJid) -> Result<(), StoreError> {
        self.state()?.logs.remove(account);
        Ok(())
    }
}

// === impl State ===

impl State {
    /// Appends a row, or adds its reasons to the one among those that are `fresh`.
    fn append(
        &mut self,
        message: &NewMessage,
        row: &NewRow,
        salt: u64,
        fresh: &mut Vec<RowId>,
    ) -> Appended {
        if row.epoch > 0 && !self.logs.contains_key(&row.account) {
            return Appended::Fenced { epoch: 0 };
        }
        let log = self.logs.entry(row.account.clone()).or_default();
        let answer = log.append(message, row, salt);
        match answer {
            Appended::At(id) => fresh.push(id),
            Appended::Repeat(id) if fresh.contains(&id) => log.merge(id, &row.purpose),
            _ => {}
        }
        answer
    }
}

// === impl Log ===

impl Log {
    fn append(&mut self, message: &NewMessage, row: &NewRow, salt: u64) -> Appended {
        if row.epoch != self.epoch {
            return Appended::Fenced { epoch: self.epoch };
        }
        if let Some(id) = self.remembered(message.ingress, message.received) {
            return Appended::Repeat(id);
        }
        let id = RowId::next(self.last, message.received, salt);
        self.last = Some(id);
        let kept = Kept {
            origin: message.origin,
            archived: row.purpose.is_archived(),
            owed: row.purpose.is_owed(),
            row: Row {
                id,
                ingress: message.ingress,
                received: message.received,
                with: row.with.clone(),
                purpose: row.purpose.clone(),
                payload: message.payload.clone(),
            },
        };
        self.rows.insert(id, kept);
        Appended::At(id)
    }

    fn tail(&self) -> Tail {
        Tail {
            last: self.last,
            owed: self.rows.values().filter(|kept| kept.owed).count() as u64,
        }
    }

    /// Keeps a row for one more reason.
    fn merge(&mut self, id: RowId, purpose: &Purpose) {
        if let Some(kept) = self.rows.get_mut(&id) {
            kept.archived |= purpose.is_archived();
            kept.owed |= purpose.is_owed();
            kept.row.purpose = kept.row.purpose.clone().and(purpose);
        }
    }

    fn remembered(&self, ingress: IngressId, now: u64) -> Option<RowId> {
        let now = self.last.map_or(now, |last| now.max(last.time()));
        let oldest = RowId::order_at(now.saturating_sub(REMEMBERED));
        let rows = self.rows.values().map(|kept| &kept.row);
        rows.filter(|row| row.ingress == ingress && row.id.order() >= oldest)
            .map(|row| row.id)
            .next()
    }

    fn owed(&self, after: Option<RowId>) -> impl Iterator<Item = Row> {
        let after = after.map(RowId::order);
        let owed = self.rows.values().filter(|kept| kept.owed);
        owed.filter(move |kept| after < Some(kept.row.id.order()))
            .filter_map(Kept::read)
    }

    fn archived(&self, id: RowId) -> Option<&Kept> {
        self.rows.get(&id).filter(|kept| kept.archived)
    }

    fn matching(&self, filter: &Filter) -> impl DoubleEndedIterator<Item = &Kept> {
        let orders = filter.first_order()..filter.end_order();
        let archived = self.rows.values().filter(|kept| kept.archived);
        archived.filter(move |kept| {
            orders.contains(&kept.row.id.order()) && filter.matches(&kept.row.with)
        })
    }

    fn page(&self, query: &PageQuery) -> Paged {
        for id in query.after.iter().chain(&query.before) {
            if self.archived(*id).is_none() {
                return Paged::NoSuchRow(*id);
            }
        }
        let between = self.matching(&query.filter).filter(|kept| {
            let id = kept.row.id;
            query.after.is_none_or(|after| id > after)
                && query.before.is_none_or(|before| id < before)
        });
        let between: Vec<Row> = between.filter_map(Kept::read).collect();
        let all = between.len();
        let between = between.into_iter();
        let rows = match query.end {
            End::Oldest => some(between.take(query.limit)),
            End::Newest => {
                let mut rows = some(between.rev().take(query.limit));
                rows.reverse();
                rows
            }
        };
        let complete = rows.len() == all;
        Paged::Page(Page { rows, complete })
    }

    fn trim(&mut self, retention: Retention, limit: usize) -> Trimmed {
        let mut trimmed = Trimmed::default();
        let archived = self.matching(&Filter::default()).count();
        let mut surplus = archived.saturating_sub(retention.rows);
        let mut left = limit;
        for kept in self.rows.values_mut() {
            let order = kept.row.id.order();
            let unarchive = kept.archived && (order < retention.oldest_archived() || surplus > 0);
            surplus = surplus.saturating_sub(usize::from(kept.archived));
            let lose = kept.owed && order < retention.oldest_owed();
            if !unarchive && !lose {
                continue;
            }
            if left == 0 {
                trimmed.more = true;
                break;
            }
            left -= 1;
            trimmed.removed += usize::from(unarchive);
            trimmed.lost += usize::from(lose && (unarchive || !kept.archived));
            kept.archived &= !unarchive;
            kept.owed &= !lose;
        }
        let forgotten = retention.oldest_remembered();
        self.rows
            .retain(|id, kept| kept.archived || kept.owed || id.order() >= forgotten);
        trimmed
    }
}

// === impl Kept ===

impl Kept {
    /// The row as it is read; nothing when nothing keeps it.
    fn read(&self) -> Option<Row> {
        let routed = self.row.purpose.routed().filter(|_| self.owed);
        let purpose = Purpose::of(self.archived, routed.map(<[String]>::to_vec))?;
        Some(Row {
            purpose,
            ..self.row.clone()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    crate::message_log_suite!(async || Box::new(MemoryLog::new()));

    #[tokio::test]
    async fn logs_told_to_fail_fail_until_told_otherwise() {
        let log = MemoryLog::new();
        let account = BareJid::parse("romeo@montague.example").unwrap();
        let failure = StoreError::Unavailable("the test says so".to_owned());
        log.fail(Some(failure.clone()));
        assert_eq!(log.span(&account).await, Err(failure));
        log.fail(None);
        assert_eq!(log.span(&account).await, Ok(None));
    }
}
