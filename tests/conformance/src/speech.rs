//! What stands between braces in a script, and the names of the accounts of a scene.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use rookery_testkit::Server;
use sha2::Sha256;

/// What actors have noticed: the values of variables.
pub(crate) type Variables = BTreeMap<String, String>;

/// How the accounts of one scene are called on the server.
///
/// Each account of a script gets a suffix that no other scene has: `juliet@localhost` is
/// `juliet-s7@localhost`.
#[derive(Clone, Debug)]
pub(crate) struct Names {
    pub(crate) accounts: Vec<String>,
    pub(crate) suffix: String,
}

/// A piece of a script.
#[derive(Debug, PartialEq, Eq)]
enum Piece<'a> {
    Text(&'a str),
    Variable(&'a str),
    /// `{name argument}`
    Call(&'a str, &'a str),
}

// === impl Names ===

impl Names {
    /// The localpart of an account on the server.
    pub(crate) fn local(&self, local: &str) -> String {
        format!("{local}{}", self.suffix)
    }

    /// Gives the accounts in a text the names that they have on the server.
    fn rename(&self, text: &str) -> String {
        let mut renamed = String::with_capacity(text.len());
        let mut parts = text.split('@').peekable();
        while let Some(part) = parts.next() {
            renamed.push_str(part);
            let Some(next) = parts.peek() else { break };
            let is_here = next.get(.."localhost".len()).is_some_and(is_localhost);
            if is_here && self.accounts.iter().any(|local| ends_with(part, local)) {
                renamed.push_str(&self.suffix);
            }
            renamed.push('@');
        }
        renamed
    }

    /// Gives the accounts in a text the names that they have in the script.
    pub(crate) fn restore(&self, text: &str) -> String {
        text.replace(&self.suffix, "")
    }

    /// The argument of `base64`: `\0` is NUL, `$juliet` a localpart, `$password` everybody's.
    fn credentials(&self, text: &str) -> String {
        let text = text
            .replace("\\0", "\0")
            .replace("$password", Server::PASSWORD);
        let name =
            |text: String, local: &String| text.replace(&format!("${local}"), &self.local(local));
        self.accounts.iter().fold(text, name)
    }
}

fn is_localhost(text: &str) -> bool {
    text.eq_ignore_ascii_case("localhost")
}

/// Whether a text ends with a name, in any case, and not with a longer one.
fn ends_with(text: &str, name: &str) -> bool {
    let Some((before, end)) = text
        .len()
        .checked_sub(name.len())
        .and_then(|at| text.split_at_checked(at))
    else {
        return false;
    };
    let is_longer = before.ends_with(|c: char| c.is_alphanumeric() || "-._".contains(c));
    end.eq_ignore_ascii_case(name) && !is_longer
}

/// Whether all braces in a text are understood.
pub(crate) fn check(text: &str) -> Result<(), String> {
    let names = Names {
        accounts: Vec::new(),
        suffix: String::new(),
    };
    for piece in pieces(text) {
        if let Piece::Call(name, argument) = piece {
            // Whether somebody has noticed a variable is known when the scene is played.
            call(name, argument, &names, None)?;
        }
    }
    Ok(())
}

/// The bytes to send.
pub(crate) fn spoken(text: &str, names: &Names, variables: &Variables) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::new();
    for piece in pieces(text) {
        match piece {
            Piece::Text(text) => bytes.extend(names.rename(text).into_bytes()),
            Piece::Variable(name) => {
                let value = variables
                    .get(name)
                    .ok_or_else(|| format!("nobody has noticed {{{name}}}"))?;
                rookery_xml::escape_attribute(value, &mut bytes);
            }
            Piece::Call(name, argument) => {
                bytes.extend(call(name, argument, names, Some(variables))?);
            }
        }
    }
    Ok(bytes)
}

/// The text to expect; variables stay as they are.
pub(crate) fn expected(text: &str, names: &Names) -> Result<String, String> {
    let mut expected = String::new();
    for piece in pieces(text) {
        match piece {
            Piece::Text(text) => expected.push_str(&names.rename(text)),
            Piece::Variable(name) => {
                expected.push('{');
                expected.push_str(name);
                expected.push('}');
            }
            Piece::Call(name, argument) => {
                let bytes = call(name, argument, names, None)?;
                let text = String::from_utf8(bytes).map_err(|error| error.to_string())?;
                expected.push_str(&text);
            }
        }
    }
    Ok(expected)
}

