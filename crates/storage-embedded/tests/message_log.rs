//! The embedded message log passes the suite of all message logs, and keeps what it was given when it is opened again.

#![cfg(test)]

use std::ops::Deref;
use std::sync::Arc;

use rookery_storage_embedded::{EmbeddedLog, LogConfig};
use rookery_telemetry::Registry;
use tempfile::TempDir;

/// A log with the folder that it lives in.
struct Lodging {
    log: Arc<EmbeddedLog>,
    _folder: TempDir,
}

impl Lodging {
    fn open() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let log = EmbeddedLog::open(folder.path(), &LogConfig::default(), &Registry::new());
        Self {
            log: log.unwrap(),
            _folder: folder,
        }
    }
}

impl Deref for Lodging {
    type Target = EmbeddedLog;

    fn deref(&self) -> &EmbeddedLog {
        &self.log
    }
}

rookery_storage::message_log_suite!(async || Lodging::open());
