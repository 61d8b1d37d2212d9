//! What one account asks of the store at once, and the store's answers.

use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;

use futures_util::future::BoxFuture;
use rookery_delivery::Limit;
use rookery_extension::Outcome;
use rookery_stanza::{BareJid, RowId};
use rookery_storage::message_log::{Appended, Header, MessageLog, NewMessage, Row, Tail};
use rookery_storage::{AccountState, DataUpdate, DataWritten, RosterUpdate, Store, StoreError};
use tokio::sync::RwLock;

use super::HomeShard;
use super::message::Noted;
use super::tombstones::Retraction;
use crate::account::{Change, PAGE, Stored, Survey};

/// Everything that one account asks of the store at once.
pub(super) struct Job {
    account: BareJid,
    roster: Option<RosterUpdate>,
    append: Vec<NewMessage>,
    retractions: Vec<Retraction>,
    read: Option<Reading>,
    survey: bool,
    data: Vec<DataUpdate>,
    ask: Option<BoxFuture<'static, Outcome>>,
}

/// Rows that are owed are to be read.
struct Reading {
    /// Those after this one.
    after: Option<RowId>,
}

/// The store's answers to one job.
#[derive(Debug, Default)]
pub(crate) struct Answers {
    roster: Option<Result<bool, StoreError>>,
    /// In order; consumed from the front.
    appended: Option<Result<std::vec::IntoIter<Appended>, StoreError>>,
    page: Option<Result<Vec<Row>, StoreError>>,
    survey: Option<Result<Survey, StoreError>>,
    /// In order.
    data: VecDeque<Result<DataWritten, StoreError>>,
    outcome: Option<Outcome>,
    /// What memory knows of the account may no longer be what the store has.
    pub(super) uncertain: bool,
}

// === impl Job ===

impl Job {
    pub(super) fn new(account: BareJid) -> Self {
        Self {
            account,
            roster: None,
            append: Vec::new(),
            retractions: Vec::new(),
            read: None,
            survey: false,
            data: Vec::new(),
            ask: None,
        }
    }

    /// Adds a change. A batch has at most one change of the roster, one read and one feature at work, at
    /// its end.
    pub(super) fn add(&mut self, change: &mut Change) {
        match change {
            Change::Roster(update) => self.roster = Some(update.clone()),
            Change::Append(append) => {
                self.append.push(append.to_message(&self.account));
                self.retractions.extend(Retraction::in_append(append));
            }
            Change::Read(after) => self.read = Some(Reading { after: *after }),
            Change::Survey(_) => self.survey = true,
            Change::Data(update) => self.data.push(update.clone()),
            Change::Ask(asking) => self.ask = asking.outcome.take(),
        }
    }

    /// Whether it reads what is owed.
    pub(super) fn reads(&self) -> bool {
        self.survey || self.read.is_some()
    }

    /// Does it: first what is written, then what is read, when the confirmations that `confirming` knows are through.
    pub(super) async fn run(
        self,
        store: &dyn Store,
        log: &dyn MessageLog,
        confirming: Option<&RwLock<()>>,
    ) -> Answers {
        let mut answers = Answers::default();
        if let Some(update) = self.roster {
            let updated = store.update_roster(update).await;
            answers.uncertain |= updated != Ok(true);
            answers.roster = Some(updated);
        }
        if !self.append.is_empty() {
            let appended = log.append(self.append).await;
            let fenced = |row: &Appended| matches!(row, Appended::Fenced { .. });
            let is_fenced = |rows: &Vec<Appended>| rows.iter().any(fenced);
            answers.uncertain |= appended.as_ref().map_or(true, is_fenced);
            answers.appended = Some(appended.map(Vec::into_iter));
        }
        // Before anybody hears of it.
        for retraction in self.retractions {
            retraction.carry_out(log, &self.account).await;
        }
        for update in self.data {
            answers.data.push_back(store.update_data(update).await);
        }
        if let Some(ask) = self.ask {
            answers.outcome = Some(ask.await);
        }
        if let Some(confirming) = confirming {
            drop(confirming.write().await);
        }
        if self.survey {
            answers.survey = Some(Survey::read(log, &self.account).await);
        }
        if let Some(Reading { after }) = self.read {
            answers.page = Some(log.read_owed(&self.account, after, PAGE).await);
        }
        answers
    }
}

// === impl Answers ===

impl Answers {
    /// Whatever was asked, nothing is known of it.
    pub(super) fn none() -> Self {
        Self {
            uncertain: true,
            ..Self::default()
        }
    }

