//! Tidiness that the compiler does not see: one file of this folder for each kind of rule.

mod links;
mod sources;
mod words;

use crate::finding::{Finding, Report};
use crate::repository::{Repository, RepositoryError, ending};

/// Nothing that a person wrote is larger than this.
const MAX_FILE_BYTES: u64 = 1024 * 1024;

/// Looks at every file of the repository.
pub(crate) fn run(repository: &Repository) -> Result<Report, RepositoryError> {
    let mut findings = Vec::new();
    let mut looked_at = 0;
    for path in repository.files() {
        looked_at += 1;
        let size = repository.size(path)?;
        if size > MAX_FILE_BYTES {
            findings.push(too_large(path, size));
            continue;
        }
        findings.extend(sources::check_name(path));
        let Some(text) = repository.text(path)? else {
            continue;
        };
        findings.extend(words::check(path, &text));
        if ending(path) == Some("rs") {
            findings.extend(sources::check(path, &text));
        }
        if links::is_document(path) {
            findings.extend(links::check(repository, path, &text));
        }
    }
    Ok(Report {
        summary: format!("{looked_at} files are in order"),
        findings,
    })
}

fn too_large(path: &str, size: u64) -> Finding {
    let message = format!("{size} bytes, at most {MAX_FILE_BYTES}; generate it or leave it out");
    Finding::file(path, message)
}
