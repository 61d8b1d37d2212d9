//! The example file: every key with its text and its default.

use super::keys::{Key, Keys, Section};

const WIDTH: usize = 100;

const HEAD: &str = "\
# Every setting of Rookery with its default: `rookery config example` prints this. A file needs only what
# differs. `rookery check-config FILE` checks a file; `rookery config reference` explains it.
";

/// The whole file.
pub fn text() -> String {
    let mut lines = vec![HEAD.to_owned()];
    for section in Keys::new().sections() {
        if section.keys.is_empty() {
            continue;
        }
        if !section.path.is_empty() {
            lines.extend(comment(&section.text));
            lines.push(mark(section) + &section.heading());
        }
        for key in &section.keys {
            lines.extend(comment(&key.text));
            lines.push(mark(section) + setting(key).trim_start_matches(mark(section).as_str()));
        }
        lines.push(String::new());
    }
    let mut text = lines.join("\n");
    text.truncate(text.trim_end().len());
    text.push('\n');
    text
}

/// What stands before the lines of a section: there is one host without being named, and nothing else of
/// which there may be several.
fn mark(section: &Section) -> String {
    let is_absent = section.repeated && section.path != "host";
    (if is_absent { "#" } else { "" }).to_owned()
}

/// The key with its default; a key that has none is commented out.
fn setting(key: &Key) -> String {
    match (key.path.as_str(), key.default_text()) {
        // The one host that is there when none is named.
        ("host.name", _) => "name = \"localhost\"".to_owned(),
        (_, Some(default)) => format!("{} = {default}", key.name),
        (_, None) => format!("#{} = {}", key.name, key.kind.placeholder()),
    }
}

/// A text as comments of lines that are not too long.
fn comment(text: &str) -> Vec<String> {
    let mut lines = Vec::new();
    let mut line = "#".to_owned();
    for word in text.split_whitespace() {
        if line.len() + 1 + word.len() > WIDTH {
            lines.push(std::mem::replace(&mut line, "#".to_owned()));
        }
        line.push(' ');
        line.push_str(word);
    }
    lines.push(line);
    lines
}
