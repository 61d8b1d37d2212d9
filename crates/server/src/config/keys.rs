//! What can be configured, read from the schema of [`Config`]: the one list of sections and keys.

use schemars::generate::SchemaSettings;
use serde_json::Value;

use super::sections::{Component, Config, Host};

/// All sections, in the order in which they are declared.
#[derive(Clone, Debug)]
pub struct Keys {
    sections: Vec<Section>,
}

/// A table of the file.
#[derive(Clone, Debug)]
pub struct Section {
    /// Such as `listener.c2s`; empty for the top of the file.
    pub path: String,
    /// Whether there may be several: `[[host]]`.
    pub repeated: bool,
    /// What it is about.
    pub text: String,
    /// Its keys.
    pub keys: Vec<Key>,
}

/// A setting.
#[derive(Clone, Debug)]
pub struct Key {
    /// Its name in its section.
    pub name: String,
    /// Its section and name, such as `listener.c2s.address`.
    pub path: String,
    /// What can be set.
    pub kind: Kind,
    /// What holds when nothing is set; `Null` when that is nothing.
    pub default: Value,
    /// What it means.
    pub text: String,
}

/// What a value may be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Any text that the key understands.
    Text,
    /// A whole number that is not negative.
    Whole,
    /// `true` or `false`.
    Switch,
    /// One of these words.
    Choice(Vec<String>),
    /// A list.
    List(Box<Kind>),
}

/// What stands at a path.
pub(super) enum Entry<'a> {
    Section(&'a Section),
    Key(&'a Key),
}

// === impl Keys ===

impl Keys {
    /// What this version understands.
    pub fn new() -> Self {
        let schema = SchemaSettings::default()
            .into_generator()
            .into_root_schema_for::<Config>();
        let schema = schema.to_value();
        let mut defaults = serde_json::to_value(Config::default()).unwrap_or_default();
        // The default of a repeated section is what one such table holds when nothing is set in it.
        if let Some(host) = defaults.get_mut("host") {
            *host = serde_json::to_value(Host::default()).unwrap_or_default();
        }
        if let Some(component) = defaults.get_mut("component") {
            *component = serde_json::to_value(Component::default()).unwrap_or_default();
        }
        let mut walk = Walk {
            definitions: schema.get("$defs"),
            sections: Vec::new(),
        };
        walk.section(String::new(), false, &schema, &defaults);
        Self {
            sections: walk.sections,
        }
    }

    /// The sections in order, the top of the file first.
    pub fn sections(&self) -> &[Section] {
        &self.sections
    }

    /// All keys.
    pub fn keys(&self) -> impl Iterator<Item = &Key> {
        self.sections.iter().flat_map(|section| &section.keys)
    }

    pub(super) fn entry(&self, path: &str) -> Option<Entry<'_>> {
        let section = self.sections.iter().find(|section| section.path == path);
        let key = || self.keys().find(|key| key.path == path).map(Entry::Key);
        section.map(Entry::Section).or_else(key)
    }

    /// Whether a path leads into a repeated section, whose keys have no variable of their own.
    pub(super) fn is_repeated(&self, path: &str) -> bool {
        let within = |section: &Section| {
            let rest = path.strip_prefix(&section.path);
            section.repeated && rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
        };
        self.sections.iter().any(within)
    }
}

impl Default for Keys {
    fn default() -> Self {
        Self::new()
    }
}

// === impl Section ===

impl Section {
    /// How its beginning is written in the file; empty for the top.
    pub fn heading(&self) -> String {
        match (self.path.as_str(), self.repeated) {
            ("", _) => String::new(),
            (path, true) => format!("[[{path}]]"),
            (path, false) => format!("[{path}]"),
        }
    }
}

// === impl Key ===

impl Key {
    /// The variable that overrides it.
    pub fn variable(&self) -> String {
        format!("ROOKERY_{}", self.path.to_uppercase().replace('.', "_"))
    }

    /// The default as it is written in the file, if there is one: what has to be set has none.
    pub fn default_text(&self) -> Option<String> {
        let none = self.default.is_null() || self.default.as_str() == Some("");
        (!none).then(|| written(&self.default))
    }
}

/// A value as TOML writes it. JSON's text and lists are TOML's, for all that a default holds.
fn written(value: &Value) -> String {
    match value {
        Value::Array(items) => {
            let items: Vec<String> = items.iter().map(written).collect();
            format!("[{}]", items.join(", "))
        }
        other => other.to_string(),
    }
}

