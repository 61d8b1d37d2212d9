//! What the server promises, checked whenever something leaves it, and at the end.
//!
//! * P1: a message that `<a h/>` counted for its sender is in the hands of a client of its recipient or owed, or its
//!   sender was told that it could not be; it has one id for ever, and each client gets it once.
//! * P3: what one session sends to one account is in the log, and is seen by each session, in the order in which it
//!   was sent; whatever is replayed keeps the order of the log.
//! * P4: accepted = settled + in flight, after each step.
//! * Copies are exact; each request gets one answer; nothing is unbounded.

use std::collections::{BTreeMap, BTreeSet};

use rookery_stanza::{BareJid, Jid, RowId};

use crate::disk::Disk;

/// A stream of a client: from binding, over all resumptions, to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct StreamId(pub(crate) u64);

/// A message, or a request.
#[derive(Debug)]
pub(crate) struct Sent {
    pub(crate) stream: StreamId,
    pub(crate) from: BareJid,
    pub(crate) from_jid: Jid,
    pub(crate) to: BareJid,
    pub(crate) to_jid: Jid,
    /// Other clients get copies of it (XEP-0280 §6.1).
    pub(crate) is_copied: bool,
    /// It has to be kept until a client has it.
    pub(crate) is_owed: bool,
    /// `<a h/>` counted it.
    pub(crate) counted: bool,
    /// Its sender heard of an error, or would have if he were there.
    pub(crate) told: bool,
    /// A client of the recipient has it.
    pub(crate) arrived: bool,
}

/// A request.
#[derive(Debug)]
pub(crate) struct Asked {
    pub(crate) stream: StreamId,
    /// The server has read it.
    pub(crate) read: bool,
    /// A client has it, and nothing is known of its answer: that may have been lost with its connection.
    pub(crate) left_to_client: bool,
    pub(crate) answers: u32,
}

/// What one stream got.
#[derive(Debug, Default)]
struct Seen {
    /// How often it was handed each row, and read it.
    rows: BTreeMap<RowId, (u32, u32)>,
    copies: BTreeSet<(u64, bool)>,
    /// The highest row of each stream that sent something to one address.
    highest: BTreeMap<(StreamId, Jid), RowId>,
}

/// What an account does with a message: which of its sessions want copies, are those that it is for, got one, and got it
/// itself.
#[derive(Debug, Default)]
pub(crate) struct Copied {
    pub(crate) expected: Vec<StreamId>,
    pub(crate) routed: Vec<StreamId>,
    pub(crate) made: Vec<StreamId>,
    pub(crate) direct: BTreeSet<StreamId>,
}

/// Everything that was promised.
#[derive(Debug, Default)]
pub(crate) struct Promises {
    pub(crate) messages: BTreeMap<u64, Sent>,
    pub(crate) requests: BTreeMap<u64, Asked>,
    seen: BTreeMap<StreamId, Seen>,
    pub(crate) copied: BTreeMap<(BareJid, u64), Copied>,
    ids: BTreeMap<(BareJid, u64), RowId>,
    numbers: BTreeMap<(BareJid, RowId), u64>,
    /// The session that a row was handed to first; to another one it may come late.
    handed: BTreeMap<(BareJid, RowId), StreamId>,
    /// Rows that could not be read when it was time.
    late: BTreeSet<(BareJid, RowId)>,
    confirmed: BTreeSet<(BareJid, RowId)>,
    pub(crate) accepted: i64,
    pub(crate) settled: i64,
    /// What was broken first.
    pub(crate) broken: Option<String>,
    /// What happened, while somebody wants to know.
    pub(crate) history: Option<Vec<String>>,
}

impl Promises {
    pub(crate) fn break_with(&mut self, what: impl FnOnce() -> String) {
        if self.broken.is_none() {
            self.broken = Some(what());
        }
    }

    pub(crate) fn note(&mut self, what: impl FnOnce() -> String) {
        if let Some(history) = &mut self.history
            && self.broken.is_none()
        {
            history.push(what());
        }
    }

    fn hold(&mut self, holds: bool, what: impl FnOnce() -> String) {
        if !holds {
            self.break_with(what);
        }
    }

