//! What leaves the index: rows by age and number, erased logs, and segments that nothing refers to.

use std::collections::HashMap;

use rookery_storage::message_log::{Retention, RowId, Trimmed};
use rusqlite::{Connection, OptionalExtension, TransactionBehavior, params};

use super::apply;
use super::query::Standing;
use super::signed;

/// Below one part in this many of its rows, a segment's survivors are copied forward.
const SPARSE: i64 = 4;

/// Rows that were forgotten.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Forgotten {
    rows: usize,
}

/// Segments that something can be done about.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Spare {
    /// No row refers to these.
    pub(crate) empty: Vec<u32>,
    /// Few rows refer to this one.
    pub(crate) sparse: Option<u32>,
}

/// Rows of an account by what keeps them, with the index that finds those.
#[derive(Clone, Copy, Debug)]
enum Which {
    Archived,
    Owed,
    KeptNoMore,
    All,
}

/// One step of retention for an account.
pub(crate) fn trim(
    connection: &mut Connection,
    account: &str,
    retention: &Retention,
    limit: usize,
) -> rusqlite::Result<Trimmed> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let Some(number) = Standing::read(&transaction, account)?.number else {
        return Ok(Trimmed::default());
    };
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let oldest = archive_end(&transaction, number, retention)?;
    let removed = leave(&transaction, Which::Archived, (number, oldest, limit))?;
    let left = limit.saturating_sub(i64::try_from(removed).unwrap_or(i64::MAX));
    let owed = signed(retention.oldest_owed());
    let lost = lose(&transaction, (number, owed, left))?;
    let remembered = signed(retention.oldest_remembered());
    forget(&transaction, Which::KeptNoMore, (number, remembered, limit))?;
    let more = [
        (Which::Archived, oldest),
        (Which::Owed, owed),
        (Which::KeptNoMore, remembered),
    ];
    let mut trimmed = Trimmed {
        removed,
        lost,
        more: false,
    };
    for (which, below) in more {
        trimmed.more |= any(&transaction, which, (number, below))?;
    }
    transaction.commit()?;
    Ok(trimmed)
}

/// The order below which the archive may keep nothing.
fn archive_end(
    connection: &Connection,
    account: i64,
    retention: &Retention,
) -> rusqlite::Result<i64> {
    let by_age = signed(retention.oldest_archived());
    let Ok(rows) = i64::try_from(retention.rows) else {
        return Ok(by_age);
    };
    let sql = "SELECT ord FROM rows WHERE account = ?1 AND archived = 1
        ORDER BY ord DESC LIMIT 1 OFFSET ?2";
    let mut statement = connection.prepare_cached(sql)?;
    let surplus: Option<i64> = statement
        .query_row((account, rows), |row| row.get(0))
        .optional()?;
    Ok(surplus.map_or(by_age, |newest| by_age.max(newest.saturating_add(1))))
}

/// Takes from the oldest rows what keeps them.
fn leave(
    connection: &Connection,
    which: Which,
    (account, below, limit): (i64, i64, i64),
) -> rusqlite::Result<usize> {
    let what = match which {
        Which::Archived => "archived = 0",
        Which::Owed => "owed = 0",
        Which::KeptNoMore | Which::All => "archived = 0, owed = 0",
    };
    let rows = which.rows();
    let sql = format!(
        "UPDATE rows SET {what} WHERE account = ?1 AND ord IN
            (SELECT ord FROM {rows} AND ord < ?2 ORDER BY ord LIMIT ?3)"
    );
    connection
        .prepare_cached(&sql)?
        .execute((account, below, limit))
}

/// Gives up owed rows that are too old; how many of them nothing keeps any more.
fn lose(
    connection: &Connection,
    (account, below, limit): (i64, i64, i64),
) -> rusqlite::Result<usize> {
    let rows = Which::Owed.rows();
    let sql = format!(
        "UPDATE rows SET owed = 0 WHERE account = ?1 AND ord IN
            (SELECT ord FROM {rows} AND ord < ?2 ORDER BY ord LIMIT ?3)
            RETURNING archived"
    );
    let mut statement = connection.prepare_cached(&sql)?;
    let given_up = statement.query_map((account, below, limit), |row| row.get::<_, bool>(0))?;
    let archived: Vec<bool> = given_up.collect::<Result<_, _>>()?;
    Ok(archived.iter().filter(|archived| !**archived).count())
}

fn any(
    connection: &Connection,
    which: Which,
    (account, below): (i64, i64),
) -> rusqlite::Result<bool> {
    let rows = which.rows();
    let sql = format!("SELECT EXISTS (SELECT 1 FROM {rows} AND ord < ?2)");
    let mut statement = connection.prepare_cached(&sql)?;
    statement.query_row((account, below), |row| row.get(0))
}

