//! Rules for Rust sources: a first line that says what the file is, a size, a telling name.

use crate::finding::Finding;

/// Lines of code (neither blank nor comment) before the tests of a file.
const MAX_CODE_LINES: usize = 400;
/// Lines of code in a file of tests, and in a file together with its tests.
const MAX_TEST_LINES: usize = 800;

/// Names that say nothing about what is inside.
const EMPTY_NAMES: [&str; 12] = [
    "base", "common", "core", "helper", "helpers", "manager", "misc", "shared", "types", "util",
    "utils", "stuff",
];

/// Checks the name of a file and of the folders it lies in.
pub(super) fn check_name(path: &str) -> Option<Finding> {
    let (top, below) = path.split_once('/')?;
    if !["crates", "tests", "benches"].contains(&top) {
        return None;
    }
    let parts = below
        .split('/')
        .map(|part| part.strip_suffix(".rs").unwrap_or(part));
    let name = parts.into_iter().find(|part| EMPTY_NAMES.contains(part))?;
    Some(Finding::file(path, empty_name(name)))
}

/// Checks the text of a Rust source.
pub(super) fn check(path: &str, text: &str) -> Vec<Finding> {
    let mut findings = Vec::new();
    if !text
        .lines()
        .next()
        .is_some_and(|first| first.starts_with("//! "))
    {
        findings.push(Finding::line(
            path,
            0,
            "starts without `//! ` and what this file is",
        ));
    }
    for (index, line) in text.lines().enumerate() {
        if let Some(name) = declared_module(line).filter(|name| EMPTY_NAMES.contains(name)) {
            findings.push(Finding::line(path, index, empty_name(name)));
        }
    }
    findings.extend(check_size(path, text));
    findings
}

fn check_size(path: &str, text: &str) -> Option<Finding> {
    let whole = code_lines(text);
    let own = code_lines(before_tests(text));
    let (lines, limit) = if holds_tests_only(path) || own <= MAX_CODE_LINES {
        (whole, MAX_TEST_LINES)
    } else {
        (own, MAX_CODE_LINES)
    };
    (lines > limit).then(|| {
        let message = format!("{lines} lines of code, at most {limit}; split it by what it does");
        Finding::file(path, message)
    })
}

/// Whether a file is a `tests.rs`, or lies in the `tests` or `benches` folder of its crate.
fn holds_tests_only(path: &str) -> bool {
    path.split('/')
        .skip(2)
        .any(|part| ["tests", "tests.rs", "benches"].contains(&part))
}

/// The text before the test module; the whole text when there is none.
fn before_tests(text: &str) -> &str {
    const ATTRIBUTE: &str = "#[cfg(test)]\n";
    for (start, _) in text.match_indices(ATTRIBUTE) {
        let Some((before, after)) = text.split_at_checked(start) else {
            continue;
        };
        let module = after
            .strip_prefix(ATTRIBUTE)
            .is_some_and(|next| next.starts_with("mod "));
        if module && (before.is_empty() || before.ends_with('\n')) {
            return before;
        }
    }
    text
}

fn code_lines(text: &str) -> usize {
    text.lines()
        .map(str::trim)
        .filter(|line| !line.is_empty() && !line.starts_with("//"))
        .count()
}

/// The name in a line that declares a module.
fn declared_module(line: &str) -> Option<&str> {
    let (before, rest) = line.split_once("mod ")?;
    let visibility = before.trim();
    if !visibility.is_empty() && !visibility.starts_with("pub") {
        return None;
    }
    rest.split(|c: char| !c.is_alphanumeric() && c != '_')
        .next()
}

fn empty_name(name: &str) -> String {
    format!("the name {name:?} does not say what is inside; name it after the thing")
}

#[cfg(test)]
mod tests {
    use super::{check, check_name};

    fn found(path: &str, text: &str) -> Vec<String> {
        check(path, text).iter().map(ToString::to_string).collect()
    }

    fn source(lines: usize, test_lines: usize) -> String {
        let code = "let a = 1;\n".repeat(lines);
        let tests = "    let b = 2;\n".repeat(test_lines);
        format!("//! A file.\n\n// why\n{code}#[cfg(test)]\nmod tests {{\n{tests}}}\n")
    }

    #[test]
    fn a_source_starts_with_what_it_is() {
        assert_eq!(
            found("crates/a/src/b.rs", "//! XEP-0199: XMPP Ping.\n").len(),
            0
        );
        for text in ["", "//!\n", "use a;\n", "\n//! late\n"] {
            assert_eq!(found("crates/a/src/b.rs", text).len(), 1, "{text:?}");
        }
    }

    #[test]
    fn a_source_has_at_most_400_lines_of_code_before_its_tests() {
        assert_eq!(found("crates/a/src/b.rs", &source(400, 300)).len(), 0);
        let found = found("crates/a/src/b.rs", &source(401, 0));
        assert!(
            found.iter().any(|line| line.contains("401 lines of code")),
            "{found:?}"
        );
    }

    #[test]
    fn a_file_of_tests_has_at_most_800_lines_of_code() {
        for path in [
            "crates/a/src/b/tests.rs",
            "crates/a/tests/b.rs",
            "crates/a/benches/b.rs",
        ] {
            assert_eq!(found(path, &source(700, 0)).len(), 0, "{path}");
            assert_eq!(found(path, &source(801, 0)).len(), 1, "{path}");
        }
        assert_eq!(found("tests/a/src/b.rs", &source(700, 0)).len(), 1);
        assert_eq!(found("crates/a/src/b.rs", &source(300, 700)).len(), 1);
    }

    #[test]
    fn an_import_for_tests_does_not_end_the_code() {
        let text = format!(
            "//! A file.\n#[cfg(test)]\nuse a::b;\n{}",
            "let a = 1;\n".repeat(400)
        );
        assert_eq!(found("crates/a/src/b.rs", &text).len(), 1);
    }

    #[test]
    fn modules_have_telling_names() {
        for text in ["mod utils;", "pub mod types {", "    pub(crate) mod core;"] {
            assert_eq!(
                found("crates/a/src/b.rs", &format!("//! A.\n{text}\n")).len(),
                1,
                "{text}"
            );
        }
        for text in ["mod utility;", "// the mod core", "use a::core;"] {
            assert_eq!(
                found("crates/a/src/b.rs", &format!("//! A.\n{text}\n")).len(),
                0,
                "{text}"
            );
        }
    }

    #[test]
    fn files_and_folders_have_telling_names() {
        for path in [
            "crates/a/src/utils.rs",
            "crates/common/src/lib.rs",
            "tests/a/misc/b.txt",
        ] {
            assert!(check_name(path).is_some(), "{path}");
        }
        for path in ["crates/a/src/outbox.rs", "docs/misc/a.md", "Makefile"] {
            assert!(check_name(path).is_none(), "{path}");
        }
    }
}
