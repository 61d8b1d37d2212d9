//! Changes of the log, many at once, made in the index.

use std::collections::HashMap;
use std::sync::Arc;

use rookery_storage::message_log::RowId;
use rusqlite::{Connection, OptionalExtension, TransactionBehavior, params};

use super::{hash, parts, signed};
use crate::log::entry::{Confirmed, Event, MessageEntry, RowEntry};
use crate::log::frame::Place;
use crate::log::journal::Position;

/// How many numbers of accounts are kept at hand.
const NUMBERS: usize = 100_000;

/// One record of the log, without its payload.
#[derive(Debug)]
pub(crate) struct Change {
    pub(crate) place: Place,
    pub(crate) event: Event,
}

/// Who makes the changes.
#[derive(Debug, Default)]
pub(crate) struct Applier {
    numbers: HashMap<String, i64>,
    /// Whether the index is being made again. Until that is done it notes no position, so that an interrupted attempt
    /// begins from the start.
    pub(crate) rebuilding: bool,
}

/// Changes on their way: what happened to a row before it was ever written is done in memory.
#[derive(Debug, Default)]
struct Batch {
    rebuilding: bool,
    rows: Vec<NewRow>,
    /// The rows' places in the list above.
    fresh: HashMap<(i64, u64), usize>,
    confirmed: Vec<(i64, RowId)>,
    moved: Vec<Moved>,
    /// By segment: how many rows came to refer to it, and how many do more or less.
    segments: HashMap<u32, (i64, i64)>,
}

#[derive(Debug)]
struct NewRow {
    account: i64,
    id: RowId,
    session: u64,
    count: u64,
    place: Place,
    bare: i64,
    full: Option<i64>,
    origin: Option<u32>,
    archived: bool,
    owed: bool,
}

/// A row whose record was written again.
#[derive(Debug)]
struct Moved {
    from: Place,
    row: NewRow,
}

// === impl Applier ===

impl Applier {
    /// Makes the changes, and notes that the index contains the log up to `position`: all in one transaction.
    pub(crate) fn apply(
        &mut self,
        connection: &mut Connection,
        changes: &[Arc<Change>],
        position: Position,
    ) -> rusqlite::Result<()> {
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let result = self.batch(&transaction, changes);
        let done = result.and_then(|batch| {
            batch.write(&transaction)?;
            if !self.rebuilding {
                note(&transaction, position)?;
            }
            transaction.commit()
        });
        if done.is_err() || self.numbers.len() > NUMBERS {
            // After a failure some of them are of accounts that were not written.
            self.numbers.clear();
        }
        done
    }

    fn batch(
        &mut self,
        connection: &Connection,
        changes: &[Arc<Change>],
    ) -> rusqlite::Result<Batch> {
        let mut batch = Batch {
            rebuilding: self.rebuilding,
            ..Batch::default()
        };
        for change in changes {
            let Change { place, event } = &**change;
            match event {
                Event::Message(message) => self.message(connection, &mut batch, *place, message)?,
                Event::Confirmed(confirmed) => self.confirm(connection, &mut batch, confirmed)?,
                Event::Opened(opened) => {
                    let number = self.number(connection, &opened.account)?;
                    let sql = "UPDATE accounts SET epoch = ?2 WHERE number = ?1";
                    let epoch = opened.epoch.cast_signed();
                    connection
                        .prepare_cached(sql)?
                        .execute(params![number, epoch])?;
                }
                Event::Lost(_) => {}
                Event::Erased(erased) => {
                    let Some(number) = self.known(connection, &erased.account)? else {
                        continue;
                    };
                    if let Some(before) = erased.before {
                        batch.give_up(connection, number, before.into())?;
                        continue;
                    }
                    let sql = "UPDATE accounts SET host = NULL, local = NULL WHERE number = ?1";
                    connection.prepare_cached(sql)?.execute([number])?;
                    self.numbers.remove(&erased.account);
                }
            }
        }
        Ok(batch)
    }