    /// A message under an id of an account's.
    fn one_id(&mut self, account: &BareJid, number: u64, row: RowId) {
        let id = *self.ids.entry((account.clone(), number)).or_insert(row);
        self.hold(id == row, || {
            format!("message {number} of {account} is {id} and {row}")
        });
        let key = (account.clone(), row);
        let known = *self.numbers.entry(key).or_insert(number);
        self.hold(known == number, || {
            format!("row {row} of {account} is message {known} and {number}")
        });
    }

    /// A home hands a row to a session.
    pub(crate) fn handed(
        &mut self,
        account: &BareJid,
        to: StreamId,
        (number, row): (u64, RowId),
        disk: &Disk,
    ) {
        self.one_id(account, number, row);
        let key = (account.clone(), row);
        self.hold(disk.row(account, row).is_some(), || {
            format!("message {number} leaves as {row}, which is not in the log")
        });
        let confirmed = self.confirmed.contains(&key);
        self.hold(!confirmed, || {
            format!("message {number} ({row}) is handed over once more although it was confirmed")
        });
        self.handed.entry(key).or_insert(to);
    }

    /// A session is given a message that is in the log.
    pub(crate) fn given(&mut self, to: StreamId, row: RowId) {
        let seen = self.seen.entry(to).or_default();
        seen.rows.entry(row).or_default().0 += 1;
    }

    /// The log has noted that nobody is owed this any more.
    pub(crate) fn confirmed(&mut self, account: &BareJid, rows: &[RowId]) {
        let rows = rows.iter().map(|row| (account.clone(), *row));
        self.confirmed.extend(rows);
    }

    /// What is left of an account may come late: a page could not be read.
    pub(crate) fn late(&mut self, account: &BareJid, disk: &Disk) {
        let left = disk
            .rows()
            .filter(|(of, _, kept)| *of == account && kept.owed);
        let left = left.map(|(of, row, _)| (of.clone(), row));
        self.late.extend(left);
    }

    /// A client reads a message.
    pub(crate) fn message(
        &mut self,
        at: &BareJid,
        stream: StreamId,
        number: u64,
        (row, is_delayed): (Option<RowId>, bool),
    ) {
        let Some(sent) = self.messages.get_mut(&number) else {
            return self.break_with(|| format!("nobody has sent message {number}"));
        };
        let (from, is_owed, is_for) = (sent.stream, sent.is_owed, sent.to == *at);
        let address = sent.to_jid.clone();
        let is_full = address.is_full();
        sent.arrived |= is_for;
        self.hold(is_for, || format!("message {number} came to {at}"));
        let Some(row) = row else {
            self.hold(!is_owed, || format!("message {number} has no id"));
            return;
        };
        self.one_id(at, number, row);
        let seen = self.seen.entry(stream).or_default();
        let (handed, read) = seen.rows.entry(row).or_default();
        *read += 1;
        let (is_new, is_again) = (read <= handed, *read > 1);
        let highest = seen.highest.entry((from, address)).or_insert(row);
        let (before, is_late) = (*highest, row < *highest);
        *highest = row.max(before);
        self.hold(is_new, || {
            format!("row {row} (message {number}) came more often than it was handed over")
        });
        if is_again {
            return;
        }
        // What another session had, and did not confirm, comes when that has ended. A session that takes nothing for its
        // account gets what is for itself, and what is left when it does.
        let key = (at.clone(), row);
        let first = self.handed.get(&key);
        let was_left = is_full && is_delayed;
        let excused = self.late.contains(&key) || first != Some(&stream) || was_left;
        self.hold(!is_late || excused || !crate::is_strict(), || {
            format!("message {number} ({row}) came after {before}")
        });
    }

    /// A home gives a session a copy of a message.
    pub(crate) fn copied(&mut self, account: &BareJid, number: u64, to: StreamId) {
        let Some(copied) = self.copied.get_mut(&(account.clone(), number)) else {
            return;
        };
        copied.made.push(to);
        let has_it = copied.direct.contains(&to);
        self.hold(!has_it, || {
            format!("{to:?} of {account} has message {number}, and gets a copy")
        });
    }

