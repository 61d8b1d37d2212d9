//! The records that features keep for an account, and what a requester is told when that does not work.

use std::sync::Arc;

use prost::Message;
use rookery_stanza::{BareJid, Condition, StanzaError};
use rookery_storage::record::{Record, RecordError};
use rookery_storage::{DataUpdate, DataWrite, DataWritten, Datum, Store, StoreError};
use rookery_xml::{Element, Limits, StreamNamespaces};

/// Reads and writes the records of accounts, none of which may have more bytes than an account is allowed.
#[derive(Clone, Debug)]
pub(crate) struct AccountRecords {
    store: Arc<dyn Store>,
    bytes_per_account: u64,
}

/// A record that is an element as a client sent it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct StoredElement(pub(crate) Element);

#[derive(Clone, PartialEq, Message)]
struct StoredElementMessage {
    #[prost(bytes = "vec", tag = "1")]
    xml: Vec<u8>,
}

/// What was stored has passed the limits of a stream once; only recursion is bounded again.
const STORED: Limits = Limits {
    max_stanza_bytes: usize::MAX,
    max_depth: 1024,
    max_attributes: usize::MAX,
    max_namespaces: usize::MAX,
    max_name_bytes: usize::MAX,
};

// === impl AccountRecords ===

impl AccountRecords {
    pub(crate) fn new(store: Arc<dyn Store>, bytes_per_account: u64) -> Self {
        Self {
            store,
            bytes_per_account,
        }
    }

    /// The records of a kind; with a `name`, the one that has it.
    pub(crate) async fn read(
        &self,
        account: &BareJid,
        kind: &'static str,
        name: Option<&str>,
    ) -> Result<Vec<Datum>, StanzaError> {
        let read = self.store.read_data(account, kind, name).await;
        read.map_err(|error| refusal(&error))
    }

    /// Makes the changes, all or none; afterwards they are durable.
    pub(crate) async fn write(
        &self,
        account: BareJid,
        writes: Vec<DataWrite>,
    ) -> Result<(), StanzaError> {
        let limit = self.bytes_per_account;
        let update = DataUpdate {
            account,
            writes,
            limit,
        };
        match self.store.update_data(update).await {
            Ok(DataWritten::Done) => Ok(()),
            // A guest, or an account that was removed just now.
            Ok(DataWritten::NoSuchAccount) => Err(Condition::ServiceUnavailable.into()),
            Ok(DataWritten::Full) => {
                Err(StanzaError::new(Condition::ResourceConstraint)
                    .with_text("the account is full"))
            }
            Err(error) => Err(refusal(&error)),
        }
    }
}

/// What a requester is told when the store fails.
pub(crate) fn refusal(error: &StoreError) -> StanzaError {
    match error {
        StoreError::Unavailable(_) => Condition::ResourceConstraint.into(),
        StoreError::Corrupt(_) => Condition::InternalServerError.into(),
    }
}

// === impl StoredElement ===

impl Record for StoredElement {
    const NAME: &'static str = "stored element";
    const VERSION: u32 = 1;

    fn encode_body(&self) -> Vec<u8> {
        let xml = self.0.to_bytes("").to_vec();
        StoredElementMessage { xml }.encode_to_vec()
    }

    fn decode_body(body: &[u8]) -> Result<Self, RecordError> {
        let StoredElementMessage { xml } = StoredElementMessage::decode(body)?;
        Element::parse(&xml, &StreamNamespaces::default(), &STORED)
            .map(Self)
            .map_err(|_| RecordError::Field("it is not an element"))
    }
}
