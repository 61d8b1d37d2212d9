//! The message log: one ordered log for each account, which is its archive (XEP-0313), its offline messages
//! (XEP-0160), and what a lost session had not confirmed (XEP-0198).
//!
//! A row is kept because it is in the archive, because it is owed, or for both reasons. It stops being owed when
//! somebody whom it was routed to confirms it: what an account has been delivered is everything below its first owed row,
//! and whatever is not owed above. A row that is kept for no reason any more is not read again; its ingress id is
//! remembered for an hour after the append.

mod memory;
mod query;
mod row;
mod salts;

pub use memory::MemoryLog;
pub use query::{End, Filter, Page, PageQuery, Paged, Retention, Span, Trimmed};
pub use rookery_stanza::{NotARowId, RowId};
pub use row::{Appended, Header, IngressId, NewMessage, NewRow, Origin, Purpose, Row};
pub use salts::Salts;

use std::fmt;

use async_trait::async_trait;
use bytes::Bytes;
use rookery_stanza::BareJid;

use crate::error::StoreError;

/// How long an ingress id is remembered after the append, in milliseconds.
pub const REMEMBERED: u64 = 60 * 60 * 1000;

/// A page ends with the row with which its payloads come to as many bytes as this, even if more rows were asked for: it
/// has at least one row, and takes no more memory than this and one payload.
pub const PAGE_BYTES: usize = 1 << 20;

/// How many rows with one correspondent are looked through for a message that one of them is about; who takes back an
/// older message leaves it in the archive.
pub const ORIGINS: usize = 10_000;

/// What came of opening a log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Opened {
    /// The caller is the account's home from now on.
    Home(Tail),
    /// A later home has opened the log.
    Fenced {
        /// The epoch of the log.
        epoch: u64,
    },
}

/// The end of a log.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tail {
    /// The id of the last row that was ever appended, whether or not it is still there.
    pub last: Option<RowId>,
    /// How many rows are owed.
    pub owed: u64,
}

/// The logs of all accounts.
///
/// A log comes into being with its first row, or when it is opened; whether there is such an account is not its affair.
/// Appends whose first rows are for the same account take effect in the order in which their futures are first polled; an
/// account for which very much is appended at once waits for itself, and others do not wait for it. What was appended is
/// seen by every read that begins after the answer.
#[async_trait]
pub trait MessageLog: Send + Sync + fmt::Debug {
    /// Makes the caller the home of the account: from now on only appends of this epoch are taken. The answer is
    /// durable, and as of the moment when the epoch changed. A log that was never opened has the epoch 0.
    async fn open(&self, account: &BareJid, epoch: u64) -> Result<Opened, StoreError>;

    /// The end of the log of an account. Asked at every login: nothing is written, and a log that does not exist costs
    /// next to nothing.
    async fn tail(&self, account: &BareJid) -> Result<Tail, StoreError>;

    /// Appends messages in order; one answer for each row, in the order of the messages and of their rows. Waits as
    /// long as too much waits already, and then until all of it is durable. After an error any of the messages may have
    /// been appended: asking again is answered with the rows of those that were.
    async fn append(&self, messages: Vec<NewMessage>) -> Result<Vec<Appended>, StoreError>;

    /// Makes rows not owed. Seen at once and made durable a little later: a crash may undo it, so that a message is
    /// delivered again. Ids that are unknown or not owed are passed over.
    async fn confirm(&self, account: &BareJid, rows: Vec<RowId>) -> Result<(), StoreError>;

    /// Up to `limit` rows that are owed, in order, those after `after`: as many as [`PAGE_BYTES`] allow.
    async fn read_owed(
        &self,
        account: &BareJid,
        after: Option<RowId>,
        limit: usize,
    ) -> Result<Vec<Row>, StoreError>;

    /// Up to `limit` of these rows without their payloads (XEP-0013 §2.3), however large those are.
    async fn list_owed(
        &self,
        account: &BareJid,
        after: Option<RowId>,
        limit: usize,
    ) -> Result<Vec<Header>, StoreError>;

    /// The owed rows with these ids, in their order; nothing in place of one that is not owed.
    async fn owed_rows(
        &self,
        account: &BareJid,
        ids: Vec<RowId>,
    ) -> Result<Vec<Option<Row>>, StoreError>;

    /// Up to `limit` rows of the archive whose messages have this origin, newest first, among the [`ORIGINS`] newest that
    /// were exchanged with `with`, whatever its resource. Others may be among them: their ids tell them apart.
    async fn by_origin(
        &self,
        account: &BareJid,
        with: &BareJid,
        origin: Origin,
        limit: usize,
    ) -> Result<Vec<Row>, StoreError>;

    /// A page of the archive, which is no larger than [`PAGE_BYTES`] allow.
    async fn page(&self, account: &BareJid, query: PageQuery) -> Result<Paged, StoreError>;

    /// How many rows of the archive match, counted up to `limit`.
    async fn count(
        &self,
        account: &BareJid,
        filter: Filter,
        limit: usize,
    ) -> Result<usize, StoreError>;

    /// The rows of the archive with these ids, in their order; nothing in place of one that is not there.
    async fn rows(
        &self,
        account: &BareJid,
        ids: Vec<RowId>,
    ) -> Result<Vec<Option<Row>>, StoreError>;

    /// The first and the last row of the archive, if it has any.
    async fn span(&self, account: &BareJid) -> Result<Option<Span>, StoreError>;

    /// Puts another payload in the place of that of a row in the archive, or one that is owed: a tombstone. Whether
    /// there is such a row. The bytes of the earlier payload are given up with the place that they lie in.
    async fn replace(
        &self,
        account: &BareJid,
        row: RowId,
        payload: Bytes,
    ) -> Result<bool, StoreError>;

    /// One step of retention: takes up to `limit` rows out of the archive, gives up owed ones that are too old, and
    /// forgets those that nothing keeps.
    async fn trim(
        &self,
        account: &BareJid,
        retention: Retention,
        limit: usize,
    ) -> Result<Trimmed, StoreError>;

    /// Up to `limit` accounts of `host` that have a log, in the order of their localparts, those after `after`.
    async fn logs(
        &self,
        host: &str,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<BareJid>, StoreError>;

    /// Removes the log of an account, with everything that is in it.
    async fn erase(&self, account: &BareJid) -> Result<(), StoreError>;
}
