//! Who this node is: a file beside its log.
//!
//! A directory without either is that of a new member. A log without an identity, or an identity without its log,
//! is that of nobody: a node that has forgotten what it promised to the others must not go on under its old name.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::Path;

use serde::{Deserialize, Serialize};

const FILE: &str = "identity.toml";

/// Who this node is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Identity {
    /// The cluster that it belongs to.
    pub(crate) cluster: String,
    /// The number by which it asked to be admitted.
    pub(crate) admission: u64,
    /// Which member it is; 0 until it was admitted.
    pub(crate) member: u64,
    /// Whether it has founded the cluster.
    pub(crate) founder: bool,
}

/// Why a node does not start under its old name.
#[derive(Debug, thiserror::Error)]
pub enum IdentityError {
    /// The disk.
    #[error("{path}: {source}")]
    Io {
        /// Which file.
        path: String,
        /// What it says.
        source: io::Error,
    },
    /// The file makes no sense.
    #[error("{path}: {reason}")]
    Unreadable {
        /// Which file.
        path: String,
        /// Why.
        reason: String,
    },
    /// There is a log and nobody whose it is.
    #[error(
        "{0} has a log of a cluster, and no {FILE}: restore that file, or remove the directory, and the node joins \
         as a new member"
    )]
    LogWithoutIdentity(String),
    /// There is an identity, and what it has promised is lost.
    #[error(
        "{path} says that this is member {member}, and its log is missing: remove the directory, and the node joins \
         as a new member; then remove member {member} from the cluster"
    )]
    IdentityWithoutLog {
        /// Which directory.
        path: String,
        /// Who it was.
        member: u64,
    },
}

// === impl Identity ===

impl Identity {
    /// Reads the identity in a directory whose log is empty, or is not.
    pub(crate) fn read(
        directory: &Path,
        log_is_empty: bool,
    ) -> Result<Option<Self>, IdentityError> {
        let path = directory.join(FILE);
        let text = match fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let place = directory.display().to_string();
                return if log_is_empty {
                    Ok(None)
                } else {
                    Err(IdentityError::LogWithoutIdentity(place))
                };
            }
            Err(source) => return Err(failed(&path, source)),
        };
        let identity: Self = toml::from_str(&text).map_err(|error| IdentityError::Unreadable {
            path: path.display().to_string(),
            reason: error.message().to_owned(),
        })?;
        if log_is_empty && identity.member != 0 {
            return Err(IdentityError::IdentityWithoutLog {
                path: directory.display().to_string(),
                member: identity.member,
            });
        }
        Ok(Some(identity))
    }

    /// Writes it so that it is there after a crash, or the one before it is.
    pub(crate) fn write(&self, directory: &Path) -> Result<(), IdentityError> {
        let path = directory.join(FILE);
        let text = toml::to_string(self).map_err(|error| IdentityError::Unreadable {
            path: path.display().to_string(),
            reason: error.to_string(),
        })?;
        let write = || {
            let beside = directory.join("identity.new");
            let mut file = File::create(&beside)?;
            file.write_all(text.as_bytes())?;
            file.sync_all()?;
            fs::rename(&beside, &path)?;
            File::open(directory)?.sync_all()
        };
        write().map_err(|source| failed(&path, source))
    }
}

fn failed(path: &Path, source: io::Error) -> IdentityError {
    let path = path.display().to_string();
    IdentityError::Io { path, source }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_that_contradicts_itself_is_refused_with_words_that_help() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path();
        assert_eq!(Identity::read(path, true).unwrap(), None, "a new member");
        let error = Identity::read(path, false).unwrap_err().to_string();
        assert!(error.contains("no identity.toml"), "{error}");
        let identity = Identity {
            cluster: "verona".to_owned(),
            admission: 5,
            member: 7,
            founder: false,
        };
        identity.write(path).unwrap();
        assert_eq!(Identity::read(path, false).unwrap(), Some(identity));
        let error = Identity::read(path, true).unwrap_err().to_string();
        assert!(
            error.contains("member 7") && error.contains("log is missing"),
            "{error}"
        );
        fs::write(path.join(FILE), "member = ").unwrap();
        assert!(matches!(
            Identity::read(path, false),
            Err(IdentityError::Unreadable { .. })
        ));
    }

    #[test]
    fn a_node_that_was_stopped_before_it_was_admitted_asks_again_with_its_number() {
        let directory = tempfile::tempdir().unwrap();
        let identity = Identity {
            cluster: "verona".to_owned(),
            admission: 5,
            member: 0,
            founder: false,
        };
        identity.write(directory.path()).unwrap();
        let read = Identity::read(directory.path(), true).unwrap();
        assert_eq!(read, Some(identity));
    }
}
