//! What the writer is asked for, and what of it goes to the disk at once.

use bytes::Bytes;
use rookery_stanza::BareJid;
use rookery_storage::StoreError;
use rookery_storage::message_log::{Appended, IngressId, NewMessage, Opened, RowId};
use tokio::sync::oneshot;

use super::entrance::Ticket;
use super::entry::{Event, MessageEntry, RowEntry};
use super::index::Change;

/// A caller that waits for an answer.
pub(crate) type Caller<T> = oneshot::Sender<Result<T, StoreError>>;

/// Something for the writer to do.
pub(crate) enum Job {
    Append {
        messages: Vec<NewMessage>,
        caller: Caller<Vec<Appended>>,
    },
    Confirm {
        account: BareJid,
        rows: Vec<RowId>,
        caller: Caller<()>,
    },
    Open {
        account: BareJid,
        epoch: u64,
        caller: Caller<Opened>,
    },
    Replace {
        account: BareJid,
        row: RowId,
        payload: Bytes,
        caller: Caller<bool>,
    },
    Erase {
        account: BareJid,
        caller: Caller<()>,
    },
    /// Appends a record again, in the place of an earlier one.
    Move(MessageEntry),
    /// Says again of a whole log what an earlier record said.
    Keep { event: Event, caller: Caller<()> },
}

/// Whom to tell what, once the group is durable.
pub(crate) enum Answer {
    Appended(Caller<Vec<Appended>>, Vec<Appended>),
    Opened(Caller<Opened>, Opened),
    Replaced(Caller<bool>, bool),
    Done(Caller<()>),
}

/// What goes to the disk at once.
#[derive(Default)]
pub(crate) struct Group {
    pub(crate) changes: Vec<Change>,
    pub(crate) answers: Vec<Answer>,
    /// The room that its jobs take, given back when it is written.
    pub(crate) room: Vec<Ticket>,
    /// Whether somebody waits for a sync.
    pub(crate) durable: bool,
    pub(crate) rows: u64,
}

// === impl Job ===

impl Job {
    /// Whether it depends on what is in the index, so that it has a group for itself.
    pub(crate) fn is_solitary(&self) -> bool {
        matches!(
            self,
            Self::Open { .. } | Self::Replace { .. } | Self::Erase { .. }
        )
    }
}

// === impl Group ===

impl Group {
    /// The row by which this arrived in the account's log with this group.
    pub(crate) fn arrived(&self, account: &str, ingress: IngressId) -> Option<RowId> {
        let changes = self
            .changes
            .iter()
            .filter_map(|change| match &change.event {
                Event::Message(message) => Some(message),
                _ => None,
            });
        let same = |message: &&MessageEntry| {
            (message.session, message.count) == (ingress.session, ingress.count)
        };
        let mut rows = changes.filter(same).flat_map(|message| &message.rows);
        rows.find(|row| row.account == account).map(RowEntry::id)
    }

    /// Whether something in it is about one of the accounts of a message.
    pub(crate) fn concerns(&self, message: &MessageEntry) -> bool {
        let mut accounts = self
            .changes
            .iter()
            .flat_map(|change| change.event.accounts());
        accounts.any(|account| message.rows.iter().any(|row| row.account == account))
    }

    /// Answers a job that has failed, or keeps its answer until the group is written.
    pub(crate) fn finish<T, U>(
        &mut self,
        result: Result<U, StoreError>,
        caller: Caller<T>,
        answer_with: impl FnOnce(Caller<T>, U) -> Answer,
    ) {
        match result {
            Ok(value) => self.answers.push(answer_with(caller, value)),
            Err(error) => answer(caller, Err(error)),
        }
    }
}

// === impl Answer ===

impl Answer {
    pub(crate) fn give(self, result: Result<(), StoreError>) {
        match self {
            Self::Appended(caller, appended) => answer(caller, result.map(|()| appended)),
            Self::Opened(caller, opened) => answer(caller, result.map(|()| opened)),
            Self::Replaced(caller, replaced) => answer(caller, result.map(|()| replaced)),
            Self::Done(caller) => answer(caller, result),
        }
    }
}

fn answer<T>(caller: Caller<T>, result: Result<T, StoreError>) {
    // A caller that is gone wants no answer.
    drop(caller.send(result));
}
