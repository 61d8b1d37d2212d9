//! The port of offline messages, which are in the message log: nothing is kept here.

use async_trait::async_trait;
use rookery_stanza::BareJid;
use rookery_storage::{Append, Appended, OfflineLimit, OfflineStore, Queued, StoreError};

use crate::store::RedisStore;

#[async_trait]
impl OfflineStore for RedisStore {
    async fn append_offline(
        &self,
        _: Vec<Append>,
        _: OfflineLimit,
    ) -> Result<Vec<Appended>, StoreError> {
        Err(StoreError::Unavailable(
            "messages are kept in the message log".to_owned(),
        ))
    }

    async fn read_offline(&self, _: &BareJid, _: u64, _: usize) -> Result<Vec<Queued>, StoreError> {
        Ok(Vec::new())
    }

    async fn remove_offline(&self, _: &BareJid, _: u64) -> Result<(), StoreError> {
        Ok(())
    }
}
