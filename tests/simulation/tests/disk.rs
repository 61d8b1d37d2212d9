//! The message log on a disk that can lose its power: the model of the log, and a journal of what was done to it.

use std::collections::BTreeMap;

use futures_util::FutureExt as _;
use rookery_stanza::{BareJid, RowId};
use rookery_storage::message_log::{Appended, MemoryLog, MessageLog, NewMessage, Row, Tail};

use crate::reading;

/// Rows read at once, as a home does.
const PAGE: usize = 64;

/// The log.
#[derive(Debug, Default)]
pub(crate) struct Disk {
    log: MemoryLog,
    journal: Vec<Op>,
    /// So many of the journal are durable; all of them unless somebody made a mistake.
    durable: usize,
    /// The rows of each account: which message it is, and whether it is owed.
    rows: BTreeMap<(BareJid, RowId), Kept>,
}

/// A row.
#[derive(Clone, Debug)]
pub(crate) struct Kept {
    pub(crate) number: u64,
    pub(crate) owed: bool,
}

#[derive(Clone, Debug)]
enum Op {
    Append(Vec<NewMessage>),
    Confirm(BareJid, Vec<RowId>),
}

impl Disk {
    pub(crate) fn append(&mut self, messages: Vec<NewMessage>, is_durable: bool) -> Vec<Appended> {
        let op = Op::Append(messages);
        let appended = self.carry_out(&op);
        self.note(op, is_durable);
        appended
    }

    pub(crate) fn confirm(&mut self, account: &BareJid, rows: Vec<RowId>) {
        let op = Op::Confirm(account.clone(), rows);
        self.carry_out(&op);
        self.note(op, true);
    }

    fn note(&mut self, op: Op, is_durable: bool) {
        let is_durable = is_durable && self.durable == self.journal.len();
        self.journal.push(op);
        if is_durable {
            self.durable = self.journal.len();
        }
    }

    /// What is in the journal so far becomes durable.
    pub(crate) fn sync(&mut self) {
        self.durable = self.journal.len();
    }

    /// The power is lost, and with it what is not durable.
    pub(crate) fn crash(&mut self) {
        if self.durable == self.journal.len() {
            return;
        }
        let mut journal = std::mem::take(&mut self.journal);
        journal.truncate(self.durable);
        *self = Self::default();
        for op in journal {
            self.carry_out(&op);
            self.note(op, true);
        }
    }

    fn carry_out(&mut self, op: &Op) -> Vec<Appended> {
        match op {
            Op::Append(messages) => {
                let appended = now(self.log.append(messages.clone()));
                let rows = messages.iter().flat_map(|message| {
                    let number = reading::number_in(&message.payload);
                    message.rows.iter().map(move |row| (number, row))
                });
                for ((number, row), answer) in rows.zip(&appended) {
                    if let (Appended::At(id), Some(number)) = (answer, number) {
                        let owed = row.purpose.is_owed();
                        let kept = Kept { number, owed };
                        self.rows.insert((row.account.clone(), *id), kept);
                    }
                }
                appended
            }
            Op::Confirm(account, rows) => {
                now(self.log.confirm(account, rows.clone()));
                for row in rows {
                    let kept = self.rows.entry((account.clone(), *row));
                    kept.and_modify(|kept| kept.owed = false);
                }
                Vec::new()
            }
        }
    }

    pub(crate) fn tail(&self, account: &BareJid) -> Tail {
        now(self.log.tail(account))
    }

    pub(crate) fn page(&self, account: &BareJid, after: Option<RowId>) -> Vec<Row> {
        now(self.log.read_owed(account, after, PAGE))
    }

    pub(crate) fn row(&self, account: &BareJid, row: RowId) -> Option<&Kept> {
        self.rows.get(&(account.clone(), row))
    }

    /// All rows of all accounts, in their order.
    pub(crate) fn rows(&self) -> impl Iterator<Item = (&BareJid, RowId, &Kept)> {
        self.rows
            .iter()
            .map(|((account, row), kept)| (account, *row, kept))
    }
}

/// The model answers at once.
fn now<T, E: std::fmt::Debug>(answer: impl Future<Output = Result<T, E>>) -> T {
    answer.now_or_never().unwrap().unwrap()
}
