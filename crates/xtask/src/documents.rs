//! Documents that the program writes itself, so that they cannot differ from what it does.

use std::io;
use std::process::Command;

use crate::finding::{Finding, Report};
use crate::repository::{Repository, RepositoryError};

/// A document, and the arguments with which `rookery` prints it.
struct Document {
    path: &'static str,
    arguments: &'static [&'static str],
}

const DOCUMENTS: [Document; 5] = [
    Document {
        path: "docs/configuration/reference.md",
        arguments: &["config", "reference"],
    },
    Document {
        path: "deploy/config/rookery.example.toml",
        arguments: &["config", "example"],
    },
    Document {
        path: "docs/protocol/support.md",
        arguments: &["docs", "support"],
    },
    Document {
        path: "docs/protocol/rookery.doap",
        arguments: &["docs", "doap"],
    },
    Document {
        path: "docs/operations/metrics.md",
        arguments: &["metrics", "reference"],
    },
];

/// What makes all documents fresh.
const REFRESH: &str = "cargo xtask docs";

/// Why the documents cannot be made.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DocumentsError {
    #[error("cannot run cargo: {0}")]
    NoCargo(#[source] io::Error),
    #[error("`rookery {arguments}`, which makes {path}, failed; mend it first\n{output}")]
    Failed {
        arguments: String,
        path: &'static str,
        output: String,
    },
    #[error("`rookery {arguments}`, which makes {path}, printed what is not text")]
    NotText {
        arguments: String,
        path: &'static str,
    },
    #[error(transparent)]
    Repository(#[from] RepositoryError),
}

/// Writes every document that is not as the program would write it.
pub(crate) fn write(repository: &Repository) -> Result<Report, DocumentsError> {
    let mut written = Vec::new();
    for document in &DOCUMENTS {
        let fresh = document.produce()?;
        if stored(repository, document.path)?.as_deref() != Some(&fresh) {
            repository.replace(document.path, &fresh)?;
            written.push(document.path);
        }
    }
    let summary = match written.as_slice() {
        [] => "all documents were fresh".to_owned(),
        paths => format!("wrote {}", paths.join(", ")),
    };
    Ok(Report {
        summary,
        findings: Vec::new(),
    })
}

/// Compares every document with what the program would write.
pub(crate) fn check(repository: &Repository) -> Result<Report, DocumentsError> {
    let mut findings = Vec::new();
    for document in &DOCUMENTS {
        let stored = stored(repository, document.path)?;
        findings.extend(compare(
            document.path,
            stored.as_deref(),
            &document.produce()?,
        ));
    }
    let summary = format!("{} generated documents are fresh", DOCUMENTS.len());
    Ok(Report { summary, findings })
}

fn stored(repository: &Repository, path: &str) -> Result<Option<String>, RepositoryError> {
    if repository.holds(path) {
        repository.text(path)
    } else {
        Ok(None)
    }
}

fn compare(path: &str, stored: Option<&str>, fresh: &str) -> Option<Finding> {
    let Some(stored) = stored else {
        return Some(Finding::file(path, format!("is absent; run `{REFRESH}`")));
    };
    if stored == fresh {
        return None;
    }
    let same = stored
        .lines()
        .zip(fresh.lines())
        .take_while(|(old, new)| old == new)
        .count();
    Some(Finding::line(
        path,
        same,
        format!("is stale from here on; run `{REFRESH}`"),
    ))
}

impl Document {
    /// Runs the program; cargo builds it first where needed.
    fn produce(&self) -> Result<String, DocumentsError> {
        let arguments = self.arguments.join(" ");
        let output = Command::new("cargo")
            .args([
                "run",
                "--quiet",
                "--package",
                "rookery-server",
                "--bin",
                "rookery",
                "--",
            ])
            .args(self.arguments)
            .output()
            .map_err(DocumentsError::NoCargo)?;
        if !output.status.success() {
            let output = String::from_utf8_lossy(&output.stderr).into_owned();
            return Err(DocumentsError::Failed {
                arguments,
                path: self.path,
                output,
            });
        }
        String::from_utf8(output.stdout).map_err(|_| DocumentsError::NotText {
            arguments,
            path: self.path,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::compare;

    #[test]
    fn a_fresh_document_passes() {
        assert_eq!(compare("docs/a.md", Some("a\nb\n"), "a\nb\n"), None);
    }

    #[test]
    fn a_stale_document_is_found_at_its_first_difference() {
        let found = compare("docs/a.md", Some("a\nb\n"), "a\nc\n")
            .unwrap()
            .to_string();
        assert!(
            found.starts_with("docs/a.md:2: ") && found.contains("cargo xtask docs"),
            "{found}"
        );
        assert!(compare("docs/a.md", Some("a\n"), "a\nb\n").is_some());
        assert!(compare("docs/a.md", Some("a"), "a\n").is_some());
    }

    #[test]
    fn an_absent_document_is_found() {
        assert!(compare("docs/a.md", None, "a\n").is_some());
    }
}
