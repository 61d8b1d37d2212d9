//! The writer: whatever waits becomes one group, written and synced once, and is answered then.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use rookery_stanza::BareJid;
use rookery_storage::StoreError;
use rookery_storage::message_log::{Appended, IngressId, NewMessage, NewRow, Opened, RowId, Salts};
use tokio::time::Instant;

use super::entrance::Ticket;
use super::entry::{Confirmed, Entry, Erased, Event, MessageEntry, OpenedBy, RowEntry};
use super::failure;
use super::frame::Place;
use super::group::{Answer, Group, Job};
use super::health::{Health, WriteError};
use super::homes::Homes;
use super::index::Change;
use super::journal::{Journal, JournalError, Segments};
use super::metrics::Metrics;
use super::preparer::Preparer;
use super::tail::{End, Tail};
use crate::config::Durability;
use crate::queue::{Jobs, Next};

/// How often a disk that failed is tried again when nobody appends anything.
const PROBE: Duration = Duration::from_secs(1);

/// Says that nothing more comes for the index, however the thread ends.
struct Ending(Arc<Tail>);

/// What the writer's thread owns.
pub(crate) struct Writer {
    pub(crate) journal: Journal,
    pub(crate) segments: Arc<Segments>,
    pub(crate) homes: Homes,
    pub(crate) tail: Arc<Tail>,
    pub(crate) jobs: Jobs<(Job, Ticket)>,
    /// How many jobs and bytes make a group at most.
    pub(crate) batch: usize,
    pub(crate) batch_bytes: usize,
    pub(crate) durability: Durability,
    pub(crate) preparer: Preparer,
    pub(crate) health: Arc<Health>,
    pub(crate) metrics: Metrics,
    pub(crate) salts: Salts,
    pub(crate) buffer: Vec<u8>,
}

// === impl Writer ===

impl Writer {
    /// Works until the queue is closed and empty.
    pub(crate) fn run(mut self) {
        let _ending = Ending(Arc::clone(&self.tail));
        while let Some(first) = self.next() {
            let mut group = Group::default();
            self.add(&mut group, first);
            while group.room.len() < self.batch && self.journal.staged() < self.batch_bytes {
                match self.jobs.next_now() {
                    Some(job) => self.add(&mut group, job),
                    None => break,
                }
            }
            self.commit(group);
            self.homes.sweep();
            self.preparer
                .look(self.journal.end().place, self.journal.grows());
        }
        if let Err(error) = self.journal.sync() {
            tracing::error!(%error, "the end of the message log is not synced");
        }
    }

    /// Waits for a job; a disk that failed is tried again meanwhile.
    fn next(&mut self) -> Option<(Job, Ticket)> {
        loop {
            if self.health.check().is_ok() {
                return self.jobs.next();
            }
            match self.jobs.next_within(PROBE) {
                Next::Job(job) => return Some(job),
                Next::End => return None,
                Next::Nothing => {
                    self.health.begin();
                    let probed = self.journal.probe().map_err(WriteError::of_io);
                    self.health.set(probed.as_ref().map(drop));
                }
            }
        }
    }

    /// Adds a job to the group, or begins another one with it.
    fn add(&mut self, group: &mut Group, (job, ticket): (Job, Ticket)) {
        self.metrics.writes.add(-1);
        if job.is_solitary() {
            self.commit(std::mem::take(group));
        }
        group.room.push(ticket);
        match job {
            Job::Append { messages, caller } => {
                let appended = self.append(group, &messages);
                group.finish(appended, caller, Answer::Appended);
            }
            Job::Confirm {
                account,
                rows,
                caller,
            } => {
                let event = Event::Confirmed(Confirmed::of(account.as_str(), &rows));
                let staged = self.stage(group, event);
                group.finish(staged, caller, |caller, ()| Answer::Done(caller));
            }
            Job::Move(message) => {
                if group.concerns(&message) {
                    let room = std::mem::take(&mut group.room);
                    self.commit(std::mem::take(group));
                    group.room = room;
                }
                if let Err(error) = self.relocate(group, message) {
                    tracing::warn!(%error, "a message could not be moved");
                }
            }
            Job::Keep { event, caller } => {
                let kept = self.keep(group, event);
                group.finish(kept, caller, |caller, ()| Answer::Done(caller));
            }
            Job::Open {
                account,
                epoch,
                caller,
            } => {
                let opened = self.open(group, &account, epoch);
                group.finish(opened, caller, Answer::Opened);
            }
            Job::Replace {
                account,
                row,
                payload,
                caller,
            } => {
                let replaced = self.replace(group, &account, row, payload);
                group.finish(replaced, caller, Answer::Replaced);
            }
            Job::Erase { account, caller } => {
                let erased = self.erase(group, &account);
                group.finish(erased, caller, |caller, ()| Answer::Done(caller));
            }
        }
    }