/// Cuts a text at its braces; a brace that no lowercase letter follows is text.
fn pieces(text: &str) -> Vec<Piece<'_>> {
    let mut pieces = Vec::new();
    let mut rest = text;
    while let Some((before, inside, after)) = next_braces(rest) {
        pieces.push(Piece::Text(before));
        pieces.push(match inside.split_once(' ') {
            Some((name, argument)) => Piece::Call(name, argument),
            None => Piece::Variable(inside),
        });
        rest = after;
    }
    pieces.push(Piece::Text(rest));
    pieces
}

/// What stands before, inside and behind the next braces.
fn next_braces(text: &str) -> Option<(&str, &str, &str)> {
    text.match_indices('{').find_map(|(at, _)| {
        let (before, braces) = text.split_at_checked(at)?;
        let (inside, after) = braces.strip_prefix('{')?.split_once('}')?;
        let is_name = inside.starts_with(|c: char| c.is_ascii_lowercase());
        is_name.then_some((before, inside, after))
    })
}

fn call(
    name: &str,
    argument: &str,
    names: &Names,
    variables: Option<&Variables>,
) -> Result<Vec<u8>, String> {
    let problem = || format!("{{{name} {argument}}} is not understood");
    match name {
        "bytes" => argument
            .split(' ')
            .map(|byte| u8::from_str_radix(byte, 16).map_err(|_| problem()))
            .collect(),
        "repeat" => {
            let (times, text) = argument.split_once(' ').ok_or_else(problem)?;
            let times = times.parse().map_err(|_| problem())?;
            Ok(text.repeat(times).into_bytes())
        }
        "token" => {
            let (local, variable) = argument.split_once(' ').ok_or_else(problem)?;
            let Some(variables) = variables else {
                return Ok(Vec::new());
            };
            let token = variables
                .get(variable)
                .ok_or_else(|| format!("nobody has noticed {{{variable}}}"))?;
            let local = names.credentials(local);
            Ok(STANDARD.encode(hashed(&local, token)).into_bytes())
        }
        "base64" => Ok(STANDARD.encode(names.credentials(argument)).into_bytes()),
        _ => Err(problem()),
    }
}

/// What a client says that logs in with a token and without channel binding
/// (draft-schmaus-kitten-sasl-ht-09).
fn hashed(local: &str, token: &str) -> Vec<u8> {
    let mut hash = hmac(token);
    hash.update(b"Initiator");
    let hash = hash.finalize().into_bytes();
    [local.as_bytes(), b"\0", hash.as_slice()].concat()
}

#[expect(
    clippy::expect_used,
    reason = "HMAC takes keys of any length (RFC 2104 §3)"
)]
fn hmac(key: &str) -> Hmac<Sha256> {
    Hmac::new_from_slice(key.as_bytes()).expect("a key of any length")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names() -> Names {
        Names {
            accounts: vec!["juliet".to_owned(), "romeo".to_owned()],
            suffix: "-s1".to_owned(),
        }
    }

    #[test]
    fn accounts_have_names_of_their_own() {
        let text = "to='juliet@localhost/a' b='JULIET@LOCALHOST' 'mercutio@localhost' 'xromeo@localhost' \
                    'romeo@elsewhere' romeo@localhost@";
        let renamed = names().rename(text);
        assert_eq!(
            renamed,
            "to='juliet-s1@localhost/a' b='JULIET-s1@LOCALHOST' 'mercutio@localhost' 'xromeo@localhost' \
             'romeo@elsewhere' romeo-s1@localhost@"
        );
        assert_eq!(names().restore(&renamed), text);
    }

    #[test]
    fn braces_are_bytes_repetitions_credentials_and_variables() {
        let variables = Variables::from([("x".to_owned(), "<'>".to_owned())]);
        let say = |text| spoken(text, &names(), &variables).unwrap();
        assert_eq!(say("a{bytes 00 FF}b"), b"a\0\xffb");
        assert_eq!(say("{repeat 3 ab}"), b"ababab");
        assert_eq!(say("{x}"), b"&lt;&apos;&gt;");
        assert_eq!(say("{ \"json\": {1} }"), b"{ \"json\": {1} }");
        let credentials = STANDARD.encode(format!("\0romeo-s1\0{}", Server::PASSWORD));
        assert_eq!(say(r"{base64 \0$romeo\0$password}"), credentials.as_bytes());
        assert!(spoken("{y}", &names(), &variables).is_err());
        assert!(check("{sing a}").is_err() && check("{bytes 0G}").is_err());
        assert_eq!(expected("<a b='{y}'/>", &names()).unwrap(), "<a b='{y}'/>");
    }
}
