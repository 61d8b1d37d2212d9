//! Reads scenes: one step a line, with what is said or received indented below it.

use crate::expectation;
use crate::scene::{Action, Certificate, Manner, Nature, Role, Scene, Step};
use crate::speech;

/// What is wrong with a script.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {problem}")]
pub struct ScriptError {
    /// Counted from 1.
    pub line: usize,
    /// What is wrong, and what to write.
    pub problem: String,
}

/// A line that is not indented, with the indented lines below it.
#[derive(Debug)]
struct Paragraph {
    line: usize,
    head: String,
    /// Without the indentation that all lines share.
    body: Option<String>,
}

// === impl Scene ===

impl Scene {
    /// Reads a script. `name` is the name of its file, without the ending.
    pub fn parse(name: &str, text: &str) -> Result<Self, ScriptError> {
        let mut scene = Self {
            name: name.to_owned(),
            ..Self::default()
        };
        if !text.starts_with("# ") {
            let problem = "the first line must be a comment that names standard and section";
            return Err(error(1, problem));
        }
        for paragraph in paragraphs(text)? {
            let line = paragraph.line;
            scene
                .read(paragraph)
                .map_err(|problem| ScriptError { line, problem })?;
        }
        if scene.steps.is_empty() {
            return Err(error(1, "nothing happens in this scene"));
        }
        Ok(scene)
    }

    fn read(&mut self, paragraph: Paragraph) -> Result<(), String> {
        if paragraph.head == "server:" {
            self.configure(&paragraph.body.unwrap_or_default());
            return Ok(());
        }
        let (actor, action) = read_step(&paragraph.head, paragraph.body)?;
        if let Action::Appear(Role::Account { local } | Role::Client { local, .. }) = &action
            && !self.accounts.contains(local)
        {
            self.accounts.push(local.clone());
        }
        let is_new = matches!(action, Action::Appear(_));
        let known = |name: &str| self.steps.iter().any(|step| step.actor == name);
        if is_new == known(actor) {
            let problem = if is_new {
                "appears twice"
            } else {
                "has not appeared"
            };
            return Err(format!("{actor} {problem}"));
        }
        match &action {
            Action::Befriend(other) | Action::Authenticate(other) if !known(other) => {
                return Err(format!("{other} has not appeared"));
            }
            _ => {}
        }
        self.steps.push(Step {
            line: paragraph.line,
            actor: actor.to_owned(),
            action,
        });
        Ok(())
    }

    fn configure(&mut self, body: &str) {
        for line in body.lines() {
            match line.split_once('=') {
                Some((name, value)) if name.starts_with("ROOKERY_") => {
                    self.environment.push((name.to_owned(), value.to_owned()));
                }
                _ => {
                    self.configuration.push_str(line);
                    self.configuration.push('\n');
                }
            }
        }
    }
}

fn error(line: usize, problem: impl Into<String>) -> ScriptError {
    ScriptError {
        line,
        problem: problem.into(),
    }
}

/// Splits a script; comments and empty lines between paragraphs are dropped.
fn paragraphs(text: &str) -> Result<Vec<Paragraph>, ScriptError> {
    let mut paragraphs: Vec<Paragraph> = Vec::new();
    let mut bodies: Vec<Vec<&str>> = Vec::new();
    for (index, line) in text.lines().enumerate() {
        if line.starts_with([' ', '\t']) || (line.is_empty() && index > 0) {
            match bodies.last_mut() {
                Some(body) => body.push(line),
                None if line.trim().is_empty() => {}
                None => return Err(error(index + 1, "indented, but below nothing")),
            }
        } else if !line.starts_with('#') {
            paragraphs.push(Paragraph {
                line: index + 1,
                head: line.trim_end().to_owned(),
                body: None,
            });
            bodies.push(Vec::new());
        }
    }
    for (paragraph, body) in paragraphs.iter_mut().zip(bodies) {
        paragraph.body = dedent(&body);
        if paragraph.head.ends_with(':') != paragraph.body.is_some() {
            let problem = "a colon and indented lines come together or not at all";
            return Err(error(paragraph.line, problem));
        }
    }
    Ok(paragraphs)
}