    /// Adds messages to the group.
    fn append(
        &mut self,
        group: &mut Group,
        messages: &[NewMessage],
    ) -> Result<Vec<Appended>, StoreError> {
        let rows = messages.iter().map(|message| message.rows.len()).sum();
        let mut appended = Vec::with_capacity(rows);
        for message in messages {
            let mut entry = MessageEntry::of(message);
            for row in &message.rows {
                let answer = self.row(group, &mut entry, message, row)?;
                if let Appended::At(id) = answer {
                    entry.rows.push(RowEntry::of(row, id));
                }
                appended.push(answer);
            }
            if !entry.rows.is_empty() {
                group.rows += entry.rows.len() as u64;
                self.stage(group, Event::Message(entry))?;
            }
        }
        // A repeat is no more durable than the row that it repeats.
        group.durable = true;
        Ok(appended)
    }

    /// Decides what becomes of a row.
    fn row(
        &mut self,
        group: &Group,
        entry: &mut MessageEntry,
        message: &NewMessage,
        row: &NewRow,
    ) -> Result<Appended, StoreError> {
        let now = message.received;
        let IngressId { session, count } = message.ingress;
        let home = self.homes.get(&row.account, now)?;
        if home.epoch != row.epoch {
            return Ok(Appended::Fenced { epoch: home.epoch });
        }
        let mut others = entry.rows.iter_mut();
        if let Some(own) = others.find(|own| own.account == row.account.as_str()) {
            own.merge(&row.purpose);
            return Ok(Appended::Repeat(own.id()));
        }
        if home
            .arrivals
            .get(&session)
            .is_some_and(|highest| count <= *highest)
        {
            let here = group.arrived(row.account.as_str(), message.ingress);
            let repeat = match here {
                Some(id) => Some(id),
                None => self.homes.arrived(&row.account, message.ingress, now)?,
            };
            if let Some(id) = repeat {
                return Ok(Appended::Repeat(id));
            }
        }
        let salt = self.salts.mint();
        let salt = salt.map_err(|error| StoreError::Unavailable(error.to_string()))?;
        let home = self.homes.get(&row.account, now)?;
        let id = RowId::next(home.last, now, salt);
        home.last = Some(id);
        let highest = home.arrivals.entry(session).or_default();
        *highest = count.max(*highest);
        Ok(Appended::At(id))
    }

    fn open(
        &mut self,
        group: &mut Group,
        account: &BareJid,
        epoch: u64,
    ) -> Result<Opened, StoreError> {
        let tail = self.homes.tail(account)?;
        let home = self.homes.get(account, 0)?;
        if epoch < home.epoch {
            return Ok(Opened::Fenced { epoch: home.epoch });
        }
        home.epoch = epoch;
        let account = account.as_str().to_owned();
        self.stage(group, Event::Opened(OpenedBy { account, epoch }))?;
        group.durable = true;
        Ok(Opened::Home(tail))
    }

