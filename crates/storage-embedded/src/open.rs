//! Opening the file: is it ours, is it whole, is its schema known; and only then use it.

use std::fs::File;
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, ErrorCode, OpenFlags};

use crate::config::{Config, Durability};
use crate::lock::{LockError, StoreLock};
use crate::schema::{self, Found};

/// A file up to this size is checked page by page when it is opened: a matter of about a second. A
/// larger one shows its damage where it is read.
const CHECKED_BYTES: u64 = 256 << 20;
/// How long a connection waits for a lock inside the file; short ones occur when the log is restarted.
const BUSY: Duration = Duration::from_secs(5);
/// The writer's page cache, in KiB.
const WRITER_CACHE: i64 = 16 << 10;
/// The page cache of each reader, in KiB: what leads to the rows. The system keeps the file's pages for all of them.
const READER_CACHE: i64 = 64;
/// The log is cut to this many bytes when it is restarted.
const LOG_BYTES: i64 = 32 << 20;
/// Prepared statements that a connection keeps.
const STATEMENTS: usize = 64;

/// Why a store was not opened. Each message says what to do.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another process works on it.
    #[error(
        "the store {} is in use by {}: stop that process, or give it the work through its admin socket",
        path.display(),
        process.map_or_else(|| "another process".to_owned(), |id| format!("process {id}"))
    )]
    InUse {
        /// The file.
        path: PathBuf,
        /// The process that holds the lock, if it is known.
        process: Option<u32>,
    },
    /// The file or its directory does not exist or cannot be written.
    #[error(
        "the store {} cannot be written: {reason}; its directory must exist, be writable for this user, and have room",
        path.display()
    )]
    NotWritable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        reason: String,
    },
    /// It is not a store of this server.
    #[error(
        "{} is not a store of rookery: move the file away, or set data_dir to another directory",
        path.display()
    )]
    NotAStore {
        /// The file.
        path: PathBuf,
    },
    /// It is damaged.
    #[error(
        "the store {} is damaged ({finding}): keep a copy of it and of its -wal file, and restore a backup",
        path.display()
    )]
    Corrupt {
        /// The file.
        path: PathBuf,
        /// The first thing that is wrong.
        finding: String,
    },
    /// A newer server used it.
    #[error(
        "the store {} has schema version {found}, and this rookery knows versions up to {known}: run the newer rookery that last used it, or restore a backup from before",
        path.display()
    )]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its version.
        found: usize,
        /// The newest version known here.
        known: usize,
    },
    /// SQLite failed in another way.
    #[error("the store {} could not be opened, {doing}: {source}", path.display())]
    Sqlite {
        /// The file.
        path: PathBuf,
        /// What was being done.
        doing: String,
        /// How it failed.
        source: rusqlite::Error,
    },
    /// A thread of the store could not be started.
    #[error("a thread for the store could not be started: {0}")]
    Thread(#[from] io::Error),
}

/// Makes the file if it is not there, readable for this user only: it holds keys that verify passwords.
/// SQLite gives the files beside it the same permissions.
fn private(path: &Path) -> io::Result<()> {
    let mut options = File::options();
    options.write(true).create(true).truncate(false).mode(0o600);
    options.open(path).map(drop)
}

/// Takes the lock and opens the connection that writes, with the newest schema.
pub(crate) fn open_writer(
    path: &Path,
    config: &Config,
) -> Result<(StoreLock, Connection), OpenError> {
    let lock = StoreLock::take(path).map_err(|error| OpenError::from_lock(path, error))?;
    let failed = |doing: &str, error| OpenError::from_sqlite(path, doing, error);
    let private = private(path);
    private.map_err(|error| OpenError::from_lock(path, LockError::File(error)))?;
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let mut connection =
        Connection::open_with_flags(path, flags).map_err(|error| failed("opening it", error))?;
    set_up(&connection).map_err(|error| failed("setting it up", error))?;
    let found = schema::find(&connection).map_err(|error| failed("reading its header", error))?;
    let version = match found {
        Found::Empty => 0,
        Found::Version(version) if version <= schema::VERSION => version,
        Found::Version(version) => {
            return Err(OpenError::Newer {
                path: path.to_owned(),
                found: version,
                known: schema::VERSION,
            });
        }
        Found::Foreign => {
            return Err(OpenError::NotAStore {
                path: path.to_owned(),
            });
        }
    };
    check(path, &connection)?;
    make_durable(&connection, config.durability)
        .map_err(|error| failed("preparing its log", error))?;
    schema::migrate(&mut connection, version)
        .map_err(|(step, error)| failed(&format!("bringing it to schema version {step}"), error))?;
    Ok((lock, connection))
}

