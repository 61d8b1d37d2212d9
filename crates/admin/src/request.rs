//! What can be asked of a server by those who run it, and what it answers.
//!
//! On the socket each is one line of JSON.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The most accounts in one [`Request::ImportUsers`] and in one [`Response::Users`].
pub const MOST_USERS: usize = 512;

/// A request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "operation", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Request {
    /// Makes an account: [`Response::Done`].
    AddUser(NewUser),
    /// Removes an account and all that is stored for it, and ends its sessions: [`Response::Done`].
    DeleteUser {
        /// The account.
        jid: String,
    },
    /// Changes a password and ends the account's sessions: [`Response::Done`].
    SetPassword(NewUser),
    /// Whether there is an account: [`Response::Exists`].
    UserExists {
        /// The account.
        jid: String,
    },
    /// The hosts that are served: [`Response::Hosts`].
    ListHosts,
    /// Accounts of a host in order, at most [`MOST_USERS`]: [`Response::Users`].
    ListUsers {
        /// The host.
        host: String,
        /// Those after this localpart; absent, from the first on.
        after: Option<String>,
    },
    /// Makes many accounts, at most [`MOST_USERS`]: [`Response::Imported`].
    ImportUsers {
        /// The accounts.
        users: Vec<NewUser>,
    },
}

/// An account and its password.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewUser {
    /// The account's address.
    pub jid: String,
    /// Its password.
    pub password: Secret,
}

/// A text that no log shows.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Secret(pub String);

/// An answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "answer", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Response {
    /// It was done.
    Done,
    /// Whether the account exists.
    Exists {
        /// It does.
        exists: bool,
    },
    /// The hosts that are served.
    Hosts {
        /// Their names in order.
        hosts: Vec<String>,
    },
    /// Accounts; fewer than [`MOST_USERS`] means that there are no more.
    Users {
        /// Their addresses in order.
        users: Vec<String>,
    },
    /// What became of each account, in order: nothing for one that was made, else why it was not.
    Imported {
        /// The reasons.
        refused: Vec<Option<String>>,
    },
    /// It was not done, because it must not or need not be: asking again changes nothing.
    Refused {
        /// Why, and what to do.
        reason: String,
    },
    /// It could not be done; it may be possible later.
    Failed {
        /// Why, and what to do.
        reason: String,
    },
}

// === impl Secret ===

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(secret)")
    }
}
