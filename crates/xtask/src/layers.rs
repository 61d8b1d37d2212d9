//! A crate depends only on crates of strictly lower layers, by the table in the workspace's `Cargo.toml`.

use std::collections::BTreeMap;

use cargo_metadata::camino::Utf8Path;
use cargo_metadata::{DependencyKind, Metadata, MetadataCommand};

use crate::finding::{Finding, Report};

/// Where a crate stands in the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Layer {
    /// Part of the product; a higher number may use a lower one.
    Level(u8),
    /// For development: only development uses it, and it may use everything.
    Development,
}

/// A crate of the workspace, named by its folder under `crates/`.
#[derive(Debug)]
struct Member {
    name: String,
    edges: Vec<Edge>,
}

/// A dependency on another crate of the repository.
#[derive(Debug)]
struct Edge {
    /// The folder under `crates/`; `None` when it lies elsewhere.
    to: Option<String>,
    development: bool,
}

/// Why the layers cannot be checked.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LayersError {
    #[error("cannot read the workspace: {0}")]
    Metadata(#[from] cargo_metadata::Error),
    #[error("Cargo.toml has no table [workspace.metadata.layers]; add it")]
    NoTable,
    #[error("layer {0:?} in [workspace.metadata.layers] is neither a number nor \"dev\"")]
    BadLayer(String),
    #[error("layer {0:?} in [workspace.metadata.layers] is not a list of names")]
    BadList(String),
}

type Table = BTreeMap<String, Layer>;

/// Reads the workspace and checks it.
pub(crate) fn run() -> Result<Report, LayersError> {
    let metadata = MetadataCommand::new()
        .no_deps()
        .other_options(vec!["--offline".to_owned()])
        .exec()?;
    let mut findings = Vec::new();
    let table = read_table(&metadata, &mut findings)?;
    let members = read_members(&metadata);
    findings.extend(check(&table, &members));
    let edges: usize = members.iter().map(|member| member.edges.len()).sum();
    let summary = format!(
        "{} crates, {edges} dependencies between them, all downwards",
        members.len()
    );
    Ok(Report { summary, findings })
}

fn read_table(metadata: &Metadata, findings: &mut Vec<Finding>) -> Result<Table, LayersError> {
    let layers = metadata
        .workspace_metadata
        .get("layers")
        .and_then(|value| value.as_object());
    let mut table = Table::new();
    for (key, names) in layers.ok_or(LayersError::NoTable)? {
        let layer = match key.as_str() {
            "dev" => Layer::Development,
            number => Layer::Level(
                number
                    .parse()
                    .map_err(|_| LayersError::BadLayer(number.to_owned()))?,
            ),
        };
        for name in names
            .as_array()
            .ok_or_else(|| LayersError::BadList(key.clone()))?
        {
            let name = name
                .as_str()
                .ok_or_else(|| LayersError::BadList(key.clone()))?;
            if table.insert(name.to_owned(), layer).is_some() {
                findings.push(wrong(format!(
                    "crate {name} stands in two layers; leave it in one"
                )));
            }
        }
    }
    Ok(table)
}

fn read_members(metadata: &Metadata) -> Vec<Member> {
    let crates = metadata.workspace_root.join("crates");
    let folder = |path: &Utf8Path| {
        path.strip_prefix(&crates)
            .ok()
            .and_then(|rest| rest.iter().next())
            .map(str::to_owned)
    };
    let member = |package: &cargo_metadata::Package| {
        let edges = package.dependencies.iter().filter_map(|dependency| {
            let path = dependency.path.as_ref()?;
            let development = dependency.kind == DependencyKind::Development;
            Some(Edge {
                to: folder(path),
                development,
            })
        });
        Some(Member {
            name: folder(&package.manifest_path)?,
            edges: edges.collect(),
        })
    };
    metadata
        .workspace_packages()
        .into_iter()
        .filter_map(member)
        .collect()
}

fn check(table: &Table, members: &[Member]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for name in table
        .keys()
        .filter(|name| members.iter().all(|member| member.name != **name))
    {
        findings.push(wrong(format!(
            "crate {name} is listed but does not exist; remove it"
        )));
    }
    for member in members {
        let Some(&layer) = table.get(&member.name) else {
            findings.push(wrong(format!(
                "crate {} is in no layer; list it",
                member.name
            )));
            continue;
        };
        for edge in &member.edges {
            if let Err(message) = check_edge(table, layer, edge) {
                let path = format!("crates/{}/Cargo.toml", member.name);
                findings.push(Finding::file(&path, message));
            }
        }
    }
    findings
}