// === impl Kind ===

impl Kind {
    /// What is expected, for a sentence.
    pub fn expected(&self) -> String {
        match self {
            Self::Text => "text in quotes".to_owned(),
            Self::Whole => "a whole number that is not negative".to_owned(),
            Self::Switch => "true or false".to_owned(),
            Self::Choice(words) => {
                let words: Vec<String> = words.iter().map(|word| format!("\"{word}\"")).collect();
                words.join(" or ")
            }
            Self::List(_) => "a list in brackets".to_owned(),
        }
    }

    /// A value of this kind, as the file writes it, for a key that has no default.
    pub fn placeholder(&self) -> String {
        match self {
            Self::Text => "\"\"".to_owned(),
            Self::Whole => "0".to_owned(),
            Self::Switch => "true".to_owned(),
            Self::Choice(words) => format!("{:?}", words.first().map_or("", String::as_str)),
            Self::List(_) => "[]".to_owned(),
        }
    }

    fn of(schema: &Value, walk: &Walk<'_>) -> Self {
        let schema = walk.resolve(schema);
        if let Some(words) = words(schema) {
            return Self::Choice(words);
        }
        let kind = schema.get("type");
        // An optional value has the types `[its type, "null"]`.
        let kind = kind.and_then(|kind| kind.get(0).unwrap_or(kind).as_str());
        match kind {
            Some("integer") => Self::Whole,
            Some("boolean") => Self::Switch,
            Some("array") => {
                let item = schema
                    .get("items")
                    .map_or(Self::Text, |item| Self::of(item, walk));
                Self::List(Box::new(item))
            }
            _ => Self::Text,
        }
    }
}

/// The words of an enumeration: listed, or one by one with their texts.
fn words(schema: &Value) -> Option<Vec<String>> {
    if let Some(words) = schema.get("enum").and_then(Value::as_array) {
        return words
            .iter()
            .map(|word| word.as_str().map(str::to_owned))
            .collect();
    }
    let one_of = schema.get("oneOf").and_then(Value::as_array)?;
    let word = |choice: &Value| {
        choice
            .get("const")
            .and_then(Value::as_str)
            .map(str::to_owned)
    };
    one_of.iter().map(word).collect()
}

/// The walk through the schema.
struct Walk<'a> {
    definitions: Option<&'a Value>,
    sections: Vec<Section>,
}

// === impl Walk ===

impl<'a> Walk<'a> {
    fn section(&mut self, path: String, repeated: bool, schema: &'a Value, defaults: &Value) {
        let place = self.sections.len();
        let mut section = Section {
            text: text(schema),
            keys: Vec::new(),
            repeated,
            path,
        };
        self.sections.push(section.clone());
        let properties = schema
            .get("properties")
            .and_then(Value::as_object)
            .into_iter()
            .flatten();
        let mut tables = Vec::new();
        for (name, property) in properties {
            let default = defaults.get(name).unwrap_or(&Value::Null);
            let path = join(&section.path, name);
            let target = self.resolve(property);
            let items = target.get("items").map(|items| self.resolve(items));
            match items.filter(|items| items.get("properties").is_some()) {
                Some(items) => tables.push((path, true, items, default)),
                None if target.get("properties").is_some() => {
                    tables.push((path, false, target, default));
                }
                None => section.keys.push(Key {
                    kind: Kind::of(property, self),
                    text: text(property),
                    default: default.clone(),
                    name: name.clone(),
                    path,
                }),
            }
        }
        // A section's keys come before its tables: so it is written in the file.
        if let Some(stored) = self.sections.get_mut(place) {
            *stored = section;
        }
        for (path, repeated, schema, default) in tables {
            self.section(path, repeated, schema, default);
        }
    }

    /// Follows a reference to a definition.
    fn resolve<'b>(&self, schema: &'b Value) -> &'b Value
    where
        'a: 'b,
    {
        let target = schema.get("$ref").and_then(Value::as_str);
        let name = target.and_then(|target| target.strip_prefix("#/$defs/"));
        let found = name.and_then(|name| self.definitions.and_then(|all| all.get(name)));
        found.unwrap_or(schema)
    }
}

/// The text of a schema in one line.
fn text(schema: &Value) -> String {
    let text = schema
        .get("description")
        .and_then(Value::as_str)
        .unwrap_or_default();
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

pub(super) fn join(section: &str, name: &str) -> String {
    if section.is_empty() {
        name.to_owned()
    } else {
        format!("{section}.{name}")
    }
}
