//! Reads from the index. Each costs as much as what it finds, however long the log is.
//!
//! SQLite knows nothing of how the rows are spread, and would look for few among many by walking through all: each
//! statement names the index that it needs.

use std::collections::HashMap;

use rookery_stanza::{BareJid, Jid};
use rookery_storage::message_log::{End, Filter, IngressId, ORIGINS, Origin, PageQuery, RowId};
use rusqlite::types::Value;
use rusqlite::{Connection, OptionalExtension, Row, params_from_iter};

use super::{account, hash, parts, signed};
use crate::log::frame::Place;

/// A row and where its record lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Found {
    pub(crate) id: RowId,
    pub(crate) place: Place,
    pub(crate) archived: bool,
    pub(crate) owed: bool,
}

/// What the index knows of an account as a whole.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Standing {
    /// Its number; nothing when it has no log.
    pub(crate) number: Option<i64>,
    /// The epoch of its home.
    pub(crate) epoch: u64,
    /// The last id that was ever given.
    pub(crate) last: Option<RowId>,
}

/// Which rows of an account are wanted, and from which end.
#[derive(Clone, Debug)]
pub(crate) struct Wanted {
    /// Those whose order is above this, in SQLite's terms.
    after: i64,
    /// Those whose order is below this.
    before: i64,
    with: Option<With>,
    end: End,
}

/// An address, as the index has it.
#[derive(Clone, Copy, Debug)]
enum With {
    Bare(i64),
    Full(i64),
}

const COLUMNS: &str = "ord, salt, segment, offset, archived, owed";

// === impl Found ===

impl Found {
    fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self {
            id: id(row, 0)?,
            place: Place {
                segment: row.get(2)?,
                offset: row.get(3)?,
            },
            archived: row.get(4)?,
            owed: row.get(5)?,
        })
    }

    /// Its record was written again; what was written again of an earlier place does not count.
    pub(crate) fn relocate(&mut self, from: Place, to: Place) {
        if self.place == from {
            self.place = to;
        }
    }
}

pub(super) fn id(row: &Row<'_>, at: usize) -> rusqlite::Result<RowId> {
    let (order, salt): (i64, i64) = (row.get(at)?, row.get(at + 1)?);
    Ok(RowId::from_halves(
        order.cast_unsigned(),
        salt.cast_unsigned(),
    ))
}

// === impl Standing ===

impl Standing {
    pub(crate) fn read(connection: &Connection, account: &str) -> rusqlite::Result<Self> {
        let sql = "SELECT number, epoch, floor_ord, floor_salt FROM accounts
            WHERE host = ?1 AND local = ?2";
        let found = connection
            .prepare_cached(sql)?
            .query_row(parts(account), |row| {
                let floor: i64 = row.get(2)?;
                let gone = if floor < 0 { None } else { Some(id(row, 2)?) };
                Ok((row.get(0)?, row.get::<_, i64>(1)?, gone))
            })
            .optional()?;
        let Some((number, epoch, gone)) = found else {
            return Ok(Self::default());
        };
        let sql = "SELECT ord, salt FROM rows WHERE account = ?1 ORDER BY ord DESC LIMIT 1";
        let mut last = connection.prepare_cached(sql)?;
        let last = last.query_row([number], |row| id(row, 0)).optional()?;
        Ok(Self {
            number: Some(number),
            epoch: epoch.cast_unsigned(),
            last: last.max(gone),
        })
    }

    /// How many rows are owed.
    pub(crate) fn owed(&self, connection: &Connection) -> rusqlite::Result<u64> {
        let sql = "SELECT count(*) FROM rows INDEXED BY rows_owed WHERE account = ?1 AND owed = 1";
        if self.number.is_none() {
            return Ok(0);
        }
        let mut count = connection.prepare_cached(sql)?;
        let count: i64 = count.query_row([self.number], |row| row.get(0))?;
        Ok(count.cast_unsigned())
    }

