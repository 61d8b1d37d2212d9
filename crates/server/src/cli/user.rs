//! `rookery user`: accounts.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use rookery_admin::{MOST_USERS, NewUser, Request, Response, Secret};

use super::door::Door;
use super::exit::Failure;
use super::password::password;
use super::{import, output};
use crate::config::Config;

#[derive(Debug, Subcommand)]
pub(super) enum UserCommand {
    /// Make an account
    Add(WithPassword),
    /// Remove an account and all that is stored for it, and end its sessions
    Delete {
        /// The account
        jid: String,
    },
    /// Change the password of an account, and end its sessions
    Password(WithPassword),
    /// List accounts, one a line
    List {
        /// Those of this host; else those of all
        host: Option<String>,
    },
    /// Whether there is an account: exit code 0 or 3
    Exists {
        /// The account
        jid: String,
    },
    /// Make many accounts: a JID, blanks and a password a line; # begins a comment line
    Import {
        /// The file, or - for standard input
        file: PathBuf,
    },
}

#[derive(Debug, Args)]
pub(super) struct WithPassword {
    /// The account
    jid: String,
    /// The password; other users of this machine can see it. Without it you are asked, or the first
    /// line of standard input is taken
    #[arg(long, value_name = "PASSWORD")]
    password: Option<String>,
}

pub(super) fn execute(command: UserCommand, config: &Config) -> Result<(), Failure> {
    match command {
        UserCommand::Add(user) => {
            let user = user.ask()?;
            let done = format!("{} is made\n", user.jid);
            ask(config, Request::AddUser(user), &done)
        }
        UserCommand::Password(user) => {
            let user = user.ask()?;
            let done = format!("{} has another password\n", user.jid);
            ask(config, Request::SetPassword(user), &done)
        }
        UserCommand::Delete { jid } => {
            let done = format!("{jid} is removed\n");
            ask(config, Request::DeleteUser { jid }, &done)
        }
        UserCommand::Exists { jid } => exists(config, jid),
        UserCommand::List { host } => list(config, host),
        UserCommand::Import { file } => import::execute(config, &file),
    }
}

// === impl WithPassword ===

impl WithPassword {
    fn ask(self) -> Result<NewUser, Failure> {
        let password = Secret(password(self.password, &self.jid)?);
        Ok(NewUser {
            jid: self.jid,
            password,
        })
    }
}

fn ask(config: &Config, request: Request, done: &str) -> Result<(), Failure> {
    match Door::open(config)?.ask(request)? {
        Response::Done => output::print(done),
        other => Err(unexpected(other)),
    }
}

fn exists(config: &Config, jid: String) -> Result<(), Failure> {
    let request = Request::UserExists { jid: jid.clone() };
    match Door::open(config)?.ask(request)? {
        Response::Exists { exists: true } => output::print(&format!("{jid} exists\n")),
        Response::Exists { exists: false } => {
            Err(Failure::Refused(format!("there is no account {jid}")))
        }
        other => Err(unexpected(other)),
    }
}

fn list(config: &Config, host: Option<String>) -> Result<(), Failure> {
    let mut door = Door::open(config)?;
    let hosts = match host {
        Some(host) => vec![host],
        None => match door.ask(Request::ListHosts)? {
            Response::Hosts { hosts } => hosts,
            other => return Err(unexpected(other)),
        },
    };
    for host in hosts {
        let mut after = None;
        loop {
            let request = Request::ListUsers {
                host: host.clone(),
                after: after.clone(),
            };
            let users = match door.ask(request)? {
                Response::Users { users } => users,
                other => return Err(unexpected(other)),
            };
            let lines: String = users.iter().flat_map(|user| [user, "\n"]).collect();
            output::print(&lines)?;
            let last = users.last().and_then(|user| user.split_once('@'));
            let Some((local, _)) = last.filter(|_| users.len() == MOST_USERS) else {
                break;
            };
            after = Some(local.to_owned());
        }
    }
    Ok(())
}

/// The failure that an answer stands for.
pub(super) fn unexpected(response: Response) -> Failure {
    match response {
        Response::Refused { reason } => Failure::Refused(reason),
        Response::Failed { reason } => Failure::Failed(reason),
        _ => Failure::Failed(
            "the server's answer does not fit; use the same version of rookery".to_owned(),
        ),
    }
}
