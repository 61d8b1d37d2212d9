//! What lies in `data_dir`: the store, the secret, the development certificate and accounts.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use super::error::StartError;

/// The data directory.
#[derive(Clone, Debug)]
pub struct DataDirectory {
    path: PathBuf,
}

/// Bytes of the secret.
const SECRET: usize = 32;

// === impl DataDirectory ===

impl DataDirectory {
    /// Makes the directory, for this user only, if it is not there.
    ///
    /// # Errors
    /// When it can neither be made nor used.
    pub fn prepare(path: &Path) -> Result<Self, StartError> {
        let failed = |source| StartError::Directory {
            path: path.to_owned(),
            source,
        };
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(path)
            .map_err(failed)?;
        fs::read_dir(path).map_err(failed)?;
        Ok(Self {
            path: path.to_owned(),
        })
    }

    /// The file of the embedded store.
    pub fn store(&self) -> PathBuf {
        self.path.join("rookery.sqlite")
    }

    /// The directory of the message log, made if it is not there.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn messages(&self) -> Result<PathBuf, StartError> {
        let path = self.path.join("messages");
        let made = DirBuilder::new().recursive(true).mode(0o700).create(&path);
        match made {
            Ok(()) => Ok(path),
            Err(source) => Err(StartError::Directory { path, source }),
        }
    }

    /// The directory of the development certificate.
    pub(crate) fn tls(&self) -> PathBuf {
        self.path.join("tls")
    }

    /// The accounts that a development server made for itself.
    pub(crate) fn development_accounts(&self) -> PathBuf {
        self.path.join("development-accounts.txt")
    }

    /// The server's secret, made at the first start.
    ///
    /// # Errors
    /// When its file cannot be used, or holds something else.
    pub fn secret(&self) -> Result<[u8; SECRET], StartError> {
        let path = self.path.join("secret");
        match fs::read(&path) {
            Ok(bytes) => bytes.try_into().map_err(|_| StartError::Secret(path)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let mut secret = [0; SECRET];
                getrandom::fill(&mut secret).map_err(StartError::Randomness)?;
                write_private(&path, &secret)?;
                Ok(secret)
            }
            Err(source) => Err(StartError::File { path, source }),
        }
    }
}

/// Writes a file that only this user can read; it is there in full or not at all.
pub(crate) fn write_private(path: &Path, contents: &[u8]) -> Result<(), StartError> {
    let new = path.with_extension("new");
    let write = || -> io::Result<()> {
        if let Err(error) = fs::remove_file(&new)
            && error.kind() != io::ErrorKind::NotFound
        {
            return Err(error);
        }
        let mut file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&new)?;
        file.write_all(contents)?;
        file.sync_all()?;
        fs::rename(&new, path)?;
        // Without this a loss of power could still take the name away.
        path.parent()
            .map_or(Ok(()), |parent| File::open(parent)?.sync_all())
    };
    write().map_err(|source| StartError::File {
        path: path.to_owned(),
        source,
    })
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn the_secret_is_made_once_and_for_this_user_only() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("data");
        let data = DataDirectory::prepare(&path).unwrap();
        let secret = data.secret().unwrap();
        assert_eq!(
            DataDirectory::prepare(&path).unwrap().secret().unwrap(),
            secret
        );
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&path), 0o700);
        assert_eq!(mode(&path.join("secret")), 0o600);
    }

    #[test]
    fn a_damaged_secret_is_not_used() {
        let directory = tempfile::tempdir().unwrap();
        fs::write(directory.path().join("secret"), "short").unwrap();
        let data = DataDirectory::prepare(directory.path()).unwrap();
        assert!(matches!(data.secret(), Err(StartError::Secret(_))));
    }

    #[test]
    fn a_file_in_the_place_of_the_directory_is_named() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let error = DataDirectory::prepare(file.path()).unwrap_err().to_string();
        assert!(error.contains("data_dir") && error.contains(&file.path().display().to_string()));
    }
}
