//! Configuration: a file gives either settings that say the same when they are written and read back, or problems
//! of which each says where it stands.
//!
//! After a NUL come variables of the environment, `NAME=value`, with a NUL between them.

use rookery_server::config::{self, Config, Origin};

/// Tries one file.
pub fn check(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return;
    };
    let mut texts = text.split('\0');
    let file = texts.next().unwrap_or_default();
    let variables: Vec<_> = texts
        .filter_map(|variable| variable.split_once('='))
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect();
    match config::parse("r.toml", file, &variables) {
        Ok(config) => check_settings(&config),
        Err(problems) => {
            assert!(!problems.0.is_empty(), "refused without a reason");
            for problem in &problems.0 {
                let has_place = problem.origin != Origin::Default || !problem.key.is_empty();
                assert!(has_place && !problem.text.is_empty(), "{problem}");
            }
        }
    }
}

fn check_settings(config: &Config) {
    let written = toml::to_string(config);
    assert!(written.is_ok(), "{written:?}");
    let read = config::parse("r.toml", &written.unwrap_or_default(), &[]);
    assert_eq!(read.as_ref(), Ok(config), "other settings");
}
