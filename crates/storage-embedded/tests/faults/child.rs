//! Starting this program again: a test of it that is ignored, as a process of its own.

use std::ffi::OsStr;
use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, ChildStdout, Command, Stdio};

use rookery_storage_embedded::{Config, Durability};

/// Where the child's store lies.
const STORE: &str = "ROOKERY_TEST_STORE";
/// Set when the child must not sync.
const UNSYNCED: &str = "ROOKERY_TEST_UNSYNCED";

/// The command that runs one ignored test of this program on the store at `store`.
pub(crate) fn command(test: &str, store: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command
        .args(["--exact", test, "--ignored", "--nocapture"])
        .env(STORE, store);
    command
}

/// Makes the child confirm what is not synced.
pub(crate) fn without_sync(command: &mut Command) -> &mut Command {
    command.env(UNSYNCED, "1")
}

/// In the child: the path of the store; nothing when a person runs the ignored tests.
pub(crate) fn store() -> Option<PathBuf> {
    std::env::var_os(STORE).map(PathBuf::from)
}

/// In the child: the configuration of the store.
pub(crate) fn config() -> Config {
    let unsynced = std::env::var_os(UNSYNCED).is_some();
    let durability = if unsynced {
        Durability::Unsynced
    } else {
        Durability::Synced
    };
    Config {
        durability,
        ..Config::default()
    }
}

/// A child that writes lines, and is killed.
pub(crate) struct Doomed {
    child: Child,
    lines: BufReader<ChildStdout>,
}

impl Doomed {
    pub(crate) fn start(command: &mut Command) -> Self {
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap());
        Self { child, lines }
    }

    /// Waits for this many lines, kills the child with `SIGKILL`, and gives everything that it wrote
    /// until then. A line that was cut off is left out.
    pub(crate) fn kill_after(mut self, lines: usize) -> String {
        let mut text = String::new();
        for _ in 0..lines {
            let read = self.lines.read_line(&mut text).unwrap();
            assert!(read > 0, "the child ended by itself:\n{text}");
        }
        self.child.kill().unwrap();
        while self.lines.read_line(&mut text).unwrap() > 0 {}
        self.child.wait().unwrap();
        text.rsplit_once('\n')
            .map(|(whole, _)| whole.to_owned())
            .unwrap_or_default()
    }
}
