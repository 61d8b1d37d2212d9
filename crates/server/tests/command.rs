//! The command `rookery` without a running server: what it prints, and how it exits.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use rookery_stanza::BareJid;
use rookery_storage::message_log::MessageLog;
use rookery_storage_embedded::{EmbeddedLog, LogConfig};
use tempfile::TempDir;

/// A working directory, with a configuration whose store is cheap to fill.
struct Place(TempDir);

impl Place {
    fn new(configuration: &str) -> Self {
        let directory = tempfile::tempdir().unwrap();
        std::fs::write(directory.path().join("rookery.toml"), configuration).unwrap();
        Self(directory)
    }

    fn with_cheap_passwords() -> Self {
        Self::new("[auth]\niterations = 4096\n")
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_rookery"));
        command
            .args(arguments)
            .current_dir(self.path())
            .stdin(Stdio::null());
        command
    }

    fn run(&self, arguments: &[&str]) -> Ended {
        self.command(arguments).output().unwrap().into()
    }

    fn run_with_input(&self, arguments: &[&str], input: &str) -> Ended {
        let mut command = self.command(arguments);
        command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        child
            .stdin
            .take()
            .unwrap()
            .write_all(input.as_bytes())
            .unwrap();
        child.wait_with_output().unwrap().into()
    }
}

/// How a command ended.
#[derive(Debug)]
struct Ended {
    code: i32,
    out: String,
    err: String,
}

impl From<Output> for Ended {
    fn from(output: Output) -> Self {
        let text = |bytes| String::from_utf8(bytes).unwrap();
        Self {
            code: output.status.code().unwrap(),
            out: text(output.stdout),
            err: text(output.stderr),
        }
    }
}

impl Ended {
    #[track_caller]
    fn done(self) -> String {
        assert_eq!(self.code, 0, "{self:?}");
        self.out
    }

    #[track_caller]
    fn failed(self, code: i32) -> String {
        assert_eq!(self.code, code, "{self:?}");
        assert!(!self.err.is_empty(), "a failure says why: {self:?}");
        self.err
    }
}

#[test]
fn a_good_configuration_is_told_so() {
    let place = Place::new("[[host]]\nname = \"example.org\"\n");
    let out = place.run(&["check-config", "rookery.toml"]).done();
    assert_eq!(out, "rookery.toml: all is well\n");
}

#[test]
fn a_bad_configuration_is_told_whole_with_exit_code_2() {
    let place = Place::new("[listener.c2s]\nadress = []\n[log]\nlevel = 1\n");
    let err = place.run(&["check-config", "rookery.toml"]).failed(2);
    assert_eq!(
        err,
        "rookery: rookery.toml:2: listener.c2s.adress: unknown key; did you mean \"address\"?\n\
         rookery: rookery.toml:4: log.level: expected text in quotes, found the number 1\n"
    );
    // The server does not start on it either.
    assert_eq!(place.run(&["serve"]).failed(2), err);
    assert_eq!(place.run(&[]).failed(2), err);
}

#[test]
fn certificates_are_part_of_the_check() {
    let place = Place::new("[tls]\ncertificate = \"none.pem\"\nkey = \"none.key\"\n");
    let err = place.run(&["check-config", "rookery.toml"]).failed(2);
    assert!(err.contains("none.pem"), "{err}");
}

#[test]
fn a_file_that_is_not_there_is_named() {
    let place = Place::new("");
    let err = place
        .run(&["--config", "nowhere.toml", "user", "list"])
        .failed(2);
    assert!(err.contains("nowhere.toml"), "{err}");
}

#[test]
fn a_wrong_command_line_ends_with_exit_code_2() {
    let place = Place::new("");
    let err = place.run(&["sreve"]).failed(2);
    assert!(err.contains("serve"), "{err}");
}

#[test]
fn the_help_documents_the_exit_codes() {
    let out = Place::new("").run(&["--help"]).done();
    for code in 0..=5 {
        assert!(out.contains(&format!("\n  {code}  ")), "{out}");
    }
}

#[test]
fn the_version_says_what_the_program_is_made_from() {
    let out = Place::new("").run(&["version"]).done();
    let version = concat!("rookery ", env!("CARGO_PKG_VERSION"), " (revision ");
    assert!(out.starts_with(version) && out.contains("rustc"), "{out}");
}

#[test]
fn the_example_is_a_configuration() {
    let place = Place::new("");
    let example = place.run(&["config", "example"]).done();
    std::fs::write(place.path().join("example.toml"), example).unwrap();
    place.run(&["check-config", "example.toml"]).done();
}

#[test]
fn documents_are_printed_without_leaving_anything_behind() {
    let place = Place::new("");
    let standards = place.run(&["docs", "support"]).done();
    assert!(standards.contains("RFC 6120"), "{standards}");
    assert!(place.run(&["docs", "doap"]).done().contains("SupportedXep"));
    let metrics = place.run(&["metrics", "list", "--format", "json"]).done();
    assert!(metrics.contains("\"name\": \"rookery_ready\""), "{metrics}");
    let reference = place.run(&["metrics", "reference"]).done();
    for line in metrics
        .lines()
        .filter_map(|line| line.trim().strip_prefix("\"name\": \""))
    {
        let name = line.trim_end_matches("\",");
        assert!(reference.contains(&format!("| `{name}` |")), "{name}");
    }
    let left = std::fs::read_dir(place.path()).unwrap().count();
    assert_eq!(left, 1, "only the configuration is there");
}