fn check_edge(table: &Table, from: Layer, edge: &Edge) -> Result<(), String> {
    let Some(name) = &edge.to else {
        return Err(
            "depends on a package outside crates/; move what it needs into a crate".to_owned(),
        );
    };
    // A crate that is in no layer has a finding of its own.
    let Some(&to) = table.get(name) else {
        return Ok(());
    };
    match (from, to) {
        (Layer::Development, _) => Ok(()),
        (Layer::Level(_), Layer::Development) if edge.development => Ok(()),
        (Layer::Level(_), Layer::Development) => Err(format!(
            "depends on {name}, which is for development; make it a dev-dependency"
        )),
        (Layer::Level(upper), Layer::Level(lower)) if upper > lower => Ok(()),
        (Layer::Level(from), Layer::Level(to)) => Err(format!(
            "layer {from} depends on {name} of layer {to}; \
             define a port in a lower layer and let a higher one join the two"
        )),
    }
}

fn wrong(message: String) -> Finding {
    Finding::file(
        "Cargo.toml",
        format!("[workspace.metadata.layers]: {message}"),
    )
}

#[cfg(test)]
mod tests {
    use super::{Edge, Layer, Member, Table, check};

    fn table() -> Table {
        [
            ("xml", Layer::Level(0)),
            ("stanza", Layer::Level(1)),
            ("tls", Layer::Level(1)),
        ]
        .into_iter()
        .chain([("testkit", Layer::Development)])
        .map(|(name, layer)| (name.to_owned(), layer))
        .collect()
    }

    /// The workspace of `table()`, with one dependency more.
    fn found_with(from: &str, to: Option<&str>, development: bool) -> Vec<String> {
        let members: Vec<Member> = ["xml", "stanza", "tls", "testkit"]
            .into_iter()
            .map(|name| Member {
                name: name.to_owned(),
                edges: (name == from)
                    .then(|| Edge {
                        to: to.map(str::to_owned),
                        development,
                    })
                    .into_iter()
                    .collect(),
            })
            .collect();
        check(&table(), &members)
            .iter()
            .map(ToString::to_string)
            .collect()
    }

    #[test]
    fn a_crate_may_depend_on_lower_layers() {
        assert_eq!(
            found_with("stanza", Some("xml"), false),
            Vec::<String>::new()
        );
    }

    #[test]
    fn a_crate_may_not_depend_upwards_or_sideways_even_in_tests() {
        for development in [false, true] {
            assert_eq!(found_with("xml", Some("stanza"), development).len(), 1);
            assert_eq!(found_with("stanza", Some("tls"), development).len(), 1);
        }
    }

    #[test]
    fn only_tests_may_depend_on_development_crates() {
        assert_eq!(
            found_with("xml", Some("testkit"), true),
            Vec::<String>::new()
        );
        let found = found_with("xml", Some("testkit"), false);
        assert!(
            found
                .iter()
                .any(|line| line.contains("make it a dev-dependency")),
            "{found:?}"
        );
    }

    #[test]
    fn development_crates_may_depend_on_everything() {
        assert_eq!(
            found_with("testkit", Some("stanza"), false),
            Vec::<String>::new()
        );
    }

    #[test]
    fn a_crate_may_not_depend_on_a_package_outside_the_crates_folder() {
        assert_eq!(found_with("xml", None, false).len(), 1);
    }

    #[test]
    fn the_table_and_the_folders_must_agree() {
        let member = |name: &str| Member {
            name: name.to_owned(),
            edges: Vec::new(),
        };
        let members = [
            member("xml"),
            member("stanza"),
            member("testkit"),
            member("new"),
        ];
        let found: Vec<String> = check(&table(), &members)
            .iter()
            .map(ToString::to_string)
            .collect();
        assert_eq!(found.len(), 2, "{found:?}");
        assert!(
            found
                .iter()
                .any(|line| line.contains("tls is listed but does not exist"))
        );
        assert!(found.iter().any(|line| line.contains("new is in no layer")));
    }
}
