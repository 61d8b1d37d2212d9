//! Every demand of a standard (MUST, MUST NOT) that binds a server has a scene, a test or a reason.

use std::collections::{BTreeMap, BTreeSet};

use crate::finding::{Finding, Report};
use crate::repository::{Repository, RepositoryError};

/// The table: one demand a line, columns separated by tabs.
const TABLE: &str = "docs/protocol/musts.tsv";
/// The first line of the table.
const HEADER: &str = "standard\tsection\tdemand\tevidence";
/// Where the scenes lie, and their ending.
const SCENES: (&str, &str) = ("tests/conformance/scenes/", ".scene");

/// What evidence can point to.
#[derive(Debug, Default)]
struct Shown {
    /// Names of scenes: paths below the folder of scenes, without the ending.
    scenes: BTreeSet<String>,
    /// Names of test functions, for each crate by the name of its folder.
    tests: BTreeMap<String, BTreeSet<String>>,
}

/// Reads the table and looks for everything it names.
pub(crate) fn run(repository: &Repository) -> Result<Report, RepositoryError> {
    if !repository.holds(TABLE) {
        let message = format!("is absent; create it with the line {HEADER:?} and fill it");
        let findings = vec![Finding::file(TABLE, message)];
        return Ok(Report {
            summary: String::new(),
            findings,
        });
    }
    let table = repository.text(TABLE)?.unwrap_or_default();
    let shown = look_for_evidence(repository)?;
    let findings = check(&table, &shown);
    let demands = table.lines().skip(1).count();
    let summary = format!(
        "{demands} demands, {} scenes, all accounted for",
        shown.scenes.len()
    );
    Ok(Report { summary, findings })
}

fn look_for_evidence(repository: &Repository) -> Result<Shown, RepositoryError> {
    let mut shown = Shown::default();
    let (folder, ending) = SCENES;
    let scene = |path: &str| {
        path.strip_prefix(folder)?
            .strip_suffix(ending)
            .map(str::to_owned)
    };
    shown.scenes.extend(repository.files().filter_map(scene));
    for path in repository.sources() {
        let (Some(name), Some(text)) = (path.split('/').nth(1), repository.text(path)?) else {
            continue;
        };
        shown
            .tests
            .entry(name.to_owned())
            .or_default()
            .extend(test_functions(&text));
    }
    Ok(shown)
}

/// The names of the functions that stand below an attribute such as `#[test]` or `#[tokio::test]`.
fn test_functions(text: &str) -> Vec<String> {
    let mut names = Vec::new();
    let mut is_test = false;
    for line in text.lines().map(str::trim_start) {
        if line.starts_with("#[") {
            is_test |= line.contains("test") && !line.starts_with("#[cfg");
        } else if let Some(name) = declared_function(line) {
            names.extend(is_test.then(|| name.to_owned()));
            is_test = false;
        }
    }
    names
}

/// The name in a line that declares a function.
fn declared_function(line: &str) -> Option<&str> {
    let line = line.strip_prefix("pub ").unwrap_or(line);
    let line = line.strip_prefix("async ").unwrap_or(line);
    line.strip_prefix("fn ")?
        .split(|c: char| !c.is_alphanumeric() && c != '_')
        .next()
}

fn check(table: &str, shown: &Shown) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut named = BTreeSet::new();
    let mut seen = BTreeSet::new();
    let mut lines = table.lines().enumerate();
    if lines.next().is_none_or(|(_, first)| first != HEADER) {
        findings.push(Finding::line(
            TABLE,
            0,
            format!("the first line must be {HEADER:?}"),
        ));
    }
    for (index, line) in lines {
        match check_row(line, shown) {
            Ok((demand, scenes)) => {
                named.extend(scenes);
                if !seen.insert(demand) {
                    findings.push(Finding::line(TABLE, index, "this demand stands here twice"));
                }
            }
            Err(message) => findings.push(Finding::line(TABLE, index, message)),
        }
    }
    for scene in shown
        .scenes
        .iter()
        .filter(|scene| !named.contains(scene.as_str()))
    {
        let path = format!("{}{scene}{}", SCENES.0, SCENES.1);
        findings.push(Finding::file(
            &path,
            format!("no row of {TABLE} names this scene; add one"),
        ));
    }
    findings
}

/// A row's demand (all but the evidence) and the scenes that it names.
type Row<'a> = ([&'a str; 3], Vec<&'a str>);

fn check_row<'a>(line: &'a str, shown: &Shown) -> Result<Row<'a>, String> {
    let columns: Vec<&str> = line.split('\t').map(str::trim).collect();
    let [standard, section, demand, evidence] = columns.as_slice() else {
        return Err(format!(
            "{} columns, not 4; separate them by tabs",
            columns.len()
        ));
    };
    if [standard, section, demand]
        .iter()
        .any(|column| column.is_empty())
    {
        return Err("standard, section and demand must not be empty".to_owned());
    }
    let scenes = check_evidence(evidence, shown)?;
    Ok(([standard, section, demand], scenes))
}

