//! The reference of the configuration, as a document.

use super::keys::{Keys, Kind, Section};

const HEAD: &str = "\
# Configuration

This page is printed by `rookery config reference`; do not edit it. The same as a file:
`deploy/config/rookery.example.toml`.

Rookery reads one TOML file: the one that `--config FILE` or the variable `ROOKERY_CONFIG` names, else
`rookery.toml` in the working directory if there is one. Without a file everything has its default, which makes
a development server on loopback. Every key can be overridden by a variable of the environment, whose name is
`ROOKERY_` and the path of the key in upper case with `_` for each dot; lists are separated by commas:

```
ROOKERY_DATA_DIR=/var/lib/rookery
ROOKERY_HOST=example.org,example.net
ROOKERY_LISTENER_C2S_ADDRESS=0.0.0.0:5222,[::]:5222
ROOKERY_LOG_FORMAT=json
```

What stands within `[[host]]` has no variables; `ROOKERY_HOST` names the hosts. An unknown key or variable is an
error that names the nearest known one. `rookery check-config FILE` reports everything that is wrong at once.
While the server runs it takes changed certificates into use by itself; everything else needs a restart.
";

/// The whole page.
pub fn text() -> String {
    let keys = Keys::new();
    let mut text = HEAD.to_owned();
    for section in keys
        .sections()
        .iter()
        .filter(|section| !section.keys.is_empty())
    {
        write_section(&keys, section, &mut text);
    }
    text
}

fn write_section(keys: &Keys, section: &Section, text: &mut String) {
    let heading = if section.path.is_empty() {
        "The top of the file".to_owned()
    } else {
        format!("`{}`", section.heading())
    };
    text.extend(["\n## ", &heading, "\n\n"]);
    // The heading says the name; the text need not say it again.
    let name = format!("`{}`: ", section.heading());
    let about = section.text.strip_prefix(&name).unwrap_or(&section.text);
    if !section.path.is_empty() {
        text.extend([&capital(about), "\n\n"]);
    }
    text.push_str("| key | values | default | meaning |\n|---|---|---|---|\n");
    for key in &section.keys {
        let default = key
            .default_text()
            .map_or_else(|| "none".to_owned(), |it| format!("`{it}`"));
        let meaning = key.text.replace('|', "\\|");
        let variable = if keys.is_repeated(&key.path) {
            String::new()
        } else {
            format!(" (`{}`)", key.variable())
        };
        let values = values(&key.kind);
        text.extend([
            "| `", &key.name, "` | ", &values, " | ", &default, " | ", &meaning, &variable,
        ]);
        text.push_str(" |\n");
    }
}

fn values(kind: &Kind) -> String {
    match kind {
        Kind::Text => "text".to_owned(),
        Kind::Whole => "number".to_owned(),
        Kind::Switch => "`true`, `false`".to_owned(),
        Kind::Choice(words) => {
            let words: Vec<String> = words.iter().map(|word| format!("`\"{word}\"`")).collect();
            words.join(", ")
        }
        Kind::List(kind) => format!("list of {}", values(kind)),
    }
}

fn capital(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| {
        first.to_uppercase().chain(letters).collect()
    })
}
