//! Files that belong together, read at one moment, and what was made of them.

use std::fs::File;
use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use crate::error::CertificateError;

/// No chain, key or revocation list that makes sense is larger.
const LIMIT: u64 = 4 * 1024 * 1024;
/// How often files that change while they are read are read again.
const ATTEMPTS: usize = 4;
/// Seconds after a change in which another one may leave no trace in the file's times.
const RACY: i64 = 2;

/// The contents of some files, in the order of their paths. Wiped when dropped: one may be a key.
#[derive(PartialEq, Eq)]
pub(crate) struct Contents(Vec<Zeroizing<Vec<u8>>>);

/// What was made of some files, kept for as long as what they hold instead is bad.
#[derive(Debug)]
pub(crate) struct Kept<T> {
    paths: Vec<PathBuf>,
    /// Before the contents were read, if it says enough to not read them again.
    stamp: Option<Stamp>,
    /// The contents that were last looked at; none when there were none.
    seen: Option<[u8; 32]>,
    pub(crate) value: T,
}

/// What changes when any of some files does: device, file, size, and seconds and nanoseconds of the last
/// change of each.
#[derive(Debug, PartialEq, Eq)]
struct Stamp(Vec<(u64, u64, u64, i64, i64)>);

// === impl Contents ===

impl Contents {
    /// Reads the files until two readings in a row agree: a certificate and its key are not taken from
    /// the two sides of a change, such as the swap of a Kubernetes volume's `..data` link.
    pub(crate) fn read(paths: &[PathBuf]) -> Result<Self, CertificateError> {
        let mut last = Self::read_once(paths)?;
        for _ in 0..ATTEMPTS {
            let next = Self::read_once(paths)?;
            if next == last {
                return Ok(next);
            }
            last = next;
        }
        let path = paths.first().cloned().unwrap_or_default();
        Err(CertificateError::Unsettled { path })
    }

    /// The contents of one file; empty when there is no such file.
    pub(crate) fn get(&self, index: usize) -> &[u8] {
        self.0
            .get(index)
            .map(|contents| contents.as_slice())
            .unwrap_or_default()
    }

    fn read_once(paths: &[PathBuf]) -> Result<Self, CertificateError> {
        paths
            .iter()
            .map(|path| read(path))
            .collect::<Result<_, _>>()
            .map(Self)
    }

    fn digest(&self) -> [u8; 32] {
        let mut hash = Sha256::new();
        for contents in &self.0 {
            hash.update(contents.len().to_be_bytes());
            hash.update(contents.as_slice());
        }
        hash.finalize().into()
    }
}

// === impl Kept ===

impl<T> Kept<T> {
    /// Makes the value for the first time.
    pub(crate) fn load(
        paths: Vec<PathBuf>,
        make: impl FnOnce(&[PathBuf], &Contents) -> Result<T, CertificateError>,
    ) -> Result<Self, CertificateError> {
        let contents = Contents::read(&paths)?;
        Ok(Self {
            value: make(&paths, &contents)?,
            seen: Some(contents.digest()),
            stamp: None,
            paths,
        })
    }

    /// Makes the value again if the files have changed since they were last looked at. None: they have
    /// not. An error leaves the value as it is, and is reported once. `now` is Unix time in seconds.
    pub(crate) fn refresh(
        &mut self,
        now: i64,
        make: impl FnOnce(&[PathBuf], &Contents) -> Result<T, CertificateError>,
    ) -> Option<Result<(), CertificateError>> {
        let stamp = Stamp::of(&self.paths);
        if stamp.is_some() && stamp == self.stamp {
            return None;
        }
        self.stamp = stamp.filter(|stamp| stamp.is_settled(now));
        match Contents::read(&self.paths) {
            Err(error) => {
                self.stamp = None;
                self.seen.take().map(|_| Err(error))
            }
            Ok(contents) => {
                let digest = contents.digest();
                if self.seen.replace(digest) == Some(digest) {
                    return None;
                }
                Some(make(&self.paths, &contents).map(|value| self.value = value))
            }
        }
    }

    /// The files.
    pub(crate) fn paths(&self) -> &[PathBuf] {
        &self.paths
    }
}

// === impl Stamp ===

impl Stamp {
    fn of(paths: &[PathBuf]) -> Option<Self> {
        paths
            .iter()
            .map(|path| {
                let file = path.metadata().ok()?;
                Some((
                    file.dev(),
                    file.ino(),
                    file.len(),
                    file.ctime(),
                    file.ctime_nsec(),
                ))
            })
            .collect::<Option<_>>()
            .map(Self)
    }

    /// Whether any later change shows.
    fn is_settled(&self, now: i64) -> bool {
        self.0
            .iter()
            .all(|(.., changed, _)| changed.saturating_add(RACY) < now)
    }
}

fn read(path: &Path) -> Result<Zeroizing<Vec<u8>>, CertificateError> {
    let mut contents = Zeroizing::new(Vec::new());
    File::open(path)
        .and_then(|file| file.take(LIMIT + 1).read_to_end(&mut contents))
        .map_err(|source| CertificateError::Unreadable {
            path: path.to_owned(),
            source,
        })?;
    if contents.len() as u64 > LIMIT {
        return Err(CertificateError::TooLarge {
            path: path.to_owned(),
            limit: LIMIT,
        });
    }
    Ok(contents)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(paths: &[PathBuf], contents: &Contents) -> Result<String, CertificateError> {
        String::from_utf8(contents.get(0).to_vec()).map_err(|error| CertificateError::Invalid {
            path: paths[0].clone(),
            what: "text",
            reason: error.to_string(),
        })
    }

    #[test]
    fn a_change_is_seen_however_it_is_made_and_whenever() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("file");
        std::fs::write(&path, "one").unwrap();
        let changed = path.metadata().unwrap().ctime();
        let mut kept = Kept::load(vec![path.clone()], text).unwrap();
        for now in [changed, changed + 10] {
            assert!(kept.refresh(now, text).is_none());
            assert!(kept.refresh(now, text).is_none());
            assert_eq!(kept.stamp.is_some(), now > changed + RACY);
            std::fs::write(&path, format!("written at {now}")).unwrap();
            assert!(matches!(kept.refresh(now, text), Some(Ok(()))));
            let new = directory.path().join("new");
            std::fs::write(&new, format!("renamed at {now}")).unwrap();
            std::fs::rename(&new, &path).unwrap();
            assert!(matches!(kept.refresh(now, text), Some(Ok(()))));
            assert_eq!(kept.value, format!("renamed at {now}"));
        }
    }

    #[test]
    fn a_file_that_is_gone_is_reported_once() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("file");
        std::fs::write(&path, "one").unwrap();
        let mut kept = Kept::load(vec![path.clone()], text).unwrap();
        std::fs::remove_file(&path).unwrap();
        assert!(matches!(kept.refresh(0, text), Some(Err(_))));
        assert!(kept.refresh(0, text).is_none());
        assert_eq!(kept.value, "one");
        std::fs::write(&path, "one").unwrap();
        assert!(matches!(kept.refresh(0, text), Some(Ok(()))));
    }
}