#[test]
fn accounts_live_in_the_store_when_no_server_runs() {
    let place = Place::with_cheap_passwords();
    let add = ["user", "add", "alice@localhost", "--password", "one"];
    assert_eq!(place.run(&add).done(), "alice@localhost is made\n");
    assert!(place.run(&add).failed(3).contains("exists already"));
    place
        .run_with_input(&["user", "add", "bob@localhost"], "two\n")
        .done();
    assert_eq!(
        place.run(&["user", "list"]).done(),
        "alice@localhost\nbob@localhost\n"
    );
    place.run(&["user", "exists", "bob@localhost"]).done();
    place
        .run(&["user", "password", "bob@localhost", "--password", "three"])
        .done();
    place.run(&["user", "delete", "bob@localhost"]).done();
    assert!(
        place
            .run(&["user", "exists", "bob@localhost"])
            .failed(3)
            .contains("no account")
    );
    assert_eq!(
        place.run(&["user", "list", "localhost"]).done(),
        "alice@localhost\n"
    );
}

#[test]
fn what_can_be_no_account_is_refused_with_exit_code_3() {
    let place = Place::with_cheap_passwords();
    let add = |jid| place.run(&["user", "add", jid, "--password", "one"]);
    assert!(add("alice").failed(3).contains("no part before an @"));
    assert!(
        add("alice@elsewhere.example")
            .failed(3)
            .contains("add it to the configuration")
    );
    assert!(add("a b@localhost").failed(3).contains("address"));
    assert!(
        place
            .run(&["user", "list", "elsewhere.example"])
            .failed(3)
            .contains("not served")
    );
    assert!(
        place
            .run(&["user", "delete", "nobody@localhost"])
            .failed(3)
            .contains("no such")
    );
    let err = place.run(&["user", "add", "alice@localhost"]).failed(2);
    assert!(err.contains("--password"), "{err}");
}

#[test]
fn an_import_names_the_lines_that_it_refuses() {
    let place = Place::with_cheap_passwords();
    let lines = "# accounts\n\nalice@localhost one\nbob\ncarol@localhost\nbob@localhost  t w o\n\
                 alice@localhost again\n";
    let ended = place.run_with_input(&["user", "import", "-"], lines);
    assert_eq!(ended.out, "accounts made: 2; lines refused: 3\n");
    let err = ended.failed(5);
    for line in ["line 4: ", "line 5: ", "line 7: alice@localhost: "] {
        assert!(err.contains(line), "{err}");
    }
    assert_eq!(
        place.run(&["user", "list"]).done(),
        "alice@localhost\nbob@localhost\n"
    );
    let all_refused = place.run_with_input(&["user", "import", "-"], "alice@localhost one\n");
    all_refused.failed(3);
    assert!(
        place
            .run(&["user", "import", "nowhere"])
            .failed(1)
            .contains("nowhere")
    );
}

#[test]
fn thousands_of_accounts_are_imported_in_one_go() {
    let place = Place::with_cheap_passwords();
    let mut lines = String::new();
    for number in 0..5000 {
        writeln!(lines, "user{number:04}@localhost secret-{number}").unwrap();
    }
    std::fs::write(place.path().join("accounts"), lines).unwrap();
    let started = tokio::time::Instant::now();
    let out = place.run(&["user", "import", "accounts"]).done();
    assert_eq!(out, "accounts made: 5000; lines refused: 0\n");
    // Some ten seconds on two processors; ten times as much where others keep them busy.
    assert!(started.elapsed().as_secs() < 120, "{:?}", started.elapsed());
    let list = place.run(&["user", "list"]).done();
    assert_eq!(list.lines().count(), 5000);
    assert_eq!(list.lines().next_back(), Some("user4999@localhost"));
}

#[test]
fn an_address_that_is_taken_is_named_with_its_key() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    let place = Place::new(&format!("[listener.c2s]\naddress = [\"{address}\"]\n"));
    let err = place.run(&["serve"]).failed(1);
    let expected = format!("rookery: listener.c2s.address: {address} is in use by another process");
    let Some(line) = err.lines().next_back() else {
        panic!("{err}")
    };
    assert!(line.starts_with(&expected), "{err}");
}

#[test]
fn a_data_directory_that_cannot_be_used_is_named() {
    let place = Place::new("data_dir = \"rookery.toml/data\"\n");
    let err = place.run(&["user", "list"]).failed(1);
    assert!(err.contains("data_dir: rookery.toml/data"), "{err}");
}

#[test]
fn a_damaged_message_log_is_found_and_repaired() {
    let place = Place::with_cheap_passwords();
    let new = place.run(&["log", "check"]).done();
    assert_eq!(new, "0 records in 0 files can be read\n");
    // That the log of an account is erased is a record of the log.
    let romeo = "romeo@localhost";
    erase(&place.path().join("rookery-data/messages"), romeo);
    place.run(&["log", "check"]).done();

    let file = place
        .path()
        .join("rookery-data/messages/messages-0000000001.log");
    let mut bytes = std::fs::read(&file).unwrap();
    let name = bytes
        .windows(romeo.len())
        .position(|some| some == romeo.as_bytes());
    bytes[name.unwrap()] = b'x';
    std::fs::write(&file, bytes).unwrap();

    let err = place.run(&["log", "check"]).failed(3);
    assert!(err.contains("rookery log repair"), "{err}");
    let out = place.run(&["log", "repair"]).done();
    assert!(
        out.contains("messages-0000000001.log") && out.contains("from byte 16 on cannot be read"),
        "{out}"
    );
    assert!(file.with_extension("log.damaged").exists());
    place.run(&["log", "check"]).done();
    place
        .run(&["user", "add", romeo, "--password", "secret"])
        .done();
}

fn erase(folder: &Path, account: &str) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    runtime.block_on(async {
        let registry = rookery_telemetry::Registry::new();
        let log = EmbeddedLog::open(folder, &LogConfig::default(), &registry).unwrap();
        log.erase(&BareJid::parse(account).unwrap()).await.unwrap();
        log.close().await;
    });
}
