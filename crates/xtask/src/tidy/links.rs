//! Documents name only files that exist: in backticks from the root, in links from the document.

use crate::finding::Finding;
use crate::repository::{Repository, ending};

/// Endings by which a name in backticks is taken for a file of this repository.
const ENDINGS: [&str; 9] = [
    "rs", "md", "toml", "tsv", "doap", "scene", "sh", "py", "proto",
];

/// What stands for a part of a path that the reader fills in.
const PLACEHOLDERS: [&str; 6] = ["<", "*", "{", "NNNN", "…", "..."];

/// Whether the paths in this file are checked.
pub(super) fn is_document(path: &str) -> bool {
    ending(path) == Some("md") && (path.starts_with("docs/") || !path.contains('/'))
}

/// Checks every path that a document names outside of code blocks.
pub(super) fn check(repository: &Repository, path: &str, text: &str) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut in_code = false;
    for (index, line) in text.lines().enumerate() {
        if line.trim_start().starts_with("```") {
            in_code = !in_code;
            continue;
        }
        if in_code {
            continue;
        }
        for name in line
            .split('`')
            .skip(1)
            .step_by(2)
            .filter(|name| is_path(repository, name))
        {
            if !repository.holds(fixed_part(name)) {
                let message =
                    format!("`{name}` does not exist; name it from the root, or remove it");
                findings.push(Finding::line(path, index, message));
            }
        }
        for target in links(line) {
            if resolve(path, target).is_none_or(|target| !repository.holds(&target)) {
                let message = format!("the link to {target} leads nowhere; mend or remove it");
                findings.push(Finding::line(path, index, message));
            }
        }
    }
    findings
}

/// Whether a name in backticks looks like a path of this repository.
fn is_path(repository: &Repository, name: &str) -> bool {
    let Some((top, _)) = name.split_once('/') else {
        return false;
    };
    let plain = !top.is_empty() && !name.contains([' ', ':', '~', '$', '\'', '"', '=', '@', '(']);
    let ours =
        repository.holds(top) || ending(name).is_some_and(|ending| ENDINGS.contains(&ending));
    plain && ours
}

/// The folders before the first placeholder.
fn fixed_part(name: &str) -> &str {
    let end = PLACEHOLDERS
        .iter()
        .filter_map(|placeholder| name.find(placeholder))
        .min();
    end.and_then(|end| name.split_at_checked(end))
        .map_or(name, |(fixed, _)| {
            fixed.rsplit_once('/').map_or("", |(folder, _)| folder)
        })
}

/// The targets of links to files in a line: `[text](target)`.
fn links(line: &str) -> impl Iterator<Item = &str> {
    line.split("](")
        .skip(1)
        .filter_map(|rest| rest.split_once(')'))
        .filter_map(|(target, _)| target.split('#').next())
        .filter(|target| !target.is_empty() && !target.contains(':'))
}

/// A link's target from the root of the repository; `None` when it leaves the repository.
fn resolve(document: &str, target: &str) -> Option<String> {
    let mut parts: Vec<&str> = document.split('/').collect();
    parts.pop();
    for part in target.trim_end_matches('/').split('/') {
        match part {
            "." => {}
            ".." => {
                parts.pop()?;
            }
            name => parts.push(name),
        }
    }
    Some(parts.join("/"))
}

#[cfg(test)]
mod tests {
    use super::{check, is_document};
    use crate::repository::Repository;

    fn found(text: &str) -> usize {
        let files = [
            "crates/xml/src/lib.rs",
            "docs/adr/README.md",
            "docs/README.md",
            "README.md",
        ];
        check(&Repository::of(&files), "docs/README.md", text).len()
    }

    #[test]
    fn paths_in_backticks_exist() {
        assert_eq!(
            found("see `crates/xml/src/lib.rs`, `crates/xml`, `docs/adr/`"),
            0
        );
        assert_eq!(found("see `crates/xml/src/gone.rs` and `docs/gone`"), 2);
        assert_eq!(found("see `src/lib.rs`, which is not from the root"), 1);
    }

    #[test]
    fn names_that_are_not_paths_are_left_alone() {
        assert_eq!(
            found("`and/or`, `/livez`, `a::b`, `http://a/b.rs`, `rookery serve a/b.toml`"),
            0
        );
        assert_eq!(found("```\n`crates/gone.rs`\n[a](gone.md)\n```"), 0);
    }

    #[test]
    fn the_folder_before_a_placeholder_exists() {
        assert_eq!(
            found("`crates/xml/src/<name>.rs`, `docs/adr/NNNN-title.md`, `docs/**/*.md`"),
            0
        );
        assert_eq!(found("`crates/gone/<name>.rs`"), 1);
    }

    #[test]
    fn links_lead_to_files() {
        assert_eq!(
            found("[a](adr/README.md) [b](../README.md#top) [c](https://a.b/c) [d](#e)"),
            0
        );
        assert_eq!(found("[a](adr/gone.md) [b](../../README.md)"), 2);
    }

    #[test]
    fn documents_are_the_readme_and_everything_below_docs() {
        assert!(is_document("README.md") && is_document("docs/adr/README.md"));
        assert!(!is_document("crates/a/README.md") && !is_document("docs/a.tsv"));
    }
}
