//! The port, one operation after the other.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use rookery_stanza::BareJid;
use rookery_storage::StoreError;
use rookery_storage::message_log::{
    Appended, Filter, Header, MessageLog, NewMessage, Opened, Origin, PageQuery, Paged, Retention,
    Row, RowId, Span, Tail, Trimmed,
};
use tokio::sync::oneshot;

use super::group::Job;
use super::reading::{self, ReadError, Reading};
use super::{EmbeddedLog, index};
use crate::queue::Refused;

/// What a message takes in the queue beside its payload, roughly.
const OVERHEAD: usize = 256;

impl EmbeddedLog {
    /// Reads from the log of an account.
    async fn read_from<T: Send + 'static>(
        &self,
        account: &BareJid,
        work: impl Fn(&Reading<'_>) -> Result<T, ReadError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let (account, tail) = (account.clone(), Arc::clone(&self.tail));
        self.read(move |connection, segments| {
            reading::read((connection, &*tail, segments), account.as_str(), work)
        })
        .await
    }
}

#[async_trait]
impl MessageLog for EmbeddedLog {
    async fn open(&self, account: &BareJid, epoch: u64) -> Result<Opened, StoreError> {
        self.write(account, OVERHEAD, |caller| Job::Open {
            account: account.clone(),
            epoch,
            caller,
        })
        .await
    }

    async fn tail(&self, account: &BareJid) -> Result<Tail, StoreError> {
        self.read_from(account, |reading| Ok(reading.tail()?)).await
    }

    async fn append(&self, messages: Vec<NewMessage>) -> Result<Vec<Appended>, StoreError> {
        let sizes = messages
            .iter()
            .map(|message| message.payload.len() + OVERHEAD);
        let bytes = sizes.sum();
        let first = messages.iter().flat_map(|message| &message.rows).next();
        let Some(account) = first.map(|row| row.account.clone()) else {
            return Ok(Vec::new());
        };
        self.write(&account, bytes, |caller| Job::Append { messages, caller })
            .await
    }

    async fn confirm(&self, account: &BareJid, rows: Vec<RowId>) -> Result<(), StoreError> {
        let (caller, answer) = oneshot::channel();
        let count = rows.len();
        let job = Job::Confirm {
            account: account.clone(),
            rows,
            caller,
        };
        self.entrance.enter_confirmation(job, count).await?;
        answer.await.unwrap_or_else(|_| Err(Refused::Closed.into()))
    }

    async fn read_owed(
        &self,
        account: &BareJid,
        after: Option<RowId>,
        limit: usize,
    ) -> Result<Vec<Row>, StoreError> {
        self.read_from(account, move |reading| reading.owed(after, limit))
            .await
    }

    async fn list_owed(
        &self,
        account: &BareJid,
        after: Option<RowId>,
        limit: usize,
    ) -> Result<Vec<Header>, StoreError> {
        self.read_from(account, move |reading| reading.owed_headers(after, limit))
            .await
    }

    async fn owed_rows(
        &self,
        account: &BareJid,
        ids: Vec<RowId>,
    ) -> Result<Vec<Option<Row>>, StoreError> {
        self.read_from(account, move |reading| {
            ids.iter().map(|id| reading.owed_by_id(*id)).collect()
        })
        .await
    }

    async fn by_origin(
        &self,
        account: &BareJid,
        with: &BareJid,
        origin: Origin,
        limit: usize,
    ) -> Result<Vec<Row>, StoreError> {
        let with = with.clone();
        self.read_from(account, move |reading| {
            reading.by_origin(&with, origin, limit)
        })
        .await
    }

    async fn page(&self, account: &BareJid, query: PageQuery) -> Result<Paged, StoreError> {
        self.read_from(account, move |reading| reading.page(&query))
            .await
    }

    async fn count(
        &self,
        account: &BareJid,
        filter: Filter,
        limit: usize,
    ) -> Result<usize, StoreError> {
        self.read_from(account, move |reading| reading.count(&filter, limit))
            .await
    }

    async fn rows(
        &self,
        account: &BareJid,
        ids: Vec<RowId>,
    ) -> Result<Vec<Option<Row>>, StoreError> {
        self.read_from(account, move |reading| {
            ids.iter().map(|id| reading.by_id(*id)).collect()
        })
        .await
    }

    async fn span(&self, account: &BareJid) -> Result<Option<Span>, StoreError> {
        self.read_from(account, |reading| Ok(reading.span()?)).await
    }

    async fn replace(
        &self,
        account: &BareJid,
        row: RowId,
        payload: Bytes,
    ) -> Result<bool, StoreError> {
        self.write(account, payload.len() + OVERHEAD, |caller| Job::Replace {
            account: account.clone(),
            row,
            payload,
            caller,
        })
        .await
    }

    async fn trim(
        &self,
        account: &BareJid,
        retention: Retention,
        limit: usize,
    ) -> Result<Trimmed, StoreError> {
        let account = account.clone();
        let of = account.clone();
        self.maintain(Some(of.as_str()), move |connection| {
            index::trim(connection, account.as_str(), &retention, limit)
        })
        .await
    }

    async fn logs(
        &self,
        host: &str,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<BareJid>, StoreError> {
        // Logs that have just come into being are listed as well.
        self.maintain(None, |_| Ok(())).await?;
        let (host, after) = (host.to_owned(), after.map(str::to_owned));
        self.read(move |connection, _| {
            Ok(index::accounts(connection, &host, after.as_deref(), limit)?)
        })
        .await
    }

    async fn erase(&self, account: &BareJid) -> Result<(), StoreError> {
        self.write(account, OVERHEAD, |caller| Job::Erase {
            account: account.clone(),
            caller,
        })
        .await
    }
}
