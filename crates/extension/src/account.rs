//! The account at whose home a feature is at work, and what features keep in memory for it.

use std::any::{Any, TypeId};
use std::fmt;
use std::sync::Arc;

use rookery_stanza::{BareJid, Jid};
use rookery_storage::{Datum, StoreError, Subscription};

use crate::sessions::{SessionView, Sessions};

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

/// What a feature keeps in memory about the sessions of an account. No record says it: it stays when the
/// account is read from the store again, and the feature drops what it knows of a session that goes.
pub trait SessionData: Any + Send + Sync + fmt::Debug {}

/// What the features keep in memory for one account.
#[derive(Clone, Default)]
pub struct Kept {
    list: Vec<Item>,
}

/// What one feature keeps.
#[derive(Clone)]
struct Item {
    of: TypeId,
    /// Whether it is made from records.
    recorded: bool,
    data: Arc<dyn Any + Send + Sync>,
}

/// A change of what one feature keeps for an account.
#[derive(Clone)]
pub struct Keep {
    of: TypeId,
    item: Option<Item>,
}

/// The roster of an account, as features see it.
pub trait Roster: Send + Sync + fmt::Debug {
    /// Whether the bare address of `jid` is among the contacts that clients see (RFC 6121 §2).
    fn lists(&self, jid: &Jid) -> bool;

    /// The state of the subscription with the bare address of `jid`; that of strangers is none.
    fn subscription(&self, jid: &Jid) -> Subscription;

    /// Whether the contact with the bare address of `jid` is in this group; with `None`, whether any is.
    fn is_in_group(&self, jid: Option<&Jid>, group: &str) -> bool;

    /// Everybody who receives the account's presence.
    fn subscribers(&self) -> Vec<Jid>;

    /// Everybody whose presence the account receives.
    fn subscriptions(&self) -> Vec<Jid>;
}

/// A roster without contacts.
#[derive(Clone, Copy, Debug)]
pub struct EmptyRoster;

/// The account at whose home something is handled: the addressed one, or the one that sends to a host.
#[derive(Clone, Copy, Debug)]
pub struct AccountView<'a> {
    /// Which account.
    pub jid: &'a BareJid,
    /// What the features keep for it.
    pub kept: &'a Kept,
    /// Its contacts.
    pub roster: &'a dyn Roster,
    /// Its sessions.
    pub sessions: &'a dyn Sessions,
    /// Whether it has an available resource.
    pub available: bool,
    /// The time, in unix milliseconds.
    pub now: u64,
}

// === impl EmptyRoster ===

impl Roster for EmptyRoster {
    fn lists(&self, _: &Jid) -> bool {
        false
    }

    fn subscription(&self, _: &Jid) -> Subscription {
        Subscription::None
    }

    fn is_in_group(&self, _: Option<&Jid>, _: &str) -> bool {
        false
    }

    fn subscribers(&self) -> Vec<Jid> {
        Vec::new()
    }

    fn subscriptions(&self) -> Vec<Jid> {
        Vec::new()
    }
}

// === impl AccountView ===

impl<'a> AccountView<'a> {
    /// The session that has this full JID.
    pub fn session(&self, jid: &Jid) -> Option<SessionView<'a>> {
        let mut found = None;
        self.sessions.each(&mut |session| {
            if session.jid == jid {
                found = Some(session);
            }
        });
        found
    }
}

// === impl Kept ===

impl Kept {
    /// Nothing.
    pub const NOTHING: &'static Self = &Self { list: Vec::new() };

    /// What the feature keeps for the account, if anything.
    pub fn get<T: Any + Send + Sync>(&self) -> Option<&T> {
        let of = TypeId::of::<T>();
        let item = self.list.iter().find(|item| item.of == of)?;
        item.data.downcast_ref()
    }

    /// Makes a change.
    pub fn apply(&mut self, Keep { of, item }: Keep) {
        self.list.retain(|kept| kept.of != of);
        self.list.extend(item);
        self.list.shrink_to_fit();
    }

    /// The records were read once more: what is made from them is this now.
    pub fn read_again(&mut self, recorded: Self) {
        self.list.retain(|item| !item.recorded);
        self.list.extend(recorded.list);
        self.list.shrink_to_fit();
    }
}

// === impl Keep ===

impl Keep {
    /// From now on the feature keeps this for the account, or nothing.
    pub fn new<T: AccountData>(data: Option<T>) -> Self {
        Self::made(data, true)
    }

    /// From now on the feature keeps this about the account's sessions, or nothing.
    pub fn about_sessions<T: SessionData>(data: Option<T>) -> Self {
        Self::made(data, false)
    }

    fn made<T: Any + Send + Sync>(data: Option<T>, recorded: bool) -> Self {
        let of = TypeId::of::<T>();
        let item = data.map(|data| Item {
            of,
            recorded,
            data: Arc::new(data),
        });
        Self { of, item }
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
            .field("anything", &self.item.is_some())
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

    #[derive(Debug, PartialEq)]
    struct Seen(&'static str);

    impl SessionData for Seen {}

    #[test]
    fn what_is_known_of_sessions_stays_when_records_are_read_again() {
        let mut kept = Kept::default();
        kept.apply(Keep::about_sessions(Some(Seen("balcony"))));
        kept.apply(Keep::new(Some(Noted(1))));
        kept.read_again(Kept::default());
        assert_eq!(kept.get::<Noted>(), None);
        assert_eq!(kept.get::<Seen>(), Some(&Seen("balcony")));
        let mut recorded = Kept::default();
        recorded.apply(Keep::new(Some(Noted(2))));
        kept.read_again(recorded);
        assert_eq!(kept.get::<Noted>(), Some(&Noted(2)));
        assert_eq!(kept.get::<Seen>(), Some(&Seen("balcony")));
        kept.apply(Keep::about_sessions(None::<Seen>));
        assert_eq!(kept.get::<Seen>(), None);
    }
}