/// The lines without the indentation of the first and without empty ones at the end.
fn dedent(lines: &[&str]) -> Option<String> {
    let first = lines.iter().find(|line| !line.trim().is_empty())?;
    let indentation: String = first.chars().take_while(|c| c.is_whitespace()).collect();
    let dedented: Vec<_> = lines
        .iter()
        .map(|line| line.strip_prefix(&indentation).unwrap_or(line.trim_start()))
        .collect();
    Some(dedented.join("\n").trim_end().to_owned())
}

/// A line such as `juliet sends:`, with what stands below it.
fn read_step(head: &str, body: Option<String>) -> Result<(&str, Action), String> {
    let Some((actor, rest)) = head
        .find([' ', '\''])
        .and_then(|at| head.split_at_checked(at))
    else {
        return Err(format!("{head:?} is not a step"));
    };
    if !actor.chars().all(|c| c.is_ascii_alphanumeric()) {
        return Err(format!("{actor:?} is not a name"));
    }
    let rest = rest.strip_prefix(' ').unwrap_or(rest);
    let action = match body {
        Some(body) => read_lines(rest, body)?,
        None => read_line(rest)?,
    };
    Ok((actor, action))
}

/// Steps with lines below them.
fn read_lines(rest: &str, body: String) -> Result<Action, String> {
    if rest == "sends:" {
        speech::check(&body)?;
        return Ok(Action::Send(body));
    }
    let manner = match rest {
        "receives:" => Manner::Loosely,
        "receives exactly:" => Manner::Exactly,
        "receives in any order:" => Manner::InAnyOrder,
        "receives verbatim:" => Manner::Verbatim,
        _ => return Err(format!("{rest:?} is not a step with lines below it")),
    };
    speech::check(&body)?;
    if manner != Manner::Verbatim {
        expectation::parse(&body).map_err(|error| format!("what is received: {error}"))?;
    }
    Ok(Action::Receive(manner, body))
}

/// Steps that fill one line.
fn read_line(rest: &str) -> Result<Action, String> {
    let action = match rest {
        "receives nothing" => Action::ReceiveNothing,
        "takes whatever comes" => Action::TakeWhateverComes,
        "becomes available" => Action::BecomeAvailable,
        "requests the roster" => Action::RequestRoster,
        "opens a stream" => Action::OpenStream,
        "starts tls" => Action::StartTls,
        "disconnects" => Action::Disconnect,
        "closes the stream" => Action::CloseStream,
        "logs in again" => Action::LogInAgain,
        "'s stream ends" => Action::StreamEnds,
        "'s connection ends" => Action::ConnectionEnds,
        "'s handshake fails" => Action::HandshakeFails,
        "is a connection" => Action::Appear(Role::Connection { tls: false }),
        "is a tls connection" => Action::Appear(Role::Connection { tls: true }),
        _ => return read_line_with_name(rest),
    };
    Ok(action)
}

/// Steps that end with a name.
fn read_line_with_name(rest: &str) -> Result<Action, String> {
    let no_step = || format!("{rest:?} is not a step");
    if let Some(certificate) = rest.strip_prefix("is a tls connection with ") {
        let certificate = read_certificate(certificate).ok_or_else(no_step)?;
        return Ok(Action::Appear(Role::Certified(certificate)));
    }
    if let Some(jid) = rest.strip_prefix("is ") {
        return read_role(jid).map(Action::Appear);
    }
    if let Some(other) = rest.strip_prefix("and ") {
        let other = other.strip_suffix(" are friends").ok_or_else(no_step)?;
        return Ok(Action::Befriend(other.to_owned()));
    }
    if let Some(condition) = rest.strip_prefix("'s stream ends with <") {
        let condition = condition.strip_suffix("/>").ok_or_else(no_step)?;
        return Ok(Action::StreamEndsWith(condition.to_owned()));
    }
    if let Some(name) = rest.strip_prefix("authenticates as ") {
        return Ok(Action::Authenticate(name.to_owned()));
    }
    if let Some(resource) = rest.strip_prefix("binds ") {
        return Ok(Action::Bind(resource.to_owned()));
    }
    Err(no_step())
}

