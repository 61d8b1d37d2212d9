//! Reads the configuration: the file, the environment over it, then what no single key can say.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::keys::{Key, Keys};
use super::problem::{Origin, Problem, Problems};
use super::sections::Config;
use super::{check, environment, file};

/// Where the configuration comes from.
#[derive(Clone, Debug, Default)]
pub struct Sources {
    /// The file that was asked for.
    pub file: Option<PathBuf>,
    /// The environment: all variables, ours among them.
    pub variables: Vec<(String, String)>,
}

/// A configuration that holds together.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// The settings.
    pub config: Config,
    /// The file that was read, if any.
    pub file: Option<PathBuf>,
    /// Where it came from, to read it again.
    pub sources: Sources,
}

/// The configuration while it is put together.
#[derive(Debug, Default)]
pub(super) struct Draft {
    /// What was read and is understood.
    pub(super) table: toml::Table,
    /// Where each setting was made, by its path; repeated sections with the place: `host.0.name`.
    pub(super) origins: BTreeMap<String, Origin>,
    pub(super) problems: Vec<Problem>,
}

/// The file that is read when none is asked for and it is there.
const USUAL: &str = "rookery.toml";

/// Reads and checks the configuration.
///
/// Without a file that was asked for, `rookery.toml` of the working directory is read if it is there.
///
/// # Errors
/// All problems at once.
pub fn load(sources: &Sources) -> Result<Loaded, Problems> {
    let usual = || Some(PathBuf::from(USUAL)).filter(|path| path.exists());
    let file = sources.file.clone().or_else(usual);
    let config = match &file {
        Some(path) => {
            let text = text(path).map_err(|problem| Problems(vec![problem]))?;
            parse(&path.display().to_string(), &text, &sources.variables)?
        }
        None => parse("", "", &sources.variables)?,
    };
    let sources = sources.clone();
    Ok(Loaded {
        config,
        file,
        sources,
    })
}

/// Reads the text of a file of this name, lays the environment over it, and checks the whole.
///
/// # Errors
/// All problems at once.
pub fn parse(name: &str, text: &str, variables: &[(String, String)]) -> Result<Config, Problems> {
    let keys = Keys::new();
    let mut draft = Draft::default();
    file::read(&keys, name, text, &mut draft);
    environment::read(&keys, variables, &mut draft);
    draft.finish()
}

fn text(path: &Path) -> Result<String, Problem> {
    let problem = |error: std::io::Error| Problem {
        origin: Origin::Default,
        key: String::new(),
        text: format!("cannot read the configuration {}: {error}", path.display()),
    };
    std::fs::read_to_string(path).map_err(problem)
}

// === impl Draft ===

impl Draft {
    pub(super) fn problem(&mut self, origin: Origin, key: &str, text: String) {
        self.problems.push(Problem {
            origin,
            key: key.to_owned(),
            text,
        });
    }

    fn finish(mut self) -> Result<Config, Problems> {
        let config = match self.table.clone().try_into::<Config>() {
            Ok(config) => config,
            Err(error) if self.problems.is_empty() => {
                self.problem(Origin::Default, "", error.message().to_owned());
                return Err(Problems(self.problems));
            }
            Err(_) => return Err(Problems(self.problems)),
        };
        for (path, text) in check::check(&config) {
            let origin = self.origin(&path);
            self.problem(origin, &named(&path), text);
        }
        self.problems.sort();
        if self.problems.is_empty() {
            Ok(config)
        } else {
            Err(Problems(self.problems))
        }
    }

    /// Where a setting was made: the nearest place that is known.
    fn origin(&self, path: &str) -> Origin {
        let mut path = path;
        loop {
            match (self.origins.get(path), path.rsplit_once('.')) {
                (Some(origin), _) => return origin.clone(),
                (None, Some((parent, _))) => path = parent,
                (None, None) => return Origin::Default,
            }
        }
    }
}

/// Whether the crate that owns the key understands the value: it reads a configuration in which
/// nothing else is set.
pub(super) fn understood(
    keys: &Keys,
    key: &Key,
    value: toml::Value,
) -> Result<toml::Value, String> {
    let Some(table) = alone(keys, &key.path, value.clone()).as_table().cloned() else {
        return Ok(value);
    };
    match table.try_into::<Config>() {
        Ok(_) => Ok(value),
        Err(error) => {
            let like = key
                .default_text()
                .map(|text| format!("; the default is {text}"));
            Err(format!(
                "{value}: {}{}",
                error.message(),
                like.unwrap_or_default()
            ))
        }
    }
}

/// A path without the places in repeated sections.
fn named(path: &str) -> String {
    let names = path
        .split('.')
        .filter(|name| name.parse::<usize>().is_err());
    names.collect::<Vec<_>>().join(".")
}

/// A configuration that holds one setting.
fn alone(keys: &Keys, path: &str, value: toml::Value) -> toml::Value {
    let Some((parent, name)) = path.rsplit_once('.') else {
        return toml::Value::Table([(path.to_owned(), value)].into_iter().collect());
    };
    let table = toml::Value::Table([(name.to_owned(), value)].into_iter().collect());
    let repeated = keys
        .sections()
        .iter()
        .any(|section| section.repeated && section.path == parent);
    let value = if repeated {
        toml::Value::Array(vec![table])
    } else {
        table
    };
    alone(keys, parent, value)
}