    /// The answer to a change, asked in the order of the changes. What was not done has failed.
    pub(super) fn next(&mut self, change: &Change) -> Stored {
        match change {
            Change::Roster(_) => match self.roster.take() {
                Some(Ok(true)) => Stored::Done,
                Some(Ok(false)) => Stored::Refused,
                Some(Err(_)) | None => Stored::Failed,
            },
            Change::Append(_) => match self.appended.as_mut() {
                Some(Ok(appended)) => match appended.next() {
                    Some(Appended::At(row) | Appended::Repeat(row)) => Stored::At(row),
                    Some(Appended::Fenced { .. }) | None => Stored::Failed,
                },
                Some(Err(_)) | None => Stored::Failed,
            },
            Change::Data(_) => match self.data.pop_front() {
                Some(Ok(DataWritten::Done)) => Stored::Done,
                Some(Ok(DataWritten::Full | DataWritten::NoSuchAccount)) => Stored::Refused,
                Some(Err(_)) | None => Stored::Failed,
            },
            Change::Ask(_) => match self.outcome.take() {
                Some(outcome) => Stored::Outcome(Box::new(outcome)),
                None => Stored::Failed,
            },
            Change::Read(_) => match self.page.take() {
                Some(Ok(page)) => Stored::Page(page),
                Some(Err(_)) | None => Stored::Failed,
            },
            Change::Survey(_) => match self.survey.take() {
                Some(Ok(survey)) => Stored::Surveyed(Box::new(survey)),
                Some(Err(_)) | None => Stored::Failed,
            },
        }
    }
}

// === impl Survey ===

impl Survey {
    /// Where the archive of an account begins and ends, and everything that it is owed.
    pub(crate) async fn read(log: &dyn MessageLog, account: &BareJid) -> Result<Self, StoreError> {
        let span = log.span(account).await?;
        let mut owed = Vec::new();
        loop {
            let after = owed.last().map(|row: &Header| row.id);
            let page = log.list_owed(account, after, PAGE).await?;
            let is_last = page.len() < PAGE;
            owed.extend(page);
            if is_last {
                return Ok(Self { span, owed });
            }
        }
    }
}

// === impl HomeShard ===

impl HomeShard {
    /// Has the log note what clients have. Nothing waits for it but who reads what is owed.
    pub(super) fn confirm(&mut self, account: &BareJid, rows: Vec<RowId>) {
        self.note(account, rows, false);
    }

    /// Has the log note what clients have. The account hears of it when that fails, or works at last.
    fn note(&mut self, account: &BareJid, rows: Vec<RowId>, again: bool) {
        let Some(slot) = self.slots.of(account) else {
            return;
        };
        let confirming = slot.confirming().try_read_owned();
        let (log, account) = (Arc::clone(&self.log), account.clone());
        let (index, shards) = (self.index, Arc::clone(&self.shards));
        let task = async move {
            let noted = log.confirm(&account, rows.clone()).await;
            if let Err(error) = &noted {
                tracing::warn!(%account, %error, "what clients have could not be noted");
            }
            let is_noted = noted.is_ok();
            if is_noted == again {
                let noted = Noted {
                    account,
                    rows,
                    is_noted,
                };
                shards.tell(index, noted).await;
            }
            drop(confirming);
        };
        if self.scope.spawn("log-confirm", task).is_err() {
            self.metrics.shared.exceeded(Limit::Tasks);
        }
    }

    /// The log has noted what clients have, at the second attempt, or has not.
    pub(super) fn noted(&mut self, noted: Noted) {
        let Some(slot) = self.slots.of(&noted.account) else {
            return;
        };
        if noted.is_noted {
            return slot.account.noted(&noted.rows);
        }
        slot.account.not_noted(noted.rows);
        self.unnoted.insert(noted.account);
    }

    /// Asks the log once more to note what it could not.
    pub(super) fn confirm_again(&mut self) {
        for account in std::mem::take(&mut self.unnoted) {
            let Some(slot) = self.slots.of(&account) else {
                continue;
            };
            let rows = slot.account.unnoted();
            if rows.is_empty() {
                continue;
            }
            // Not while it is at it, nor while it reads: what it noted in between would be handed over again.
            if slot.busy.is_none() && !slot.confirms() {
                self.note(&account, rows, true);
            }
            self.unnoted.insert(account);
        }
    }
}

/// Reads an account, and the end of its log; `None` when there is no such account.
pub(super) async fn read_account(
    store: &dyn Store,
    log: &dyn MessageLog,
    account: &BareJid,
    kinds: &[&'static str],
) -> Result<Option<(AccountState, Tail)>, StoreError> {
    let Some(state) = store.load_account(account, kinds).await? else {
        return Ok(None);
    };
    Ok(Some((state, log.tail(account).await?)))
}

impl fmt::Debug for Job {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Job")
            .field("account", &self.account)
            .finish_non_exhaustive()
    }
}
