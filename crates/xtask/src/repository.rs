//! The files of the repository: what git tracks, and what it would track when added.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::process::Command;
use std::{fs, io};

/// The repository that the command was started in.
#[derive(Debug)]
pub(crate) struct Repository {
    root: PathBuf,
    /// Paths from the root, parts joined with `/`.
    files: BTreeSet<String>,
}

/// Why the files of the repository cannot be looked at.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RepositoryError {
    #[error("cannot run git: {0}; install git")]
    NoGit(#[source] io::Error),
    #[error("git cannot list the files: {0}; run this inside a checkout")]
    Git(String),
    #[error("cannot read {path}: {source}")]
    Read { path: String, source: io::Error },
    #[error("cannot write {path}: {source}")]
    Write { path: String, source: io::Error },
}

impl Repository {
    /// Finds the root and lists the files.
    pub(crate) fn open() -> Result<Self, RepositoryError> {
        let root = PathBuf::from(git(&["rev-parse", "--show-toplevel"], None)?.trim_end());
        let listed = git(
            &[
                "ls-files",
                "-z",
                "--cached",
                "--others",
                "--exclude-standard",
            ],
            Some(&root),
        )?;
        let files = listed
            .split('\0')
            .filter(|path| !path.is_empty() && root.join(path).is_file())
            .map(str::to_owned)
            .collect();
        Ok(Self { root, files })
    }

    /// All files, sorted, from the root.
    pub(crate) fn files(&self) -> impl Iterator<Item = &str> {
        self.files.iter().map(String::as_str)
    }

    /// The Rust sources of the crates and of the test crates.
    pub(crate) fn sources(&self) -> impl Iterator<Item = &str> {
        self.files().filter(|path| {
            ending(path) == Some("rs")
                && (path.starts_with("crates/") || path.starts_with("tests/"))
        })
    }

    /// Whether a path names a file, or a folder with files in it.
    pub(crate) fn holds(&self, path: &str) -> bool {
        let path = path.trim_end_matches('/');
        self.files.contains(path)
            || self
                .files
                .range(format!("{path}/")..)
                .next()
                .is_some_and(|next| {
                    next.strip_prefix(path)
                        .is_some_and(|rest| rest.starts_with('/'))
                })
    }

    /// The size of a file in bytes.
    pub(crate) fn size(&self, path: &str) -> Result<u64, RepositoryError> {
        fs::metadata(self.root.join(path))
            .map(|metadata| metadata.len())
            .map_err(|source| RepositoryError::Read {
                path: path.to_owned(),
                source,
            })
    }

    /// The text of a file; `None` when it is not text.
    pub(crate) fn text(&self, path: &str) -> Result<Option<String>, RepositoryError> {
        let bytes = fs::read(self.root.join(path)).map_err(|source| RepositoryError::Read {
            path: path.to_owned(),
            source,
        })?;
        Ok(String::from_utf8(bytes).ok())
    }

    /// Replaces a file, and makes its folder.
    pub(crate) fn replace(&self, path: &str, text: &str) -> Result<(), RepositoryError> {
        let target = self.root.join(path);
        let write = || {
            if let Some(folder) = target.parent() {
                fs::create_dir_all(folder)?;
            }
            fs::write(&target, text)
        };
        write().map_err(|source| RepositoryError::Write {
            path: path.to_owned(),
            source,
        })
    }

    /// A repository in memory, for tests of what needs only the names of files.
    #[cfg(test)]
    pub(crate) fn of(files: &[&str]) -> Self {
        Self {
            root: PathBuf::new(),
            files: files.iter().map(|path| (*path).to_owned()).collect(),
        }
    }
}

/// What stands behind the last dot of a path.
pub(crate) fn ending(path: &str) -> Option<&str> {
    path.rsplit_once('.').map(|(_, ending)| ending)
}

fn git(arguments: &[&str], folder: Option<&PathBuf>) -> Result<String, RepositoryError> {
    let mut command = Command::new("git");
    if let Some(folder) = folder {
        command.current_dir(folder);
    }
    let output = command
        .args(arguments)
        .output()
        .map_err(RepositoryError::NoGit)?;
    if output.status.success() {
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    } else {
        Err(RepositoryError::Git(
            String::from_utf8_lossy(&output.stderr).trim().to_owned(),
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::Repository;

    #[test]
    fn holds_files_and_their_folders_only() {
        let repository = Repository::of(&["crates/xml/src/lib.rs", "docs.md", "docs-old/a.md"]);
        for path in ["crates/xml/src/lib.rs", "crates/xml", "crates/", "docs-old"] {
            assert!(repository.holds(path), "{path}");
        }
        for path in ["crates/xm", "docs", "lib.rs"] {
            assert!(!repository.holds(path), "{path}");
        }
    }
}
