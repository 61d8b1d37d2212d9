//! The accounts of a run: their names, and what their passwords come to.

use std::collections::HashMap;

use parking_lot::Mutex;

use crate::options::Options;
use crate::scram::Keys;

/// The accounts of a run, by their place among them.
#[derive(Debug)]
pub(crate) struct Accounts {
    /// SCRAM keys of earlier logins; at most one entry for each account.
    keys: Mutex<HashMap<u32, Keys>>,
}

// === impl Accounts ===

impl Accounts {
    pub(crate) fn new() -> Self {
        Self {
            keys: Mutex::new(HashMap::new()),
        }
    }

    pub(crate) fn keys(&self, index: u32) -> Option<Keys> {
        self.keys.lock().get(&index).cloned()
    }

    pub(crate) fn keep(&self, index: u32, keys: Option<Keys>) {
        if let Some(keys) = keys {
            self.keys.lock().insert(index, keys);
        }
    }
}

/// The local part of an account.
pub(crate) fn user(options: &Options, index: u32) -> String {
    let number = options.first + index;
    options.user.replace("%d", &number.to_string())
}

/// The bare JID of an account.
pub(crate) fn jid(options: &Options, index: u32) -> String {
    format!("{}@{}", user(options, index), options.domain)
}

/// All accounts with their passwords, as `rookery user import` reads them.
pub(crate) fn lines(options: &Options) -> String {
    let line = |index| format!("{} {}\n", jid(options, index), options.password);
    (0..options.users).map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accounts_are_listed_as_an_import_reads_them() {
        let options = Options {
            users: 2,
            first: 7,
            ..Options::default()
        };
        assert_eq!(
            lines(&options),
            "user7@localhost benchmark\nuser8@localhost benchmark\n"
        );
    }
}
