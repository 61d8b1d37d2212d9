//! The account at whose home a feature is at work, and what features keep in memory for it.

use std::any::{Any, TypeId};
use std::fmt;
use std::sync::Arc;

use rookery_stanza::BareJid;
use rookery_storage::{Datum, StoreError};

/// What a feature keeps in memory for each account whose home is on this node: read together with the
/// roster, so that it can be looked at without waiting.
///
/// Most accounts have none, and those cost nothing.
pub trait AccountData: Any + Send + Sync + fmt::Debug + Sized {
    /// The kind of the records that it is made from; no two features have the same.
    const KIND: &'static str;

    /// Makes it from the records of this kind; `None` when there is nothing to remember.
    ///
    /// # Errors
    /// A record cannot be read. The account is then not served until it can: a filter must not forget
    /// whom to keep out.
    fn read(records: &[Datum]) -> Result<Option<Self>, StoreError>;
}

/// What the features keep in memory for one account.
#[derive(Clone, Default)]
pub struct Kept {
    list: Vec<(TypeId, Arc<dyn Any + Send + Sync>)>,
}

/// A change of what one feature keeps for an account.
#[derive(Clone)]
pub struct Keep {
    of: TypeId,
    data: Option<Arc<dyn Any + Send + Sync>>,
}

/// The account at whose home something is handled: the addressed one, or the one that sends to a host.
#[derive(Clone, Copy, Debug)]
pub struct AccountView<'a> {
    /// Which account.
    pub jid: &'a BareJid,
    /// What the features keep for it.
    pub kept: &'a Kept,
    /// Whether it has an available resource.
    pub available: bool,
    /// The time, in unix milliseconds.
    pub now: u64,
}

// === impl Kept ===

impl Kept {
    /// Nothing.
    pub const NOTHING: &'static Self = &Self { list: Vec::new() };

    /// What the feature keeps for the account, if anything.
    pub fn get<T: AccountData>(&self) -> Option<&T> {
        let of = TypeId::of::<T>();
        let (_, data) = self.list.iter().find(|(kept, _)| *kept == of)?;
        data.downcast_ref()
    }

    /// Makes a change.
    pub fn apply(&mut self, Keep { of, data }: Keep) {
        self.list.retain(|(kept, _)| *kept != of);
        self.list.extend(data.map(|data| (of, data)));
        self.list.shrink_to_fit();
    }
}

// === impl Keep ===

fn erased<T: AccountData>(data: T) -> Arc<dyn Any + Send + Sync> {
    Arc::new(data)
}

impl Keep {
    /// From now on the feature keeps this for the account, or nothing.
    pub fn new<T: AccountData>(data: Option<T>) -> Self {
        Self {
            of: TypeId::of::<T>(),
            data: data.map(erased),
        }
    }
}

impl fmt::Debug for Kept {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Kept")
            .field("features", &self.list.len())
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Keep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keep")
            .field("anything", &self.data.is_some())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, PartialEq)]
    struct Noted(usize);

    impl AccountData for Noted {
        const KIND: &'static str = "noted";

        fn read(records: &[Datum]) -> Result<Option<Self>, StoreError> {
            Ok(records.first().map(|datum| Self(datum.value.len())))
        }
    }

    #[test]
    fn what_is_kept_is_found_by_its_type_and_can_be_dropped() {
        let mut kept = Kept::default();
        assert_eq!(kept.get::<Noted>(), None);
        kept.apply(Keep::new(Some(Noted(1))));
        kept.apply(Keep::new(Some(Noted(2))));
        assert_eq!(kept.get::<Noted>(), Some(&Noted(2)));
        kept.apply(Keep::new(None::<Noted>));
        assert_eq!(kept.get::<Noted>(), None);
    }
}
