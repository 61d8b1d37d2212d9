//! The index of the log: which rows there are, by what they are found, and where their records lie.
//!
//! It follows the log at a distance and is not synced by itself: it says how far it has come, and what is missing
//! after a crash is read from there on.

mod apply;
mod lost;
mod query;
mod trim;

use std::path::Path;

use rookery_stanza::BareJid;
use rusqlite::{Connection, OpenFlags, OptionalExtension, TransactionBehavior};
use sha2::{Digest, Sha256};

use super::frame::Place;
use super::journal::Position;
use crate::open::OpenError;

pub(crate) use apply::{Applier, Change};
pub(crate) use lost::{give_up, give_up_segment, lost, missing};
pub(crate) use query::{Found, Standing, Wanted, accounts};
pub(crate) use trim::{checkpoint, forget_erased, forget_segment, spare, trim};

/// What marks a file as an index of ours: "RLog" in ASCII.
const APPLICATION_ID: i32 = 0x524c_6f67;
/// The version of the schema.
const VERSION: i32 = 1;
/// The page cache of the connection that writes, in KiB.
const CACHE: i64 = 64 << 10;
/// After how many pages of its own log SQLite moves them into the file, and syncs both: a page that changes often
/// is moved once for many changes.
const CHECKPOINT_PAGES: i64 = 16 << 10;

/// Opens the index for writing, and makes it if it is not there.
pub(crate) fn open(path: &Path) -> Result<Connection, OpenError> {
    let failed = |doing: &str| {
        let doing = doing.to_owned();
        move |source| OpenError::from_sqlite(path, &doing, source)
    };
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
        | OpenFlags::SQLITE_OPEN_CREATE
        | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let mut connection = Connection::open_with_flags(path, flags).map_err(failed("opening it"))?;
    let pragma = |name| connection.pragma_query_value(None, name, |row| row.get::<_, i32>(0));
    let header = (|| Ok((pragma("application_id")?, pragma("user_version")?)))();
    match header.map_err(failed("reading its header"))? {
        (0, 0) => create(&mut connection).map_err(failed("making its tables"))?,
        (APPLICATION_ID, VERSION) => {}
        (APPLICATION_ID, found) => {
            return Err(OpenError::Newer {
                path: path.to_owned(),
                found: usize::try_from(found).unwrap_or_default(),
                known: usize::try_from(VERSION).unwrap_or_default(),
            });
        }
        _ => {
            return Err(OpenError::NotAStore {
                path: path.to_owned(),
            });
        }
    }
    set_up(&connection).map_err(failed("setting it up"))?;
    Ok(connection)
}

fn create(connection: &mut Connection) -> rusqlite::Result<()> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    transaction.execute_batch(include_str!("schema.sql"))?;
    transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
    transaction.pragma_update(None, "user_version", VERSION)?;
    transaction.commit()
}

fn set_up(connection: &Connection) -> rusqlite::Result<()> {
    connection.set_prepared_statement_cache_capacity(64);
    connection.pragma_update_and_check(None, "journal_mode", "WAL", |_| Ok(()))?;
    connection.pragma_update(None, "synchronous", "NORMAL")?;
    connection.pragma_update(None, "cache_size", -CACHE)?;
    connection.pragma_update(None, "wal_autocheckpoint", CHECKPOINT_PAGES)?;
    connection.pragma_update(None, "temp_store", "MEMORY")
}

/// How far the index has come; nothing when it is new.
pub(crate) fn position(connection: &Connection) -> rusqlite::Result<Option<Position>> {
    let sql = "SELECT segment, offset, chain FROM state";
    let position = |row: &rusqlite::Row<'_>| {
        Ok(Position {
            place: Place {
                segment: row.get(0)?,
                offset: row.get(1)?,
            },
            chain: row.get(2)?,
        })
    };
    let mut statement = connection.prepare_cached(sql)?;
    statement.query_row([], position).optional()
}

/// The parts of an account's address by which it is listed.
fn parts(account: &str) -> (&str, &str) {
    match account.split_once('@') {
        Some((local, host)) => (host, local),
        None => (account, ""),
    }
}

/// The account of these parts.
fn account(host: &str, local: &str) -> Option<BareJid> {
    let local = Some(local).filter(|local| !local.is_empty());
    BareJid::from_parts(local, host).ok()
}

/// What stands for an address in the index. Nobody finds another address that is hashed alike.
fn hash(address: &str) -> i64 {
    let digest = Sha256::digest(address.as_bytes());
    let first = digest.first_chunk().copied().unwrap_or_default();
    i64::from_le_bytes(first)
}

/// An order as SQLite keeps it.
fn signed(order: u64) -> i64 {
    i64::try_from(order).unwrap_or(i64::MAX)
}