/// Opens a connection that reads what the writer has committed.
pub(crate) fn open_reader(path: &Path) -> Result<Connection, OpenError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    Connection::open_with_flags(path, flags)
        .and_then(|connection| {
            set_up(&connection)?;
            connection.pragma_update(None, "cache_size", -READER_CACHE)?;
            Ok(connection)
        })
        .map_err(|error| OpenError::from_sqlite(path, "opening it for reading", error))
}

/// What every connection needs.
fn set_up(connection: &Connection) -> rusqlite::Result<()> {
    connection.set_prepared_statement_cache_capacity(STATEMENTS);
    // A plan does not depend on the values that are bound: no statement is prepared again for them.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    connection.busy_timeout(BUSY)?;
    connection.pragma_update(None, "temp_store", "MEMORY")
}

/// Turns on the write-ahead log and full syncs, which makes a commit durable.
fn make_durable(connection: &Connection, durability: Durability) -> rusqlite::Result<()> {
    let mode: String =
        connection.pragma_update_and_check(None, "journal_mode", "WAL", |row| row.get(0))?;
    if !mode.eq_ignore_ascii_case("wal") {
        let reason = format!("the file system has no room for a write-ahead log (mode {mode})");
        let code = rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_CANTOPEN);
        return Err(rusqlite::Error::SqliteFailure(code, Some(reason)));
    }
    connection.pragma_update(None, "synchronous", durability.pragma())?;
    connection.pragma_update(None, "foreign_keys", true)?;
    connection.pragma_update(None, "cache_size", -WRITER_CACHE)?;
    connection.pragma_update(None, "journal_size_limit", LOG_BYTES)
}

/// Looks for damage: every page of a file that is not too large.
fn check(path: &Path, connection: &Connection) -> Result<(), OpenError> {
    let bytes = std::fs::metadata(path).map_or(0, |metadata| metadata.len());
    if bytes > CHECKED_BYTES {
        tracing::info!(
            bytes,
            "the store is too large to be checked whole at the start"
        );
        return Ok(());
    }
    // Every page is read once, so that none is worth keeping.
    let finding: String = connection
        .pragma_update(None, "cache_size", -READER_CACHE)
        .and_then(|()| connection.query_row("PRAGMA quick_check(1)", [], |row| row.get(0)))
        .map_err(|error| OpenError::from_sqlite(path, "checking it", error))?;
    if finding == "ok" {
        return Ok(());
    }
    Err(OpenError::Corrupt {
        path: path.to_owned(),
        finding: finding.replace('\n', " "),
    })
}

// === impl OpenError ===

impl OpenError {
    pub(crate) fn from_lock(path: &Path, error: LockError) -> Self {
        let path = path.to_owned();
        match error {
            LockError::Held(process) => Self::InUse { path, process },
            LockError::File(error) => Self::NotWritable {
                path,
                reason: error.to_string(),
            },
        }
    }

    pub(crate) fn from_sqlite(path: &Path, doing: &str, source: rusqlite::Error) -> Self {
        let path = path.to_owned();
        match source.sqlite_error_code() {
            Some(ErrorCode::NotADatabase) => Self::NotAStore { path },
            Some(ErrorCode::DatabaseCorrupt) => Self::Corrupt {
                path,
                finding: source.to_string(),
            },
            Some(
                ErrorCode::CannotOpen
                | ErrorCode::PermissionDenied
                | ErrorCode::ReadOnly
                | ErrorCode::DiskFull,
            ) => Self::NotWritable {
                path,
                reason: source.to_string(),
            },
            _ => Self::Sqlite {
                path,
                doing: doing.to_owned(),
                source,
            },
        }
    }
}