    /// The highest count that came from each session, among rows of this order and above.
    pub(crate) fn arrivals(
        &self,
        connection: &Connection,
        since: u64,
    ) -> rusqlite::Result<HashMap<u64, u64>> {
        let sql = "SELECT session, max(count) FROM rows
            WHERE account = ?1 AND ord >= ?2 GROUP BY session";
        let mut statement = connection.prepare_cached(sql)?;
        let arrival = |row: &Row<'_>| {
            let (session, count): (i64, i64) = (row.get(0)?, row.get(1)?);
            Ok((session.cast_unsigned(), count.cast_unsigned()))
        };
        let arrivals = statement.query_map((self.number, signed(since)), arrival)?;
        arrivals.collect()
    }

    /// The row that came in so, among rows of this order and above.
    pub(crate) fn arrived(
        &self,
        connection: &Connection,
        ingress: IngressId,
        since: u64,
    ) -> rusqlite::Result<Option<RowId>> {
        let sql = "SELECT ord, salt FROM rows
            WHERE account = ?1 AND ord >= ?2 AND session = ?3 AND count = ?4";
        let mut statement = connection.prepare_cached(sql)?;
        let session = ingress.session.cast_signed();
        let count = ingress.count.cast_signed();
        let wanted = (self.number, signed(since), session, count);
        statement.query_row(wanted, |row| id(row, 0)).optional()
    }

    /// Up to `limit` rows that are wanted, from the end on that they are wanted from.
    pub(crate) fn rows(
        &self,
        connection: &Connection,
        wanted: &Wanted,
        limit: usize,
    ) -> rusqlite::Result<Vec<Found>> {
        let (conditions, mut values) = wanted.conditions(self.number);
        let direction = match wanted.end {
            End::Oldest => "ASC",
            End::Newest => "DESC",
        };
        let sql =
            format!("SELECT {COLUMNS} FROM rows {conditions} ORDER BY ord {direction} LIMIT ?");
        values.push(Value::Integer(limit_of(limit)));
        let mut statement = connection.prepare_cached(&sql)?;
        let rows = statement.query_map(params_from_iter(values), Found::read)?;
        rows.collect()
    }

    /// How many rows are wanted, counted up to `limit`.
    pub(crate) fn count(
        &self,
        connection: &Connection,
        wanted: &Wanted,
        limit: usize,
    ) -> rusqlite::Result<usize> {
        let (conditions, mut values) = wanted.conditions(self.number);
        let sql = format!("SELECT count(*) FROM (SELECT 1 FROM rows {conditions} LIMIT ?)");
        values.push(Value::Integer(limit_of(limit)));
        let mut statement = connection.prepare_cached(&sql)?;
        let count: i64 = statement.query_row(params_from_iter(values), |row| row.get(0))?;
        Ok(usize::try_from(count).unwrap_or_default())
    }

    /// Up to `limit` rows that are owed, those after `after`.
    pub(crate) fn owed_rows(
        &self,
        connection: &Connection,
        after: Option<RowId>,
        limit: usize,
    ) -> rusqlite::Result<Vec<Found>> {
        let sql = format!(
            "SELECT {COLUMNS} FROM rows INDEXED BY rows_owed
            WHERE account = ?1 AND owed = 1 AND ord > ?2 ORDER BY ord LIMIT ?3"
        );
        let mut statement = connection.prepare_cached(&sql)?;
        let after = after.map_or(-1, |after| signed(after.order()));
        let rows = statement.query_map((self.number, after, limit_of(limit)), Found::read)?;
        rows.collect()
    }

    /// The row with this id, whatever keeps it.
    pub(crate) fn by_id(
        &self,
        connection: &Connection,
        id: RowId,
    ) -> rusqlite::Result<Option<Found>> {
        let sql = format!("SELECT {COLUMNS} FROM rows WHERE account = ?1 AND ord = ?2");
        let mut statement = connection.prepare_cached(&sql)?;
        let found = statement.query_row((self.number, signed(id.order())), Found::read);
        Ok(found.optional()?.filter(|found| found.id == id))
    }

    /// Up to `limit` rows of the archive that have this origin, newest first, among the newest with a correspondent.
    pub(crate) fn by_origin(
        &self,
        connection: &Connection,
        with: &BareJid,
        origin: Origin,
        limit: usize,
    ) -> rusqlite::Result<Vec<Found>> {
        // The index contains all that is looked through.
        let sql = format!(
            "SELECT {COLUMNS} FROM rows WHERE account = ?1 AND ord IN (
                SELECT ord FROM (
                    SELECT ord, origin FROM rows INDEXED BY rows_by_bare
                    WHERE account = ?1 AND archived = 1 AND bare = ?2 ORDER BY ord DESC LIMIT ?3
                ) WHERE origin = ?4 LIMIT ?5
            ) ORDER BY ord DESC"
        );
        let mut statement = connection.prepare_cached(&sql)?;
        let (with, origin) = (hash(with.as_str()), origin.bits());
        let wanted = (
            self.number,
            with,
            limit_of(ORIGINS),
            origin,
            limit_of(limit),
        );
        let rows = statement.query_map(wanted, Found::read)?;
        rows.collect()
    }
}

