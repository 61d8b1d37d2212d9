//! Where a password comes from: the command line, a terminal without echo, or standard input.

use std::io::{self, BufRead, IsTerminal};

use super::exit::Failure;

/// The password for `jid`.
pub(super) fn password(given: Option<String>, jid: &str) -> Result<String, Failure> {
    if let Some(password) = given {
        return Ok(password);
    }
    let password = if io::stdin().is_terminal() {
        ask(jid)
    } else {
        line()
    };
    match password {
        Ok(password) if password.is_empty() => Err(missing()),
        Ok(password) => Ok(password),
        Err(error) => Err(Failure::Unreadable("the password".to_owned(), error)),
    }
}

fn ask(jid: &str) -> io::Result<String> {
    let password = rpassword::prompt_password(format!("Password for {jid}: "))?;
    if rpassword::prompt_password("The same again: ")? == password {
        Ok(password)
    } else {
        Err(io::Error::other(
            "the two are not the same; run the command again",
        ))
    }
}

fn line() -> io::Result<String> {
    let mut line = String::new();
    io::stdin().lock().read_line(&mut line)?;
    line.truncate(line.trim_end_matches(['\r', '\n']).len());
    Ok(line)
}

fn missing() -> Failure {
    let text = "no password; give it by --password, or as a line on standard input";
    Failure::Password(text.to_owned())
}