    fn replace(
        &mut self,
        group: &mut Group,
        account: &BareJid,
        row: RowId,
        payload: Bytes,
    ) -> Result<bool, StoreError> {
        let Some(found) = self.homes.find(account.as_str(), row)? else {
            return Ok(false);
        };
        let record = self
            .segments
            .read(found.place)
            .map_err(failure::of_journal)?;
        let Event::Message(message) = Entry::read(record)? else {
            return Err(failure::of_journal(JournalError::Damaged(found.place)));
        };
        let mut message = message.replaced(row, account.as_str(), payload, found.place);
        for row in &mut message.rows {
            row.be(found);
        }
        self.stage(group, Event::Message(message))?;
        group.durable = true;
        Ok(true)
    }

    /// Moves those rows of a message that are still where it was read.
    fn relocate(&mut self, group: &mut Group, mut message: MessageEntry) -> Result<(), StoreError> {
        let from = message.instead.map(Place::from);
        let mut rows = Vec::new();
        for mut row in message.rows {
            let found = self.homes.find(&row.account, row.id())?;
            if let Some(found) = found.filter(|found| Some(found.place) == from) {
                row.be(found);
                rows.push(row);
            }
        }
        message.rows = rows;
        if message.rows.is_empty() {
            return Ok(());
        }
        self.stage(group, Event::Message(message))
    }

    /// Says again who the home of a log is, as of now, or that it was erased.
    fn keep(&mut self, group: &mut Group, event: Event) -> Result<(), StoreError> {
        group.durable = true;
        let Event::Opened(OpenedBy { account, .. }) = event else {
            return self.stage(group, event);
        };
        let Ok(of) = BareJid::parse(&account) else {
            return Ok(());
        };
        let epoch = self.homes.get(&of, 0)?.epoch;
        if epoch == 0 {
            return Ok(());
        }
        self.stage(group, Event::Opened(OpenedBy { account, epoch }))
    }

    fn erase(&mut self, group: &mut Group, account: &BareJid) -> Result<(), StoreError> {
        self.homes.forget(account);
        let account = account.as_str().to_owned();
        self.stage(
            group,
            Event::Erased(Erased {
                account,
                before: None,
            }),
        )?;
        group.durable = true;
        Ok(())
    }

    fn stage(&mut self, group: &mut Group, event: Event) -> Result<(), StoreError> {
        let event = event.write(&mut self.buffer);
        let staged = self.journal.stage(&self.buffer);
        if let Some(error) = staged.as_ref().err().and_then(WriteError::of_journal) {
            self.health.set(Err(&error));
        }
        let place = staged.map_err(failure::of_journal)?;
        group.changes.push(Change {
            place,
            event: event.without_payload(),
        });
        Ok(())
    }

    /// Writes the group, syncs it if somebody waits for that, and answers.
    fn commit(&mut self, group: Group) {
        let Group {
            changes,
            answers,
            room,
            durable,
            rows,
        } = group;
        if changes.is_empty() && !durable {
            for answer in answers {
                answer.give(Ok(()));
            }
            return;
        }
        let started = Instant::now();
        self.health.begin();
        let result = self.write(durable);
        self.health.set(result.as_ref().map(drop));
        let result = result.map_err(|failed| failed.error);
        if result.is_ok() {
            self.journal.accept();
            let synced = durable && self.durability == Durability::Synced;
            let unsynced = (!synced && self.durability == Durability::Synced)
                .then(|| Arc::clone(self.journal.file()));
            let position = self.journal.end();
            self.tail.push(changes, End { position, unsynced });
            self.metrics
                .committed(rows, started.elapsed(), self.tail.len());
        } else {
            self.journal.abandon();
            // What is at hand counts rows that there are not.
            self.homes.forget_all();
        }
        drop(room);
        for answer in answers {
            answer.give(result.clone());
        }
    }

    fn write(&mut self, durable: bool) -> Result<(), WriteError> {
        self.tail.room().map_err(WriteError::of_index)?;
        self.journal.write().map_err(WriteError::of_io)?;
        if durable && self.durability == Durability::Synced {
            self.journal.sync().map_err(WriteError::of_io)?;
            self.health.synced();
        }
        Ok(())
    }
}

// === impl Ending ===

impl Drop for Ending {
    fn drop(&mut self) {
        self.0.close();
    }
}
