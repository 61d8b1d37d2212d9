//! Reads the TOML file: every key is looked up, every value compared with what its key expects.

use std::ops::Range;

use toml::Spanned;
use toml::de::{DeArray, DeTable, DeValue};

use super::environment::most_alike;
use super::keys::{Entry, Key, Keys, Kind, Section, join};
use super::load::{Draft, understood};
use super::problem::Origin;

/// A path into the file: by the names of the schema, and with the places in repeated sections.
#[derive(Clone, Default)]
struct Path {
    schema: String,
    concrete: String,
}

struct Reader<'a> {
    keys: &'a Keys,
    name: &'a str,
    text: &'a str,
    draft: &'a mut Draft,
}

/// Reads the text of the file called `name` into the draft.
pub(super) fn read(keys: &Keys, name: &str, text: &str, draft: &mut Draft) {
    let mut reader = Reader {
        keys,
        name,
        text,
        draft,
    };
    let (document, errors) = DeTable::parse_recoverable(text);
    for error in &errors {
        let origin = reader.origin(error.span().unwrap_or_default());
        reader
            .draft
            .problem(origin, "", format!("this is not TOML: {}", error.message()));
    }
    if errors.is_empty() {
        let table = reader.table(document.get_ref(), &Path::default());
        reader.draft.table = table;
    }
}

// === impl Reader ===

impl Reader<'_> {
    fn table(&mut self, table: &DeTable<'_>, at: &Path) -> toml::Table {
        let mut read = toml::Table::new();
        for (name, value) in table {
            let path = at.child(name.get_ref());
            let origin = self.origin(name.span());
            self.draft
                .origins
                .insert(path.concrete.clone(), origin.clone());
            let value = match self.keys.entry(&path.schema) {
                Some(Entry::Section(section)) => self.section(section, value, &path, origin),
                Some(Entry::Key(key)) => self.value(key, value, origin),
                None => {
                    let text = unknown(self.keys, &at.schema, name.get_ref());
                    self.draft.problem(origin, &path.schema, text);
                    None
                }
            };
            if let Some(value) = value {
                read.insert(name.get_ref().to_string(), value);
            }
        }
        read
    }

    fn section(
        &mut self,
        section: &Section,
        value: &Spanned<DeValue<'_>>,
        path: &Path,
        origin: Origin,
    ) -> Option<toml::Value> {
        let read = match value.get_ref() {
            DeValue::Array(items) if section.repeated => self.tables(items, path),
            DeValue::Table(table) if !section.repeated => {
                Some(toml::Value::Table(self.table(table, path)))
            }
            _ => None,
        };
        if read.is_none() {
            let text = format!("is a table; write {} above its keys", section.heading());
            self.draft.problem(origin, &path.schema, text);
        }
        read
    }

    /// The tables of a repeated section; nothing when something else is among them.
    fn tables(&mut self, items: &DeArray<'_>, path: &Path) -> Option<toml::Value> {
        let mut read = Vec::new();
        for (index, item) in items.iter().enumerate() {
            let (table, path) = (item.get_ref().as_table()?, path.item(index));
            let origin = self.origin(item.span());
            self.draft.origins.insert(path.concrete.clone(), origin);
            read.push(toml::Value::Table(self.table(table, &path)));
        }
        Some(toml::Value::Array(read))
    }

    fn value(
        &mut self,
        key: &Key,
        value: &Spanned<DeValue<'_>>,
        origin: Origin,
    ) -> Option<toml::Value> {
        let read = fits(&key.kind, value.get_ref());
        let read = read.and_then(|value| understood(self.keys, key, value));
        read.map_err(|text| self.draft.problem(origin, &key.path, text))
            .ok()
    }

    fn origin(&self, span: Range<usize>) -> Origin {
        let before = self.text.as_bytes().iter().take(span.start);
        let line = 1 + before.filter(|byte| **byte == b'\n').count();
        Origin::Line {
            file: self.name.to_owned(),
            line,
        }
    }
}

// === impl Path ===

impl Path {
    fn child(&self, name: &str) -> Self {
        Self {
            schema: join(&self.schema, name),
            concrete: join(&self.concrete, name),
        }
    }

    fn item(&self, index: usize) -> Self {
        Self {
            schema: self.schema.clone(),
            concrete: format!("{}.{index}", self.concrete),
        }
    }
}

/// The value, if it is of the kind that is expected; else what is wrong with it.
fn fits(kind: &Kind, value: &DeValue<'_>) -> Result<toml::Value, String> {
    let expected = || format!("expected {}, found {}", kind.expected(), found(value));
    match (kind, value) {
        (Kind::Text, DeValue::String(text)) => Ok(toml::Value::String(text.to_string())),
        (Kind::Choice(words), DeValue::String(text)) => {
            let known = words.iter().any(|word| word == text);
            known
                .then(|| toml::Value::String(text.to_string()))
                .ok_or_else(expected)
        }
        (Kind::Switch, DeValue::Boolean(on)) => Ok(toml::Value::Boolean(*on)),
        (Kind::Whole, DeValue::Integer(number)) => {
            let read = i64::from_str_radix(number.as_str(), number.radix()).ok();
            read.filter(|number| *number >= 0)
                .map(toml::Value::Integer)
                .ok_or_else(expected)
        }
        (Kind::List(kind), DeValue::Array(items)) => {
            let items = items.iter().map(|item| fits(kind, item.get_ref()));
            items.collect::<Result<_, _>>().map(toml::Value::Array)
        }
        _ => Err(expected()),
    }
}

/// What was found, for a sentence.
fn found(value: &DeValue<'_>) -> String {
    match value {
        DeValue::String(text) => format!("\"{text}\""),
        DeValue::Integer(number) => format!("the number {}", number.as_str()),
        DeValue::Float(number) => format!("the number {}", number.as_str()),
        DeValue::Boolean(on) => on.to_string(),
        DeValue::Datetime(_) => "a date".to_owned(),
        DeValue::Array(_) => "a list".to_owned(),
        DeValue::Table(_) => "a table".to_owned(),
    }
}

/// Says that a name is unknown, and which known one was probably meant.
fn unknown(keys: &Keys, section: &str, name: &str) -> String {
    match nearest(keys, section, name) {
        Some(known) => format!("unknown key; did you mean \"{known}\"?"),
        None => "unknown key; `rookery config reference` lists all keys".to_owned(),
    }
}

/// First among the names of the section, then the same name elsewhere, then anything alike.
fn nearest(keys: &Keys, section: &str, name: &str) -> Option<String> {
    let paths = || {
        let sections = keys.sections().iter().map(|section| section.path.as_str());
        sections
            .chain(keys.keys().map(|key| key.path.as_str()))
            .filter(|path| !path.is_empty())
    };
    let here = paths().filter_map(|path| {
        let (parent, last) = path.rsplit_once('.').unwrap_or(("", path));
        (parent == section).then_some(last)
    });
    let is_same = |path: &&str| path.rsplit_once('.').is_some_and(|(_, last)| last == name);
    let same = || paths().filter(is_same).min_by_key(|path| path.len());
    let alike = || most_alike(&join(section, name), paths(), 0.75);
    most_alike(name, here, 0.6)
        .or_else(same)
        .or_else(alike)
        .map(str::to_owned)
}
