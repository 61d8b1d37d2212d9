//! `rookery user import`: thousands of accounts in one go.

use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::path::Path;

use rookery_admin::{MOST_USERS, NewUser, Request, Response, Secret};

use super::door::Door;
use super::exit::Failure;
use super::output;
use super::user::unexpected;
use crate::config::Config;

/// What has become of the lines so far.
#[derive(Debug, Default)]
struct Tally {
    made: usize,
    refused: usize,
}

/// A line that names an account, with its number.
#[derive(Debug, PartialEq, Eq)]
struct Line {
    number: usize,
    user: NewUser,
}

pub(super) fn execute(config: &Config, file: &Path) -> Result<(), Failure> {
    let unreadable = |error| Failure::Unreadable(file.display().to_string(), error);
    let lines: Box<dyn BufRead> = if file == Path::new("-") {
        Box::new(io::stdin().lock())
    } else {
        Box::new(BufReader::new(File::open(file).map_err(unreadable)?))
    };
    let mut door = Door::open(config)?;
    let mut tally = Tally::default();
    let mut batch = Vec::with_capacity(MOST_USERS);
    for (index, text) in lines.lines().enumerate() {
        match parse(index + 1, &text.map_err(unreadable)?) {
            Ok(Some(line)) => batch.push(line),
            Ok(None) => {}
            Err(reason) => tally.refuse(index + 1, reason),
        }
        if batch.len() == MOST_USERS {
            tally.send(&mut door, &mut batch)?;
        }
    }
    tally.send(&mut door, &mut batch)?;
    tally.finish()
}

/// The account that a line names; `None` for an empty line and a comment.
fn parse(number: usize, line: &str) -> Result<Option<Line>, &'static str> {
    let line = line.trim();
    if line.is_empty() || line.starts_with('#') {
        return Ok(None);
    }
    let (jid, password) = line
        .split_once(char::is_whitespace)
        .ok_or("there is no password after the address")?;
    let password = Secret(password.trim_start().to_owned());
    Ok(Some(Line {
        number,
        user: NewUser {
            jid: jid.to_owned(),
            password,
        },
    }))
}

// === impl Tally ===

impl Tally {
    fn refuse(&mut self, line: usize, reason: &str) {
        self.refused += 1;
        output::complain(&format!("line {line}: {reason}"));
    }

    /// Has a batch of accounts made, and empties it.
    fn send(&mut self, door: &mut Door, batch: &mut Vec<Line>) -> Result<(), Failure> {
        if batch.is_empty() {
            return Ok(());
        }
        let lines = std::mem::take(batch);
        let (numbers, users): (Vec<(usize, String)>, Vec<NewUser>) = lines
            .into_iter()
            .map(|line| ((line.number, line.user.jid.clone()), line.user))
            .unzip();
        match door.ask(Request::ImportUsers { users })? {
            Response::Imported { refused } => {
                for ((number, jid), reason) in numbers.into_iter().zip(refused) {
                    match reason {
                        None => self.made += 1,
                        Some(reason) => self.refuse(number, &format!("{jid}: {reason}")),
                    }
                }
                Ok(())
            }
            other => Err(unexpected(other)),
        }
    }

    fn finish(self) -> Result<(), Failure> {
        let Self { made, refused } = self;
        output::print(&format!(
            "accounts made: {made}; lines refused: {refused}\n"
        ))?;
        match (made, refused) {
            (_, 0) => Ok(()),
            (0, _) => Err(Failure::Refused("no account was made".to_owned())),
            _ => Err(Failure::Partly(
                "some lines were refused; see above".to_owned(),
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_an_address_blanks_and_a_password_that_may_hold_blanks() {
        let line = parse(3, "  a@example.org \t correct horse \r")
            .unwrap()
            .unwrap();
        assert_eq!(line.number, 3);
        assert_eq!(line.user.jid, "a@example.org");
        assert_eq!(line.user.password, Secret("correct horse".to_owned()));
    }

    #[test]
    fn comments_and_empty_lines_are_passed_over_and_half_lines_are_not() {
        assert_eq!(parse(1, "# who"), Ok(None));
        assert_eq!(parse(1, "  "), Ok(None));
        assert!(parse(1, "a@example.org").is_err());
    }
}