/// Removes the oldest rows of a kind, and remembers how far the account's ids had come.
fn forget(
    connection: &Connection,
    which: Which,
    (account, below, limit): (i64, i64, i64),
) -> rusqlite::Result<Forgotten> {
    let rows = which.rows();
    let sql = format!(
        "DELETE FROM rows WHERE account = ?1 AND ord IN
            (SELECT ord FROM {rows} AND ord < ?2 ORDER BY ord LIMIT ?3)
            RETURNING ord, salt, segment"
    );
    let mut statement = connection.prepare_cached(&sql)?;
    let mut gone = statement.query((account, below, limit))?;
    let mut segments: HashMap<u32, (i64, i64)> = HashMap::new();
    let mut highest: Option<RowId> = None;
    let mut forgotten = Forgotten::default();
    while let Some(row) = gone.next()? {
        let (order, salt): (i64, i64) = (row.get(0)?, row.get(1)?);
        let id = RowId::from_halves(order.cast_unsigned(), salt.cast_unsigned());
        highest = highest.max(Some(id));
        segments.entry(row.get(2)?).or_default().1 -= 1;
        forgotten.rows += 1;
    }
    apply::count(connection, segments)?;
    if let Some(id) = highest {
        let sql = "UPDATE accounts SET floor_ord = ?2, floor_salt = ?3
            WHERE number = ?1 AND floor_ord < ?2";
        let (order, salt) = (signed(id.order()), id.salt().cast_signed());
        connection
            .prepare_cached(sql)?
            .execute(params![account, order, salt])?;
    }
    Ok(forgotten)
}

/// Removes up to `limit` rows of a log that was erased. Whether there was one.
pub(crate) fn forget_erased(connection: &mut Connection, limit: i64) -> rusqlite::Result<bool> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let sql = "SELECT number FROM accounts WHERE host IS NULL LIMIT 1";
    let erased: Option<i64> = {
        let mut statement = transaction.prepare_cached(sql)?;
        statement.query_row([], |row| row.get(0)).optional()?
    };
    let Some(number) = erased else {
        return Ok(false);
    };
    let Forgotten { rows } = forget(&transaction, Which::All, (number, i64::MAX, limit))?;
    if rows == 0 {
        let sql = "DELETE FROM accounts WHERE number = ?1";
        transaction.prepare_cached(sql)?.execute([number])?;
    }
    transaction.commit()?;
    Ok(true)
}

/// Those among the segments that can be given up, and the first that can be emptied.
pub(crate) fn spare(
    connection: &Connection,
    segments: impl IntoIterator<Item = u32>,
) -> rusqlite::Result<Spare> {
    let sql = "SELECT total, live FROM segments WHERE number = ?1";
    let mut statement = connection.prepare_cached(sql)?;
    let mut spare = Spare::default();
    for number in segments {
        let counts = |row: &rusqlite::Row<'_>| Ok((row.get(0)?, row.get(1)?));
        let counts: Option<(i64, i64)> = statement.query_row([number], counts).optional()?;
        match counts.unwrap_or_default() {
            (_, 0) => spare.empty.push(number),
            (total, live) if live.saturating_mul(SPARSE) < total => {
                spare.sparse = spare.sparse.or(Some(number));
            }
            _ => {}
        }
    }
    Ok(spare)
}

/// Makes durable what the index contains, so that segments which it does not need can go. Whether that was
/// possible: a reader may be in the way.
pub(crate) fn checkpoint(connection: &Connection) -> rusqlite::Result<bool> {
    let sql = "PRAGMA wal_checkpoint(FULL)";
    connection.query_row(sql, [], |row| Ok(row.get::<_, i64>(0)? == 0))
}

/// Forgets a segment that was removed.
pub(crate) fn forget_segment(connection: &Connection, number: u32) -> rusqlite::Result<()> {
    let sql = "DELETE FROM segments WHERE number = ?1";
    connection.prepare_cached(sql)?.execute([number])?;
    Ok(())
}

// === impl Which ===

impl Which {
    /// The table and the condition, as part of a statement whose first parameter is the account.
    fn rows(self) -> &'static str {
        match self {
            Self::All => "rows WHERE account = ?1",
            Self::Archived => "rows WHERE account = ?1 AND archived = 1",
            Self::Owed => "rows INDEXED BY rows_owed WHERE account = ?1 AND owed = 1",
            Self::KeptNoMore => {
                "rows INDEXED BY rows_kept_no_more WHERE account = ?1 AND archived = 0 AND owed = 0"
            }
        }
    }
}
