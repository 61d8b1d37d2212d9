//! Rows whose records cannot be read.

use rusqlite::{Connection, TransactionBehavior};

use super::{account, apply, position};
use crate::log::frame::Place;
use crate::log::journal::Position;
use crate::log::repair::LostRow;

/// The rows that refer to a part of a segment.
pub(crate) fn lost(
    connection: &Connection,
    from: Place,
    to: u32,
) -> rusqlite::Result<Vec<LostRow>> {
    let sql = "SELECT host, local, ord, salt, archived, owed
        FROM rows JOIN accounts ON accounts.number = rows.account
        WHERE segment = ?1 AND offset >= ?2 AND offset < ?3 AND host IS NOT NULL
        ORDER BY host, local, ord";
    let mut statement = connection.prepare_cached(sql)?;
    let mut found = statement.query((from.segment, from.offset, to))?;
    let mut rows = Vec::new();
    while let Some(row) = found.next()? {
        let (host, local): (String, String) = (row.get(0)?, row.get(1)?);
        let account = account(&host, &local);
        rows.push(LostRow {
            account: account.map_or(host, |account| account.as_str().to_owned()),
            id: super::query::id(row, 2)?,
            archived: row.get(4)?,
            owed: row.get(5)?,
        });
    }
    Ok(rows)
}

/// Forgets the rows that refer to a part of a segment; should the index have come just into it, it goes on at its
/// beginning.
pub(crate) fn give_up(
    connection: &mut Connection,
    from: Position,
    to: u32,
) -> rusqlite::Result<()> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let Place { segment, offset } = from.place;
    let remembered = "UPDATE accounts SET (floor_ord, floor_salt) = (
            SELECT ord, salt FROM rows WHERE account = number ORDER BY ord DESC LIMIT 1
        ) WHERE number IN (
            SELECT account FROM rows WHERE segment = ?1 AND offset >= ?2 AND offset < ?3
        )";
    transaction.execute(remembered, (segment, offset, to))?;
    let sql = "DELETE FROM rows WHERE segment = ?1 AND offset >= ?2 AND offset < ?3";
    let gone = transaction.execute(sql, (segment, offset, to))?;
    let gone = i64::try_from(gone).unwrap_or(i64::MAX);
    apply::count(&transaction, [(segment, (0, -gone))])?;
    let inside = |place: Place| place.segment == segment && (offset..to).contains(&place.offset);
    if position(&transaction)?.is_some_and(|position| inside(position.place)) {
        apply::note(&transaction, from)?;
    }
    transaction.commit()
}

/// Forgets the rows that refer to a segment which is not there.
pub(crate) fn give_up_segment(connection: &mut Connection, number: u32) -> rusqlite::Result<()> {
    let from = Position {
        place: Place {
            segment: number,
            offset: 0,
        },
        chain: 0,
    };
    give_up(connection, from, u32::MAX)?;
    super::forget_segment(connection, number)
}

/// The segments that rows refer to and that are not among these.
pub(crate) fn missing(connection: &Connection, there: &[u32]) -> rusqlite::Result<Vec<u32>> {
    let sql = "SELECT number FROM segments WHERE live > 0 ORDER BY number";
    let mut statement = connection.prepare_cached(sql)?;
    let numbers = statement.query_map([], |row| row.get(0))?;
    let numbers: Vec<u32> = numbers.collect::<rusqlite::Result<_>>()?;
    let missing = numbers.into_iter().filter(|number| !there.contains(number));
    Ok(missing.collect())
}
