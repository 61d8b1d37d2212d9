//! Lays the environment over the file: `ROOKERY_LISTENER_C2S_ADDRESS` is `listener.c2s.address`.

use super::keys::{Key, Keys, Kind};
use super::load::{Draft, understood};
use super::problem::Origin;

/// What every variable of ours begins with.
const PREFIX: &str = "ROOKERY_";

/// Names the hosts.
const HOST: &str = "ROOKERY_HOST";

/// Variables that others read.
const OTHERS: [&str; 1] = ["ROOKERY_CONFIG"];

/// Kubernetes sets these for a service called `rookery`; they are not meant for us.
const SERVICE_LINKS: [&str; 2] = ["ROOKERY_SERVICE_", "ROOKERY_PORT"];

/// Reads all variables of ours into the draft.
pub(super) fn read(keys: &Keys, variables: &[(String, String)], draft: &mut Draft) {
    for (name, text) in variables.iter().filter(|(name, _)| is_ours(name)) {
        let origin = Origin::Variable(name.clone());
        if name == HOST {
            hosts(text, origin, draft);
            continue;
        }
        let known = || keys.keys().filter(|key| !keys.is_repeated(&key.path));
        if let Some(key) = known().find(|key| key.variable() == *name) {
            setting(keys, key, text, origin, draft);
        } else {
            let names: Vec<String> = known().map(Key::variable).collect();
            let nearest = most_alike(name, names.iter().map(String::as_str), 0.6);
            let text = match nearest {
                Some(known) => format!("unknown variable; did you mean {known}?"),
                None => "unknown variable; `rookery config reference` lists all".to_owned(),
            };
            draft.problem(origin, "", text);
        }
    }
}

fn is_ours(name: &str) -> bool {
    name.starts_with(PREFIX)
        && !OTHERS.contains(&name)
        && !SERVICE_LINKS.iter().any(|link| name.starts_with(link))
}

fn setting(keys: &Keys, key: &Key, text: &str, origin: Origin, draft: &mut Draft) {
    let value = value(&key.kind, text);
    match value.and_then(|value| understood(keys, key, value)) {
        Ok(value) => {
            draft.origins.insert(key.path.clone(), origin);
            insert(&mut draft.table, &key.path, value);
        }
        Err(text) => draft.problem(origin, "", text),
    }
}

/// These hosts and no others are served; those that the file knows keep their settings.
fn hosts(text: &str, origin: Origin, draft: &mut Draft) {
    let known = match draft.table.remove("host") {
        Some(toml::Value::Array(known)) => known,
        _ => Vec::new(),
    };
    let named = |name: &str| {
        let known = known
            .iter()
            .find(|host| host.get("name").and_then(toml::Value::as_str) == Some(name));
        let new = || {
            let name = toml::Value::String(name.to_owned());
            toml::Value::Table([("name".to_owned(), name)].into_iter().collect())
        };
        known.cloned().unwrap_or_else(new)
    };
    let hosts: Vec<toml::Value> = items(text).map(named).collect();
    // Lines of the file no longer say where a host stands.
    draft.origins.retain(|path, _| !path.starts_with("host"));
    draft.origins.insert("host".to_owned(), origin);
    draft
        .table
        .insert("host".to_owned(), toml::Value::Array(hosts));
}

/// Reads the text of a variable as what its key expects.
fn value(kind: &Kind, text: &str) -> Result<toml::Value, String> {
    let expected = |kind: &Kind| Err(format!("expected {}, found \"{text}\"", plain(kind)));
    match kind {
        Kind::Text => Ok(toml::Value::String(text.to_owned())),
        Kind::Choice(words) if words.iter().any(|word| word == text) => {
            Ok(toml::Value::String(text.to_owned()))
        }
        Kind::Switch if text == "true" || text == "false" => {
            Ok(toml::Value::Boolean(text == "true"))
        }
        Kind::Whole => match text.parse::<u32>() {
            Ok(number) => Ok(toml::Value::Integer(number.into())),
            Err(_) => expected(kind),
        },
        Kind::List(kind) => {
            let items = items(text).map(|item| value(kind, item));
            items.collect::<Result<_, _>>().map(toml::Value::Array)
        }
        Kind::Choice(_) | Kind::Switch => expected(kind),
    }
}

/// What is expected of a variable, which has no quotes and brackets.
fn plain(kind: &Kind) -> String {
    match kind {
        Kind::Text => "text".to_owned(),
        Kind::List(kind) => format!("{}, several separated by commas", plain(kind)),
        other => other.expected().replace('"', ""),
    }
}

fn items(text: &str) -> impl Iterator<Item = &str> {
    text.split(',')
        .map(str::trim)
        .filter(|item| !item.is_empty())
}

fn insert(table: &mut toml::Table, path: &str, value: toml::Value) {
    let Some((first, rest)) = path.split_once('.') else {
        table.insert(path.to_owned(), value);
        return;
    };
    let empty = || toml::Value::Table(toml::Table::new());
    let inner = table.entry(first).or_insert_with(empty);
    if let toml::Value::Table(inner) = inner {
        insert(inner, rest, value);
    }
}

/// The name that is most like another, if any is alike enough: from 0, nothing in common, to 1.
pub(super) fn most_alike<'a>(
    name: &str,
    known: impl Iterator<Item = &'a str>,
    enough: f64,
) -> Option<&'a str> {
    let scored = known.map(|known| (strsim::normalized_damerau_levenshtein(name, known), known));
    let best = scored.max_by(|(a, _), (b, _)| a.total_cmp(b));
    best.filter(|(score, _)| *score >= enough)
        .map(|(_, known)| known)
}