    fn message(
        &mut self,
        connection: &Connection,
        batch: &mut Batch,
        place: Place,
        message: &MessageEntry,
    ) -> rusqlite::Result<()> {
        for row in &message.rows {
            let account = self.number(connection, &row.account)?;
            match message.instead {
                None => batch.add(NewRow::of(account, place, message, row)),
                Some(from) => batch.relocate(Moved {
                    from: from.into(),
                    row: NewRow::of(account, place, message, row),
                }),
            }
        }
        Ok(())
    }

    fn confirm(
        &mut self,
        connection: &Connection,
        batch: &mut Batch,
        confirmed: &Confirmed,
    ) -> rusqlite::Result<()> {
        let Some(account) = self.known(connection, &confirmed.account)? else {
            return Ok(());
        };
        for id in confirmed.ids() {
            match batch.fresh(account, id) {
                Some(row) => row.owed = false,
                None => batch.confirmed.push((account, id)),
            }
        }
        Ok(())
    }

    /// The account's number; a new one when it has none.
    fn number(&mut self, connection: &Connection, account: &str) -> rusqlite::Result<i64> {
        if let Some(number) = self.known(connection, account)? {
            return Ok(number);
        }
        let sql = "INSERT INTO accounts (host, local) VALUES (?1, ?2)";
        let number = connection.prepare_cached(sql)?.insert(parts(account))?;
        self.numbers.insert(account.to_owned(), number);
        Ok(number)
    }

    /// The account's number, if it has a log.
    fn known(&mut self, connection: &Connection, account: &str) -> rusqlite::Result<Option<i64>> {
        if let Some(number) = self.numbers.get(account) {
            return Ok(Some(*number));
        }
        let sql = "SELECT number FROM accounts WHERE host = ?1 AND local = ?2";
        let mut select = connection.prepare_cached(sql)?;
        let found = select.query_row(parts(account), |row| row.get(0));
        let found = found.optional()?;
        if let Some(number) = found {
            self.numbers.insert(account.to_owned(), number);
        }
        Ok(found)
    }
}

pub(super) fn note(
    connection: &Connection,
    Position { place, chain }: Position,
) -> rusqlite::Result<()> {
    let sql = "INSERT OR REPLACE INTO state (id, segment, offset, chain) VALUES (0, ?1, ?2, ?3)";
    let mut statement = connection.prepare_cached(sql)?;
    statement.execute((place.segment, place.offset, chain))?;
    Ok(())
}

// === impl Batch ===

impl Batch {
    fn add(&mut self, row: NewRow) {
        let number = self.rows.len();
        self.fresh.insert((row.account, row.id.order()), number);
        self.rows.push(row);
    }

    fn fresh(&mut self, account: i64, id: RowId) -> Option<&mut NewRow> {
        let number = self.fresh.get(&(account, id.order()))?;
        self.rows.get_mut(*number).filter(|row| row.id == id)
    }

    fn relocate(&mut self, moved: Moved) {
        match self.fresh(moved.row.account, moved.row.id) {
            Some(row) if row.place == moved.from => row.place = moved.row.place,
            Some(_) => {}
            None => self.moved.push(moved),
        }
    }

    fn refer(&mut self, segment: u32, total: i64, live: i64) {
        let counts = self.segments.entry(segment).or_default();
        counts.0 += total;
        counts.1 += live;
    }

    fn write(mut self, connection: &Connection) -> rusqlite::Result<()> {
        let mut rows = std::mem::take(&mut self.rows);
        rows.sort_unstable_by_key(|row| (row.account, row.id));
        for row in rows {
            self.insert(connection, &row)?;
        }
        let sql =
            "UPDATE rows SET owed = 0 WHERE account = ?1 AND ord = ?2 AND salt = ?3 AND owed = 1";
        let mut statement = connection.prepare_cached(sql)?;
        for (account, id) in &self.confirmed {
            statement.execute((account, signed(id.order()), id.salt().cast_signed()))?;
        }
        for moved in std::mem::take(&mut self.moved) {
            self.update(connection, &moved)?;
        }
        count(connection, self.segments)
    }

