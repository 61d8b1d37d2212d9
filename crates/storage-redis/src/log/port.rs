//! The port of message logs, one operation after the other.

use async_trait::async_trait;
use bytes::Bytes;
use rookery_stanza::BareJid;
use rookery_storage::StoreError;
use rookery_storage::message_log::{
    Appended, Filter, Header, MessageLog, NewMessage, Opened, Origin, PAGE_BYTES, PageQuery, Paged,
    Retention, Row, RowId, Span, Tail, Trimmed,
};

use crate::directory::{self, List};
use crate::metrics::Operation;
use crate::store::RedisStore;

#[async_trait]
impl MessageLog for RedisStore {
    async fn open(&self, account: &BareJid, epoch: u64) -> Result<Opened, StoreError> {
        self.wire
            .measured(Operation::OpenLog, self.open_log(account, epoch))
            .await
    }

    async fn tail(&self, account: &BareJid) -> Result<Tail, StoreError> {
        self.wire
            .measured(Operation::ReadLog, self.log_tail(account))
            .await
    }

    async fn append(&self, messages: Vec<NewMessage>) -> Result<Vec<Appended>, StoreError> {
        self.wire
            .measured(Operation::AppendLog, self.append_all(&messages))
            .await
    }

    async fn confirm(&self, account: &BareJid, rows: Vec<RowId>) -> Result<(), StoreError> {
        self.wire
            .measured(Operation::ConfirmLog, self.confirm_rows(account, &rows))
            .await
    }

    async fn read_owed(
        &self,
        account: &BareJid,
        after: Option<RowId>,
        limit: usize,
    ) -> Result<Vec<Row>, StoreError> {
        self.wire
            .measured(
                Operation::ReadLog,
                self.owed_page(account, after, limit, PAGE_BYTES),
            )
            .await
    }

    async fn list_owed(
        &self,
        account: &BareJid,
        after: Option<RowId>,
        limit: usize,
    ) -> Result<Vec<Header>, StoreError> {
        let rows = self.owed_page(account, after, limit, usize::MAX);
        let rows = self.wire.measured(Operation::ReadLog, rows).await?;
        Ok(rows.into_iter().map(Row::into_header).collect())
    }

    async fn owed_rows(
        &self,
        account: &BareJid,
        ids: Vec<RowId>,
    ) -> Result<Vec<Option<Row>>, StoreError> {
        self.wire
            .measured(Operation::ReadLog, self.owed_with(account, &ids))
            .await
    }

    async fn by_origin(
        &self,
        account: &BareJid,
        with: &BareJid,
        origin: Origin,
        limit: usize,
    ) -> Result<Vec<Row>, StoreError> {
        let rows = self.archive_by_origin(account, with, origin, limit);
        self.wire.measured(Operation::ReadLog, rows).await
    }

    async fn page(&self, account: &BareJid, query: PageQuery) -> Result<Paged, StoreError> {
        self.wire
            .measured(Operation::ReadLog, self.archive_page(account, &query))
            .await
    }

    async fn count(
        &self,
        account: &BareJid,
        filter: Filter,
        limit: usize,
    ) -> Result<usize, StoreError> {
        self.wire
            .measured(
                Operation::ReadLog,
                self.archive_count(account, &filter, limit),
            )
            .await
    }

    async fn rows(
        &self,
        account: &BareJid,
        ids: Vec<RowId>,
    ) -> Result<Vec<Option<Row>>, StoreError> {
        self.wire
            .measured(Operation::ReadLog, self.archive_rows(account, &ids))
            .await
    }

    async fn span(&self, account: &BareJid) -> Result<Option<Span>, StoreError> {
        self.wire
            .measured(Operation::ReadLog, self.archive_span(account))
            .await
    }

    async fn replace(
        &self,
        account: &BareJid,
        row: RowId,
        payload: Bytes,
    ) -> Result<bool, StoreError> {
        let replaced = self.replace_payload(account, row, &payload);
        self.wire.measured(Operation::ChangeLog, replaced).await
    }

    async fn trim(
        &self,
        account: &BareJid,
        retention: Retention,
        limit: usize,
    ) -> Result<Trimmed, StoreError> {
        let trimmed = self.trim_log(account, retention, limit);
        self.wire.measured(Operation::ChangeLog, trimmed).await
    }

    async fn logs(
        &self,
        host: &str,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<BareJid>, StoreError> {
        let logs = directory::page(&self.wire, List::Logs, host, after, limit);
        self.wire.measured(Operation::ReadLog, logs).await
    }

    async fn erase(&self, account: &BareJid) -> Result<(), StoreError> {
        self.wire
            .measured(Operation::ChangeLog, self.erase_log(account))
            .await
    }
}
