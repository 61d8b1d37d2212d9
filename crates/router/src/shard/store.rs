//! What one account asks of the store at once, and the store's answers.

use std::collections::VecDeque;
use std::fmt;

use futures_util::future::BoxFuture;
use rookery_extension::Outcome;
use rookery_stanza::BareJid;
use rookery_storage::{
    Append, Appended, DataUpdate, DataWritten, OfflineLimit, OfflineMessage, Queued, RosterUpdate,
    Store, StoreError,
};

use crate::account::{Change, PAGE, Stored};

/// Everything that one account asks of the store at once.
pub(super) struct Job {
    account: BareJid,
    roster: Option<RosterUpdate>,
    append: Vec<Append>,
    remove: Option<u64>,
    read: Option<u64>,
    data: Vec<DataUpdate>,
    ask: Option<BoxFuture<'static, Outcome>>,
}

/// The store's answers to one job.
#[derive(Debug, Default)]
pub(crate) struct Answers {
    roster: Option<Result<bool, StoreError>>,
    /// In order; consumed from the front.
    appended: Option<Result<std::vec::IntoIter<Appended>, StoreError>>,
    removed: Option<Result<(), StoreError>>,
    page: Option<Result<Vec<Queued>, StoreError>>,
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
            remove: None,
            read: None,
            data: Vec::new(),
            ask: None,
        }
    }

    /// Adds a change. A batch has at most one change of the roster, one read and one feature at work, at
    /// its end.
    pub(super) fn add(&mut self, change: &mut Change) {
        match change {
            Change::Roster(update) => self.roster = Some(update.clone()),
            Change::Append(message) => self.append(message.clone()),
            Change::Remove(up_to) => self.remove = self.remove.max(Some(*up_to)),
            Change::Read(after) => self.read = Some(*after),
            Change::Data(update) => self.data.push(update.clone()),
            Change::Ask(asking) => self.ask = asking.outcome.take(),
        }
    }

    fn append(&mut self, message: OfflineMessage) {
        self.append.push(Append {
            account: self.account.clone(),
            message,
        });
    }

    /// Does it: first what is written, then what is read.
    pub(super) async fn run(self, store: &dyn Store, offline_limit: OfflineLimit) -> Answers {
        let mut answers = Answers::default();
        if let Some(update) = self.roster {
            let updated = store.update_roster(update).await;
            answers.uncertain |= updated != Ok(true);
            answers.roster = Some(updated);
        }
        if !self.append.is_empty() {
            let appended = store.append_offline(self.append, offline_limit).await;
            let gone = |appended: &Vec<Appended>| appended.contains(&Appended::NoSuchAccount);
            answers.uncertain |= appended.as_ref().map_or(true, gone);
            answers.appended = Some(appended.map(Vec::into_iter));
        }
        if let Some(up_to) = self.remove {
            answers.removed = Some(store.remove_offline(&self.account, up_to).await);
        }
        for update in self.data {
            answers.data.push_back(store.update_data(update).await);
        }
        if let Some(ask) = self.ask {
            answers.outcome = Some(ask.await);
        }
        if let Some(after) = self.read {
            answers.page = Some(store.read_offline(&self.account, after, PAGE).await);
        }
        answers
    }
}

// === impl Answers ===

impl Answers {
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
                    Some(Appended::At(_)) => Stored::Done,
                    Some(Appended::QueueFull | Appended::NoSuchAccount) => Stored::Refused,
                    None => Stored::Failed,
                },
                Some(Err(_)) | None => Stored::Failed,
            },
            Change::Remove(_) => match self.removed {
                Some(Ok(())) => Stored::Done,
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
        }
    }
}

impl fmt::Debug for Job {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Job")
            .field("account", &self.account)
            .finish_non_exhaustive()
    }
}
