//! The addresses that an account blocks, and which others they cover (§6).

use std::collections::BTreeSet;

use rookery_extension::AccountData;
use rookery_stanza::{BareJid, Jid};
use rookery_storage::record::{Record, RecordError};
use rookery_storage::{DataWrite, Datum, StoreError};

/// The kind of the records: one for each address, which is its name.
const KIND: &str = "blocking";

/// Whom an account keeps out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct BlockList {
    jids: BTreeSet<Jid>,
}

/// The record of an address that is blocked. There is nothing more to say about it.
struct Blocked;

/// The record that puts an address on the list.
pub(crate) fn put(jid: &Jid) -> DataWrite {
    DataWrite::Put {
        kind: KIND,
        name: jid.to_string(),
        value: Blocked.to_record(),
        terms: Vec::new(),
    }
}

/// Takes an address from the list.
pub(crate) fn remove(jid: &Jid) -> DataWrite {
    DataWrite::Remove {
        kind: KIND,
        name: jid.to_string(),
    }
}

/// Takes all addresses from the list.
pub(super) fn clear() -> DataWrite {
    DataWrite::Clear { kind: KIND }
}

/// Whether an address is one of the account's, or its own server. Nobody can keep out oneself (§5, note),
/// nor whoever speaks for the account.
pub(crate) fn is_own(account: &BareJid, jid: &Jid) -> bool {
    jid.bare_str() == account.as_str() || jid.bare_str() == account.domain()
}

// === impl BlockList ===

impl BlockList {
    /// Whether the address is covered: named itself, or by its bare address, or by its domain (§6). An
    /// address with a resource on the list covers that resource only.
    pub(crate) fn blocks(&self, jid: &Jid) -> bool {
        let named = |text: &str| self.jids.contains(text);
        named(jid.as_str()) || named(jid.bare_str()) || named(jid.domain())
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Jid> {
        self.jids.iter()
    }

    /// Whether it is on the list itself.
    pub(crate) fn contains(&self, jid: &Jid) -> bool {
        self.jids.contains(jid)
    }

    pub(super) fn len(&self) -> usize {
        self.jids.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.jids.is_empty()
    }

    /// Whether it is new on the list.
    pub(super) fn insert(&mut self, jid: Jid) -> bool {
        self.jids.insert(jid)
    }

    /// Whether it was on the list.
    pub(super) fn remove(&mut self, jid: &Jid) -> bool {
        self.jids.remove(jid)
    }

    pub(super) fn take_all(&mut self) -> Vec<Jid> {
        std::mem::take(&mut self.jids).into_iter().collect()
    }
}

impl FromIterator<Jid> for BlockList {
    fn from_iter<T: IntoIterator<Item = Jid>>(jids: T) -> Self {
        Self {
            jids: jids.into_iter().collect(),
        }
    }
}

impl AccountData for BlockList {
    const KIND: &'static str = KIND;

    fn read(records: &[Datum]) -> Result<Option<Self>, StoreError> {
        let read = |datum: &Datum| {
            Blocked::from_record(&datum.value)?;
            let corrupt =
                |_| StoreError::Corrupt(format!("{}: its name is no address", Blocked::NAME));
            Jid::parse(&datum.name).map_err(corrupt)
        };
        let jids: BTreeSet<Jid> = records.iter().map(read).collect::<Result<_, _>>()?;
        Ok((!jids.is_empty()).then_some(Self { jids }))
    }
}

// === impl Blocked ===

impl Record for Blocked {
    const NAME: &'static str = "blocked address";
    const VERSION: u32 = 1;

    fn encode_body(&self) -> Vec<u8> {
        Vec::new()
    }

    fn decode_body(_body: &[u8]) -> Result<Self, RecordError> {
        Ok(Self)
    }
}
