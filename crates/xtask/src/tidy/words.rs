//! Words that no text of the repository holds: promises to do it later, and talk about the workplace.

use crate::finding::Finding;

// Put together from halves, so that this file passes its own check.
const LATER: [&str; 3] = [
    concat!("TO", "DO"),
    concat!("FIX", "ME"),
    concat!("X", "XX"),
];
const WORKPLACE: [&str; 5] = [
    concat!("issue", " #"),
    concat!("/wo", "rk/"),
    concat!("sha", "red/"),
    concat!("/tmp", "/brief"),
    concat!("contra", "cts.md"),
];

/// Files whose words are not ours.
const FOREIGN: [&str; 2] = ["Cargo.lock", "LICENSE"];

/// Checks every line of a text.
pub(super) fn check(path: &str, text: &str) -> Vec<Finding> {
    if FOREIGN.contains(&path) {
        return Vec::new();
    }
    let mut findings = Vec::new();
    for (index, line) in text.lines().enumerate() {
        for word in LATER.into_iter().filter(|word| stands_alone(line, word)) {
            findings.push(Finding::line(
                path,
                index,
                format!("{word}: do it now or leave it out"),
            ));
        }
        for word in WORKPLACE.into_iter().filter(|word| begins(line, word)) {
            let message =
                format!("{word:?} speaks of the workplace; a reader elsewhere has no use for it");
            findings.push(Finding::line(path, index, message));
        }
    }
    findings
}

/// Whether a line holds a word with no letter, digit or `_` beside it.
fn stands_alone(line: &str, word: &str) -> bool {
    let mut rest = line;
    let mut before = None;
    while let Some((head, tail)) = rest.split_once(word) {
        before = head.chars().next_back().or(before);
        if !before.is_some_and(is_word) && !tail.chars().next().is_some_and(is_word) {
            return true;
        }
        before = word.chars().next_back();
        rest = tail;
    }
    false
}

/// Whether a line holds a word, in any case, with no letter, digit or `_` before it.
fn begins(line: &str, word: &str) -> bool {
    let line = line.to_ascii_lowercase();
    let starts_freely = |(at, _)| {
        line.split_at_checked(at).is_some_and(|(head, _)| {
            word.starts_with('/') || !head.chars().next_back().is_some_and(is_word)
        })
    };
    line.match_indices(word).any(starts_freely)
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

#[cfg(test)]
mod tests {
    use super::{FOREIGN, LATER, WORKPLACE, check};

    #[test]
    fn words_that_put_off_are_found_alone() {
        for word in LATER {
            assert_eq!(
                check("a.md", &format!("fine\n// {word}: later\n")).len(),
                1,
                "{word}"
            );
            assert_eq!(
                check("a.md", &format!("a{word} {word}b _{word}")).len(),
                0,
                "{word}"
            );
            assert_eq!(check("a.md", &format!("a{word} {word}")).len(), 1, "{word}");
        }
    }

    #[test]
    fn words_about_the_workplace_are_found_in_any_case() {
        for word in WORKPLACE {
            assert_eq!(check("a.rs", &format!("see {word}1")).len(), 1, "{word}");
            assert_eq!(
                check("a.rs", &format!("SEE {}1", word.to_uppercase())).len(),
                1,
                "{word}"
            );
        }
        assert_eq!(check("a.rs", &format!("un{}", WORKPLACE[2])).len(), 0);
    }

    #[test]
    fn a_finding_names_its_line() {
        let found = check("a.md", &format!("fine\n{}\n", LATER[0]));
        assert!(found[0].to_string().starts_with("a.md:2: "));
    }

    #[test]
    fn texts_of_others_are_left_alone() {
        for path in FOREIGN {
            assert_eq!(check(path, LATER[0]).len(), 0);
        }
    }
}