/// Checks evidence (one or more of `scene:` and `test:`, or `none:`); returns the scenes it names.
fn check_evidence<'a>(evidence: &'a str, shown: &Shown) -> Result<Vec<&'a str>, String> {
    if let Some(reason) = evidence.strip_prefix("none:") {
        let told = !reason.trim().is_empty();
        return told
            .then(Vec::new)
            .ok_or_else(|| "none: needs a reason behind it".to_owned());
    }
    let mut scenes = Vec::new();
    for item in evidence.split_whitespace() {
        match item.split_once(':') {
            Some(("scene", name)) if shown.scenes.contains(name) => scenes.push(name),
            Some(("scene", name)) => {
                return Err(format!("there is no scene {}{name}{}", SCENES.0, SCENES.1));
            }
            Some(("test", path)) => check_test(path, shown)?,
            _ => return Err(format!("evidence {item:?} is not scene:, test: or none:")),
        }
    }
    if evidence.is_empty() {
        return Err(
            "no evidence; name a scene:, a test: or the reason why none: exists".to_owned(),
        );
    }
    Ok(scenes)
}

/// Checks that a crate has a function: `crate::path::to::function`.
fn check_test(path: &str, shown: &Shown) -> Result<(), String> {
    let name = path
        .split("::")
        .next()
        .unwrap_or_default()
        .replace('_', "-");
    let folder = name.strip_prefix("rookery-").unwrap_or(&name);
    let Some(tests) = shown.tests.get(folder) else {
        return Err(format!(
            "test:{path} names no crate of crates/ or tests/; write crate::path"
        ));
    };
    let function = path.rsplit("::").next().unwrap_or_default();
    if path.contains("::") && tests.contains(function) {
        Ok(())
    } else {
        Err(format!("crate {folder} has no test `fn {function}`"))
    }
}

#[cfg(test)]
mod tests {
    use super::{HEADER, Shown, check, test_functions};

    fn found(rows: &str) -> Vec<String> {
        let mut shown = Shown::default();
        shown.scenes.insert("ping".to_owned());
        let tests = shown
            .tests
            .entry("storage-embedded".to_owned())
            .or_default();
        tests.insert("holds_what_it_confirmed".to_owned());
        let table = format!("{HEADER}\nRFC 6120\t8.1\tanswer pings\tscene:ping\n{rows}");
        check(&table, &shown)
            .iter()
            .map(ToString::to_string)
            .collect()
    }

    #[test]
    fn a_demand_is_shown_by_a_scene_a_test_or_a_reason() {
        let rows = "RFC 6120\t4.1\ta\tscene:ping test:storage-embedded::a::holds_what_it_confirmed\n\
                    RFC 6120\t4.2\tb\ttest:rookery_storage_embedded::holds_what_it_confirmed\n\
                    RFC 6120\t4.3\tc\tnone: binds clients";
        assert_eq!(found(rows), Vec::<String>::new());
    }

    #[test]
    fn a_demand_without_evidence_is_found() {
        for evidence in ["", "none:", "none:  ", "maybe", "scene"] {
            assert_eq!(
                found(&format!("RFC 6120\t4.1\ta\t{evidence}")).len(),
                1,
                "{evidence:?}"
            );
        }
        assert_eq!(found("RFC 6120\t4.1\ta").len(), 1);
        assert_eq!(found("RFC 6120\t\ta\tscene:ping").len(), 1);
        assert_eq!(found("\n").len(), 1);
    }

    #[test]
    fn evidence_that_does_not_exist_is_found() {
        for evidence in [
            "scene:gone",
            "test:storage-embedded::gone",
            "test:gone::holds_what_it_confirmed",
            "test:holds_what_it_confirmed",
            "scene:ping test:storage-embedded",
        ] {
            assert_eq!(
                found(&format!("RFC 6120\t4.1\ta\t{evidence}")).len(),
                1,
                "{evidence:?}"
            );
        }
    }

    #[test]
    fn a_demand_stands_once() {
        assert_eq!(found("RFC 6120\t8.1\tanswer pings\tnone: why").len(), 1);
    }

    #[test]
    fn a_scene_that_no_row_names_is_found() {
        let mut shown = Shown::default();
        shown.scenes.insert("roster/push".to_owned());
        let found = check(HEADER, &shown);
        assert!(
            found[0]
                .to_string()
                .starts_with("tests/conformance/scenes/roster/push.scene: ")
        );
    }

    #[test]
    fn the_table_has_its_header() {
        assert_eq!(check("", &Shown::default()).len(), 1);
        assert_eq!(check("standard\tsection\n", &Shown::default()).len(), 1);
    }

    #[test]
    fn test_functions_are_told_from_others() {
        let text = "#[cfg(test)]\nmod tests {\n    fn help() {}\n    #[test]\n    #[ignore]\n    fn a() {\n\
                    fn inner() {}\n    #[tokio::test(start_paused = true)]\n    async fn b() {\n\
                    // fn c()\n    #[expect(x)]\n    pub fn d() {}\n";
        assert_eq!(test_functions(text), ["a", "b"]);
    }
}
