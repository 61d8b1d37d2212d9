//! What the writer keeps at hand of accounts: who their home is, their last id, and what has arrived lately.

use std::collections::HashMap;
use std::sync::Arc;

use rookery_stanza::BareJid;
use rookery_storage::StoreError;
use rookery_storage::message_log::{IngressId, RowId, Tail as LogTail};
use rusqlite::Connection;

use super::failure;
use super::index::Found;
use super::tail::Tail;
use super::view::{self, Home, View};

/// How many accounts are kept at hand.
const ACCOUNTS: usize = 1 << 16;
/// How many sessions are remembered of an account before those of the last hour are read anew.
const SESSIONS: usize = 256;

/// Accounts at hand, and the way to all others.
#[derive(Debug)]
pub(crate) struct Homes {
    tail: Arc<Tail>,
    connection: Connection,
    kept: HashMap<BareJid, Kept>,
    /// Accounts for which more sessions are remembered than need be.
    stale: Vec<BareJid>,
}

/// An account at hand.
#[derive(Debug)]
struct Kept {
    home: Home,
    /// Asked for since the last sweep.
    used: bool,
    /// From how many sessions on its arrivals are read anew.
    sessions: usize,
}

// === impl Homes ===

impl Homes {
    pub(crate) fn new(tail: Arc<Tail>, connection: Connection) -> Self {
        Self {
            tail,
            connection,
            kept: HashMap::new(),
            stale: Vec::new(),
        }
    }

    /// What is known of an account that something arrives for at `now`.
    pub(crate) fn get(&mut self, account: &BareJid, now: u64) -> Result<&mut Home, StoreError> {
        if !self.kept.contains_key(account) {
            self.load(account, now)?;
        }
        let kept = self.kept.get_mut(account);
        let kept = kept.ok_or_else(|| StoreError::Unavailable("no account".to_owned()))?;
        kept.used = true;
        if kept.home.arrivals.len() == kept.sessions {
            self.stale.push(account.clone());
        }
        Ok(&mut kept.home)
    }

    fn load(&mut self, account: &BareJid, now: u64) -> Result<(), StoreError> {
        let home = self.look(account, |view| view.home(now))?;
        let kept = Kept {
            used: true,
            sessions: SESSIONS + 2 * home.arrivals.len(),
            home,
        };
        self.kept.insert(account.clone(), kept);
        Ok(())
    }

    /// The row by which this arrived in the account's log within the hour before `now`, as far as it was
    /// written.
    pub(crate) fn arrived(
        &self,
        account: &BareJid,
        ingress: IngressId,
        now: u64,
    ) -> Result<Option<RowId>, StoreError> {
        self.look(account, |view| view.arrived(ingress, now))
    }

    /// The end of an account's log.
    pub(crate) fn tail(&self, account: &BareJid) -> Result<LogTail, StoreError> {
        #[expect(
            clippy::redundant_closure_for_method_calls,
            reason = "the method is of one lifetime"
        )]
        self.look(account, |view| view.tail())
    }

    /// Where a row lies that something keeps.
    pub(crate) fn find(&self, account: &str, id: RowId) -> Result<Option<Found>, StoreError> {
        let found = view::look(&self.connection, &self.tail, account, |view| view.by_id(id));
        let found = found.map_err(failure::of_sqlite)?;
        Ok(found.filter(|found| found.archived || found.owed))
    }

    fn look<T>(
        &self,
        account: &BareJid,
        work: impl FnOnce(&View<'_>) -> rusqlite::Result<T>,
    ) -> Result<T, StoreError> {
        view::look(&self.connection, &self.tail, account.as_str(), work).map_err(failure::of_sqlite)
    }

    /// Forgets what is at hand of an account, so that it is read anew.
    pub(crate) fn forget(&mut self, account: &BareJid) {
        self.kept.remove(account);
    }

    /// Forgets all accounts.
    pub(crate) fn forget_all(&mut self) {
        self.kept.clear();
    }

    /// Forgets accounts that were not asked for lately, when there are many. Not while a group is being put
    /// together: nothing else knows of it.
    pub(crate) fn sweep(&mut self) {
        for account in self.stale.drain(..) {
            self.kept.remove(&account);
        }
        if self.kept.len() <= ACCOUNTS {
            return;
        }
        self.kept
            .retain(|_, kept| std::mem::replace(&mut kept.used, false));
        if self.kept.len() > ACCOUNTS / 2 {
            self.kept.clear();
        }
    }
}