/// `a certificate of juliet and romeo`, `a forged certificate of juliet`, `an expired certificate of juliet`.
fn read_certificate(text: &str) -> Option<Certificate> {
    let (nature, owners) = text.split_once(" certificate of ")?;
    let nature = match nature {
        "a" => Nature::Good,
        "a forged" => Nature::Forged,
        "an expired" => Nature::Expired,
        _ => return None,
    };
    let owners = owners.split(" and ").map(str::to_owned).collect();
    Some(Certificate { nature, owners })
}

/// `juliet@localhost` or `juliet@localhost/balcony`.
fn read_role(jid: &str) -> Result<Role, String> {
    let Some((local, rest)) = jid.split_once("@localhost") else {
        return Err(format!("{jid:?} is not an address at localhost"));
    };
    let local = local.to_owned();
    match rest.strip_prefix('/') {
        Some(resource) => Ok(Role::Client {
            local,
            resource: resource.to_owned(),
        }),
        None if rest.is_empty() => Ok(Role::Account { local }),
        None => Err(format!("{jid:?} is not an address at localhost")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAY: &str = "\
# RFC 6121 §8.5.2.1.1: an example
server:
  [router]
  roster_items = 3
  ROOKERY_AUTH_ITERATIONS=5000

juliet is juliet@localhost/balcony
romeo is romeo@localhost
visitor is a connection

# what is said
juliet sends:
    <message to='romeo@localhost'>
      <body>x</body>
    </message>

visitor receives exactly:
  <a/>
visitor's stream ends with <not-well-formed/>
juliet and romeo are friends
guest is a tls connection with a forged certificate of juliet and romeo
guest's handshake fails
";

    #[test]
    fn a_script_is_a_list_of_steps() {
        let scene = Scene::parse("example", PLAY).unwrap();
        assert_eq!(scene.configuration, "[router]\nroster_items = 3\n");
        let variable = ("ROOKERY_AUTH_ITERATIONS".to_owned(), "5000".to_owned());
        assert_eq!(scene.environment, [variable]);
        assert_eq!(scene.accounts, ["juliet", "romeo"]);
        let said = "<message to='romeo@localhost'>\n  <body>x</body>\n</message>";
        let step = |line, actor: &str, action| Step {
            line,
            actor: actor.to_owned(),
            action,
        };
        let forged = Certificate {
            nature: Nature::Forged,
            owners: vec!["juliet".to_owned(), "romeo".to_owned()],
        };
        assert_eq!(scene.steps[2].line, 9);
        assert_eq!(
            scene.steps[3..],
            [
                step(12, "juliet", Action::Send(said.to_owned())),
                step(
                    17,
                    "visitor",
                    Action::Receive(Manner::Exactly, "<a/>".to_owned())
                ),
                step(
                    19,
                    "visitor",
                    Action::StreamEndsWith("not-well-formed".to_owned())
                ),
                step(20, "juliet", Action::Befriend("romeo".to_owned())),
                step(21, "guest", Action::Appear(Role::Certified(forged))),
                step(22, "guest", Action::HandshakeFails),
            ]
        );
    }

    #[test]
    fn what_is_not_a_script_is_refused_with_its_line() {
        for (text, line) in [
            ("juliet sends:", 1),
            ("# a", 1),
            ("# a\n  <presence/>", 2),
            ("# a\njuliet sends:\n", 2),
            ("# a\njuliet is juliet@localhost\njuliet sings", 3),
            (
                "# a\njuliet is juliet@localhost\n\nromeo receives nothing",
                4,
            ),
            ("# a\njuliet is juliet@localhost\njuliet is a connection", 3),
            ("# a\njuliet is juliet@elsewhere", 2),
            ("# a\njuliet is juliet@localhost\njuliet receives:\n  <a", 3),
            (
                "# a\njuliet is juliet@localhost\njuliet sends:\n  {bytes XX}",
                3,
            ),
            (
                "# a\njuliet is juliet@localhost\njuliet disconnects\n  <a/>",
                3,
            ),
            (
                "# a\njuliet is juliet@localhost\njuliet and romeo are friends",
                3,
            ),
        ] {
            assert_eq!(Scene::parse("x", text).unwrap_err().line, line, "{text}");
        }
    }
}
