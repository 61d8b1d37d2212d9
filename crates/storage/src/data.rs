//! Small records that features keep for an account: private XML, a vCard, a block list.
//!
//! A feature names its records by a kind of its own; what is in them is its affair. So a feature that keeps
//! something needs no change in any adapter.

use async_trait::async_trait;
use rookery_stanza::BareJid;

use crate::error::StoreError;
use crate::roster::Roster;

/// One record of an account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Datum {
    /// The kind of record; each belongs to one feature.
    pub kind: String,
    /// Its name among those of its kind; empty where an account has one of the kind.
    pub name: String,
    /// Its content: a [`Record`](crate::record::Record) of the feature.
    pub value: Vec<u8>,
}

/// What a record can be found by, over all accounts of a host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Term {
    /// The field, such as `nick`.
    pub field: &'static str,
    /// Its text, folded by the feature so that what shall match is equal.
    pub text: String,
}

/// One change to the records of an account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DataWrite {
    /// Puts a record in the place of the one of its kind and name, if any.
    Put {
        /// The kind.
        kind: &'static str,
        /// The name.
        name: String,
        /// The content.
        value: Vec<u8>,
        /// What it can be found by, in place of the earlier ones.
        terms: Vec<Term>,
    },
    /// Removes a record and what it can be found by, if there is one.
    Remove {
        /// The kind.
        kind: &'static str,
        /// The name.
        name: String,
    },
    /// Removes all records of a kind.
    Clear {
        /// The kind.
        kind: &'static str,
    },
}

/// Changes to the records of one account, made all or none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DataUpdate {
    /// Whose records.
    pub account: BareJid,
    /// The changes in order.
    pub writes: Vec<DataWrite>,
    /// The most bytes that all records of the account may have afterwards, their names counted; an update
    /// that makes them fewer is always allowed.
    pub limit: u64,
}

/// What came of an update.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DataWritten {
    /// It is durable.
    Done,
    /// There is no such account (any more); nothing was changed.
    NoSuchAccount,
    /// The account's records would exceed the limit; nothing was changed.
    Full,
}

/// What the home of an account works with while the account is in memory.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AccountState {
    /// Its roster; an empty one if nothing was stored.
    pub roster: Roster,
    /// The records of the kinds that were asked for, in the order of kind and name.
    pub data: Vec<Datum>,
    /// Whether messages are kept for it.
    pub has_messages: bool,
}

/// The records of all accounts.
#[async_trait]
pub trait DataStore: Send + Sync {
    /// What the home of an account works with, all as of one moment: the roster, the records of these
    /// kinds, and whether messages are kept. `None` when there is no such account.
    async fn load_account(
        &self,
        account: &BareJid,
        kinds: &[&'static str],
    ) -> Result<Option<AccountState>, StoreError>;

    /// The records of a kind, in the order of their names; with a `name`, the one that has it. None when
    /// there is no such account.
    async fn read_data(
        &self,
        account: &BareJid,
        kind: &'static str,
        name: Option<&str>,
    ) -> Result<Vec<Datum>, StoreError>;

    /// Makes the changes.
    async fn update_data(&self, update: DataUpdate) -> Result<DataWritten, StoreError>;

    /// Up to `limit` records of a kind of the accounts of `host` that each have, for each of `terms`, a
    /// term of the same field whose text begins with that text; in the order of the accounts' localparts.
    /// Without terms, all records of the kind that have any term.
    async fn find_data(
        &self,
        host: &str,
        kind: &'static str,
        terms: Vec<Term>,
        limit: usize,
    ) -> Result<Vec<(BareJid, Datum)>, StoreError>;
}
