//! The versions of the schema, and the way from each to the next.

use rusqlite::{Connection, TransactionBehavior};

/// What marks a file as a store of ours: "Rook" in ASCII.
pub(crate) const APPLICATION_ID: i32 = 0x526f_6f6b;

/// The script at position `n` leads from version `n` to version `n + 1`. Never change one: add the next.
const MIGRATIONS: [&str; 3] = [
    include_str!("schema/1.sql"),
    include_str!("schema/2.sql"),
    include_str!("schema/3.sql"),
];

/// The version that this server reads and writes.
pub(crate) const VERSION: usize = MIGRATIONS.len();

/// What a file's header says about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Found {
    /// Nothing was ever stored in it.
    Empty,
    /// A store of this version.
    Version(usize),
    /// A database of another program.
    Foreign,
}

/// Reads what the file is.
pub(crate) fn find(connection: &Connection) -> rusqlite::Result<Found> {
    let number = |pragma| connection.pragma_query_value(None, pragma, |row| row.get::<_, i32>(0));
    let (application, version) = (number("application_id")?, number("user_version")?);
    let tables: i64 =
        connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    Ok(match (application, usize::try_from(version)) {
        (0, Ok(0)) if tables == 0 => Found::Empty,
        (APPLICATION_ID, Ok(version)) => Found::Version(version),
        _ => Found::Foreign,
    })
}

/// Leads the schema from `version` to the newest one, each step in a transaction of its own.
pub(crate) fn migrate(
    connection: &mut Connection,
    version: usize,
) -> Result<(), (usize, rusqlite::Error)> {
    for (step, script) in (1..).zip(MIGRATIONS).skip(version) {
        step_to(connection, step, script).map_err(|error| (step, error))?;
        if version > 0 {
            tracing::info!(
                version = step,
                "the schema of the store was brought up to date"
            );
        }
    }
    Ok(())
}

fn step_to(connection: &mut Connection, version: usize, script: &str) -> rusqlite::Result<()> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    transaction.execute_batch(script)?;
    transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
    transaction.pragma_update(
        None,
        "user_version",
        i32::try_from(version).unwrap_or(i32::MAX),
    )?;
    transaction.commit()
}