    fn insert(&mut self, connection: &Connection, row: &NewRow) -> rusqlite::Result<()> {
        let sql = "INSERT OR IGNORE INTO rows
            (account, ord, salt, session, count, segment, offset, bare, \"full\", origin, archived,
            owed) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)";
        let new = connection.prepare_cached(sql)?.execute(params![
            row.account,
            signed(row.id.order()),
            row.id.salt().cast_signed(),
            row.session.cast_signed(),
            row.count.cast_signed(),
            row.place.segment,
            row.place.offset,
            row.bare,
            row.full,
            row.origin,
            row.archived,
            row.owed,
        ])?;
        if new == 1 {
            self.refer(row.place.segment, 1, 1);
        }
        Ok(())
    }

    /// Takes from rows of a log that was erased what keeps them: they come up when the index is made again.
    fn give_up(
        &mut self,
        connection: &Connection,
        account: i64,
        before: Place,
    ) -> rusqlite::Result<()> {
        let gone = |row: &&mut NewRow| row.account == account && row.place < before;
        for row in self.rows.iter_mut().filter(gone) {
            (row.archived, row.owed) = (false, false);
        }
        let sql = "UPDATE rows SET archived = 0, owed = 0
            WHERE account = ?1 AND (segment, offset) < (?2, ?3)";
        let mut statement = connection.prepare_cached(sql)?;
        statement.execute((account, before.segment, before.offset))?;
        Ok(())
    }

    /// Has a row refer to where its record was written again. An index that is made again may know the row by that alone;
    /// otherwise retention has removed it meanwhile.
    fn update(&mut self, connection: &Connection, moved: &Moved) -> rusqlite::Result<()> {
        let Moved { from, row } = moved;
        let sql = "UPDATE rows SET segment = ?1, offset = ?2
            WHERE account = ?3 AND ord = ?4 AND salt = ?5 AND segment = ?6 AND offset = ?7";
        let done = connection.prepare_cached(sql)?.execute(params![
            row.place.segment,
            row.place.offset,
            row.account,
            signed(row.id.order()),
            row.id.salt().cast_signed(),
            from.segment,
            from.offset,
        ])?;
        if done == 0 {
            return if self.rebuilding {
                self.insert(connection, row)
            } else {
                Ok(())
            };
        }
        self.refer(from.segment, 0, -1);
        self.refer(row.place.segment, 1, 1);
        Ok(())
    }
}

/// Adds to the counts of the segments.
pub(super) fn count(
    connection: &Connection,
    segments: impl IntoIterator<Item = (u32, (i64, i64))>,
) -> rusqlite::Result<()> {
    let sql = "INSERT INTO segments (number, total, live) VALUES (?1, ?2, ?3)
        ON CONFLICT (number) DO UPDATE SET total = total + ?2, live = live + ?3";
    let mut statement = connection.prepare_cached(sql)?;
    for (segment, (total, live)) in segments {
        statement.execute((segment, total, live))?;
    }
    Ok(())
}

// === impl NewRow ===

impl NewRow {
    fn of(account: i64, place: Place, message: &MessageEntry, row: &RowEntry) -> Self {
        let (bare, resource) = match row.with.split_once('/') {
            Some((bare, resource)) => (bare, Some(resource)),
            None => (row.with.as_str(), None),
        };
        Self {
            account,
            id: row.id(),
            session: message.session,
            count: message.count,
            place,
            bare: hash(bare),
            full: resource.map(|_| hash(&row.with)),
            origin: message.origin,
            archived: row.archived,
            owed: row.owed,
        }
    }
}
