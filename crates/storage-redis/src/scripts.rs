//! The scripts that change or read the keys of one account in one step.
//!
//! Each touches the keys of one hash tag only, all of which it is told, and can be carried out twice without harm:
//! a command that timed out may have been carried out all the same.

use std::fmt::Write;

use redis::{Cmd, ToRedisArgs};
use sha1::{Digest, Sha1};

/// A script and its name.
#[derive(Debug)]
pub(crate) struct Script {
    source: &'static str,
    digest: String,
}

/// All scripts.
#[derive(Debug)]
pub(crate) struct Scripts {
    pub(crate) append: Script,
    pub(crate) open: Script,
    pub(crate) confirm: Script,
    pub(crate) owed: Script,
    pub(crate) replace: Script,
    pub(crate) trim: Script,
    pub(crate) create_account: Script,
    pub(crate) set_credentials: Script,
    pub(crate) delete_account: Script,
    pub(crate) update_roster: Script,
    pub(crate) update_data: Script,
}

// === impl Script ===

impl Script {
    fn new(source: &'static str) -> Self {
        let mut digest = String::with_capacity(40);
        for byte in Sha1::digest(source.as_bytes()) {
            write!(digest, "{byte:02x}").unwrap_or_default();
        }
        Self { source, digest }
    }

    /// A call with these keys; its arguments follow.
    pub(crate) fn call<K: ToRedisArgs>(&self, keys: &[K]) -> Cmd {
        let mut cmd = redis::cmd("EVALSHA");
        cmd.arg(&self.digest).arg(keys.len());
        for key in keys {
            cmd.arg(key);
        }
        cmd
    }

    /// What makes the script known to a server.
    pub(crate) fn load(&self) -> Cmd {
        let mut cmd = redis::cmd("SCRIPT");
        cmd.arg("LOAD").arg(self.source);
        cmd
    }
}

// === impl Scripts ===

impl Scripts {
    pub(crate) fn new() -> Self {
        Self {
            append: Script::new(include_str!("scripts/append.lua")),
            open: Script::new(include_str!("scripts/open.lua")),
            confirm: Script::new(include_str!("scripts/confirm.lua")),
            owed: Script::new(include_str!("scripts/owed.lua")),
            replace: Script::new(include_str!("scripts/replace.lua")),
            trim: Script::new(include_str!("scripts/trim.lua")),
            create_account: Script::new(include_str!("scripts/create_account.lua")),
            set_credentials: Script::new(include_str!("scripts/set_credentials.lua")),
            delete_account: Script::new(include_str!("scripts/delete_account.lua")),
            update_roster: Script::new(include_str!("scripts/update_roster.lua")),
            update_data: Script::new(include_str!("scripts/update_data.lua")),
        }
    }

    /// All of them.
    pub(crate) fn all(&self) -> [&Script; 11] {
        [
            &self.append,
            &self.open,
            &self.confirm,
            &self.owed,
            &self.replace,
            &self.trim,
            &self.create_account,
            &self.set_credentials,
            &self.delete_account,
            &self.update_roster,
            &self.update_data,
        ]
    }
}