    /// A client reads a copy.
    pub(crate) fn copy(&mut self, at: &BareJid, stream: StreamId, number: u64, sent: bool) {
        // What nobody keeps is sent once more, copies and all, when a session returns it.
        let sent_by = self.messages.get(&number);
        if sent_by.is_none_or(|message| !message.is_owed) {
            return;
        }
        let seen = self.seen.entry(stream).or_default();
        let is_new = seen.copies.insert((number, sent));
        self.hold(is_new, || format!("{at} got message {number} copied twice"));
    }

    /// A client reads an answer.
    pub(crate) fn answered(&mut self, number: u64) {
        let Some(asked) = self.requests.get_mut(&number) else {
            return self.break_with(|| format!("nobody has asked {number}"));
        };
        asked.answers += 1;
        let answers = asked.answers;
        self.hold(answers <= 1, || {
            format!("request {number} was answered {answers} times")
        });
    }

    /// Each other client that wants copies has got one, and nobody else (XEP-0280 §7, §8). What a crash came between
    /// may be missing.
    pub(crate) fn check_copies(&mut self, is_complete: bool) {
        for ((account, number), copied) in std::mem::take(&mut self.copied) {
            // A later session with the resource of one that the message was for may get a copy.
            let is_later = |seat: &&StreamId| copied.routed.contains(seat);
            let mut made: Vec<StreamId> = copied
                .made
                .iter()
                .filter(|seat| !is_later(seat))
                .copied()
                .collect();
            let mut expected = copied.expected;
            made.sort();
            expected.sort();
            let holds = if is_complete || made.len() > expected.len() {
                made == expected
            } else {
                made.iter().all(|seat| expected.contains(seat))
            };
            self.hold(holds, || {
                format!("{account} copied message {number} to {made:?}, not to {expected:?}")
            });
        }
    }

    pub(crate) fn ledger(&mut self, in_flight: i64) {
        let (accepted, settled) = (self.accepted, self.settled);
        self.hold(accepted == settled + in_flight, || {
            format!(
                "{accepted} messages were accepted, {settled} settled, {in_flight} are in flight"
            )
        });
    }

    pub(crate) fn bounded(&mut self, what: &str, queued: usize, limit: usize) {
        self.hold(queued <= limit, || {
            format!("{queued} in {what}, which has room for {limit}")
        });
    }

    /// Everybody has read everything, and nothing is under way.
    pub(crate) fn at_the_end(&mut self, disk: &Disk, living: &BTreeSet<StreamId>, in_flight: i64) {
        self.check_copies(true);
        self.hold(in_flight == 0, || {
            format!("{in_flight} messages are in flight for ever")
        });
        let mut broken = Vec::new();
        let mut last: BTreeMap<(&BareJid, StreamId), u64> = BTreeMap::new();
        let mut in_logs: BTreeSet<(&BareJid, u64)> = BTreeSet::new();
        for (account, row, kept) in disk.rows() {
            let number = kept.number;
            if kept.owed {
                broken.push(format!("{account} is still owed message {number} ({row})"));
            }
            if !in_logs.insert((account, number)) {
                broken.push(format!("message {number} is twice in the log of {account}"));
            }
            let Some(sent) = self.messages.get(&number) else {
                continue;
            };
            let before = last.insert((account, sent.stream), number);
            if before.is_some_and(|before| before > number) {
                broken.push(format!(
                    "message {number} is behind {before:?} in the log of {account}"
                ));
            }
        }
        for (number, sent) in &self.messages {
            if sent.counted && sent.is_owed && !sent.told {
                if !sent.arrived {
                    broken.push(format!("message {number} was acknowledged and is lost"));
                }
                if !in_logs.contains(&(&sent.from, *number)) {
                    broken.push(format!(
                        "message {number} is not in the log of {}",
                        sent.from
                    ));
                }
            }
        }
        for (number, asked) in &self.requests {
            let may_stay = asked.left_to_client || !asked.read;
            if !may_stay && living.contains(&asked.stream) && asked.answers == 0 {
                broken.push(format!(
                    "request {number} of {:?} was not answered",
                    asked.stream
                ));
            }
        }
        if let Some(first) = broken.into_iter().next() {
            self.break_with(|| first);
        }
    }
}