// === impl Wanted ===

impl Wanted {
    /// The rows that a page is made of.
    pub(crate) fn page(query: &PageQuery) -> Self {
        let mut wanted = Self::matching(&query.filter);
        if let Some(after) = query.after {
            wanted.after = wanted.after.max(signed(after.order()));
        }
        if let Some(before) = query.before {
            wanted.before = wanted.before.min(signed(before.order()));
        }
        wanted.end = query.end;
        wanted
    }

    /// The rows that match.
    pub(crate) fn matching(filter: &Filter) -> Self {
        let with = |with: &Jid| {
            let hash = hash(with.as_str());
            if with.is_full() {
                With::Full(hash)
            } else {
                With::Bare(hash)
            }
        };
        Self {
            after: signed(filter.first_order()) - 1,
            before: signed(filter.end_order()),
            with: filter.with.as_ref().map(with),
            end: End::Oldest,
        }
    }

    fn conditions(&self, account: Option<i64>) -> (String, Vec<Value>) {
        let (index, with, hash) = match self.with {
            None => ("", "", None),
            Some(With::Bare(hash)) => ("INDEXED BY rows_by_bare", "AND bare = ?", Some(hash)),
            Some(With::Full(hash)) => ("INDEXED BY rows_by_full", "AND \"full\" = ?", Some(hash)),
        };
        let sql =
            format!("{index} WHERE account = ? AND archived = 1 AND ord > ? AND ord < ? {with}");
        let values = [self.after, self.before].into_iter().chain(hash);
        let values = values.map(Value::Integer);
        (
            sql,
            [Value::from(account)].into_iter().chain(values).collect(),
        )
    }
}

fn limit_of(limit: usize) -> i64 {
    i64::try_from(limit).unwrap_or(i64::MAX)
}

/// Up to `limit` accounts of a host that have a log, those whose localparts come after `after`.
pub(crate) fn accounts(
    connection: &Connection,
    host: &str,
    after: Option<&str>,
    limit: usize,
) -> rusqlite::Result<Vec<BareJid>> {
    let sql = "SELECT local FROM accounts WHERE host = ?1 AND (?2 IS NULL OR local > ?2)
        ORDER BY local LIMIT ?3";
    let mut statement = connection.prepare_cached(sql)?;
    let locals = statement.query_map((host, after, limit_of(limit)), |row| row.get(0))?;
    let mut accounts = Vec::new();
    for local in locals {
        let local: String = local?;
        accounts.extend(account(host, &local));
    }
    Ok(accounts)
}
