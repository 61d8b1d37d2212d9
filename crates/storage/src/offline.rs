//! Messages kept for accounts that are away (XEP-0160).

use async_trait::async_trait;
use rookery_stanza::BareJid;

use crate::error::StoreError;

/// A message as it is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OfflineMessage {
    /// When the server received it, in milliseconds since 1970-01-01T00:00:00Z.
    pub received: u64,
    /// The whole `<message/>` in the namespace `jabber:client`, as it would be written to a client.
    pub xml: Vec<u8>,
}

/// A message to append to the queue of an account.
#[derive(Clone, Debug)]
pub struct Append {
    /// Whose queue.
    pub account: BareJid,
    /// What.
    pub message: OfflineMessage,
}

/// What the queue of one account may hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OfflineLimit {
    /// Messages.
    pub messages: usize,
    /// Bytes of their records.
    pub bytes: u64,
}

/// What came of appending a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Appended {
    /// It is durable, at this position of the account's queue; positions only rise.
    At(u64),
    /// The queue holds as much as it may.
    QueueFull,
    /// There is no such account.
    NoSuchAccount,
}

/// A message with its position in the queue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Queued {
    /// Its position.
    pub position: u64,
    /// The message.
    pub message: OfflineMessage,
}

impl OfflineLimit {
    /// As much as there is room for.
    pub const NONE: Self = Self {
        messages: usize::MAX,
        bytes: u64::MAX,
    };
}

/// The queues of messages for accounts that are away.
#[async_trait]
pub trait OfflineStore: Send + Sync {
    /// Appends messages in order, each to its queue unless that would then hold more than `limit`; the
    /// answers are in the order of the messages.
    async fn append_offline(
        &self,
        messages: Vec<Append>,
        limit: OfflineLimit,
    ) -> Result<Vec<Appended>, StoreError>;

    /// Up to `limit` messages of the queue in order, those after the position `after`.
    async fn read_offline(
        &self,
        account: &BareJid,
        after: u64,
        limit: usize,
    ) -> Result<Vec<Queued>, StoreError>;

    /// Removes the messages up to and including the position `up_to`.
    async fn remove_offline(&self, account: &BareJid, up_to: u64) -> Result<(), StoreError>;
}
