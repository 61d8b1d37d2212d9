//! The port, one operation after the other.

use async_trait::async_trait;
use bytes::Bytes;
use rookery_stanza::BareJid;
use rookery_storage::StoreError;
use rookery_storage::message_log::{
    Appended, Filter, Header, MessageLog, NewMessage, Opened, Origin, Page, PageQuery, Paged,
    Retention, Row, RowId, Span, Tail, Trimmed,
};

use super::reading::{self, ReadError, Reading};
use super::writer::Job;
use super::{EmbeddedLog, index};

/// What a message takes in the queue beside its payload, roughly.
const OVERHEAD: usize = 256;

impl EmbeddedLog {
    /// Reads from the log of an account; nothing when it has none.
    async fn read_from<T: Send + 'static>(
        &self,
        account: &BareJid,
        work: impl Fn(&Reading<'_>) -> Result<T, ReadError> + Send + 'static,
    ) -> Result<Option<T>, StoreError> {
        let account = account.clone();
        let wanted = account.clone();
        self.read(Some(account.as_str()), move |connection, segments| {
            reading::read(connection, segments, wanted.as_str(), work)
        })
        .await
    }
}

#[async_trait]
impl MessageLog for EmbeddedLog {
    async fn open(&self, account: &BareJid, epoch: u64) -> Result<Opened, StoreError> {
        let account = account.clone();
        self.write(OVERHEAD, |caller| Job::Open {
            account,
            epoch,
            caller,
        })
        .await
    }

    async fn tail(&self, account: &BareJid) -> Result<Tail, StoreError> {
        let tail = self.read_from(account, |reading| Ok(reading.tail()?));
        Ok(tail.await?.unwrap_or_default())
    }

    async fn append(&self, messages: Vec<NewMessage>) -> Result<Vec<Appended>, StoreError> {
        let sizes = messages
            .iter()
            .map(|message| message.payload.len() + OVERHEAD);
        self.write(sizes.sum(), |caller| Job::Append { messages, caller })
            .await
    }

    async fn confirm(&self, account: &BareJid, rows: Vec<RowId>) -> Result<(), StoreError> {
        let account = account.clone();
        self.write(OVERHEAD, |caller| Job::Confirm {
            account,
            rows,
            caller,
        })
        .await
    }

    async fn read_owed(
        &self,
        account: &BareJid,
        after: Option<RowId>,
        limit: usize,
    ) -> Result<Vec<Row>, StoreError> {
        let rows = self.read_from(account, move |reading| reading.owed(after, limit));
        Ok(rows.await?.unwrap_or_default())
    }

    async fn list_owed(
        &self,
        account: &BareJid,
        after: Option<RowId>,
        limit: usize,
    ) -> Result<Vec<Header>, StoreError> {
        let rows = self.read_from(account, move |reading| {
            let rows = reading.owed(after, limit)?;
            Ok(rows.into_iter().map(Row::into_header).collect::<Vec<_>>())
        });
        Ok(rows.await?.unwrap_or_default())
    }

    async fn owed_rows(
        &self,
        account: &BareJid,
        ids: Vec<RowId>,
    ) -> Result<Vec<Option<Row>>, StoreError> {
        let nothing = vec![None; ids.len()];
        let rows = self.read_from(account, move |reading| {
            ids.iter().map(|id| reading.owed_by_id(*id)).collect()
        });
        Ok(rows.await?.unwrap_or(nothing))
    }

    async fn by_origin(
        &self,
        account: &BareJid,
        with: &BareJid,
        origin: Origin,
        limit: usize,
    ) -> Result<Vec<Row>, StoreError> {
        let with = with.clone();
        let rows = self.read_from(account, move |reading| {
            reading.by_origin(&with, origin, limit)
        });
        Ok(rows.await?.unwrap_or_default())
    }

    async fn page(&self, account: &BareJid, query: PageQuery) -> Result<Paged, StoreError> {
        let beside = query.after.or(query.before);
        let page = self.read_from(account, move |reading| reading.page(&query));
        let empty = || {
            let page = Page {
                rows: Vec::new(),
                complete: true,
            };
            beside.map_or(Paged::Page(page), Paged::NoSuchRow)
        };
        Ok(page.await?.unwrap_or_else(empty))
    }

    async fn count(
        &self,
        account: &BareJid,
        filter: Filter,
        limit: usize,
    ) -> Result<usize, StoreError> {
        let count = self.read_from(account, move |reading| reading.count(&filter, limit));
        Ok(count.await?.unwrap_or_default())
    }

    async fn rows(
        &self,
        account: &BareJid,
        ids: Vec<RowId>,
    ) -> Result<Vec<Option<Row>>, StoreError> {
        let nothing = vec![None; ids.len()];
        let rows = self.read_from(account, move |reading| {
            ids.iter().map(|id| reading.by_id(*id)).collect()
        });
        Ok(rows.await?.unwrap_or(nothing))
    }

    async fn span(&self, account: &BareJid) -> Result<Option<Span>, StoreError> {
        let span = self.read_from(account, |reading| {
            let span: Option<Span> = reading.span()?;
            Ok(span)
        });
        Ok(span.await?.flatten())
    }

    async fn replace(
        &self,
        account: &BareJid,
        row: RowId,
        payload: Bytes,
    ) -> Result<bool, StoreError> {
        let account = account.clone();
        self.write(payload.len() + OVERHEAD, |caller| Job::Replace {
            account,
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
        self.maintain(move |connection| {
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
        self.maintain(|_| Ok(())).await?;
        let (host, after) = (host.to_owned(), after.map(str::to_owned));
        self.read(None, move |connection, _| {
            Ok(index::accounts(connection, &host, after.as_deref(), limit)?)
        })
        .await
    }

    async fn erase(&self, account: &BareJid) -> Result<(), StoreError> {
        let account = account.clone();
        self.write(OVERHEAD, |caller| Job::Erase { account, caller })
            .await
    }
}
